/* The real worker through its pipe: a small session of dead leaves and synthetic counts, from prepare to evaluate. The
 * same bits with any number of threads, from a new worker, and after a cancel; errors that name their field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/worker/pipe_client.h"
#include "daemon/worker/pipe_fields.h"
#include "samples.h"
#include "support/rng.h"

enum { SEED = 11, ROWS_MAX = 600, PRESENTED_MAX = 400, HASHES_MAX = 16, N_UNITS = 2, N_BINS = 3 };

static const char *evoked_worker; /* argv[1] */

/* A session as the daemon would keep it: rows in order. */
struct session {
	size_t n_rows, n_sent;
	struct store_row rows[ROWS_MAX];
	size_t n_presented;
	uint16_t counts[PRESENTED_MAX][N_UNITS * N_BINS];
	struct pipe_client *client;
	char model_dir[64];
	int64_t decision;
	size_t n_hashes;
	char hashes[HASHES_MAX][HASH_HEX_SIZE];
	char model[HASH_HEX_SIZE];
};

static json_t *make_setup(const char *pool, const char *backbone, const char *model_dir, int n_threads)
{
	return json_pack("{s:s, s:i, s:i, s:s, s:b, s:s, s:s, s:s, s:i, s:o}", SETUP_SEED, "000000000000000b",
			 SETUP_WIDTH_PX, SAMPLE_SIDE_PX, SETUP_HEIGHT_PX, SAMPLE_SIDE_PX, SETUP_POOL, pool,
			 SETUP_RESIZE, 0, SETUP_BACKBONE, backbone, SETUP_BACKBONE_CUT, "", SETUP_MODEL_DIR, model_dir,
			 SETUP_THREADS, n_threads, SETUP_SPEC, sample_spec_json());
}

static void begin(struct session *s, int n_threads)
{
	struct message result;
	struct error err;
	json_t *setup;

	*s = (struct session){0};
	strcpy(s->model_dir, "/tmp/evoked-worker-test-XXXXXX");
	assert_non_null(mkdtemp(s->model_dir));
	assert_int_equal(pipe_client_start(evoked_worker, 0, NULL, &s->client), 0);
	assert_non_null(json_object_get(pipe_client_hello(s->client), HELLO_CPU_KERNEL));
	setup = make_setup("dead_leaves:200", "front_end", s->model_dir, n_threads);
	if (pipe_client_setup(s->client, setup, NULL, &err, &result))
		fail_msg("%s", err.text);
	message_done(&result);
	json_decref(setup);
}

static void end(struct session *s)
{
	DIR *dir = opendir(s->model_dir);
	struct dirent *entry;
	char path[400];

	pipe_client_stop(s->client);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof path, "%s/%s", s->model_dir, entry->d_name);
		unlink(path);
	}
	closedir(dir);
	rmdir(s->model_dir);
	for (size_t i = 0; i < s->n_rows; i++)
		free((void *)s->rows[i].png);
}

static struct store_row *new_row(struct session *s, enum store_row_kind kind)
{
	struct store_row *row = &s->rows[s->n_rows++];

	assert_in_range(s->n_rows, 1, ROWS_MAX);
	*row = (struct store_row){.seq = (int64_t)s->n_rows, .kind = kind};
	return row;
}

static const struct store_row *image_row(const struct session *s, const struct hash *hash)
{
	for (size_t i = 0; i < s->n_rows; i++) {
		if (s->rows[i].kind == STORE_ROW_IMAGE && hash_equal(&s->rows[i].image, hash))
			return &s->rows[i];
	}
	fail_msg("a slot with an image that no row brought");
	return NULL;
}

static void store_images(struct session *s, const struct message *result)
{
	const struct message_array *png = message_find_array(result, RESULT_PNG);
	size_t i;
	json_t *entry;

	json_array_foreach(json_object_get(result->header, RESULT_IMAGES), i, entry)
	{
		json_int_t offset = json_integer_value(json_object_get(entry, IMAGE_OFFSET));
		struct store_row *row = new_row(s, STORE_ROW_IMAGE);
		void *copy;

		row->png_size = (size_t)json_integer_value(json_object_get(entry, IMAGE_SIZE));
		copy = malloc(row->png_size);
		memcpy(copy, (const uint8_t *)png->data + offset, row->png_size);
		row->png = copy;
		hash_from_hex(json_string_value(json_object_get(entry, IMAGE_HASH)), &row->image);
		strcpy(row->role, json_string_value(json_object_get(entry, IMAGE_ROLE)));
	}
}

/* Counts that depend on the image: unit 0 on the left half's level, unit 1 on the right half's. */
static void respond(const struct store_row *image, size_t number, uint16_t *ret_counts)
{
	struct rng rng = {.seed = 99, .purpose = RNG_TEST};
	struct image pixels;

	assert_int_equal(image_decode(image->png, image->png_size, NULL, &pixels), 0);
	for (uint32_t u = 0; u < N_UNITS; u++) {
		double sum = 0.0;

		for (uint32_t y = 0; y < SAMPLE_SIDE_PX; y++) {
			for (uint32_t x = 0; x < SAMPLE_SIDE_PX / 2; x++)
				sum += pixels.rgb[3 * (y * SAMPLE_SIDE_PX + x + u * SAMPLE_SIDE_PX / 2)];
		}
		/* Well above the noise: the squared level, up to some twenty spikes. */
		double level = sum / (SAMPLE_SIDE_PX * SAMPLE_SIDE_PX / 2) / 50;

		for (uint32_t b = 0; b < N_BINS; b++)
			ret_counts[u * N_BINS + b] =
				(uint16_t)rng_count(&rng, (number * N_UNITS + u) * N_BINS + b, level * level, 0.9);
	}
	image_done(&pixels);
}

static void show(struct session *s, const struct message *result)
{
	size_t i;
	json_t *slot;

	store_images(s, result);
	json_array_foreach(json_object_get(result->header, RESULT_SLOTS), i, slot)
	{
		struct hash hash;
		struct store_row *row;

		hash_from_hex(json_string_value(json_object_get(slot, SLOT_IMAGE)), &hash);
		respond(image_row(s, &hash), s->n_presented, s->counts[s->n_presented]);
		row = new_row(s, STORE_ROW_PRESENTATION);
		row->image = hash;
		row->run_index = 1;
		row->responses = s->counts[s->n_presented];
		row->responses_size = sizeof s->counts[0];
		row->number = (int64_t)++s->n_presented;
		assert_in_range(s->n_presented, 1, PRESENTED_MAX - 1);
	}
}

static void send_rows(struct session *s)
{
	struct store_page page = {.through_seq = (int64_t)s->n_rows, .n_rows = s->n_rows - s->n_sent};

	page.rows = s->rows + s->n_sent;
	assert_int_equal(pipe_client_rows(s->client, &page, NULL), 0);
	s->n_sent = s->n_rows;
}

static json_t *make_spec(struct session *s, const char *kind, json_t *fields)
{
	json_t *spec = json_pack("{s:s, s:I, s:I, s:s}", JOB_KIND, kind, JOB_DECISION, (json_int_t)++s->decision,
				 JOB_SAW_SEQ, (json_int_t)s->n_rows, JOB_SEED, "000000000000000b");

	assert_non_null(fields);
	json_object_update(spec, fields);
	json_decref(fields);
	return spec;
}

/* A job that must succeed; remembers its outcome's hash. Takes `fields`. */
static void ask(struct session *s, const char *kind, json_t *fields, struct message *ret_result)
{
	json_t *spec = make_spec(s, kind, fields);
	struct error err;

	send_rows(s);
	if (pipe_client_job(s->client, (uint64_t)s->decision, spec, NULL, &err, ret_result))
		fail_msg("%s: %s", kind, err.text);
	strcpy(s->hashes[s->n_hashes++], json_string_value(json_object_get(ret_result->header, RESULT_HASH)));
	json_decref(spec);
}

static json_t *fit_fields(const char *parent, int n_members, int n_steps)
{
	return json_pack("{s:s, s:i, s:i, s:{s:i, s:i, s:i, s:i, s:f, s:f}}", JOB_PARENT, parent, JOB_N_UNITS, N_UNITS,
			 JOB_N_BOOTSTRAP, 20, JOB_SETTINGS, FIT_N_MEMBERS, n_members, FIT_MIXING_CHANNELS, 8,
			 FIT_N_STEPS, n_steps, FIT_BATCH_SIZE, 16, FIT_LEARNING_RATE, 0.003, FIT_WEIGHT_DECAY, 0.0);
}

static json_t *batch_fields(const char *model)
{
	return json_pack("{s:s, s:i, s:[i], s:{s:i, s:f, s:f, s:f, s:f},"
			 " s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}}",
			 JOB_MODEL, model, JOB_N_CANDIDATES, 60, JOB_EXCLUDE, 9, JOB_SYNTHESIS, SYNTHESIS_N_STEPS, 6,
			 SYNTHESIS_STEP_SIZE, 0.0, SYNTHESIS_RMS_CONTRAST, 0.0, SYNTHESIS_MEAN_LUMINANCE, 0.0,
			 SYNTHESIS_RESPONSE_CAP, 0.0, JOB_RECIPE, "natural", 4, "gaudy", 2, "informative_pool", 5,
			 "informative_synthesized", 2, "maximizing", 2, "minimizing", 1, "monitor", 6, "blank", 1,
			 "parametric", 1);
}

/* prepare, two draws, fit. */
static void play_to_first_fit(struct session *s, int n_members, int n_steps)
{
	struct message result;

	ask(s, JOB_KIND_PREPARE, json_pack("{s:i, s:i}", JOB_N_MONITOR, 8, JOB_N_SEALED, 6), &result);
	assert_int_equal(json_array_size(json_object_get(result.header, RESULT_IMAGES)), 14);
	store_images(s, &result);
	message_done(&result);
	for (int i = 0; i < 2; i++) {
		ask(s, JOB_KIND_DRAW,
		    json_pack("{s:{s:i, s:i, s:i}}", JOB_RECIPE, "natural", 40, "monitor", 16, "sealed", 6), &result);
		assert_int_equal(json_array_size(json_object_get(result.header, RESULT_SLOTS)), 62);
		show(s, &result);
		message_done(&result);
	}
	ask(s, JOB_KIND_FIT, fit_fields("", n_members, n_steps), &result);
	strcpy(s->model, s->hashes[s->n_hashes - 1]);
	message_done(&result);
}

static size_t count_slots(const struct message *result, const char *kind)
{
	size_t i, n = 0;
	json_t *slot;

	json_array_foreach(json_object_get(result->header, RESULT_SLOTS), i, slot) n +=
		!strcmp(json_string_value(json_object_get(slot, SLOT_KIND)), kind);
	return n;
}

static void check_batch(const struct message *result)
{
	size_t i;
	json_t *image;

	assert_int_equal(count_slots(result, "informative_pool"), 5);
	assert_int_equal(count_slots(result, "informative_synthesized"), 2);
	assert_int_equal(count_slots(result, "maximizing"), 2);
	assert_int_equal(count_slots(result, "minimizing"), 1);
	assert_int_equal(json_array_size(json_object_get(result->header, RESULT_SLOTS)), 24);
	json_array_foreach(json_object_get(result->header, RESULT_IMAGES), i, image)
	{
		const json_t *provenance = json_object_get(image, IMAGE_PROVENANCE);

		if (strcmp(json_string_value(json_object_get(image, IMAGE_KIND)), "maximizing"))
			continue;
		/* Unit 9 is excluded. */
		assert_int_equal(json_integer_value(json_object_get(provenance, "unit")), 7);
		assert_true(json_real_value(json_object_get(provenance, "value")) >=
			    json_real_value(json_object_get(provenance, "value_start")));
	}
	/* 60 candidates in two chunks, and six steps for each of three kinds. */
	assert_int_equal(json_integer_value(json_object_get(result->header, RESULT_UNITS_PLANNED)), 2 + 3 * 6);
	assert_int_equal(json_integer_value(json_object_get(result->header, RESULT_UNITS_DONE)), 2 + 3 * 6);
}

static void play_whole(struct session *s, int n_threads)
{
	struct message result;
	const struct message_array *scores;
	char path[256];

	begin(s, n_threads);
	play_to_first_fit(s, 2, 30);
	snprintf(path, sizeof path, "%s/%s%s", s->model_dir, s->model, MODEL_FILE_SUFFIX);
	assert_int_equal(access(path, R_OK), 0);
	ask(s, JOB_KIND_BATCH, batch_fields(s->model), &result);
	check_batch(&result);
	show(s, &result);
	message_done(&result);
	ask(s, JOB_KIND_FIT, fit_fields(s->model, 2, 30), &result);
	strcpy(s->model, s->hashes[s->n_hashes - 1]);
	scores = message_find_array(&result, RESULT_SCORES);
	assert_non_null(scores);
	assert_int_equal(scores->dims[0], 2);
	assert_int_equal(scores->dims[1], 1 + N_UNITS);
	assert_int_equal(scores->dims[2], SCORE_COLUMNS);
	/* The counts follow the image's level, which the front end has among its features. */
	assert_true(((const double *)scores->data)[SCORE_R_MEAN] > 0.6);
	message_done(&result);
	ask(s, JOB_KIND_EVALUATE,
	    json_pack("{s:s, s:s, s:i, s:i}", JOB_MODEL, s->model, JOB_SET, ROLE_SEALED, JOB_N_UNITS, N_UNITS,
		      JOB_N_BOOTSTRAP, 10),
	    &result);
	scores = message_find_array(&result, RESULT_SCORES);
	assert_int_equal(((const double *)scores->data)[SCORE_N_IMAGES], 6);
	message_done(&result);
}

static void the_same_bits_with_one_and_two_threads(void **state)
{
	struct session *one = malloc(sizeof *one), *two = malloc(sizeof *two);

	(void)state;
	play_whole(one, 1);
	play_whole(two, 2);
	assert_int_equal(one->n_hashes, two->n_hashes);
	for (size_t i = 0; i < one->n_hashes; i++)
		assert_string_equal(one->hashes[i], two->hashes[i]);
	end(one);
	end(two);
	free(one);
	free(two);
}

static bool cancel_after_some(void *ctx, int64_t done, int64_t planned, const char *what)
{
	(void)ctx;
	(void)planned;
	(void)what;
	return done > 0;
}

/* A fit that was cancelled and the same fit stopped after as many units, by a worker that knows nothing of it. */
static void cancelled_and_made_again(void **state)
{
	struct session *s = malloc(sizeof *s), *again = malloc(sizeof *again);
	struct pipe_client_watch watch = {.progress = cancel_after_some};
	struct message result;
	struct error err;
	json_t *spec, *fields;
	json_int_t done;

	(void)state;
	begin(s, 1);
	play_to_first_fit(s, 2, 5);
	spec = make_spec(s, JOB_KIND_FIT, fit_fields(s->model, 2, 100000));
	if (pipe_client_job(s->client, 77, spec, &watch, &err, &result))
		fail_msg("%s", err.text);
	done = json_integer_value(json_object_get(result.header, RESULT_UNITS_DONE));
	assert_in_range(done, 1, 99999);
	assert_int_equal(json_integer_value(json_object_get(result.header, RESULT_UNITS_PLANNED)), 100000);
	strcpy(s->hashes[0], json_string_value(json_object_get(result.header, RESULT_HASH)));
	message_done(&result);
	json_decref(spec);

	begin(again, 2);
	play_to_first_fit(again, 2, 5);
	fields = fit_fields(again->model, 2, 100000);
	json_object_set_new(fields, JOB_STOP_AFTER, json_integer(done));
	ask(again, JOB_KIND_FIT, fields, &result);
	assert_int_equal(json_integer_value(json_object_get(result.header, RESULT_UNITS_DONE)), done);
	assert_string_equal(again->hashes[again->n_hashes - 1], s->hashes[0]);
	message_done(&result);
	end(s);
	end(again);
	free(s);
	free(again);
}

/* What nothing was made for becomes natural; a worker that was stopped at the same unit makes the same. */
static void batch_stopped_at_a_unit(void **state)
{
	struct session *s = malloc(sizeof *s);
	struct message result;
	json_t *fields;

	(void)state;
	begin(s, 1);
	play_to_first_fit(s, 2, 5);
	fields = batch_fields(s->model);
	json_object_set_new(fields, JOB_STOP_AFTER, json_integer(1));
	ask(s, JOB_KIND_BATCH, fields, &result);
	/* One chunk of candidates: enough to choose from, none left to synthesize. */
	assert_int_equal(count_slots(&result, "informative_pool"), 5);
	assert_int_equal(count_slots(&result, "informative_synthesized"), 0);
	assert_int_equal(count_slots(&result, "natural"), 4 + 5);
	message_done(&result);
	fields = batch_fields(s->model);
	json_object_set_new(fields, JOB_STOP_AFTER, json_integer(5));
	ask(s, JOB_KIND_BATCH, fields, &result);
	assert_int_equal(count_slots(&result, "informative_synthesized"), 2);
	assert_int_equal(count_slots(&result, "maximizing"), 0);
	assert_int_equal(json_integer_value(json_object_get(result.header, RESULT_UNITS_DONE)), 5);
	message_done(&result);
	end(s);
	free(s);
}

/* Without members the ridge chooses; nothing can disagree in synthesis. */
static void ridge_alone(void **state)
{
	struct session *s = malloc(sizeof *s);
	struct message result;

	(void)state;
	begin(s, 1);
	play_to_first_fit(s, 0, 5);
	ask(s, JOB_KIND_BATCH, batch_fields(s->model), &result);
	assert_int_equal(count_slots(&result, "informative_pool"), 5);
	assert_int_equal(count_slots(&result, "informative_synthesized"), 0);
	assert_int_equal(count_slots(&result, "maximizing"), 2);
	message_done(&result);
	end(s);
	free(s);
}

static void assert_refused(struct session *s, const char *kind, json_t *fields, const char *word)
{
	json_t *spec = make_spec(s, kind, fields);
	struct message result;
	struct error err;

	assert_int_equal(pipe_client_job(s->client, 5, spec, NULL, &err, &result), -EINVAL);
	if (!strstr(err.text, word))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
	json_decref(spec);
}

static void bad_jobs_are_refused_and_the_worker_stays(void **state)
{
	static const char nowhere[] = "00000000000000000000000000000000000000000000000000000000000000aa";
	struct session *s = malloc(sizeof *s);
	json_t *fields;

	(void)state;
	begin(s, 1);
	assert_refused(s, "dance", json_object(), "dance");
	assert_refused(s, JOB_KIND_FIT, json_object(), "job.settings");
	assert_refused(s, JOB_KIND_FIT, fit_fields("", 2, 5), "no complete presentation");
	assert_refused(s, JOB_KIND_FIT, fit_fields(nowhere, 2, 5), nowhere);
	assert_refused(s, JOB_KIND_FIT, fit_fields("xyz", 2, 5), "job.parent");
	assert_refused(s, JOB_KIND_FIT, fit_fields("", 99, 5), "n_members");
	assert_refused(s, JOB_KIND_BATCH, batch_fields(nowhere), nowhere);
	assert_refused(s, JOB_KIND_DRAW, json_pack("{s:{s:i}}", JOB_RECIPE, "maximizing", 1), "a model is needed");
	assert_refused(s, JOB_KIND_PREPARE, json_pack("{s:i, s:i}", JOB_N_MONITOR, 150, JOB_N_SEALED, 60), "");
	assert_refused(s, JOB_KIND_EVALUATE,
		       json_pack("{s:s, s:s, s:i, s:i}", JOB_MODEL, nowhere, JOB_SET, "secret", JOB_N_UNITS, N_UNITS,
				 JOB_N_BOOTSTRAP, 0),
		       "secret");
	fields = json_pack("{s:i}", JOB_SAW_SEQ, 5);
	assert_refused(s, JOB_KIND_DRAW, fields, "job.saw_seq");
	fields = json_pack("{s:s}", JOB_SEED, "xy");
	assert_refused(s, JOB_KIND_DRAW, fields, "job.seed");
	play_to_first_fit(s, 0, 0);
	end(s);
	free(s);
}

static void setup_refused(const char *pool, const char *backbone, const char *word)
{
	struct pipe_client *client;
	struct message result;
	struct error err;
	json_t *setup = make_setup(pool, backbone, "/tmp", 1);

	assert_int_equal(pipe_client_start(evoked_worker, 0, NULL, &client), 0);
	assert_int_equal(pipe_client_setup(client, setup, NULL, &err, &result), -EINVAL);
	if (!strstr(err.text, word))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
	json_decref(setup);
	pipe_client_stop(client);
}

static void broken_pool_or_backbone(void **state)
{
	(void)state;
	setup_refused("/nowhere/images", "front_end", "/nowhere/images");
	setup_refused("dead_leaves:0", "front_end", "dead_leaves");
	setup_refused("dead_leaves:20", "/nowhere/core.keras", "/nowhere/core.keras");
}

/* Not enough address space: refused with a sentence that says so, and the process ends by itself. */
static void memory_limit(void **state)
{
	struct pipe_client *client;
	struct message result;
	struct error err = {""};
	json_t *setup = make_setup("dead_leaves:20", "front_end", "/tmp", 1);

	(void)state;
	assert_int_equal(pipe_client_start(evoked_worker, 100 << 20, &err, &client), 0);
	if (!pipe_client_setup(client, setup, NULL, &err, &result)) {
		message_done(&result); /* a sanitizer's build has no limit */
	} else if (!strstr(err.text, "memory")) {
		fail_msg("\"%s\" does not say what is missing", err.text);
	}
	pipe_client_stop(client);
	json_decref(setup);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bits_with_one_and_two_threads),
		cmocka_unit_test(cancelled_and_made_again),
		cmocka_unit_test(batch_stopped_at_a_unit),
		cmocka_unit_test(ridge_alone),
		cmocka_unit_test(bad_jobs_are_refused_and_the_worker_stays),
		cmocka_unit_test(broken_pool_or_backbone),
		cmocka_unit_test(memory_limit),
	};

	if (argc < 2)
		return 2;
	evoked_worker = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
