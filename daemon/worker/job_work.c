/* At each boundary the pipe is looked at without waiting. While a job is at work the daemon sends nothing but `cancel`;
 * anything else, or the end of the pipe, means that nobody waits for the result, and the job stops. */
#include "daemon/worker/job_work.h"

#include <errno.h>
#include <time.h>

#include "daemon/worker/pipe_fields.h"

void job_work_init(struct job_work *work, struct frame_pipe *pipe, uint64_t job, int64_t stop_after)
{
	*work = (struct job_work){
		.pipe = pipe, .job = job, .stop_after = stop_after, .what = "", .stopped = stop_after == 0};
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void give_up(struct job_work *work, int status)
{
	work->pipe_status = status;
	work->stopped = true;
}

static void look_for_cancel(struct job_work *work)
{
	struct message message;
	enum frame_type type;
	uint64_t job;
	int r;

	while ((r = frame_pipe_receive(work->pipe, 0, NULL, &type, &job, &message)) == 1) {
		message_done(&message);
		if (type != FRAME_CANCEL)
			give_up(work, -EPROTO);
		else if (job == work->job)
			work->stopped = true;
	}
	if (r < 0)
		give_up(work, r);
}

static void report(struct job_work *work)
{
	struct message message;
	int64_t now = now_ms();

	if (now - work->reported_ms < JOB_WORK_PROGRESS_MS)
		return;
	work->reported_ms = now;
	if (message_init(WORKER_TYPE_PROGRESS, -1, &message))
		return;
	json_object_set_new(message.header, PROGRESS_DONE, json_integer(work->done));
	json_object_set_new(message.header, PROGRESS_PLANNED, json_integer(work->planned));
	json_object_set_new(message.header, PROGRESS_WHAT, json_string(work->what));
	int r = frame_pipe_send(work->pipe, FRAME_PROGRESS, work->job, &message, NULL);
	message_done(&message);
	if (r)
		give_up(work, r);
}

bool job_work_step(struct job_work *work)
{
	work->done++;
	if (work->stop_after != JOB_WORK_NO_STOP && work->done >= work->stop_after)
		work->stopped = true;
	if (work->pipe && !work->pipe_status) {
		look_for_cancel(work);
		report(work);
	}
	return work->stopped;
}

int job_work_pulse(struct job_work *work, const char *what)
{
	work->what = what;
	if (work->pipe && !work->pipe_status) {
		look_for_cancel(work);
		report(work);
	}
	return work->pipe_status ? -EPIPE : 0;
}

struct job_work_part job_work_begin(struct job_work *work, const char *what)
{
	work->what = what;
	return (struct job_work_part){.work = work, .before = work->done};
}

bool job_work_part_stop(void *part, uint32_t done, uint32_t planned)
{
	struct job_work_part *p = part;

	if (p->work->planned < p->before + planned)
		p->work->planned = p->before + planned;
	/* It may be asked again at the same count, or before the first unit. */
	while (p->work->done < p->before + done && !p->work->stopped)
		job_work_step(p->work);
	return p->work->stopped;
}
