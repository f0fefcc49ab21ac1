/* Units are counted, reported and stopped: by `cancel`, by `stop_after`, by the end of the pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/worker/job_work.h"
#include "daemon/worker/pipe_fields.h"

struct pair {
	int fds[2];
	struct frame_pipe worker, daemon;
};

static void open_pair(struct pair *p)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fds), 0);
	assert_int_equal(frame_pipe_init(&p->worker, p->fds[0]), 0);
	assert_int_equal(frame_pipe_init(&p->daemon, p->fds[1]), 0);
}

static void close_pair(struct pair *p)
{
	frame_pipe_done(&p->worker);
	frame_pipe_done(&p->daemon);
	close(p->fds[0]);
	close(p->fds[1]);
}

static void send_frame(struct pair *p, enum frame_type type, uint64_t job)
{
	struct message message;

	assert_int_equal(message_init(frame_type_name(type), -1, &message), 0);
	assert_int_equal(frame_pipe_send(&p->daemon, type, job, &message, NULL), 0);
	message_done(&message);
}

static void stops_where_it_did(void **state)
{
	struct job_work work;

	(void)state;
	job_work_init(&work, NULL, 1, 3);
	assert_false(job_work_step(&work));
	assert_false(job_work_step(&work));
	assert_true(job_work_step(&work));
	assert_int_equal(work.done, 3);
	job_work_init(&work, NULL, 1, 0);
	assert_true(work.stopped);
	job_work_init(&work, NULL, 1, JOB_WORK_NO_STOP);
	for (int i = 0; i < 1000; i++)
		assert_false(job_work_step(&work));
}

static void parts_count_from_where_they_begin(void **state)
{
	struct job_work work;
	struct job_work_part part;

	(void)state;
	job_work_init(&work, NULL, 1, 7);
	job_work_step(&work);
	job_work_step(&work);
	part = job_work_begin(&work, "fit");
	assert_false(job_work_part_stop(&part, 0, 10));
	assert_int_equal(work.done, 2);
	assert_false(job_work_part_stop(&part, 1, 10));
	assert_false(job_work_part_stop(&part, 1, 10));
	assert_int_equal(work.done, 3);
	assert_false(job_work_part_stop(&part, 4, 10));
	assert_true(job_work_part_stop(&part, 5, 10));
	assert_int_equal(work.done, 7);
	assert_int_equal(work.planned, 12);
}

static void cancel_of_this_job_only(void **state)
{
	struct job_work work;
	struct pair p;

	(void)state;
	open_pair(&p);
	job_work_init(&work, &p.worker, 5, JOB_WORK_NO_STOP);
	assert_false(job_work_step(&work));
	assert_int_equal(job_work_pulse(&work, "features"), 0);
	assert_int_equal(work.done, 1);
	send_frame(&p, FRAME_CANCEL, 4);
	assert_false(job_work_step(&work));
	send_frame(&p, FRAME_CANCEL, 5);
	assert_true(job_work_step(&work));
	assert_int_equal(work.pipe_status, 0);
	close_pair(&p);
}

static void progress_comes_and_not_too_often(void **state)
{
	struct job_work work;
	struct pair p;
	struct message message;
	enum frame_type type;
	uint64_t job;

	(void)state;
	open_pair(&p);
	job_work_init(&work, &p.worker, 5, JOB_WORK_NO_STOP);
	work.planned = 500;
	work.what = "fit";
	for (int i = 0; i < 100; i++)
		job_work_step(&work);
	assert_int_equal(frame_pipe_receive(&p.daemon, 1000, NULL, &type, &job, &message), 1);
	assert_int_equal(type, FRAME_PROGRESS);
	assert_int_equal(job, 5);
	assert_int_equal(json_integer_value(json_object_get(message.header, PROGRESS_DONE)), 1);
	assert_int_equal(json_integer_value(json_object_get(message.header, PROGRESS_PLANNED)), 500);
	assert_string_equal(json_string_value(json_object_get(message.header, PROGRESS_WHAT)), "fit");
	message_done(&message);
	int n = 0;
	while (frame_pipe_receive(&p.daemon, 0, NULL, &type, &job, &message) == 1) {
		message_done(&message);
		n++;
	}
	assert_in_range(n, 0, 10);
	close_pair(&p);
}

static void nobody_waits(void **state)
{
	struct job_work work;
	struct pair p;

	(void)state;
	open_pair(&p);
	job_work_init(&work, &p.worker, 5, JOB_WORK_NO_STOP);
	close(p.fds[1]);
	assert_int_equal(job_work_pulse(&work, "features"), -EPIPE);
	assert_true(job_work_step(&work));
	assert_int_equal(work.pipe_status, -EPIPE);
	p.fds[1] = -1;
	close_pair(&p);

	open_pair(&p);
	job_work_init(&work, &p.worker, 5, JOB_WORK_NO_STOP);
	send_frame(&p, FRAME_JOB, 6);
	assert_true(job_work_step(&work));
	assert_int_equal(work.pipe_status, -EPROTO);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_where_it_did),
		cmocka_unit_test(parts_count_from_where_they_begin),
		cmocka_unit_test(cancel_of_this_job_only),
		cmocka_unit_test(progress_comes_and_not_too_often),
		cmocka_unit_test(nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
