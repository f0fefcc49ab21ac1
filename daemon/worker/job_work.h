/* The units of work of one job: counted, reported, and the only places where a job can stop.
 *
 * A job stops at a unit boundary when the daemon cancelled it, or where its specification says that it once did
 * (`stop_after`): both leave the same result. One thread. */
#ifndef EVOKED_DAEMON_WORKER_JOB_WORK_H
#define EVOKED_DAEMON_WORKER_JOB_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/worker/frame_pipe.h"

enum { JOB_WORK_PROGRESS_MS = 100, JOB_WORK_NO_STOP = -1 };

struct job_work {
	struct frame_pipe *pipe; /* NULL: nobody to report to */
	uint64_t job;
	int64_t stop_after; /* JOB_WORK_NO_STOP, or units */
	int64_t done, planned;
	const char *what;
	bool stopped;	 /* no further unit may begin */
	int pipe_status; /* a negative errno when the pipe has ended: nobody waits for the result */
	int64_t reported_ms;
};

/* `stop_after` 0 stops before the first unit. */
void job_work_init(struct job_work *work, struct frame_pipe *pipe, uint64_t job, int64_t stop_after);

/* One more unit is done. True: stop here. */
bool job_work_step(struct job_work *work);

/* Between units that take long: still alive, at `what`. Counts nothing. -EPIPE when nobody waits for the result. */
int job_work_pulse(struct job_work *work, const char *what);

/* For those who count their units themselves (session_model_fit, synthesis_run): `done` of `planned` since begin. */
struct job_work_part {
	struct job_work *work;
	int64_t before; /* units of the job when the part began */
};
struct job_work_part job_work_begin(struct job_work *work, const char *what);
bool job_work_part_stop(void *part, uint32_t done, uint32_t planned);

#endif
