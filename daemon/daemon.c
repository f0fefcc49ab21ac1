/* Start: handles -> sockets -> services -> a session that was left open -> the line on stdout.
 * Stop: commit what is queued (the acknowledgements go out) -> close sockets -> end the worker -> the loop runs out of
 * handles -> close the file. */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "daemon/clock.h"
#include "daemon/control_service.h"
#include "daemon/log.h"
#include "daemon/rig_service.h"
#include "daemon/schedule.h"
#include "daemon/session_files.h"
#include "daemon/status.h"

int daemon_submit(struct daemon *daemon, struct store_op *op)
{
	/* Own operations that wait have their turn first, or they would starve. */
	if (daemon->taking && !daemon->deferred && store_submit(daemon->store, op) == 0)
		return 0;
	store_op_destroy(op);
	return -EAGAIN;
}

void daemon_submit_own(struct daemon *daemon, struct store_op *op)
{
	if (!daemon->taking) {
		store_op_destroy(op);
		return;
	}
	if (!daemon->deferred && store_submit(daemon->store, op) == 0)
		return;
	op->next = NULL;
	*daemon->deferred_end = op;
	daemon->deferred_end = &op->next;
}

static void submit_deferred(struct daemon *daemon)
{
	while (daemon->deferred) {
		struct store_op *op = daemon->deferred, *next = op->next;
		if (store_submit(daemon->store, op) < 0)
			return;
		daemon->deferred = next;
	}
	daemon->deferred_end = &daemon->deferred;
}

/* The state follows the store: nothing is acknowledged while it cannot commit. */
static void follow_storage(struct daemon *daemon)
{
	bool stalled = daemon->machine.state == SESSION_STORAGE_STALLED;

	if (!daemon->store || store_is_stalled(daemon->store) == stalled)
		return;
	if (session_move(&daemon->machine, stalled ? SESSION_EVENT_RECOVER : SESSION_EVENT_STALL, NULL) < 0)
		return;
	if (stalled)
		log_line(LOG_LEVEL_INFO, "storage is back: the session is %s",
			 session_state_name(daemon->machine.state));
	else
		daemon_warn(daemon, "storage_stalled", "%.300s cannot be written: nothing is acknowledged until it can",
			    daemon->session.path);
	daemon_moved(daemon);
}

static void drain(struct daemon *daemon)
{
	if (!daemon->store)
		return;
	store_drain(daemon->store);
	if (!daemon->taking)
		return;
	submit_deferred(daemon);
	follow_storage(daemon);
	schedule_advance(daemon->schedule);
}

static void on_store_wake(uv_async_t *async)
{
	drain(async->data);
}

void daemon_wake(void *ctx)
{
	uv_async_send(&((struct daemon *)ctx)->store_wake);
}

void daemon_close_store(struct daemon *daemon)
{
	if (!daemon->store)
		return;
	daemon->taking = false;
	submit_deferred(daemon);
	store_stop(daemon->store);
	store_drain(daemon->store);
	while (daemon->deferred) {
		struct store_op *op = daemon->deferred;
		daemon->deferred = op->next;
		store_op_destroy(op);
	}
	daemon->deferred_end = &daemon->deferred;
	store_close(daemon->store);
	daemon->store = NULL;
}

void daemon_moved(struct daemon *daemon)
{
	if (daemon->status && !daemon->stopping)
		status_changed(daemon->status);
}

void daemon_event(struct daemon *daemon, const char *kind, const char *text)
{
	int64_t second = clock_monotonic_ns() / 1000000000;
	struct store_op *op;

	if (second != daemon->events_second) {
		daemon->events_second = second;
		daemon->n_events = 0;
	}
	if (++daemon->n_events > DAEMON_EVENTS_A_SECOND)
		return;
	log_line(LOG_LEVEL_INFO, "%s: %s%s", kind, text,
		 daemon->n_events == DAEMON_EVENTS_A_SECOND ? " (more of this second are left out)" : "");
	if (!daemon->taking)
		return;
	op = store_op_create(STORE_OP_EVENT);
	if (!op)
		return;
	op->text = store_op_string(op, kind);
	op->detail = store_op_string(op, text);
	op->received_us = clock_wall_us();
	daemon_submit_own(daemon, op);
}

void daemon_warn(struct daemon *daemon, const char *kind, const char *format, ...)
{
	struct daemon_warning *warning = &daemon->warnings[daemon->n_warnings++ % DAEMON_WARNINGS];
	va_list args;

	warning->time_us = clock_wall_us();
	va_start(args, format);
	vsnprintf(warning->text, sizeof warning->text, format, args);
	va_end(args);
	daemon_event(daemon, kind, warning->text);
	daemon_moved(daemon);
}

static void on_tick(uv_timer_t *timer)
{
	struct daemon *daemon = timer->data;

	if (!daemon->taking)
		return;
	submit_deferred(daemon);
	follow_storage(daemon); /* the store tries by itself until a commit goes through */
	if (daemon->end_again)
		daemon_session_end_again(daemon);
	schedule_advance(daemon->schedule);
}

static void on_signal(uv_signal_t *signal, int number)
{
	log_line(LOG_LEVEL_INFO, "%s: stopping", number == SIGINT ? "SIGINT" : "SIGTERM");
	daemon_stop(signal->data, 0);
}

static void on_rig_message(void *ctx, const struct endpoint_peer *peer, const struct message *message)
{
	rig_service_message(((struct daemon *)ctx)->rig_service, peer, message);
}

static void on_control_message(void *ctx, const struct endpoint_peer *peer, const struct message *message)
{
	control_service_message(ctx, peer, message);
}

static void on_refused(void *ctx, const struct endpoint_peer *peer, const struct error *reason)
{
	(void)peer;
	daemon_event(ctx, "message_refused", reason->text);
}

static int open_sockets(struct daemon *daemon, struct error *err)
{
	static const struct endpoint_callbacks rig = {on_rig_message, on_refused};
	static const struct endpoint_callbacks control = {on_control_message, on_refused};
	const struct config *config = &daemon->config;
	int status =
		endpoint_open_router(&daemon->loop, daemon->zmq, config->listen.rig, &rig, daemon, err, &daemon->rig);

	if (status == 0)
		status = endpoint_open_pub(&daemon->loop, daemon->zmq, config->listen.status, err, &daemon->publish);
	if (status == 0)
		status = endpoint_open_router(&daemon->loop, daemon->zmq, config->listen.control, &control, daemon, err,
					      &daemon->control);
	return status;
}

/* The session that was named, or the newest of session.dir when it was left open. Neither is no failure. */
static int find_session(struct daemon *daemon, const char *session_path, struct error *err)
{
	char path[PATH_MAX];
	struct error why;
	int status;

	if (session_path[0])
		return daemon_session_go_on(daemon, session_path, err);
	if (session_files_newest(daemon->config.session.dir, &why, path) < 0)
		return 0;
	status = daemon_session_go_on(daemon, path, &why);
	if (status < 0 && status != -EALREADY)
		log_line(LOG_LEVEL_WARNING, "not going on with the newest session: %s", why.text);
	return 0;
}

static void init_handles(struct daemon *daemon)
{
	uv_async_init(&daemon->loop, &daemon->store_wake, on_store_wake);
	uv_timer_init(&daemon->loop, &daemon->tick);
	uv_signal_init(&daemon->loop, &daemon->sigterm);
	uv_signal_init(&daemon->loop, &daemon->sigint);
	daemon->store_wake.data = daemon->tick.data = daemon->sigterm.data = daemon->sigint.data = daemon;
	uv_timer_start(&daemon->tick, on_tick, DAEMON_TICK_MS, DAEMON_TICK_MS);
	uv_signal_start(&daemon->sigterm, on_signal, SIGTERM);
	uv_signal_start(&daemon->sigint, on_signal, SIGINT);
}

/* A batch and the held-out images must each fit into one message, or one operation of the store. */
static int check_sizes(const struct config *config, struct error *err)
{
	uint64_t pixels = (uint64_t)config->images.width_px * config->images.height_px * 3;
	uint64_t held_out = (uint64_t)config->images.n_monitor + config->images.n_sealed;

	if (config->batch.size * pixels > LIMIT_MESSAGE_BYTES)
		return error_set(err, -EINVAL,
				 "batch.size: %u images of %u x %u px may need %llu bytes, a message holds %d",
				 config->batch.size, config->images.width_px, config->images.height_px,
				 (unsigned long long)(config->batch.size * pixels), LIMIT_MESSAGE_BYTES);
	if (held_out * pixels > STORE_QUEUE_BYTES_MAX)
		return error_set(err, -EINVAL,
				 "images.n_monitor, images.n_sealed: %llu images of %u x %u px may need %llu bytes, "
				 "the store takes %d at a time",
				 (unsigned long long)held_out, config->images.width_px, config->images.height_px,
				 (unsigned long long)(held_out * pixels), STORE_QUEUE_BYTES_MAX);
	return 0;
}

int daemon_create(const struct config *config, const char *session_path, struct error *err, struct daemon **ret_daemon)
{
	struct daemon *daemon;
	int status = check_sizes(config, err);

	if (status < 0)
		return status;
	daemon = calloc(1, sizeof *daemon);
	if (!daemon)
		return error_set(err, -ENOMEM, "evoked: out of memory");
	daemon->config = *config;
	daemon->deferred_end = &daemon->deferred;
	daemon->zmq = zmq_ctx_new();
	if (!daemon->zmq || uv_loop_init(&daemon->loop) < 0) {
		zmq_ctx_term(daemon->zmq);
		free(daemon);
		return error_set(err, -ENOMEM, "evoked: out of memory");
	}
	init_handles(daemon);
	if ((status = open_sockets(daemon, err)) < 0 ||
	    (status = rig_service_create(daemon, err, &daemon->rig_service)) < 0 ||
	    (status = lateness_start(&daemon->loop, err, &daemon->lateness)) < 0 ||
	    (status = status_create(daemon, err, &daemon->status)) < 0 ||
	    (status = find_session(daemon, session_path, err)) < 0) {
		daemon_stop(daemon, 1);
		uv_run(&daemon->loop, UV_RUN_DEFAULT);
		daemon_destroy(daemon);
		return status;
	}
	*ret_daemon = daemon;
	return 0;
}

void daemon_destroy(struct daemon *daemon)
{
	if (!daemon)
		return;
	daemon_close_store(daemon);
	schedule_destroy(daemon->schedule);
	session_spec_done(&daemon->session.spec);
	runs_done(&daemon->session.runs);
	json_decref(daemon->session.excluded);
	rig_service_destroy(daemon->rig_service);
	uv_loop_close(&daemon->loop);
	zmq_ctx_term(daemon->zmq);
	free(daemon);
}

int daemon_run(struct daemon *daemon)
{
	printf("evoked: listening rig=%s status=%s control=%s session=%s\n", endpoint_address(daemon->rig),
	       endpoint_address(daemon->publish), endpoint_address(daemon->control),
	       daemon_has_session(daemon) ? daemon->session.path : "-");
	fflush(stdout);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	return daemon->exit_status;
}

static void worker_stopped(void *ctx)
{
	struct daemon *daemon = ctx;

	supervisor_destroy(daemon->worker);
	daemon->worker = NULL;
}

void daemon_stop(struct daemon *daemon, int exit_status)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	daemon->exit_status = exit_status;
	daemon_close_store(daemon);
	endpoint_close(daemon->rig);
	endpoint_close(daemon->control);
	status_destroy(daemon->status);
	endpoint_close(daemon->publish);
	lateness_stop(daemon->lateness);
	uv_close((uv_handle_t *)&daemon->store_wake, NULL);
	uv_close((uv_handle_t *)&daemon->tick, NULL);
	uv_close((uv_handle_t *)&daemon->sigterm, NULL);
	uv_close((uv_handle_t *)&daemon->sigint, NULL);
	if (daemon->worker && !daemon->ending)
		supervisor_stop(daemon->worker, worker_stopped, daemon);
}
