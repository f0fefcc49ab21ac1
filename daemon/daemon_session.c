/* The life of a session: opened for a rig or gone on with from its file, ended by `close`; and the worker that serves
 * it.
 *
 * store_create and store_open are the only calls that touch the disk in the loop: the rig waits for them, or nobody
 * yet. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/control_service.h"
#include "daemon/daemon.h"
#include "daemon/hex.h"
#include "daemon/log.h"
#include "daemon/rig_service.h"
#include "daemon/schedule.h"
#include "daemon/session_files.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/worker_setup.h"

bool daemon_has_session(const struct daemon *daemon)
{
	return daemon->machine.state != SESSION_IDLE;
}

static void rows_read(struct store_op *op, void *ctx)
{
	struct daemon *daemon = ctx;

	if (daemon->worker)
		supervisor_rows(daemon->worker, op->status == 0 ? &op->page : NULL);
}

static void on_need_rows(void *ctx, int64_t from_seq, int64_t through_seq)
{
	struct daemon *daemon = ctx;
	struct store_op *op = store_op_create(STORE_OP_PAGE);

	if (!op) {
		supervisor_rows(daemon->worker, NULL);
		return;
	}
	op->from_seq = from_seq;
	op->through_seq = through_seq;
	op->max_bytes = SUPERVISOR_PAGE_BYTES;
	op->done = rows_read;
	op->ctx = daemon;
	daemon_submit_own(daemon, op);
}

static void on_ready(void *ctx, const struct message *result, const struct error *err)
{
	struct daemon *daemon = ctx;

	if (!daemon->taking)
		return;
	if (result) {
		const json_t *outcome = json_object_get(result->header, RESULT_OUTCOME);
		size_t i;
		json_t *sentence;

		log_line(LOG_LEVEL_INFO, "worker is ready: %" JSON_INTEGER_FORMAT " images in the pool",
			 json_integer_value(json_object_get(outcome, OUTCOME_N_IMAGES)));
		json_array_foreach(json_object_get(outcome, OUTCOME_SKIPPED), i, sentence)
			daemon_warn(daemon, "image_skipped", "%s", json_string_value(sentence));
	}
	schedule_worker_ready(daemon->schedule, result, err);
}

static void on_progress(void *ctx, uint64_t job, int64_t done, int64_t planned, const char *what)
{
	schedule_job_progress(((struct daemon *)ctx)->schedule, job, done, planned, what);
}

static void on_ended(void *ctx, uint64_t job, int status, unsigned lost, const struct message *result,
		     const struct error *err)
{
	struct daemon *daemon = ctx;

	(void)lost; /* each of them was told as an event */
	if (daemon->taking)
		schedule_job_ended(daemon->schedule, job, status, result, err);
}

static void on_worker_event(void *ctx, const char *kind, const char *text)
{
	struct daemon *daemon = ctx;

	daemon->n_workers_lost += strcmp(kind, WORKER_EVENT_LOST) == 0;
	if (strcmp(kind, WORKER_EVENT_LOG) == 0)
		log_line(LOG_LEVEL_INFO, "worker: %s", text);
	else if (strcmp(kind, WORKER_EVENT_STARTED) == 0)
		daemon_event(daemon, kind, text);
	else
		daemon_warn(daemon, kind, "%s", text);
}

static const struct supervisor_callbacks worker_callbacks = {
	.need_rows = on_need_rows,
	.ready = on_ready,
	.progress = on_progress,
	.ended = on_ended,
	.event = on_worker_event,
};

json_t *daemon_worker_setup(const struct daemon *daemon)
{
	const struct daemon_session *session = &daemon->session;

	return worker_setup_make(&session->config, session->seed, session->model_dir, &session->spec);
}

static int start_worker(struct daemon *daemon, struct error *err)
{
	json_t *setup = daemon_worker_setup(daemon);
	struct supervisor_options options = {
		.program = daemon->config.worker.program,
		.setup = setup,
		.memory_max = (uint64_t)daemon->config.worker.memory_mib << 20,
	};
	int status;

	if (!setup)
		return error_set(err, -ENOMEM, "worker: out of memory");
	status = supervisor_create(&daemon->loop, &options, &worker_callbacks, daemon, err, &daemon->worker);
	json_decref(setup);
	if (status == 0)
		status = supervisor_start(daemon->worker, err);
	return status;
}

static void discarded(void *ctx)
{
	supervisor_destroy(ctx);
}

/* Ends a worker of which nothing is expected any more, or one that could not be started. */
static void discard_worker(struct daemon *daemon)
{
	struct supervisor *worker = daemon->worker;

	daemon->worker = NULL;
	if (worker)
		supervisor_stop(worker, discarded, worker);
}

static void forget_session(struct daemon *daemon)
{
	schedule_destroy(daemon->schedule);
	daemon->schedule = NULL;
	session_spec_done(&daemon->session.spec);
	runs_done(&daemon->session.runs);
	json_decref(daemon->session.excluded);
	daemon->session = (struct daemon_session){0};
}

/* What a new session and one that goes on have in common, once the store is open and daemon->session is filled. */
static int begin_session(struct daemon *daemon, const struct store_resume *resume, struct error *err)
{
	int status = store_start(daemon->store, daemon_wake, daemon, err);
	bool paused = false;

	if (status < 0)
		return status;
	daemon->taking = true;
	status = schedule_create(daemon, err, &daemon->schedule);
	if (status < 0)
		return status;
	if (resume) {
		paused = control_service_resume(daemon, resume->commands);
		status = schedule_resume(daemon->schedule, resume, err);
	}
	if (status == 0)
		status = start_worker(daemon, err);
	if (status < 0)
		return status;
	session_move(&daemon->machine, SESSION_EVENT_OPEN, NULL);
	if (paused || (resume && resume->last_handed_batch > 0))
		session_move(&daemon->machine, SESSION_EVENT_READY, NULL);
	if (paused)
		session_move(&daemon->machine, SESSION_EVENT_PAUSE, NULL);
	return 0;
}

static int make_model_dir(struct daemon_session *session, struct error *err)
{
	int status = session_files_model_dir(session->path, err, session->model_dir);

	if (status == 0 && mkdir(session->model_dir, 0777) < 0 && errno != EEXIST)
		status = error_set(err, -errno, "%.300s: %s", session->model_dir, strerror(errno));
	return status;
}

static void name_session(struct daemon_session *session)
{
	hex_encode(session->id, sizeof session->id, session->id_hex);
	for (int i = 0; i < 16; i++)
		session->seed_hex[i] = "0123456789abcdef"[session->seed >> (60 - 4 * i) & 15];
	session->seed_hex[16] = '\0';
}

/* A number that can be written in JSON and in the configuration: below 2^63, not 0. */
static int draw_id_and_seed(struct daemon_session *session, struct error *err)
{
	uint64_t seed = session->config.session.seed;

	if (getrandom(session->id, sizeof session->id, 0) != sizeof session->id)
		return error_set(err, -EIO, "session: no random numbers from the system");
	while (seed == 0) {
		if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
			return error_set(err, -EIO, "session: no random numbers from the system");
		seed >>= 1;
	}
	session->seed = seed;
	name_session(session);
	return 0;
}

static int create_file(struct daemon *daemon, struct error *err)
{
	struct daemon_session *session = &daemon->session;
	const char *dir = session->config.session.dir;
	struct store_session stored = {.seed = session->seed,
				       .spec = &session->spec,
				       .width_px = session->config.images.width_px,
				       .height_px = session->config.images.height_px};
	char *text;
	int status = config_text(&session->config, err, &text);

	if (status < 0)
		return status;
	memcpy(stored.session, session->id, sizeof stored.session);
	stored.config_text = text;
	config_hash(text, &stored.config_hash);
	for (int dated = 0; dated < 2; dated++) {
		status = session_files_path(dir, session->spec.name, dated, err, session->path);
		if (status == 0)
			status = store_create(session->path, &stored, err, &daemon->store);
		if (status != -EEXIST)
			break;
	}
	free(text);
	return status;
}

static void record_state(struct daemon *daemon, const char *state, void (*done)(struct store_op *op, void *ctx))
{
	struct store_op *op = store_op_create(STORE_OP_STATE);

	if (!op)
		return;
	op->text = state;
	op->done = done;
	op->ctx = daemon;
	op->received_us = clock_wall_us();
	daemon_submit_own(daemon, op);
}

int daemon_session_open(struct daemon *daemon, struct session_spec *spec, struct error *err)
{
	struct daemon_session *session = &daemon->session;
	int status;

	*session = (struct daemon_session){.config = daemon->config, .spec = *spec, .excluded = json_array()};
	runs_init(&session->runs);
	if ((status = draw_id_and_seed(session, err)) < 0 || (status = create_file(daemon, err)) < 0)
		goto out_session;
	if ((status = make_model_dir(session, err)) < 0 || (status = begin_session(daemon, NULL, err)) < 0)
		goto out_file;
	record_state(daemon, session_state_name(SESSION_OPEN), NULL);
	log_line(LOG_LEVEL_INFO, "session %s opened: %s, %u units, seed %s", session->spec.name, session->path,
		 session->spec.n_units, session->seed_hex);
	return 0;

out_file:
	/* Nothing is in it: the next start must not go on with it. */
	daemon_close_store(daemon);
	unlink(session->path);
	rmdir(session->model_dir);
out_session:
	session->spec = (struct session_spec){0}; /* still the caller's */
	discard_worker(daemon);
	forget_session(daemon);
	return status;
}

static int take_runs(struct daemon_session *session, const struct store_resume *resume, struct error *err)
{
	for (size_t i = 0; i < resume->n_runs; i++) {
		struct run *run;
		int status = runs_add(&session->runs, resume->runs[i].run, err, &run);
		for (size_t r = 0; status == 0 && r < resume->runs[i].n_ranges; r++)
			status = run_settle(run, resume->runs[i].ranges[r].first, resume->runs[i].ranges[r].last);
		if (status < 0)
			return error_set(err, status, "session: its runs do not fit into memory");
	}
	session->spec.run = (uint32_t)resume->n_runs;
	return 0;
}

/* The session's own configuration decides; where the daemon listens and what it starts is of this start. */
static int take_config(struct daemon *daemon, const struct store_resume *resume, const char *path, struct error *err)
{
	struct daemon_session *session = &daemon->session;

	config_init(&session->config);
	int status = config_parse(&session->config, resume->config_text, path, err);
	if (status < 0)
		return status;
	session->config.listen = daemon->config.listen;
	session->config.worker = daemon->config.worker;
	memcpy(session->config.session.dir, daemon->config.session.dir, sizeof session->config.session.dir);
	return 0;
}

/* Fills daemon->session; takes the unit table out of `resume`. */
static int take_session(struct daemon *daemon, struct store_resume *resume, const char *path, struct error *err)
{
	struct daemon_session *session = &daemon->session;

	*session = (struct daemon_session){.seed = resume->seed, .spec = resume->spec, .excluded = json_array()};
	resume->spec = (struct session_spec){0};
	runs_init(&session->runs);
	memcpy(session->id, resume->session, sizeof session->id);
	name_session(session);
	strncpy(session->path, path, sizeof session->path - 1);
	session->last_seq = resume->last_seq;
	session->n_stored = resume->n_presentations;
	session->n_complete = session->n_training = resume->n_complete;
	session->n_refused = resume->n_refused;
	session->n_conflicts = resume->n_conflicts;
	int status = take_config(daemon, resume, path, err);
	if (status == 0)
		status = take_runs(session, resume, err);
	return status == 0 ? make_model_dir(session, err) : status;
}

int daemon_session_go_on(struct daemon *daemon, const char *path, struct error *err)
{
	struct store_resume resume = {0};
	int status = store_open(path, err, &daemon->store);

	if (status < 0)
		return status;
	status = store_resume_read(daemon->store, err, &resume);
	if (status < 0)
		goto out_store;
	if (strcmp(resume.state, session_state_name(SESSION_CLOSED)) == 0) {
		status = error_set(err, -EALREADY, "%.300s: the session is closed", path);
		goto out_resume;
	}
	status = take_session(daemon, &resume, path, err);
	if (status == 0)
		status = begin_session(daemon, &resume, err);
	if (status < 0)
		goto out_session;
	log_line(LOG_LEVEL_INFO,
		 "going on with session %s from %s: %" PRId64 " presentations, batch %" PRId64 " is being shown",
		 daemon->session.spec.name, path, daemon->session.n_stored, schedule_handed(daemon->schedule));
	store_resume_done(&resume);
	return 0;

out_session:
	daemon_close_store(daemon);
	discard_worker(daemon);
	forget_session(daemon);
out_resume:
	store_resume_done(&resume);
out_store:
	daemon_close_store(daemon);
	return status;
}

static void worker_stopped(void *ctx)
{
	struct daemon *daemon = ctx;
	char hex[sizeof daemon->last_session_hex];

	daemon->ending = false;
	supervisor_destroy(daemon->worker);
	daemon->worker = NULL;
	daemon_close_store(daemon);
	memcpy(hex, daemon->session.id_hex, sizeof hex);
	log_line(LOG_LEVEL_INFO, "session %s closed: %" PRId64 " presentations in %s", daemon->session.spec.name,
		 daemon->session.n_stored, daemon->session.path);
	forget_session(daemon);
	memcpy(daemon->last_session_hex, hex, sizeof hex);
	session_move(&daemon->machine, SESSION_EVENT_FORGET, NULL);
	if (!daemon->stopping) {
		rig_service_closed(daemon->rig_service, hex);
		daemon_moved(daemon);
	}
}

static void closed_on_disk(struct store_op *op, void *ctx)
{
	struct daemon *daemon = ctx;

	if (op->status < 0) {
		daemon->end_again = true;
		return;
	}
	daemon->ending = !daemon->stopping;
	if (daemon->ending)
		supervisor_stop(daemon->worker, worker_stopped, daemon);
}

void daemon_session_end_again(struct daemon *daemon)
{
	daemon->end_again = false;
	record_state(daemon, session_state_name(SESSION_CLOSED), closed_on_disk);
}

void daemon_session_end(struct daemon *daemon)
{
	session_move(&daemon->machine, SESSION_EVENT_END, NULL);
	daemon_session_end_again(daemon);
	daemon_moved(daemon);
}
