/* Flow: session and configuration from the file, a worker, its hello against the recorded ones, the setup with a
 * temporary model folder; then for each decision the rows up to its saw_seq, the recorded specification (with
 * stop_after where it was cut short), and the outcome's hash.
 *
 * A model that came out differently has another name, so what was built on it would find nothing: the recorded file is
 * then taken from the session's model folder, where it is still there, and the comparison goes on with it. Failure
 * modes: the file, the configuration in it, no worker, a temporary folder that cannot be made. */
#include "daemon/cli/replay_session.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/session_files.h"
#include "daemon/worker/pipe_client.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/supervisor.h"
#include "daemon/worker/worker_setup.h"

enum { PATH_SIZE = PATH_MAX };

struct replay {
	const struct replay_options *options;
	const struct replay_callbacks *callbacks;
	void *ctx;
	struct reader *reader;
	struct reader_session session;
	struct config config;
	struct pipe_client *client;
	json_t *last_hello;	      /* recorded, without its process */
	char temporary[PATH_SIZE];    /* model folder; "" before it is made */
	char recorded_dir[PATH_SIZE]; /* the session's model folder */
	char pool_hash[HASH_HEX_SIZE];
	int64_t sent_seq;
	bool gave_up;
	const struct reader_decision *at_work;
};

static void remark(struct replay *r, const char *format, ...) ERROR_FORMAT(2, 3);

static void remark(struct replay *r, const char *format, ...)
{
	struct error text;
	va_list args;

	va_start(args, format);
	error_set_va(&text, 0, format, args);
	va_end(args);
	r->callbacks->difference(r->ctx, text.text);
}

/* Says once what is another now. */
static void compare_text(struct replay *r, const char *what, const char *then, const char *now)
{
	if (then && now && strcmp(then, now))
		remark(r, "%s: recorded with %s, made again with %s", what, then, now);
}

/* One event of the log: a worker that was started then, with what it said of itself. A session may have had many,
 * nearly always the same: each that says something new is compared. */
static int compare_hello(void *ctx, const json_t *row)
{
	static const char *const keys[] = {HELLO_VERSION, HELLO_BUILD, HELLO_CPU_KERNEL};
	struct replay *r = ctx;
	const json_t *now = pipe_client_hello(r->client);
	const char *kind = json_string_value(json_object_get(row, "kind"));
	const char *detail = json_string_value(json_object_get(row, "detail")), *name;
	json_t *hello, *version;

	if (!kind || strcmp(kind, WORKER_EVENT_STARTED) || !detail)
		return 0;
	hello = json_loads(detail, 0, NULL);
	json_object_del(hello, HELLO_PID);
	if (!hello || json_equal(hello, r->last_hello)) {
		json_decref(hello);
		return 0;
	}
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		compare_text(r, keys[i], json_string_value(json_object_get(hello, keys[i])),
			     json_string_value(json_object_get(now, keys[i])));
	json_object_foreach(json_object_get(hello, HELLO_LIBRARIES), name, version)
		compare_text(r, name, json_string_value(version),
			     json_string_value(json_object_get(json_object_get(now, HELLO_LIBRARIES), name)));
	json_decref(r->last_hello);
	r->last_hello = hello;
	return 0;
}

static int open_session(struct replay *r, struct error *err)
{
	int status = reader_open(r->options->path, err, &r->reader);

	if (!status)
		status = reader_session(r->reader, err, &r->session);
	if (status)
		return status;
	config_init(&r->config);
	status = config_parse(&r->config, r->session.config_text, "configuration", err);
	if (status)
		return error_prefix(err, status, "%s", r->options->path);
	r->config.worker.threads = (uint32_t)r->options->n_threads;
	if (r->options->pool)
		snprintf(r->config.images.pool, sizeof r->config.images.pool, "%s", r->options->pool);
	return session_files_model_dir(r->options->path, err, r->recorded_dir);
}

static int make_temporary(struct replay *r, struct error *err)
{
	const char *base = getenv("TMPDIR");
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/evoked-replay-XXXXXX", base && base[0] ? base : "/tmp");
	if (!mkdtemp(path))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	strcpy(r->temporary, path);
	return 0;
}

static void remove_temporary(struct replay *r)
{
	DIR *dir = r->temporary[0] ? opendir(r->temporary) : NULL;
	struct dirent *entry;
	char path[PATH_SIZE + 300];

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%s/%s", r->temporary, entry->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	if (r->temporary[0])
		rmdir(r->temporary);
}

static bool watch(void *ctx, int64_t done, int64_t planned, const char *what)
{
	struct replay *r = ctx;

	(void)what;
	r->gave_up = r->gave_up || r->callbacks->progress(r->ctx, r->at_work, done, planned);
	return r->gave_up;
}

static int start_worker(struct replay *r, struct error *err)
{
	struct pipe_client_watch watcher = {.progress = watch, .ctx = r};
	struct message result;
	json_t *setup;
	const char *pool;
	int status = pipe_client_start(r->options->program, 0, err, &r->client);

	if (status)
		return status;
	status = reader_read_table(r->reader, READER_EVENTS, compare_hello, r, err);
	if (status)
		return status;
	setup = worker_setup_make(&r->config, r->session.seed, r->temporary, &r->session.spec);
	if (!setup)
		return error_set(err, -ENOMEM, "setup: out of memory");
	status = pipe_client_setup(r->client, setup, &watcher, err, &result);
	json_decref(setup);
	if (status)
		return status;
	pool = json_string_value(json_object_get(json_object_get(result.header, RESULT_OUTCOME), OUTCOME_POOL));
	snprintf(r->pool_hash, sizeof r->pool_hash, "%s", pool ? pool : "");
	message_done(&result);
	return 0;
}

static int send_rows(struct replay *r, int64_t through_seq, struct error *err)
{
	while (r->sent_seq < through_seq) {
		struct store_page page;
		int status = reader_page(r->reader, r->sent_seq, through_seq, STORE_PAGE_BYTES_MAX, err, &page);

		if (!status)
			status = pipe_client_rows(r->client, &page, err);
		if (status)
			return status;
		r->sent_seq = page.more ? page.through_seq : through_seq;
	}
	return 0;
}

/* The recorded file of a model that was not made again under that name. */
static void provide_model(struct replay *r, const json_t *spec, const char *key)
{
	const char *hex = json_string_value(json_object_get(spec, key));
	char made[PATH_SIZE + 128], recorded[PATH_SIZE + 128];

	if (!hex || !hex[0])
		return;
	snprintf(made, sizeof made, "%s/%s" MODEL_FILE_SUFFIX, r->temporary, hex);
	snprintf(recorded, sizeof recorded, "%s/%s" MODEL_FILE_SUFFIX, r->recorded_dir, hex);
	if (access(made, F_OK) && !access(recorded, R_OK)) {
		char *absolute = realpath(recorded, NULL);

		/* If it fails the worker says that the model is missing. */
		if (absolute)
			(void)!symlink(absolute, made);
		free(absolute);
	}
}

static double column_of(const struct store_score *score, int column)
{
	switch ((enum score_column)column) {
	case SCORE_R2:
		return score->r2;
	case SCORE_R2_LOW:
		return score->r2_low;
	case SCORE_R2_HIGH:
		return score->r2_high;
	case SCORE_R_MEAN:
		return score->r_mean;
	case SCORE_R_SINGLE:
		return score->r_single;
	case SCORE_CEILING:
		return score->ceiling;
	case SCORE_SNR:
		return score->snr;
	case SCORE_N_IMAGES:
		return (double)score->n_images;
	case SCORE_N_PRESENTATIONS:
		return (double)score->n_presentations;
	}
	return NAN;
}

/* The row of a score in a result's array, or NULL. */
static const double *find_row(const struct message *result, const struct message_array *scores,
			      const struct store_score *score)
{
	const json_t *outcome = json_object_get(result->header, RESULT_OUTCOME);
	const json_t *tiers = json_object_get(outcome, OUTCOME_TIERS),
		     *units = json_object_get(outcome, OUTCOME_UNIT_IDS);
	size_t n_rows = 1 + json_array_size(units), row = 0;

	while (score->unit >= 0 && row < n_rows && json_integer_value(json_array_get(units, row)) != score->unit)
		row++;
	row = score->unit < 0 ? 0 : row + 1;
	for (size_t t = 0; t < json_array_size(tiers) && row < n_rows; t++) {
		const char *tier = json_string_value(json_array_get(tiers, t));

		if (tier && !strcmp(tier, score->tier) && (t * n_rows + row + 1) * SCORE_COLUMNS * 8 <= scores->size)
			return (const double *)scores->data + (t * n_rows + row) * SCORE_COLUMNS;
	}
	return NULL;
}

static void compare_scores(struct replay *r, const struct message *result, struct replay_decision *d)
{
	const struct message_array *scores = message_find_array(result, RESULT_SCORES);
	struct store_score *recorded;
	double largest = 0.0;
	size_t n, n_other = 0;

	if (!scores || reader_scores(r->reader, d->recorded->decision, NULL, &n, &recorded))
		return;
	for (size_t i = 0; i < n; i++) {
		const double *row = find_row(result, scores, &recorded[i]);
		bool other = !row;

		for (int c = 0; row && c < SCORE_COLUMNS; c++) {
			double then = column_of(&recorded[i], c);

			if (isnan(then) && isnan(row[c]))
				continue;
			other = other || !(then == row[c]);
			if (c == SCORE_R2 && fabs(then - row[c]) > largest)
				largest = fabs(then - row[c]);
		}
		n_other += other;
	}
	free(recorded);
	snprintf(d->detail, sizeof d->detail, "%zu of %zu scores differ, R² by %.3g at most", n_other, n, largest);
}

static void compare_slots(struct replay *r, const struct message *result, struct replay_decision *d)
{
	const json_t *slots = json_object_get(result->header, RESULT_SLOTS);
	struct store_slot *recorded;
	size_t n, n_other = 0, first = 0;

	if (reader_slots(r->reader, d->recorded->decision, NULL, &n, &recorded))
		return;
	for (size_t i = 0; i < n; i++) {
		const json_t *slot = json_array_get(slots, i);
		const char *image = json_string_value(json_object_get(slot, SLOT_IMAGE));
		const char *kind = json_string_value(json_object_get(slot, SLOT_KIND));
		char hex[HASH_HEX_SIZE];

		hash_to_hex(&recorded[i].image, hex);
		if (image && kind && !strcmp(image, hex) && !strcmp(kind, recorded[i].kind))
			continue;
		if (!n_other++)
			first = i;
	}
	if (n_other && first < n)
		snprintf(d->detail, sizeof d->detail, "%zu of %zu slots differ, the first: slot %zu (%s)", n_other, n,
			 first, recorded[first].kind);
	else
		snprintf(d->detail, sizeof d->detail, "%zu slots recorded, %zu made", n, json_array_size(slots));
	free(recorded);
}

static void describe_divergence(struct replay *r, const struct message *result, struct replay_decision *d)
{
	const char *kind = d->recorded->kind;

	if (!strcmp(kind, JOB_KIND_FIT) || !strcmp(kind, JOB_KIND_EVALUATE))
		compare_scores(r, result, d);
	else if (!strcmp(kind, JOB_KIND_DRAW) || !strcmp(kind, JOB_KIND_BATCH))
		compare_slots(r, result, d);
	else
		snprintf(d->detail, sizeof d->detail, "the pool's images or the held-out sets are others");
}

/* The specification as it was, with the place where the work was cut short. */
static json_t *make_spec(const struct reader_decision *recorded)
{
	json_t *spec = json_deep_copy(recorded->spec);

	if (spec && recorded->units_done < recorded->units_planned &&
	    json_object_set_new(spec, JOB_STOP_AFTER, json_integer(recorded->units_done))) {
		json_decref(spec);
		return NULL;
	}
	return spec;
}

static void ask_worker(struct replay *r, struct replay_decision *d)
{
	struct pipe_client_watch watcher = {.progress = watch, .ctx = r};
	struct message result;
	struct error err = {""};
	json_t *spec = make_spec(d->recorded);
	const char *made;
	int status = spec ? send_rows(r, d->recorded->saw_seq, &err) : error_set(&err, -ENOMEM, "out of memory");

	if (!status) {
		provide_model(r, spec, JOB_PARENT);
		provide_model(r, spec, JOB_MODEL);
		status = pipe_client_job(r->client, (uint64_t)d->recorded->decision, spec, &watcher, &err, &result);
	}
	json_decref(spec);
	if (status) {
		d->verdict = REPLAY_FAILED;
		snprintf(d->detail, sizeof d->detail, "%s", err.text);
		return;
	}
	made = json_string_value(json_object_get(result.header, RESULT_HASH));
	snprintf(d->made, sizeof d->made, "%s", made ? made : "");
	d->verdict = strcmp(d->made, d->recorded->outcome_hash) ? REPLAY_DIFFERS : REPLAY_SAME;
	if (d->verdict == REPLAY_DIFFERS)
		describe_divergence(r, &result, d);
	message_done(&result);
}

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void replay_decision(struct replay *r, const struct reader_decision *recorded, struct replay_decision *ret)
{
	double start = now_seconds();

	*ret = (struct replay_decision){.recorded = recorded};
	r->at_work = recorded;
	if (!recorded->outcome_hash[0]) {
		ret->verdict = REPLAY_SKIPPED;
		snprintf(ret->detail, sizeof ret->detail, "nothing came of it (%s)", recorded->cause);
	} else {
		ask_worker(r, ret);
	}
	ret->seconds = now_seconds() - start;
}

static int replay_all(struct replay *r, struct error *err)
{
	struct reader_decision recorded;
	struct replay_decision decision;
	bool enough = false;
	int64_t last = 0;
	int status;

	while (!enough && (status = reader_next_decision(r->reader, last, err, &recorded)) == 1) {
		if (!last && recorded.pool_hash[0] && strcmp(recorded.pool_hash, r->pool_hash))
			remark(r, "pool: recorded with manifest %s, %s has %s", recorded.pool_hash,
			       r->config.images.pool, r->pool_hash);
		last = recorded.decision;
		replay_decision(r, &recorded, &decision);
		if (!r->gave_up)
			enough = r->callbacks->decided(r->ctx, &decision);
		reader_decision_done(&recorded);
		if (r->gave_up)
			return error_set(err, -EINTR, "interrupted at decision %lld", (long long)last);
	}
	return enough ? 0 : status;
}

int replay_session_run(const struct replay_options *options, const struct replay_callbacks *callbacks, void *ctx,
		       struct error *err)
{
	struct replay *r = calloc(1, sizeof *r);
	int status;

	if (!r)
		return error_set(err, -ENOMEM, "replay: out of memory");
	r->options = options;
	r->callbacks = callbacks;
	r->ctx = ctx;
	status = open_session(r, err);
	if (!status)
		status = make_temporary(r, err);
	if (!status)
		status = start_worker(r, err);
	if (!status)
		status = replay_all(r, err);
	json_decref(r->last_hello);
	pipe_client_stop(r->client);
	remove_temporary(r);
	reader_session_done(&r->session);
	reader_close(r->reader);
	free(r);
	return status;
}
