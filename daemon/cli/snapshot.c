/* Every key of the snapshot that a viewer reads is looked up here, and only here. */
#include "daemon/cli/snapshot.h"

#include <math.h>
#include <string.h>

#include "daemon/status_fields.h"
#include "protocol/fields.h"

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
		.tier = text(object, STATUS_TIER),
		.r2 = number(object, STATUS_R2),
		.r2_low = number(object, STATUS_R2_LOW),
		.r2_high = number(object, STATUS_R2_HIGH),
		.r_mean = number(object, STATUS_R_MEAN),
		.ceiling = number(object, STATUS_CEILING),
		.n_presentations = integer(object, STATUS_N_PRESENTATIONS),
	};
}

static void read_batches(const json_t *rows, struct snapshot *snapshot)
{
	size_t n = json_array_size(rows);
	size_t first = n > SNAPSHOT_BATCHES_MAX ? n - SNAPSHOT_BATCHES_MAX : 0;

	for (size_t i = first; i < n; i++) {
		const json_t *row = json_array_get(rows, i);

		snapshot->batches[snapshot->n_batch_rows++] = (struct snapshot_batch){
			.batch = integer(row, FIELD_BATCH),
			.n_slots = integer(row, STATUS_N_SLOTS),
			.n_presentations = integer(row, STATUS_N_PRESENTATIONS),
			.lag = integer(row, STATUS_LAG),
			.origin = text(row, FIELD_ORIGIN),
			.cause = text(row, STATUS_CAUSE),
			.tier = text(row, STATUS_TIER),
			.fit_seconds = number(row, STATUS_FIT_SECONDS),
			.batch_seconds = number(row, STATUS_BATCH_SECONDS),
			.r2 = number(row, STATUS_R2),
			.r2_low = number(row, STATUS_R2_LOW),
			.r2_high = number(row, STATUS_R2_HIGH),
			.ceiling = number(row, STATUS_CEILING),
			.rig_wait_ms = number(row, STATUS_RIG_WAIT_MS),
		};
	}
}

static void read_warnings(const json_t *rows, struct snapshot *snapshot)
{
	size_t n = json_array_size(rows);

	for (size_t i = n > SNAPSHOT_WARNINGS_MAX ? n - SNAPSHOT_WARNINGS_MAX : 0; i < n; i++) {
		const json_t *row = json_array_get(rows, i);

		snapshot->warning_times_us[snapshot->n_warnings] = integer(row, STATUS_TIME_US);
		snapshot->warnings[snapshot->n_warnings++] = text(row, FIELD_TEXT);
	}
}

static void read_loop(const json_t *loop, struct snapshot *snapshot)
{
	snapshot->batch = integer(loop, FIELD_BATCH);
	snapshot->origin = text(loop, FIELD_ORIGIN);
	snapshot->n_slots = integer(loop, STATUS_N_SLOTS);
	snapshot->n_shown = integer(loop, STATUS_N_SHOWN);
	snapshot->next = text(loop, STATUS_NEXT);
	snapshot->failure = text(loop, STATUS_FAILURE);
	snapshot->natural_only = json_is_true(member(loop, STATUS_NATURAL_ONLY));
	snapshot->n_batches = integer(loop, STATUS_N_BATCHES);
	snapshot->n_fallback = integer(loop, STATUS_N_FALLBACK);
	snapshot->fallback_share = number(loop, STATUS_FALLBACK_SHARE);
	snapshot->lag = integer(loop, STATUS_LAG);
	snapshot->budget = number(loop, STATUS_BUDGET);
}

void snapshot_read(const json_t *header, struct snapshot *ret_snapshot)
{
	const json_t *session = member(header, FIELD_SESSION);
	const json_t *presentations = member(header, FIELD_PRESENTATIONS);
	const json_t *store = member(header, STATUS_STORE);
	const json_t *worker = member(header, STATUS_WORKER);
	const json_t *job = member(worker, STATUS_JOB);
	const json_t *acknowledgement = member(header, STATUS_ACKNOWLEDGEMENT);

	*ret_snapshot = (struct snapshot){
		.sequence = integer(header, STATUS_SEQUENCE),
		.time_us = integer(header, STATUS_TIME_US),
		.state = text(header, FIELD_STATE),
		.status_endpoint = text(member(header, STATUS_ENDPOINTS), STATUS_STATUS),
		.session_name = text(session, FIELD_NAME),
		.session_file = text(session, STATUS_FILE),
		.n_units = integer(session, FIELD_N_UNITS),
		.n_excluded = integer(session, STATUS_N_EXCLUDED),
		.rig_silent_ms = integer(member(header, STATUS_RIG), STATUS_SILENT_MS),
		.n_stored = integer(presentations, STATUS_STORED),
		.n_complete = integer(presentations, STATUS_COMPLETE),
		.n_refused = integer(presentations, FIELD_REFUSED),
		.n_conflicts = integer(presentations, FIELD_CONFLICTS),
		.store_queue = integer(store, STATUS_QUEUE),
		.store_stalled = json_is_true(member(store, STATUS_STALLED)),
		.worker_state = text(worker, FIELD_STATE),
		.n_lost = integer(worker, STATUS_N_LOST),
		.job_kind = text(job, FIELD_KIND),
		.job_done = integer(job, STATUS_DONE),
		.job_planned = integer(job, STATUS_PLANNED),
		.job_seconds = number(job, STATUS_SECONDS),
		.lateness_p99_us = number(member(header, STATUS_LATENESS), STATUS_P99_US),
		.acknowledged_p99_us = number(member(acknowledgement, STATUS_BETWEEN), STATUS_P99_US),
		.acknowledged_in_refits_p99_us = number(member(acknowledgement, STATUS_DURING_REFITS), STATUS_P99_US),
	};
	read_loop(member(header, STATUS_LOOP), ret_snapshot);
	read_score(member(header, STATUS_MODEL), &ret_snapshot->model);
	read_score(member(header, STATUS_SEALED), &ret_snapshot->sealed);
	read_batches(member(header, STATUS_BATCHES), ret_snapshot);
	read_warnings(member(header, STATUS_WARNINGS), ret_snapshot);
}

bool snapshot_is_healthy(const struct snapshot *snapshot, const char **ret_reason)
{
	static const int64_t silent_max_ms = 10000;
	bool has_session = snapshot->session_name[0] != '\0', healthy = false;

	if (snapshot->store_stalled || strcmp(snapshot->state, "storage_stalled") == 0)
		*ret_reason = "the session file cannot be written: nothing is acknowledged";
	else if (snapshot->failure[0])
		*ret_reason = snapshot->failure;
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
		healthy = true;
	if (healthy)
		*ret_reason = has_session ? "the loop is well" : "no session is open";
	return healthy;
}
