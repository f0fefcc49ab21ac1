/* Every key of the snapshot that a viewer reads is named here, and only here. */
#include "daemon/cli/snapshot.h"

#include <math.h>
#include <string.h>

static const json_t *member(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

static int64_t integer(const json_t *object, const char *key)
{
	const json_t *value = member(object, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static double number(const json_t *object, const char *key)
{
	const json_t *value = member(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(member(object, key));

	return value ? value : "";
}

static void read_score(const json_t *object, struct snapshot_score *score)
{
	*score = (struct snapshot_score){
		.tier = text(object, "tier"),
		.r2 = number(object, "r2"),
		.r2_low = number(object, "r2_low"),
		.r2_high = number(object, "r2_high"),
		.r_mean = number(object, "r_mean"),
		.ceiling = number(object, "ceiling"),
		.n_presentations = integer(object, "n_presentations"),
	};
}

static void read_batches(const json_t *rows, struct snapshot *snapshot)
{
	size_t n = json_array_size(rows);
	size_t first = n > SNAPSHOT_BATCHES_MAX ? n - SNAPSHOT_BATCHES_MAX : 0;

	for (size_t i = first; i < n; i++) {
		const json_t *row = json_array_get(rows, i);

		snapshot->batches[snapshot->n_batch_rows++] = (struct snapshot_batch){
			.batch = integer(row, "batch"),
			.n_slots = integer(row, "n_slots"),
			.n_presentations = integer(row, "n_presentations"),
			.lag = integer(row, "lag"),
			.origin = text(row, "origin"),
			.cause = text(row, "cause"),
			.tier = text(row, "tier"),
			.fit_seconds = number(row, "fit_seconds"),
			.batch_seconds = number(row, "batch_seconds"),
			.r2 = number(row, "r2"),
			.r2_low = number(row, "r2_low"),
			.r2_high = number(row, "r2_high"),
			.ceiling = number(row, "ceiling"),
			.rig_wait_ms = number(row, "rig_wait_ms"),
		};
	}
}

static void read_warnings(const json_t *rows, struct snapshot *snapshot)
{
	size_t n = json_array_size(rows);

	for (size_t i = n > SNAPSHOT_WARNINGS_MAX ? n - SNAPSHOT_WARNINGS_MAX : 0; i < n; i++) {
		const json_t *row = json_array_get(rows, i);

		snapshot->warning_times_us[snapshot->n_warnings] = integer(row, "time_us");
		snapshot->warnings[snapshot->n_warnings++] = text(row, "text");
	}
}

static void read_loop(const json_t *loop, struct snapshot *snapshot)
{
	snapshot->batch = integer(loop, "batch");
	snapshot->origin = text(loop, "origin");
	snapshot->n_slots = integer(loop, "n_slots");
	snapshot->n_shown = integer(loop, "n_shown");
	snapshot->next = text(loop, "next");
	snapshot->natural_only = json_is_true(member(loop, "natural_only"));
	snapshot->n_batches = integer(loop, "n_batches");
	snapshot->n_fallback = integer(loop, "n_fallback");
	snapshot->fallback_share = number(loop, "fallback_share");
	snapshot->lag = integer(loop, "lag");
	snapshot->budget = number(loop, "budget");
}

void snapshot_read(const json_t *header, struct snapshot *ret_snapshot)
{
	const json_t *session = member(header, "session");
	const json_t *presentations = member(header, "presentations");
	const json_t *store = member(header, "store");
	const json_t *worker = member(header, "worker");
	const json_t *job = member(worker, "job");

	*ret_snapshot = (struct snapshot){
		.sequence = integer(header, "sequence"),
		.time_us = integer(header, "time_us"),
		.state = text(header, "state"),
		.status_endpoint = text(member(header, "endpoints"), "status"),
		.session_name = text(session, "name"),
		.session_file = text(session, "file"),
		.n_units = integer(session, "n_units"),
		.n_excluded = integer(session, "n_excluded"),
		.rig_silent_ms = integer(member(header, "rig"), "silent_ms"),
		.n_stored = integer(presentations, "stored"),
		.n_complete = integer(presentations, "complete"),
		.n_refused = integer(presentations, "refused"),
		.n_conflicts = integer(presentations, "conflicts"),
		.store_queue = integer(store, "queue"),
		.store_stalled = json_is_true(member(store, "stalled")),
		.worker_state = text(worker, "state"),
		.n_lost = integer(worker, "n_lost"),
		.job_kind = text(job, "kind"),
		.job_done = integer(job, "done"),
		.job_planned = integer(job, "planned"),
		.job_seconds = number(job, "seconds"),
		.lateness_p99_us = number(member(header, "lateness"), "p99_us"),
	};
	read_loop(member(header, "loop"), ret_snapshot);
	read_score(member(header, "model"), &ret_snapshot->model);
	read_score(member(header, "sealed"), &ret_snapshot->sealed);
	read_batches(member(header, "batches"), ret_snapshot);
	read_warnings(member(header, "warnings"), ret_snapshot);
}

bool snapshot_is_healthy(const struct snapshot *snapshot, const char **ret_reason)
{
	static const int64_t silent_max_ms = 10000;
	bool has_session = snapshot->session_name[0] != '\0';

	if (snapshot->store_stalled || strcmp(snapshot->state, "storage_stalled") == 0)
		*ret_reason = "the session file cannot be written: nothing is acknowledged";
	else if (has_session &&
		 (strcmp(snapshot->worker_state, "lost") == 0 || strcmp(snapshot->worker_state, "stopped") == 0))
		*ret_reason = "the worker is gone: natural images are shown until it is back";
	else if (strcmp(snapshot->state, "paused") == 0)
		*ret_reason = "paused by the operator";
	else if (strcmp(snapshot->state, "running") == 0 && snapshot->rig_silent_ms > silent_max_ms)
		*ret_reason = "the rig is silent";
	else if (strcmp(snapshot->state, "running") == 0 && snapshot->rig_silent_ms < 0)
		*ret_reason = "no rig is connected";
	else
		return true;
	return false;
}
