/* The table, and what can be done with one key of it: find, parse, print. Nothing here knows YAML. */
#include "daemon/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/limits.h"

#define PLACE(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define TEXT(name, member, fallback, help)                                                                             \
	{                                                                                                              \
		name, CONFIG_TEXT, PLACE(member), 0, 0, fallback, help                                                 \
	}
#define BOOL(name, member, fallback, help)                                                                             \
	{                                                                                                              \
		name, CONFIG_BOOL, PLACE(member), 0, 0, fallback, help                                                 \
	}
#define SEED(name, member, fallback, help)                                                                             \
	{                                                                                                              \
		name, CONFIG_SEED, PLACE(member), 0, 0, fallback, help                                                 \
	}
#define U32(name, member, min, max, fallback, help)                                                                    \
	{                                                                                                              \
		name, CONFIG_U32, PLACE(member), min, max, fallback, help                                              \
	}
#define REAL(name, member, min, max, fallback, help)                                                                   \
	{                                                                                                              \
		name, CONFIG_REAL, PLACE(member), min, max, fallback, help                                             \
	}
#define SHARE(kind, fallback, help) REAL("batch.mix." #kind, batch.mix.kind, 0, 1, fallback, help)

/* clang-format off */
const struct config_key config_keys[] = {
	TEXT("session.name", session.name, "",
	     "Name of the session and of its file; letters, digits and `-_.`. Empty: the name that the rig gives at `open`."),
	TEXT("session.dir", session.dir, ".",
	     "Folder of the session file and, beside it, of its model files."),
	SEED("session.seed", session.seed, "0",
	     "Key of every random draw of the session, decimal or 0x and hex digits. 0: drawn at `open` and written into the file."),

	TEXT("listen.rig", listen.rig, "tcp://127.0.0.1:5571", "ZeroMQ endpoint of the rig (ROUTER)."),
	TEXT("listen.status", listen.status, "tcp://127.0.0.1:5572", "Endpoint where the status is published (PUB)."),
	TEXT("listen.control", listen.control, "tcp://127.0.0.1:5573", "Endpoint of operators' commands (ROUTER)."),
	BOOL("listen.insecure", listen.insecure, "false",
	     "Allow endpoints that other machines can reach. There is no authentication: only on a network of the rig's own."),

	TEXT("images.pool", images.pool, "dead_leaves:4000",
	     "Natural images: a folder or zip of PNG and JPEG, or `dead_leaves:N` to have N images made."),
	U32("images.width_px", images.width_px, 8, LIMIT_IMAGE_SIDE_PX, "112", "Width of every image that is shown."),
	U32("images.height_px", images.height_px, 8, LIMIT_IMAGE_SIDE_PX, "112", "Height of every image that is shown."),
	BOOL("images.resize", images.resize, "false",
	     "Bring pool images of another size to this one (centre crop, area average); without it they are an error."),
	U32("images.n_monitor", images.n_monitor, 0, 1000, "24",
	    "Held-out natural images that are repeated through the session: live R², noise ceiling."),
	U32("images.n_sealed", images.n_sealed, 0, 10000, "100",
	    "Held-out natural images that are scored once, at `close`."),

	U32("batch.size", batch.size, 1, LIMIT_BATCH_SLOTS, "100", "Presentations of one batch."),
	U32("batch.max_requeue", batch.max_requeue, 0, 100, "3",
	    "How often a slot that was not shown, or not validly, is put into a later batch."),
	U32("batch.stock", batch.stock, 1, 16, "2", "Fallback batches of natural images kept ready."),
	SHARE(natural, "0.3", "Share of random pool images: the control arm."),
	SHARE(gaudy, "0.05", "Share of random pool images made gaudy."),
	SHARE(informative_pool, "0.15", "Share of pool images on which the models disagree most."),
	SHARE(informative_synthesized, "0.1", "Share of images made so that the models disagree."),
	SHARE(maximizing, "0.05", "Share of images made to drive one neuron."),
	SHARE(minimizing, "0", "Share of images made to silence one neuron."),
	SHARE(parametric, "0", "Share of gratings, dots, bars and curves."),
	SHARE(monitor, "0.25", "Share of monitor images. At least eight repeats of each make the R² usable."),
	SHARE(sealed, "0.05", "Share of sealed images: what the models are tested on at `close`."),
	SHARE(blank, "0.05", "Share of blanks, at the background level that the rig declares."),

	TEXT("model.backbone", model.backbone, CONFIG_FRONT_END,
	     "Frozen features: `front_end` (built in), or a model file (.keras or .safetensors)."),
	TEXT("model.backbone_cut", model.backbone_cut, "",
	     "Last layer that is used of a backbone file. Empty: the one before its readout."),

	U32("fit.n_members", fit.n_members, 0, 32, "4",
	    "Trained members of the ensemble. 0: the Bayesian ridge readout alone."),
	U32("fit.mixing_channels", fit.mixing_channels, 1, 1024, "64", "Channels of a member's 1×1 convolution."),
	U32("fit.n_steps", fit.n_steps, 1, 1000000, "300", "Optimizer steps of each refit, whatever the data."),
	U32("fit.batch_size", fit.batch_size, 1, 4096, "64", "Presentations in one optimizer step."),
	REAL("fit.learning_rate", fit.learning_rate, 1e-6, 1, "0.003", "Step size of Adam."),
	REAL("fit.weight_decay", fit.weight_decay, 0, 1000, "3", "Decoupled weight decay of Adam, times the step size at each step."),
	U32("fit.n_bootstrap", fit.n_bootstrap, 0, 100000, "200", "Replicates behind the interval of each R². 0: no intervals."),

	U32("selection.n_candidates", selection.n_candidates, 1, 1000000, "1000",
	    "Pool images, drawn anew for each batch, among which the informative ones are chosen."),

	U32("synthesis.n_steps", synthesis.n_steps, 1, 5000, "100", "Gradient steps of each synthesized image."),
	REAL("synthesis.step_size", synthesis.step_size, 0, 10, "0", "Step size of Adam on the image. 0: the method's own (0.05)."),
	REAL("synthesis.rms_contrast", synthesis.rms_contrast, 0, 128, "50",
	     "RMS contrast over pixels and colours, in levels of 255, that a synthesized image is held to. 0: free."),
	REAL("synthesis.mean_luminance", synthesis.mean_luminance, 0, 255, "110",
	     "Mean luminance of a synthesized image, of 255. 0: free."),
	REAL("synthesis.response_cap", synthesis.response_cap, 0, 10000, "0",
	     "Predicted count beyond which a neuron is not driven further. 0: none."),

	TEXT("worker.program", worker.program, "", "The numerics program. Empty: `evoked-worker` beside `evoked`."),
	U32("worker.threads", worker.threads, 0, 64, "0", "Threads of the numerics. 0: one a processor. Results are the same bits."),
	U32("worker.memory_mib", worker.memory_mib, 0, 1048576, "8192",
	    "Address space that the worker may take, in MiB; beyond it, it fails and is started again. 0: no limit."),
};
/* clang-format on */
const size_t config_n_keys = sizeof config_keys / sizeof config_keys[0];

const struct config_key *config_key_find(const char *name)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (!strcmp(config_keys[i].name, name))
			return &config_keys[i];
	return NULL;
}

bool config_key_is_section(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < config_n_keys; i++)
		if (!strncmp(config_keys[i].name, name, n) && config_keys[i].name[n] == '.')
			return true;
	return false;
}

/* Levenshtein distance; both below CONFIG_KEY_BYTES_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[CONFIG_KEY_BYTES_MAX + 1];
	size_t n_b = strlen(b);

	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < gap ? change : gap;
		}
	}
	return row[n_b];
}

const char *config_key_nearest(const char *name)
{
	size_t n_name = strlen(name);
	const char *word = strrchr(name, '.');
	const char *nearest = NULL;
	size_t best = n_name / 3 + 2;

	if (n_name >= CONFIG_KEY_BYTES_MAX)
		return NULL;
	word = word ? word + 1 : name;
	for (size_t i = 0; i < config_n_keys; i++) {
		size_t distance = edit_distance(name, config_keys[i].name);

		/* The right word in the wrong section is as near as a slip of one letter. */
		if (distance > 1 && !strcmp(strrchr(config_keys[i].name, '.') + 1, word))
			distance = 1;
		if (distance < best) {
			best = distance;
			nearest = config_keys[i].name;
		}
	}
	return nearest;
}

void config_key_expected(const struct config_key *key, char ret_text[CONFIG_EXPECTED_MAX])
{
	switch (key->type) {
	case CONFIG_TEXT:
		snprintf(ret_text, CONFIG_EXPECTED_MAX, "text of at most %zu bytes", key->size - 1);
		break;
	case CONFIG_BOOL:
		snprintf(ret_text, CONFIG_EXPECTED_MAX, "true or false");
		break;
	case CONFIG_U32:
		snprintf(ret_text, CONFIG_EXPECTED_MAX, "a whole number from %.0f to %.0f", key->min, key->max);
		break;
	case CONFIG_SEED:
		snprintf(ret_text, CONFIG_EXPECTED_MAX, "a whole number below 2^64, decimal or 0x and hex digits");
		break;
	case CONFIG_REAL:
		snprintf(ret_text, CONFIG_EXPECTED_MAX, "a number from %g to %g", key->min, key->max);
		break;
	}
}

/* Decimal or 0x…; strtoull alone would take "-1", blanks and octal. */
static int parse_u64(const char *text, uint64_t *ret_value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;
	uint64_t value;

	if (!isxdigit((unsigned char)digits[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(digits, &end, hex ? 16 : 10);
	if (errno || *end)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int parse_real(const char *text, double *ret_value)
{
	char *end;
	double value;

	if (!text[0] || isspace((unsigned char)text[0]))
		return -EINVAL;
	value = strtod(text, &end);
	if (*end || !isfinite(value))
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* Text goes into one line of the canonical text and into JSON: UTF-8 without control characters. */
static int parse_text(const struct config_key *key, const char *text, char *ret_value)
{
	json_t *utf8;

	if (strlen(text) >= key->size)
		return -EINVAL;
	for (const char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			return -EINVAL;
	utf8 = json_string(text);
	if (!utf8)
		return -EINVAL;
	json_decref(utf8);
	strcpy(ret_value, text);
	return 0;
}

int config_key_parse(const struct config_key *key, struct config *config, const char *text, struct error *err)
{
	char *place = (char *)config + key->offset;
	char expected[CONFIG_EXPECTED_MAX];
	uint64_t whole;
	double real;
	int r = -EINVAL;

	switch (key->type) {
	case CONFIG_TEXT:
		r = parse_text(key, text, place);
		break;
	case CONFIG_BOOL:
		if (!strcmp(text, "true") || !strcmp(text, "false")) {
			*(bool *)place = text[0] == 't';
			r = 0;
		}
		break;
	case CONFIG_U32:
		r = parse_u64(text, &whole);
		if (!r && ((double)whole < key->min || (double)whole > key->max))
			r = -EINVAL;
		if (!r)
			*(uint32_t *)place = (uint32_t)whole;
		break;
	case CONFIG_SEED:
		r = parse_u64(text, (uint64_t *)place);
		break;
	case CONFIG_REAL:
		r = parse_real(text, &real);
		if (!r && (real < key->min || real > key->max))
			r = -EINVAL;
		if (!r)
			*(double *)place = real;
		break;
	}
	if (!r)
		return 0;
	config_key_expected(key, expected);
	return error_set(err, r, "%s: %s expected, found %s%.200s%s", key->name, expected, text[0] ? "\"" : "nothing",
			 text, text[0] ? "\"" : "");
}

void config_key_print(const struct config_key *key, const struct config *config, char ret_text[CONFIG_TEXT_MAX])
{
	const char *place = (const char *)config + key->offset;
	double real;

	switch (key->type) {
	case CONFIG_TEXT:
		snprintf(ret_text, CONFIG_TEXT_MAX, "%s", place);
		break;
	case CONFIG_BOOL:
		snprintf(ret_text, CONFIG_TEXT_MAX, "%s", *(const bool *)place ? "true" : "false");
		break;
	case CONFIG_U32:
		snprintf(ret_text, CONFIG_TEXT_MAX, "%u", *(const uint32_t *)place);
		break;
	case CONFIG_SEED:
		snprintf(ret_text, CONFIG_TEXT_MAX, "0x%016llx", (unsigned long long)*(const uint64_t *)place);
		break;
	case CONFIG_REAL:
		real = *(const double *)place;
		/* As short as reads back to the same number, so that 0.1 stays 0.1. */
		for (int digits = 6; digits <= 17; digits++) {
			snprintf(ret_text, CONFIG_TEXT_MAX, "%.*g", digits, real);
			if (strtod(ret_text, NULL) == real)
				break;
		}
		break;
	}
}
