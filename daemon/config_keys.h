/* The table of configuration keys: each with its type, range, default and the sentence that explains it.
 *
 * Parsing, `--set`, the canonical text and the reference page all walk this one table. Keys of a section stand
 * together, because the canonical text opens each section once. */
#ifndef EVOKED_DAEMON_CONFIG_KEYS_H
#define EVOKED_DAEMON_CONFIG_KEYS_H

#include <stddef.h>

#include "daemon/config.h"

enum config_type { CONFIG_TEXT, CONFIG_BOOL, CONFIG_U32, CONFIG_SEED, CONFIG_REAL };

/* A key: up to three words joined by dots, each below this many bytes together. */
enum { CONFIG_KEY_BYTES_MAX = 64, CONFIG_DEPTH_MAX = 3 };

/* The sizes that the built-in front end takes. The daemon has no numerics, not even their headers: a test holds these
 * equal to models/front_end.h. */
enum { CONFIG_SIDE_MIN_PX = 32, CONFIG_SIDE_MAX_PX = 512, CONFIG_SIDE_STEP_PX = 8 };
#define CONFIG_FRONT_END "front_end"

struct config_key {
	const char *name; /* dotted: "batch.mix.natural" */
	enum config_type type;
	size_t offset, size;  /* in struct config */
	double min, max;      /* CONFIG_U32 and CONFIG_REAL, both ends allowed */
	const char *fallback; /* the default, as it would stand in a file */
	const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* The key of that name, or NULL. */
const struct config_key *config_key_find(const char *name);
/* Whether some key begins with `name` and a dot. */
bool config_key_is_section(const char *name);
/* The name that is closest to a mistyped one, or NULL when none is near. */
const char *config_key_nearest(const char *name);

/* Writes what a value must be: "a whole number from 1 to 1000". */
enum { CONFIG_EXPECTED_MAX = 128 };
void config_key_expected(const struct config_key *key, char ret_text[CONFIG_EXPECTED_MAX]);

/* Parses `text` into its place; -EINVAL names key, what is expected and what was found. */
int config_key_parse(const struct config_key *key, struct config *config, const char *text, struct error *err);

/* The value as it stands in the canonical text, without quotes: reals and seeds read back to the same bits. */
void config_key_print(const struct config_key *key, const struct config *config, char ret_text[CONFIG_TEXT_MAX]);

#endif
