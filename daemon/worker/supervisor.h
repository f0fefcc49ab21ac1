/* Keeps one evoked-worker alive for the loop: starts, feeds, restarts it, and passes jobs and results.
 *
 * States: stopped -> starting -> setup -> idle <-> busy -> (lost -> starting). A job is held until it has a result;
 * when the worker dies the job is given to the next one, and after SUPERVISOR_ATTEMPTS failures it is abandoned
 * (`ended` with status -ECANCELED and the reason). Before a job, rows from the worker's last seq through the job's
 * saw_seq are asked for (`need_rows`) and sent. Restarts wait 0.1 s, doubling to 5 s. Loop thread only; uv inside. */
#ifndef EVOKED_DAEMON_WORKER_SUPERVISOR_H
#define EVOKED_DAEMON_WORKER_SUPERVISOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/message.h"
#include "support/error.h"

/* A page of rows is copied twice on the loop thread: at most SUPERVISOR_PAGE_BYTES keep that well under a millisecond.
 */
enum { SUPERVISOR_ATTEMPTS = 3, SUPERVISOR_PAGE_BYTES = 512 << 10, SUPERVISOR_SILENCE_MS = 600000 };

/* Kinds of events. */
#define WORKER_EVENT_STARTED "worker_started" /* with the worker's hello as JSON */
#define WORKER_EVENT_LOST    "worker_lost"
#define WORKER_EVENT_LOG     "worker_log" /* a line of its stdout or stderr */
#define WORKER_EVENT_ERROR   "worker_error"

struct uv_loop_s;
struct store_page;
struct supervisor;

enum supervisor_state {
	SUPERVISOR_STOPPED,
	SUPERVISOR_STARTING,
	SUPERVISOR_SETUP,
	SUPERVISOR_IDLE,
	SUPERVISOR_BUSY,
	SUPERVISOR_LOST,
};

struct supervisor_callbacks {
	/* Rows (from_seq, through_seq] are wanted: answer with one supervisor_rows, now or later. When that page has
	 * `more`, the rest is asked for once the page has been written: never is more than one on its way. */
	void (*need_rows)(void *ctx, int64_t from_seq, int64_t through_seq);
	/* setup was answered: pool manifest and so on (borrowed). Or not (result NULL, err set): refused by the worker
	 * (no pool there), which stops the supervisor; or SUPERVISOR_ATTEMPTS workers in a row died before they were
	 * ready: more are started, and `ready` comes again when one succeeds. */
	void (*ready)(void *ctx, const struct message *result, const struct error *err);
	void (*progress)(void *ctx, uint64_t job, int64_t done, int64_t planned, const char *what);
	/* The job ended: status 0 with the result message (borrowed), or a negative errno with err: -ECANCELED
	 * abandoned after n failures, -EINVAL refused by the worker, -EIO rows could not be read. `lost` is how many
	 * workers died under it. */
	void (*ended)(void *ctx, uint64_t job, int status, unsigned lost, const struct message *result,
		      const struct error *err);
	/* For the log; kinds: WORKER_EVENT_*. */
	void (*event)(void *ctx, const char *kind, const char *text);
};

struct supervisor_options {
	const char *program; /* path of evoked-worker; NULL or "": beside the running program */
	json_t *setup;	     /* header fields of `setup`; a reference is taken */
	uint64_t memory_max; /* RLIMIT_AS in bytes; 0: none */
	uint64_t silence_ms; /* a worker that says nothing for so long while it has a job is killed; 0: the default */
};

int supervisor_create(struct uv_loop_s *loop, const struct supervisor_options *options,
		      const struct supervisor_callbacks *callbacks, void *ctx, struct error *err,
		      struct supervisor **ret_supervisor);
/* Starts the first worker; again after a refused setup. Errors: the program cannot be started. */
int supervisor_start(struct supervisor *supervisor, struct error *err);
/* One job at a time: -EBUSY while there is one, -ESHUTDOWN when stopped. `spec` is the job header's fields (a reference
 * is taken). */
int supervisor_submit(struct supervisor *supervisor, uint64_t job, json_t *spec, struct error *err);
/* Asks the worker to stop the job at its next unit boundary; `ended` still comes. */
void supervisor_cancel(struct supervisor *supervisor, uint64_t job);
/* The answer to need_rows; the page is borrowed. NULL: the rows could not be read, and the job ends with -EIO. */
void supervisor_rows(struct supervisor *supervisor, const struct store_page *page);
/* Another setup (units were added or retired): takes effect before the next job; `ready` is called again. */
void supervisor_set_setup(struct supervisor *supervisor, json_t *setup);
enum supervisor_state supervisor_state(const struct supervisor *supervisor);
int supervisor_pid(const struct supervisor *supervisor); /* 0 without a worker */
/* Ends the worker (EOF, then SIGKILL after a second) and calls `stopped` when it has gone; then destroy may be called.
 * A held job is dropped without `ended`. Once only. */
void supervisor_stop(struct supervisor *supervisor, void (*stopped)(void *ctx), void *ctx);
void supervisor_destroy(struct supervisor *supervisor);

#endif
