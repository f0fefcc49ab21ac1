/* Building the snapshot costs tens of microseconds, so it is built anew each time: there is no copy to keep right. */
#include "daemon/status.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/rig_service.h"
#include "daemon/schedule.h"
#include "daemon/status_fields.h"
#include "protocol/fields.h"

struct status {
	struct daemon *daemon;
	uv_timer_t period, soon;
	unsigned n_handles;
	int64_t sequence;
};

static const char *const worker_states[] = {
	[SUPERVISOR_STOPPED] = "stopped", [SUPERVISOR_STARTING] = "starting", [SUPERVISOR_SETUP] = "setup",
	[SUPERVISOR_IDLE] = "idle",	  [SUPERVISOR_BUSY] = "busy",	      [SUPERVISOR_LOST] = "lost",
};

/* null for what is not a number: JSON has no NaN. */
static json_t *real_or_null(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *lag_json(int64_t lag)
{
	return lag < 0 ? json_null() : json_integer(lag);
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *endpoints_json(const struct daemon *daemon)
{
	return json_pack("{s:s, s:s, s:s}", STATUS_RIG, endpoint_address(daemon->rig), STATUS_STATUS,
			 endpoint_address(daemon->publish), STATUS_CONTROL, endpoint_address(daemon->control));
}

static json_t *session_json(const struct daemon *daemon)
{
	const struct daemon_session *session = &daemon->session;

	if (!daemon_has_session(daemon))
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:i}", FIELD_SESSION, session->id_hex, FIELD_NAME,
			 session->spec.name, STATUS_FILE, session->path, FIELD_SEED, session->seed_hex, FIELD_N_UNITS,
			 (int)session->spec.n_units, STATUS_N_EXCLUDED, (int)json_array_size(session->excluded),
			 FIELD_RESPONSE_TYPE, session->spec.response_type == RESPONSE_COUNTS ? "counts" : "continuous",
			 FIELD_WIDTH_PX, (int)session->config.images.width_px, FIELD_HEIGHT_PX,
			 (int)session->config.images.height_px);
}

static json_t *presentations_json(const struct daemon_session *session)
{
	return json_pack("{s:I, s:I, s:I, s:I}", STATUS_STORED, (json_int_t)session->n_stored, STATUS_COMPLETE,
			 (json_int_t)session->n_complete, FIELD_REFUSED, (json_int_t)session->n_refused,
			 FIELD_CONFLICTS, (json_int_t)session->n_conflicts);
}

static json_t *store_json(const struct daemon *daemon)
{
	return json_pack("{s:i, s:b, s:I}", STATUS_QUEUE, daemon->store ? (int)store_queue_length(daemon->store) : 0,
			 STATUS_STALLED, daemon->store && store_is_stalled(daemon->store), STATUS_LAST_SEQ,
			 (json_int_t)daemon->session.last_seq);
}

static json_t *job_json(const struct schedule_job *job)
{
	if (!job->active)
		return json_null();
	return json_pack("{s:I, s:s, s:I, s:I, s:s, s:f}", STATUS_DECISION, (json_int_t)job->decision, FIELD_KIND,
			 job_kind_name(job->kind), STATUS_DONE, (json_int_t)job->done, STATUS_PLANNED,
			 (json_int_t)job->planned, STATUS_WHAT, job->what, STATUS_SECONDS,
			 (double)(clock_monotonic_ns() - job->started_ns) / 1e9);
}

static json_t *worker_json(const struct daemon *daemon)
{
	enum supervisor_state state = daemon->worker ? supervisor_state(daemon->worker) : SUPERVISOR_STOPPED;

	return json_pack("{s:s, s:i, s:I, s:I, s:o}", FIELD_STATE, worker_states[state], STATUS_PID,
			 daemon->worker ? supervisor_pid(daemon->worker) : 0, STATUS_N_LOST,
			 (json_int_t)daemon->n_workers_lost, STATUS_N_ABANDONED, (json_int_t)daemon->n_jobs_abandoned,
			 STATUS_JOB, daemon->schedule ? job_json(&daemon->schedule->job) : json_null());
}

static json_t *score_json(const struct batch_score *score)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", STATUS_TIER, text_or_null(score->tier), STATUS_R2,
			 real_or_null(score->r2), STATUS_R2_LOW, real_or_null(score->r2_low), STATUS_R2_HIGH,
			 real_or_null(score->r2_high), STATUS_R_MEAN, real_or_null(score->r_mean), STATUS_CEILING,
			 real_or_null(score->ceiling));
}

static json_t *model_json(const struct schedule *schedule)
{
	if (!schedule || !schedule->model[0])
		return json_null();
	json_t *model = score_json(&schedule->score);
	json_object_set_new(model, STATUS_MODEL, json_string(schedule->model));
	json_object_set_new(model, STATUS_N_PRESENTATIONS, json_integer(schedule->model_n_seen));
	return model;
}

static json_t *next_json(const struct schedule *schedule)
{
	if (schedule->chosen || (schedule->reserved && schedule->reserved->chosen))
		return json_string(ORIGIN_CHOSEN);
	return schedule->reserved ? json_string(ORIGIN_FALLBACK) : json_null();
}

static json_t *loop_json(const struct daemon *daemon)
{
	const struct schedule *schedule = daemon->schedule;

	if (!schedule)
		return json_null();
	const struct batch *current = schedule->current;
	double share = schedule->n_batches ? (double)schedule->n_fallback / (double)schedule->n_batches : NAN;
	return json_pack("{s:I, s:o, s:i, s:i, s:o, s:i, s:b, s:I, s:I, s:o, s:o, s:f, s:b, s:o}", FIELD_BATCH,
			 (json_int_t)schedule_handed(schedule), FIELD_ORIGIN,
			 current ? json_string(current->chosen ? ORIGIN_CHOSEN : ORIGIN_FALLBACK) : json_null(),
			 STATUS_N_SLOTS, current ? (int)current->n_slots : 0, STATUS_N_SHOWN,
			 current ? (int)batch_n_shown(current) : 0, STATUS_NEXT, next_json(schedule), STATUS_STOCK,
			 (int)schedule->n_stock, STATUS_NATURAL_ONLY, daemon->session.natural_only, STATUS_N_BATCHES,
			 (json_int_t)schedule->n_batches, STATUS_N_FALLBACK, (json_int_t)schedule->n_fallback,
			 STATUS_FALLBACK_SHARE, real_or_null(share), STATUS_LAG, lag_json(schedule_lag(schedule)),
			 STATUS_BUDGET, schedule->budget, STATUS_PREPARED, schedule->prepared, STATUS_FAILURE,
			 text_or_null(schedule->failure));
}

static json_t *row_json(const struct schedule_row *row)
{
	json_t *object = score_json(&row->score);

	json_object_set_new(object, FIELD_BATCH, json_integer(row->batch));
	json_object_set_new(object, FIELD_ORIGIN, json_string(row->chosen ? ORIGIN_CHOSEN : ORIGIN_FALLBACK));
	json_object_set_new(object, STATUS_FALLBACK, json_boolean(!row->chosen));
	json_object_set_new(object, STATUS_CAUSE, json_string(row->cause));
	json_object_set_new(object, STATUS_N_SLOTS, json_integer((json_int_t)row->n_slots));
	json_object_set_new(object, STATUS_N_PRESENTATIONS, json_integer(row->n_presentations));
	json_object_set_new(object, STATUS_FIT_SECONDS, real_or_null(row->fit_seconds));
	json_object_set_new(object, STATUS_BATCH_SECONDS, real_or_null(row->batch_seconds));
	json_object_set_new(object, STATUS_LAG, lag_json(row->lag));
	json_object_set_new(object, STATUS_RIG_WAIT_MS, json_real(row->rig_wait_ms));
	return object;
}

static json_t *rows_json(const struct schedule *schedule)
{
	json_t *rows = json_array();
	int64_t n = schedule ? schedule->n_rows : 0;

	for (int64_t i = n > SCHEDULE_ROWS ? n - SCHEDULE_ROWS : 0; i < n; i++)
		json_array_append_new(rows, row_json(&schedule->rows[i % SCHEDULE_ROWS]));
	return rows;
}

static json_t *quantiles_json(const struct histogram *histogram)
{
	return json_pack("{s:I, s:f, s:f, s:f}", STATUS_N, (json_int_t)histogram->n, STATUS_P50_US,
			 (double)histogram_quantile_ns(histogram, 0.5) / 1e3, STATUS_P99_US,
			 (double)histogram_quantile_ns(histogram, 0.99) / 1e3, STATUS_MAX_US,
			 (double)histogram->max_ns / 1e3);
}

static json_t *lateness_json(const struct daemon *daemon)
{
	json_t *object = quantiles_json(lateness_histogram(daemon->lateness));

	json_object_set_new(object, STATUS_WINDOW_S, json_integer(LATENESS_WINDOW_S));
	return object;
}

static json_t *warnings_json(const struct daemon *daemon)
{
	json_t *list = json_array();
	unsigned n = daemon->n_warnings;

	for (unsigned i = n > DAEMON_WARNINGS ? n - DAEMON_WARNINGS : 0; i < n; i++) {
		const struct daemon_warning *warning = &daemon->warnings[i % DAEMON_WARNINGS];
		json_array_append_new(list, json_pack("{s:I, s:s}", STATUS_TIME_US, (json_int_t)warning->time_us,
						      FIELD_TEXT, warning->text));
	}
	return list;
}

json_t *status_snapshot(const struct daemon *daemon)
{
	const struct schedule *schedule = daemon->schedule;
	json_t *acknowledgement =
		json_pack("{s:o, s:o}", STATUS_DURING_REFITS, quantiles_json(&daemon->acknowledged_during_refits),
			  STATUS_BETWEEN, quantiles_json(&daemon->acknowledged_between));
	json_t *clients = json_pack("{s:i, s:i, s:I}", STATUS_RIG, (int)endpoint_n_clients(daemon->rig), STATUS_CONTROL,
				    (int)endpoint_n_clients(daemon->control), STATUS_N_DROPPED,
				    (json_int_t)(endpoint_n_dropped(daemon->rig) + endpoint_n_dropped(daemon->control) +
						 endpoint_n_dropped(daemon->publish)));

	return json_pack(
		"{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", STATUS_TIME_US,
		(json_int_t)clock_wall_us(), STATUS_VERSION, EVOKED_VERSION, FIELD_STATE,
		session_state_name(daemon->machine.state), STATUS_ENDPOINTS, endpoints_json(daemon), FIELD_SESSION,
		session_json(daemon), STATUS_RIG, rig_service_json(daemon->rig_service), FIELD_PRESENTATIONS,
		presentations_json(&daemon->session), STATUS_STORE, store_json(daemon), STATUS_WORKER,
		worker_json(daemon), STATUS_LOOP, loop_json(daemon), STATUS_MODEL, model_json(schedule), STATUS_SEALED,
		schedule && schedule->sealed.tier[0] ? score_json(&schedule->sealed) : json_null(), STATUS_BATCHES,
		rows_json(schedule), STATUS_LATENESS, lateness_json(daemon), STATUS_ACKNOWLEDGEMENT, acknowledgement,
		STATUS_CLIENTS, clients, STATUS_WARNINGS, warnings_json(daemon));
}

static void publish(struct status *status)
{
	json_t *snapshot = status_snapshot(status->daemon);

	uv_timer_stop(&status->soon);
	if (!snapshot)
		return;
	json_object_set_new(snapshot, FIELD_V, json_integer(PROTOCOL_VERSION));
	json_object_set_new(snapshot, FIELD_TYPE, json_string(TYPE_STATUS));
	json_object_set_new(snapshot, STATUS_SEQUENCE, json_integer(++status->sequence));
	char *text = json_dumps(snapshot, JSON_COMPACT);
	if (text)
		endpoint_publish(status->daemon->publish, text, strlen(text));
	free(text);
	json_decref(snapshot);
}

static void due(uv_timer_t *timer)
{
	publish(timer->data);
}

void status_changed(struct status *status)
{
	if (!uv_is_active((uv_handle_t *)&status->soon) && !uv_is_closing((uv_handle_t *)&status->soon))
		uv_timer_start(&status->soon, due, STATUS_COALESCE_MS, 0);
}

int status_create(struct daemon *daemon, struct error *err, struct status **ret_status)
{
	struct status *status = calloc(1, sizeof *status);

	if (!status)
		return error_set(err, -ENOMEM, "status: out of memory");
	status->daemon = daemon;
	uv_timer_init(&daemon->loop, &status->period);
	uv_timer_init(&daemon->loop, &status->soon);
	status->period.data = status->soon.data = status;
	status->n_handles = 2;
	uv_timer_start(&status->period, due, STATUS_PERIOD_MS, STATUS_PERIOD_MS);
	*ret_status = status;
	return 0;
}

static void closed(uv_handle_t *handle)
{
	struct status *status = handle->data;

	if (--status->n_handles == 0)
		free(status);
}

void status_destroy(struct status *status)
{
	if (!status)
		return;
	uv_close((uv_handle_t *)&status->period, closed);
	uv_close((uv_handle_t *)&status->soon, closed);
}
