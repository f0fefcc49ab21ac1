/* Which batch is shown next, and the worker's jobs that lead to it (README.md, "The schedule").
 *
 * Everything is decided by schedule_advance, which looks at what is there and does what is missing; callbacks only note
 * what happened and call it. Thus a failed commit or a lost worker needs no path of its own. Loop thread only. */
#ifndef EVOKED_DAEMON_SCHEDULE_H
#define EVOKED_DAEMON_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/answer.h"
#include "daemon/batch.h"
#include "daemon/model_files.h"
#include "daemon/store/store.h"
#include "support/error.h"
#include "support/hash.h"

enum {
	SCHEDULE_STOCK_MAX = 16,     /* as the range of batch.stock */
	SCHEDULE_ROWS = 64,	     /* batches that the status tells of */
	SCHEDULE_LATE_MAX = 2,	     /* late results in a row that halve the budget */
	SCHEDULE_WAIT_RETRY_MS = 50, /* what a rig is told when the next batch is all but there */
};
#define SCHEDULE_BUDGET_MIN   (1.0 / 64)
#define SCHEDULE_JOB_PAUSE_NS ((int64_t)5 * 1000000000) /* before a job that failed is asked for again */

/* A row of the daemon's own among the commands: the steps of fits and synthesis were halved. */
#define COMMAND_BUDGET_HALVED "budget_halved"
#define COMMAND_FIELD_BUDGET  "budget"

struct daemon;

enum job_kind { JOB_PREPARE, JOB_DRAW, JOB_FIT, JOB_BATCH, JOB_EVALUATE };
/* As on the pipe and in the session file. */
const char *job_kind_name(enum job_kind kind);

/* The job under way: at the worker, or its decision on the way to the disk. */
struct schedule_job {
	bool active, committing;
	bool redo; /* its decision could not be written: the same is asked for again */
	enum job_kind kind;
	int64_t decision, saw_seq, n_seen;
	json_t *spec; /* owned */
	bool cancelled, late;
	size_t n_requeued; /* slots of the requeue list that it shows again */
	int64_t started_us, started_ns;
	struct batch *batch;   /* what it made, while its decision is being committed */
	int64_t done, planned; /* progress */
	char what[64];
};

enum plan_phase { PLAN_NONE, PLAN_FIT, PLAN_BATCH };

/* How the batch after the one that is shown comes about. */
struct schedule_plan {
	enum plan_phase phase;
	bool natural;	 /* natural images by design: from the stock, as chosen */
	bool late, lost; /* the rig did not wait for it; the worker gave nothing */
	int64_t n_seen;	 /* presentations that its fit saw */
	double fit_seconds;
};

/* One batch that was handed over, for the table of the status. */
struct schedule_row {
	int64_t batch;
	bool chosen;
	const char *cause;
	size_t n_slots;
	int64_t n_presentations, lag; /* stored when it was handed over; -1: no data behind it */
	double fit_seconds, batch_seconds, rig_wait_ms;
	struct batch_score score;
};

struct schedule {
	struct daemon *daemon;
	bool prepared;
	char failure[ERROR_TEXT_MAX]; /* why there will be no batch (no pool there, ...); "" */
	char pool_hash[HASH_HEX_SIZE], model[HASH_HEX_SIZE];
	struct model_files model_files;
	struct batch_score score, sealed; /* of the newest model; at close */
	int64_t model_n_seen;

	size_t n_stock;
	struct batch *stock[SCHEDULE_STOCK_MAX]; /* drawn, committed, without a number */
	struct batch *current;			 /* handed over last */
	struct batch *previous;			 /* the one before, without bytes: what of it is to be shown again */
	struct batch *reserved;			 /* carries the next number on disk, from the stock */
	struct batch *chosen;			 /* the next, made by the worker */
	struct batch *reserve;			 /* the oldest natural batch: repeated rather than none */
	struct batch *handing;			 /* its hand-over is on the way to the disk */
	bool reserving, reading;		 /* operations under way */
	struct requeue requeue;

	struct schedule_plan plan;
	struct schedule_job job;
	int64_t last_decision, job_not_before_ns;
	unsigned n_late;
	double budget;
	bool worker_ready, draining, evaluated;

	bool asked; /* a rig waits for batch asked_after + 1 */
	struct asker asker;
	uint8_t asker_run[RUN_SIZE];
	int64_t asked_after, first_asked_ns;

	int64_t n_batches, n_fallback, n_rows;	 /* handed over since this start */
	struct schedule_row rows[SCHEDULE_ROWS]; /* ring: row i at i % SCHEDULE_ROWS */
};

int schedule_create(struct daemon *daemon, struct error *err, struct schedule **ret_schedule);
/* Only when nothing of it is with the store or the worker any more. NULL is fine. */
void schedule_destroy(struct schedule *schedule);
/* Goes on with the batches of a session that was left open. -ENOMEM. */
int schedule_resume(struct schedule *schedule, const struct store_resume *resume, struct error *err);

/* Looks, and does what is missing. Cheap when there is nothing to do. */
void schedule_advance(struct schedule *schedule);

/* A rig asks for the batch after `after`: answered now, or as soon as it is there. */
void schedule_next_batch(struct schedule *schedule, const struct asker *asker, const uint8_t run[RUN_SIZE],
			 int64_t after);
/* A presentation is on disk. True when it is one of a training image. */
bool schedule_settled(struct schedule *schedule, const struct presentation *presentation);
/* The operator's `natural`. */
void schedule_set_natural(struct schedule *schedule, bool on);
/* `close`: ends the job at work, scores the sealed test, then calls daemon_session_end. */
void schedule_drain(struct schedule *schedule);

int64_t schedule_handed(const struct schedule *schedule); /* number of the batch handed over last; 0: none */
int64_t schedule_lag(const struct schedule *schedule);	  /* of the batch handed over last; -1: no data behind it */

/* What the supervisor tells (daemon/worker/supervisor.h). */
void schedule_worker_ready(struct schedule *schedule, const struct message *result, const struct error *err);
void schedule_job_progress(struct schedule *schedule, uint64_t job, int64_t done, int64_t planned, const char *what);
void schedule_job_ended(struct schedule *schedule, uint64_t job, int status, const struct message *result,
			const struct error *err);

/* Between schedule.c and schedule_jobs.c. */
void schedule_next_job(struct schedule *schedule);
void schedule_begin_plan(struct schedule *schedule);

#endif
