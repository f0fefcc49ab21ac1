/* The state from which a daemon goes on, read in a few passes over the file before the loop runs. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/session_row.h"
#include "daemon/store/store_internal.h"
#include "daemon/worker/pipe_fields.h"

#define ORIGIN_FALLBACK "fallback"

static int read_session(struct sql *sql, struct error *err, struct store_resume *resume)
{
	struct reader_session session;
	int r = session_row_read(sql, err, &session);

	if (r)
		return r;
	memcpy(resume->session, session.session, sizeof resume->session);
	resume->seed = session.seed;
	memcpy(resume->state, session.state, sizeof resume->state);
	resume->width_px = session.width_px;
	resume->height_px = session.height_px;
	resume->config_text = session.config_text;
	resume->spec = session.spec;
	return 0;
}

static int read_counts(struct sql *sql, struct error *err, struct store_resume *resume)
{
	struct query query = query_begin(sql, SQL_READ_COUNTS);
	int r;

	query_text(&query, JOB_KIND_PREPARE);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	resume->n_presentations = query_get_int(&query, 0);
	resume->n_complete = query_get_int(&query, 1);
	resume->n_refused = query_get_int(&query, 2);
	resume->n_conflicts = query_get_int(&query, 3);
	resume->last_decision = query_get_int(&query, 4);
	resume->last_batch = query_get_int(&query, 5);
	snprintf(resume->model_hash, sizeof resume->model_hash, "%s", query_get_text(&query, 6));
	snprintf(resume->pool_hash, sizeof resume->pool_hash, "%s", query_get_text(&query, 7));
	query_end(&query);

	query = query_begin(sql, SQL_LAST_HANDOVER);
	r = query_step(&query, err);
	if (r == 1) {
		resume->last_handed_batch = query_get_int(&query, 0);
		snprintf(resume->handed_origin, sizeof resume->handed_origin, "%s", query_get_text(&query, 1));
		query_end(&query);
	}
	return r < 0 ? r : 0;
}

/* Makes room for one more of `size` bytes in *items; arrays double. The new one is zeroed. */
static void *add_item(void **items, size_t *n, size_t size)
{
	if (!(*n & (*n - 1))) {
		void *more = realloc(*items, (*n ? 2 * *n : 1) * size);

		if (!more)
			return NULL;
		*items = more;
	}
	memset((char *)*items + *n * size, 0, size);
	return (char *)*items + (*n)++ * size;
}

/* Settled numbers of one run become ranges as they come, rising. */
static int read_ranges(struct sql *sql, int64_t run, struct error *err, struct store_resume_run *ret_run)
{
	struct query query = query_begin(sql, SQL_READ_SETTLED);
	struct store_range *range = NULL;
	int r;

	query_int(&query, run);
	while ((r = query_step(&query, err)) == 1) {
		int64_t number = query_get_int(&query, 0);

		if (range && number == range->last + 1) {
			range->last = number;
			continue;
		}
		range = add_item((void **)&ret_run->ranges, &ret_run->n_ranges, sizeof *range);
		if (!range) {
			query_end(&query);
			return error_set(err, -ENOMEM, "out of memory");
		}
		*range = (struct store_range){number, number};
	}
	return r;
}

static int read_runs(struct sql *sql, struct error *err, struct store_resume *resume)
{
	struct query query = query_begin(sql, SQL_READ_RUNS);
	int r;

	while ((r = query_step(&query, err)) == 1) {
		struct store_resume_run *run = add_item((void **)&resume->runs, &resume->n_runs, sizeof *run);
		size_t n;

		if (!run)
			r = error_set(err, -ENOMEM, "out of memory");
		else if (sodium_hex2bin(run->run, RUN_SIZE, query_get_text(&query, 1), 2 * RUN_SIZE, NULL, &n, NULL) ||
			 n != RUN_SIZE)
			r = error_set(err, -EINVAL, "run: %d hex digits expected, found \"%.64s\"", 2 * RUN_SIZE,
				      query_get_text(&query, 1));
		else
			r = read_ranges(sql, query_get_int(&query, 0), err, run);
		if (r) {
			query_end(&query);
			break;
		}
	}
	return r;
}

/* Batches that `query` gives as (batch, origin, decision, saw_seq), with their slots. */
static int read_batches(struct sql *sql, struct query *query, struct error *err, size_t *n,
			struct store_batch **batches)
{
	int r;

	while ((r = query_step(query, err)) == 1) {
		struct store_batch *batch = add_item((void **)batches, n, sizeof *batch);

		if (!batch) {
			query_end(query);
			return error_set(err, -ENOMEM, "out of memory");
		}
		batch->batch = query_get_int(query, 0);
		snprintf(batch->origin, sizeof batch->origin, "%s", query_get_text(query, 1));
		batch->decision = query_get_int(query, 2);
		batch->saw_seq = query_get_int(query, 3);
	}
	for (size_t i = 0; !r && i < *n; i++)
		r = session_row_slots(sql, (*batches)[i].decision, err, &(*batches)[i].n_slots, &(*batches)[i].slots);
	return r;
}

static int read_plans(struct sql *sql, struct error *err, struct store_resume *resume)
{
	struct query query = query_begin(sql, SQL_READ_BATCHES);
	int r;

	query_int(&query, resume->last_handed_batch);
	r = read_batches(sql, &query, err, &resume->n_batches, &resume->batches);
	if (r)
		return r;
	query = query_begin(sql, SQL_READ_STOCK);
	query_text(&query, ORIGIN_FALLBACK);
	return read_batches(sql, &query, err, &resume->n_stock, &resume->stock);
}

static int read_commands(struct sql *sql, struct error *err, struct store_resume *resume)
{
	struct query query = query_begin(sql, SQL_READ_COMMANDS);
	json_t *fields, *command;
	int r;

	resume->commands = json_array();
	if (!resume->commands)
		return error_set(err, -ENOMEM, "out of memory");
	query_int(&query, RESUME_COMMANDS_MAX);
	while ((r = query_step(&query, err)) == 1) {
		r = session_row_json(query_get_text(&query, 2), "command", err, &fields);
		if (!r) {
			command = json_pack("{s:s, s:s, s:o*}", RESUME_COMMAND_NAME, query_get_text(&query, 0),
					    RESUME_COMMAND_DETAIL, query_get_text(&query, 1), RESUME_COMMAND_OBJECT,
					    fields);
			if (json_array_append_new(resume->commands, command))
				r = error_set(err, -ENOMEM, "out of memory");
		}
		if (r) {
			query_end(&query);
			break;
		}
	}
	return r;
}

int store_resume_read(struct store *store, struct error *err, struct store_resume *ret_resume)
{
	struct sql *sql = &store->writer.sql;
	struct store_resume resume = {.last_seq = store->writer.last_seq};
	int r = read_session(sql, err, &resume);

	if (!r)
		r = read_counts(sql, err, &resume);
	if (!r)
		r = read_runs(sql, err, &resume);
	if (!r)
		r = read_plans(sql, err, &resume);
	if (!r)
		r = read_commands(sql, err, &resume);
	if (r) {
		store_resume_done(&resume);
		return error_prefix(err, r, "%s", store->path);
	}
	*ret_resume = resume;
	return 0;
}

static void free_batches(struct store_batch *batches, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(batches[i].slots);
	free(batches);
}

void store_resume_done(struct store_resume *resume)
{
	session_spec_done(&resume->spec);
	free(resume->config_text);
	for (size_t i = 0; i < resume->n_runs; i++)
		free(resume->runs[i].ranges);
	free(resume->runs);
	free_batches(resume->batches, resume->n_batches);
	free_batches(resume->stock, resume->n_stock);
	json_decref(resume->commands);
	memset(resume, 0, sizeof *resume);
}
