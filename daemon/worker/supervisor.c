/* One job and one worker at a time, moved through the table of states below.
 *
 * A worker starts, says hello, gets the setup and answers it; then it is idle. A job that is held makes it busy: rows
 * are asked for page by page until the worker has those through the job's saw_seq, then the job is sent. Whatever goes
 * wrong with a worker (its end, a frame that is none, a queue over its bound) ends in one place, on_gone: the job is
 * kept for the next worker or abandoned, and the next start waits, twice as long each time until a job succeeds.
 *
 * The answer to need_rows may come when the worker that it was for is gone: it then belongs to an earlier
 * generation and is thrown away. A setup that the worker refuses (no pool there, no backbone) is not tried again. */
#include "daemon/worker/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon/store/store.h"
#include "daemon/worker/data_frame.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/worker_child.h"
#include "daemon/worker/worker_program.h"

enum { N_STATES = SUPERVISOR_LOST + 1, DELAY_FIRST_MS = 100, DELAY_MAX_MS = 5000 };

/* allowed[from][to] */
static const bool allowed[N_STATES][N_STATES] = {
	[SUPERVISOR_STOPPED] = {[SUPERVISOR_STARTING] = true},
	[SUPERVISOR_STARTING] = {[SUPERVISOR_SETUP] = true, [SUPERVISOR_LOST] = true, [SUPERVISOR_STOPPED] = true},
	[SUPERVISOR_SETUP] = {[SUPERVISOR_IDLE] = true, [SUPERVISOR_LOST] = true, [SUPERVISOR_STOPPED] = true},
	[SUPERVISOR_IDLE] = {[SUPERVISOR_BUSY] = true,
			     [SUPERVISOR_SETUP] = true,
			     [SUPERVISOR_LOST] = true,
			     [SUPERVISOR_STOPPED] = true},
	[SUPERVISOR_BUSY] = {[SUPERVISOR_IDLE] = true, [SUPERVISOR_LOST] = true, [SUPERVISOR_STOPPED] = true},
	[SUPERVISOR_LOST] = {[SUPERVISOR_STARTING] = true, [SUPERVISOR_LOST] = true, [SUPERVISOR_STOPPED] = true},
};

struct held_job {
	bool held, sent, cancelled;
	uint64_t id;
	json_t *spec;
	int64_t saw_seq;
	unsigned lost; /* workers that died while it was held */
};

struct supervisor {
	uv_loop_t *loop;
	struct supervisor_callbacks callbacks;
	void *ctx;
	char program[4096];
	uint64_t memory_max, silence_ms;
	json_t *setup;
	bool setup_changed;

	enum supervisor_state state;
	struct worker_child *child; /* NULL in STOPPED and LOST, but while an ended worker still goes */
	uv_timer_t *timer;	    /* on the heap; lost: until the next start, busy: until a silence is too long */
	uint64_t delay_ms;
	unsigned n_setup_failures; /* workers in a row that died before they had answered the setup */
	unsigned generation;	   /* of workers */

	struct held_job job;
	int64_t worker_seq; /* rows that this worker has */
	bool rows_asked;
	unsigned rows_generation;
	int64_t rows_through;

	bool stopping;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

static void advance(struct supervisor *s);
static void lose(struct supervisor *s, const char *reason);
static const struct worker_child_callbacks child_callbacks;

static void move(struct supervisor *s, enum supervisor_state to)
{
	assert(allowed[s->state][to]);
	s->state = to;
}

int supervisor_create(struct uv_loop_s *loop, const struct supervisor_options *options,
		      const struct supervisor_callbacks *callbacks, void *ctx, struct error *err,
		      struct supervisor **ret_supervisor)
{
	struct supervisor *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "worker: out of memory");
	r = worker_program_path(options->program, err, s->program, sizeof s->program);
	if (r) {
		free(s);
		return r;
	}
	s->loop = loop;
	s->callbacks = *callbacks;
	s->ctx = ctx;
	s->memory_max = options->memory_max;
	s->silence_ms = options->silence_ms ? options->silence_ms : SUPERVISOR_SILENCE_MS;
	s->setup = json_incref(options->setup);
	s->delay_ms = DELAY_FIRST_MS;
	*ret_supervisor = s;
	return 0;
}

static int spawn(struct supervisor *s, struct error *err)
{
	int r = worker_child_spawn(s->loop, s->program, s->memory_max, &child_callbacks, s, err, &s->child);

	if (r)
		return r;
	s->generation++;
	s->worker_seq = 0;
	return 0;
}

int supervisor_start(struct supervisor *s, struct error *err)
{
	if (s->state != SUPERVISOR_STOPPED || s->child)
		return error_set(err, -EALREADY, "worker: it has been started already");
	if (!s->timer) {
		s->timer = malloc(sizeof *s->timer);
		if (!s->timer)
			return error_set(err, -ENOMEM, "worker: out of memory");
		uv_timer_init(s->loop, s->timer);
		s->timer->data = s;
	}
	int r = spawn(s, err);
	if (!r)
		move(s, SUPERVISOR_STARTING);
	return r;
}

/* The job has its end; what the callback submits next finds the place free. */
static void finish(struct supervisor *s, int status, const struct message *result, const struct error *err)
{
	struct held_job job = s->job;

	s->job = (struct held_job){0};
	if (s->state == SUPERVISOR_BUSY) {
		uv_timer_stop(s->timer);
		move(s, SUPERVISOR_IDLE);
	}
	s->callbacks.ended(s->ctx, job.id, status, job.lost, result, err);
	json_decref(job.spec);
	advance(s);
}

/* Sends; a worker that cannot be sent to is of no use. */
static void send_or_kill(struct supervisor *s, enum frame_type type, uint64_t job, const struct message *message)
{
	struct error err = {""};

	if (worker_child_send(s->child, type, job, message, &err))
		worker_child_kill(s->child, err.text);
}

/* A message of `type` with the fields of `object` (may be NULL). */
static void send_object(struct supervisor *s, enum frame_type type, uint64_t job, json_t *object)
{
	struct message message;

	if (message_init(frame_type_name(type), -1, &message)) {
		worker_child_kill(s->child, "out of memory");
		return;
	}
	if (object && json_object_update_missing(message.header, object))
		worker_child_kill(s->child, "out of memory");
	else
		send_or_kill(s, type, job, &message);
	message_done(&message);
}

static void send_setup(struct supervisor *s)
{
	s->setup_changed = false;
	move(s, SUPERVISOR_SETUP);
	send_object(s, FRAME_SETUP, 0, s->setup);
}

static void ask_rows(struct supervisor *s)
{
	s->rows_asked = true;
	s->rows_generation = s->generation;
	s->rows_through = s->job.saw_seq;
	s->callbacks.need_rows(s->ctx, s->worker_seq, s->rows_through);
}

/* A job that does not move would hold up all that come after it. */
static void on_silence(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	char reason[96];

	snprintf(reason, sizeof reason, "killed because it said nothing for %llu s",
		 (unsigned long long)s->silence_ms / 1000);
	worker_child_kill(s->child, reason);
}

/* The next step of a held job: rows, or the job itself. */
static void feed_job(struct supervisor *s)
{
	if (s->job.sent || s->rows_asked)
		return;
	if (s->worker_seq < s->job.saw_seq) {
		ask_rows(s);
		return;
	}
	s->job.sent = true;
	uv_timer_start(s->timer, on_silence, s->silence_ms, 0);
	send_object(s, FRAME_JOB, s->job.id, s->job.spec);
	if (s->job.cancelled)
		send_object(s, FRAME_CANCEL, s->job.id, NULL);
}

static void advance(struct supervisor *s)
{
	if (s->state != SUPERVISOR_IDLE)
		return;
	if (s->setup_changed) {
		send_setup(s);
	} else if (s->job.held) {
		move(s, SUPERVISOR_BUSY);
		feed_job(s);
	}
}

void supervisor_rows(struct supervisor *s, const struct store_page *page)
{
	struct message message;
	struct error err;

	s->rows_asked = false;
	if (s->state != SUPERVISOR_BUSY || !s->job.held || s->job.sent)
		return;
	if (s->rows_generation != s->generation) {
		feed_job(s);
		return;
	}
	if (!page || (page->more && page->through_seq <= s->worker_seq)) {
		error_set(&err, -EIO, "rows %lld to %lld of the session could not be read",
			  (long long)s->worker_seq + 1, (long long)s->rows_through);
		finish(s, -EIO, NULL, &err);
		return;
	}
	if (data_frame_make(page, &err, &message)) {
		worker_child_kill(s->child, err.text);
		return;
	}
	send_or_kill(s, FRAME_DATA, 0, &message);
	message_done(&message);
	s->worker_seq = page->more ? page->through_seq : s->rows_through;
	if (!page->more)
		feed_job(s);
}

static void on_written(void *ctx)
{
	struct supervisor *s = ctx;

	if (s->state == SUPERVISOR_BUSY && s->job.held)
		feed_job(s);
}

int supervisor_submit(struct supervisor *s, uint64_t job, json_t *spec, struct error *err)
{
	int64_t saw_seq;

	if (s->job.held)
		return error_set(err, -EBUSY, "worker: it is at job %llu", (unsigned long long)s->job.id);
	if (s->state == SUPERVISOR_STOPPED)
		return error_set(err, -ESHUTDOWN, "worker: it is stopped");
	int r = message_get_int(spec, "job", JOB_SAW_SEQ, 0, LIMIT_INTEGER - 1, err, &saw_seq);
	if (r)
		return r;
	s->job = (struct held_job){.held = true, .id = job, .spec = json_incref(spec), .saw_seq = saw_seq};
	advance(s);
	return 0;
}

void supervisor_cancel(struct supervisor *s, uint64_t job)
{
	if (!s->job.held || s->job.id != job || s->job.cancelled)
		return;
	s->job.cancelled = true;
	if (s->job.sent)
		send_object(s, FRAME_CANCEL, s->job.id, NULL);
}

void supervisor_set_setup(struct supervisor *s, json_t *setup)
{
	json_incref(setup);
	json_decref(s->setup);
	s->setup = setup;
	/* A worker that has not had the first one yet gets this one; one at work after its job. */
	s->setup_changed = s->state == SUPERVISOR_SETUP || s->state == SUPERVISOR_IDLE || s->state == SUPERVISOR_BUSY;
	advance(s);
}

static void on_hello(struct supervisor *s, const struct message *message)
{
	if (s->state != SUPERVISOR_STARTING)
		return;
	char *text = json_dumps(message->header, JSON_COMPACT);
	s->callbacks.event(s->ctx, WORKER_EVENT_STARTED, text ? text : "");
	free(text);
	send_setup(s);
}

static void on_result(struct supervisor *s, uint64_t job, const struct message *message)
{
	if (job == 0 && s->state == SUPERVISOR_SETUP) {
		s->n_setup_failures = 0;
		move(s, SUPERVISOR_IDLE);
		s->callbacks.ready(s->ctx, message, NULL);
		advance(s);
	} else if (job && s->state == SUPERVISOR_BUSY && s->job.sent && job == s->job.id) {
		s->delay_ms = DELAY_FIRST_MS;
		finish(s, 0, message, NULL);
	}
}

static void refuse_setup(struct supervisor *s, const struct error *err)
{
	move(s, SUPERVISOR_STOPPED);
	worker_child_end(s->child);
	s->callbacks.ready(s->ctx, NULL, err);
	if (s->job.held)
		finish(s, -EINVAL, NULL, err);
}

static void on_error(struct supervisor *s, uint64_t job, const struct message *message)
{
	const char *text = json_string_value(json_object_get(message->header, ERROR_TEXT));
	struct error err;

	error_set(&err, 0, "%s", text ? text : "an error without a text");
	if (job == 0 && s->state == SUPERVISOR_SETUP)
		refuse_setup(s, &err);
	else if (job && s->state == SUPERVISOR_BUSY && s->job.sent && job == s->job.id)
		finish(s, -EINVAL, NULL, &err);
	else
		s->callbacks.event(s->ctx, WORKER_EVENT_ERROR, err.text);
}

static void on_progress(struct supervisor *s, uint64_t job, const struct message *message)
{
	int64_t done, planned;
	const char *what;

	if (!s->job.sent || job != s->job.id ||
	    message_get_int(message->header, "", PROGRESS_DONE, 0, LIMIT_INTEGER - 1, NULL, &done) ||
	    message_get_int(message->header, "", PROGRESS_PLANNED, 0, LIMIT_INTEGER - 1, NULL, &planned) ||
	    message_get_string(message->header, "", PROGRESS_WHAT, LIMIT_LABEL_BYTES, NULL, &what))
		return;
	s->callbacks.progress(s->ctx, job, done, planned, what);
}

static void on_frame(void *ctx, enum frame_type type, uint64_t job, const struct message *message)
{
	struct supervisor *s = ctx;

	if (s->stopping)
		return;
	if (s->state == SUPERVISOR_BUSY && s->job.sent)
		uv_timer_start(s->timer, on_silence, s->silence_ms, 0);
	switch (type) {
	case FRAME_HELLO:
		on_hello(s, message);
		break;
	case FRAME_RESULT:
		on_result(s, job, message);
		break;
	case FRAME_ERROR:
		on_error(s, job, message);
		break;
	case FRAME_PROGRESS:
		on_progress(s, job, message);
		break;
	case FRAME_SETUP:
	case FRAME_DATA:
	case FRAME_JOB:
	case FRAME_CANCEL:
		s->callbacks.event(s->ctx, WORKER_EVENT_ERROR, "a frame that only the daemon sends");
		break;
	}
}

static void on_line(void *ctx, const char *text)
{
	struct supervisor *s = ctx;

	s->callbacks.event(s->ctx, WORKER_EVENT_LOG, text);
}

static void on_restart(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	struct error err;

	if (spawn(s, &err))
		lose(s, err.text);
	else
		move(s, SUPERVISOR_STARTING);
}

/* A worker is gone, or could not be started: the next one after a delay, the job kept or abandoned. */
static void lose(struct supervisor *s, const char *reason)
{
	bool before_ready = s->state != SUPERVISOR_IDLE && s->state != SUPERVISOR_BUSY;
	struct error err;

	move(s, SUPERVISOR_LOST);
	uv_timer_start(s->timer, on_restart, s->delay_ms, 0);
	s->delay_ms = s->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : s->delay_ms * 2;
	s->job.sent = false;
	s->callbacks.event(s->ctx, WORKER_EVENT_LOST, reason);
	if (before_ready && ++s->n_setup_failures == SUPERVISOR_ATTEMPTS) {
		error_set(&err, 0, "worker: %d in a row ended before they were ready; the last: %s",
			  SUPERVISOR_ATTEMPTS, reason);
		s->callbacks.ready(s->ctx, NULL, &err);
	}
	if (s->job.held && ++s->job.lost == SUPERVISOR_ATTEMPTS) {
		error_set(&err, 0, "abandoned after %d workers; the last: %s", SUPERVISOR_ATTEMPTS, reason);
		finish(s, -ECANCELED, NULL, &err);
	}
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct supervisor *s = handle->data;

	free(handle);
	s->timer = NULL;
	s->stopped(s->stopped_ctx);
}

static void on_gone(void *ctx, const char *reason)
{
	struct supervisor *s = ctx;

	s->child = NULL;
	if (s->stopping)
		uv_close((uv_handle_t *)s->timer, on_timer_closed);
	else if (s->state != SUPERVISOR_STOPPED)
		lose(s, reason);
}

static const struct worker_child_callbacks child_callbacks = {
	.frame = on_frame,
	.written = on_written,
	.line = on_line,
	.gone = on_gone,
};

enum supervisor_state supervisor_state(const struct supervisor *s)
{
	return s->state;
}

int supervisor_pid(const struct supervisor *s)
{
	return s->child ? worker_child_pid(s->child) : 0;
}

void supervisor_stop(struct supervisor *s, void (*stopped)(void *ctx), void *ctx)
{
	s->stopping = true;
	s->stopped = stopped;
	s->stopped_ctx = ctx;
	if (s->state != SUPERVISOR_STOPPED)
		move(s, SUPERVISOR_STOPPED);
	json_decref(s->job.spec);
	s->job = (struct held_job){0};
	if (s->child)
		worker_child_end(s->child);
	else if (s->timer)
		uv_close((uv_handle_t *)s->timer, on_timer_closed);
	else
		stopped(ctx);
}

void supervisor_destroy(struct supervisor *s)
{
	if (!s)
		return;
	json_decref(s->job.spec);
	json_decref(s->setup);
	free(s);
}
