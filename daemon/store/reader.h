/* A session file, read only: for replay, reports, checks and tables. Other programs may write it meanwhile.
 *
 * Each call is a read transaction of its own, over when it returns. Thread: one at a time. Errors: -ENOENT, -EIO,
 * -EBUSY, -ENOMEM, -EINVAL (not a session file, or a JSON text or hash that is none), -ENOTSUP (made by a newer
 * program). */
#ifndef EVOKED_DAEMON_STORE_READER_H
#define EVOKED_DAEMON_STORE_READER_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/store/store.h"

struct reader;

int reader_open(const char *path, struct error *err, struct reader **ret_reader);
void reader_close(struct reader *reader); /* NULL is fine */

/* The newest seq. */
int reader_last_seq(struct reader *reader, struct error *err, int64_t *ret_seq);

struct reader_session {
	uint8_t session[16];
	char name[LIMIT_LABEL_BYTES + 1];
	uint64_t seed;
	char *config_text;
	char config_hash[HASH_HEX_SIZE];
	uint32_t width_px, height_px;
	int64_t created_us;	  /* wall clock */
	char state[16];		  /* the newest STORE_OP_STATE; "" before the first */
	struct session_spec spec; /* with all unit versions */
};

int reader_session(struct reader *reader, struct error *err, struct reader_session *ret_session);
void reader_session_done(struct reader_session *session);

struct reader_decision {
	int64_t seq, decision;
	char kind[32], cause[32];
	int64_t saw_seq;
	char parent_model[HASH_HEX_SIZE], pool_hash[HASH_HEX_SIZE]; /* "" without one */
	int64_t units_planned, units_done;
	json_t *spec;
	json_t *outcome; /* NULL without one */
	char outcome_hash[HASH_HEX_SIZE];
	char model_hash[HASH_HEX_SIZE]; /* of a fit; "" */
	int64_t started_us, finished_us;
};

/* The first decision after number `after` (0: the first of all): 1 and the decision, 0 when there is none. */
int reader_next_decision(struct reader *reader, int64_t after, struct error *err, struct reader_decision *ret_decision);
void reader_decision_done(struct reader_decision *decision);

/* The slots that a decision made, in order; malloc'ed, NULL when it made none. */
int reader_slots(struct reader *reader, int64_t decision, struct error *err, size_t *ret_n,
		 struct store_slot **ret_slots);

/* The scores of a decision by (set, tier, unit); malloc'ed in one piece with what their `set` and `tier` point to. */
int reader_scores(struct reader *reader, int64_t decision, struct error *err, size_t *ret_n,
		  struct store_score **ret_scores);

/* Rows as STORE_OP_PAGE gives them. The page lives until the next call of reader_page, reader_image or the close. */
int reader_page(struct reader *reader, int64_t from_seq, int64_t through_seq, int64_t max_bytes, struct error *err,
		struct store_page *ret_page);

/* The PNG of an image; lives as long as a page. -ENOENT. */
int reader_image(struct reader *reader, const struct hash *image, struct error *err, const void **ret_png,
		 size_t *ret_size);

/* Tables for people: what happened, a row each, in order; without the bytes of images and responses. */
enum reader_table {
	READER_BATCHES, /* handed over: origin, slots, presentations, lag, seconds, R² of the model behind it */
	READER_SCORES,
	READER_PRESENTATIONS, /* amendments applied */
	READER_IMAGES,
	READER_UNITS,
	READER_DECISIONS,
	READER_RUNS,
	READER_AMENDMENTS,
	READER_REFUSALS,
	READER_CONFLICTS,
	READER_COMMANDS,
	READER_NOTES,
	READER_EVENTS,
	READER_STATES,
	READER_VERSIONS,
};
enum { READER_TABLES = READER_VERSIONS + 1 };

/* "batches", ...; -EINVAL with a sentence that lists them. */
const char *reader_table_name(enum reader_table table);
int reader_table_from_name(const char *name, struct error *err, enum reader_table *ret_table);

/* Gives each row as an object, columns in order, numbers as numbers, NULL as null; borrowed by the callback. A nonzero
 * return of the callback ends the reading and is returned. */
int reader_read_table(struct reader *reader, enum reader_table table, int (*row)(void *ctx, const json_t *row),
		      void *ctx, struct error *err);

/* Checks the file against itself: SQLite's own integrity check, foreign keys, one row of a table for each row of the
 * log, and each presentation against its content hash. Each problem is a sentence; *ret_n counts them. */
int reader_check(struct reader *reader, void (*problem)(void *ctx, const char *text), void *ctx, struct error *err,
		 size_t *ret_n);

#endif
