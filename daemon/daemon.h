/* The daemon as a whole: what its services share, and the life of a session from `open` to `close` or to the next
 * start.
 *
 * Two threads: this one, the loop, owns sockets, timers and state; the store's owns the writing database connection.
 * The numerics run in a process of their own. Everything here is called in the loop thread. */
#ifndef EVOKED_DAEMON_DAEMON_H
#define EVOKED_DAEMON_DAEMON_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/answer.h"
#include "daemon/config.h"
#include "daemon/endpoint.h"
#include "daemon/histogram.h"
#include "daemon/lateness.h"
#include "daemon/runs.h"
#include "daemon/session.h"
#include "daemon/store/store.h"
#include "daemon/worker/supervisor.h"
#include "protocol/session_spec.h"
#include "support/error.h"

enum {
	DAEMON_EVENTS_A_SECOND = 20, /* lines and rows about refused messages and the like; more are left out */
	DAEMON_RETRY_MS = 250,	     /* what `busy` advises when there is no better reason */
	DAEMON_STALL_RETRY_MS = 500,
	DAEMON_RIG_IMAGES = 16, /* of the rig's own, being decoded at one time */
	DAEMON_TICK_MS = 500,	/* lets the schedule look again, and looks whether storage is back */
	DAEMON_WARNINGS = 8,	/* the last ones, shown by the status */
};

struct rig_service;
struct schedule;
struct status;

/* The session that is open. */
struct daemon_session {
	uint8_t id[16];
	char id_hex[33];
	uint64_t seed;
	char seed_hex[17];
	char path[PATH_MAX], model_dir[PATH_MAX];
	struct session_spec spec;
	struct config config; /* what this session was opened with; listen and worker as of this start */
	struct runs runs;
	int64_t last_seq; /* of the newest row on disk */
	int64_t n_stored, n_complete, n_training, n_refused, n_conflicts;
	bool natural_only; /* the operator's `natural` */
	json_t *excluded;  /* [unit id], rising */
};

struct daemon_warning {
	int64_t time_us;
	char text[ERROR_TEXT_MAX];
};

struct daemon {
	uv_loop_t loop;
	void *zmq;
	uv_async_t store_wake;
	uv_timer_t tick;
	uv_signal_t sigterm, sigint;
	struct config config; /* of this start */
	struct endpoint *rig, *control, *publish;
	struct session_machine machine;
	struct daemon_session session; /* valid in all states but idle */
	char last_session_hex[33];     /* the one that was closed last, for a `close` that comes again; "" */
	struct store *store;	       /* NULL when idle */
	struct store_op *deferred, **deferred_end; /* the daemon's own operations that found the queue full */
	struct supervisor *worker;		   /* NULL when idle */
	uint64_t n_workers_lost, n_jobs_abandoned;
	struct rig_service *rig_service;
	struct schedule *schedule;
	struct status *status;
	struct lateness *lateness;
	struct histogram acknowledged_during_refits, acknowledged_between;
	unsigned n_rig_images; /* being decoded */
	unsigned n_events;     /* in this second */
	int64_t events_second;
	unsigned n_warnings;
	struct daemon_warning warnings[DAEMON_WARNINGS]; /* ring */
	bool taking;					 /* the store takes operations */
	bool end_again; /* the row that closes the session could not be written: once more at the next tick */
	bool ending;	/* the worker is being stopped at the end of a session */
	bool stopping;
	int exit_status;
};

/* Binds the sockets and goes on with a session that was left open: `session_path`, or, when that is "", the newest file
 * of session.dir if it is not closed. `config` is copied. */
int daemon_create(const struct config *config, const char *session_path, struct error *err, struct daemon **ret_daemon);
void daemon_destroy(struct daemon *daemon);
/* Runs until a signal or `stop`. Returns the exit status of the program. */
int daemon_run(struct daemon *daemon);
/* Stops taking, commits what is queued, ends the worker, closes the file; the session stays open for the next start. */
void daemon_stop(struct daemon *daemon, int exit_status);

/* daemon_session.c. Opens a new session for a rig (state idle). `spec` is taken on success. */
int daemon_session_open(struct daemon *daemon, struct session_spec *spec, struct error *err);
/* The last decision is on disk: the session ends, its file is closed, `closed` goes to whoever asked. */
void daemon_session_end(struct daemon *daemon);
/* Goes on with the session of a file. -EALREADY when it is closed. */
int daemon_session_go_on(struct daemon *daemon, const char *path, struct error *err);
/* The row that closes the session, again after it failed. */
void daemon_session_end_again(struct daemon *daemon);
bool daemon_has_session(const struct daemon *daemon);
/* The setup of the worker as of now; it is handed over again when units change. NULL when there is no memory. */
json_t *daemon_worker_setup(const struct daemon *daemon);

/* Hands an operation of a client to the store: 0, or -EAGAIN (queue full: the operation is destroyed, answer busy). */
int daemon_submit(struct daemon *daemon, struct store_op *op);
/* One of the daemon's own: kept and tried again when the queue is full. Their number is bounded by the schedule, which
 * has one job and one batch under way, and by DAEMON_EVENTS_A_SECOND. */
void daemon_submit_own(struct daemon *daemon, struct store_op *op);
/* Commits what is queued, hands every operation back, closes the file. */
void daemon_close_store(struct daemon *daemon);
/* Called by the store's thread. */
void daemon_wake(void *ctx);
/* The state changed, or should: publishes, and lets the schedule look. */
void daemon_moved(struct daemon *daemon);

/* A line for the log and a row for the session file; DAEMON_EVENTS_A_SECOND at most. */
void daemon_event(struct daemon *daemon, const char *kind, const char *text);
/* The same, shown by the status as well. */
void daemon_warn(struct daemon *daemon, const char *kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
