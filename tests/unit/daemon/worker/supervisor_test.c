/* The supervisor with a real child process that crashes, hangs and refuses on demand (fake_worker.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/store/store.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/supervisor.h"

enum { DEADLINE_MS = 20000, PAGE_ROWS = 3 };

static const char *fake_worker; /* argv[1] */

/* What the callbacks saw. */
struct record {
	uv_loop_t loop;
	uv_timer_t deadline;
	struct supervisor *supervisor;
	int n_ready, n_refused, n_ended, n_progress, n_lost, n_started, n_pages;
	int status;
	unsigned lost;
	json_int_t rows, through;
	char error[ERROR_TEXT_MAX], lines[256];
	bool stopped, rows_fail, rows_later;
	int64_t asked_from, asked_through;
	const int *until; /* run until *until reaches `count` */
	int count;
};

static void give_rows(struct record *r, int64_t from, int64_t through)
{
	struct store_row rows[PAGE_ROWS] = {0};
	struct store_page page = {.rows = rows};

	for (; page.n_rows < PAGE_ROWS && from < through; page.n_rows++)
		rows[page.n_rows].seq = ++from;
	page.through_seq = from;
	page.more = from < through;
	r->n_pages++;
	supervisor_rows(r->supervisor, r->rows_fail ? NULL : &page);
}

static void need_rows(void *ctx, int64_t from_seq, int64_t through_seq)
{
	struct record *r = ctx;

	r->asked_from = from_seq;
	r->asked_through = through_seq;
	if (!r->rows_later)
		give_rows(r, from_seq, through_seq);
}

static void stop_if_reached(struct record *r)
{
	if (r->until && *r->until >= r->count)
		uv_stop(&r->loop);
}

static void ready(void *ctx, const struct message *result, const struct error *err)
{
	struct record *r = ctx;

	assert_true(!result != !err);
	r->n_ready += !!result;
	r->n_refused += !!err;
	if (err)
		strcpy(r->error, err->text);
	stop_if_reached(r);
}

static void progress(void *ctx, uint64_t job, int64_t done, int64_t planned, const char *what)
{
	struct record *r = ctx;

	(void)job;
	assert_int_equal(done, 1);
	assert_int_equal(planned, 9);
	assert_string_equal(what, "hang");
	r->n_progress++;
	stop_if_reached(r);
}

static void ended(void *ctx, uint64_t job, int status, unsigned lost, const struct message *result,
		  const struct error *err)
{
	struct record *r = ctx;

	(void)job;
	assert_int_equal(status == 0, result != NULL);
	assert_int_equal(status != 0, err != NULL);
	r->n_ended++;
	r->status = status;
	r->lost = lost;
	if (err)
		strcpy(r->error, err->text);
	if (result) {
		const json_t *outcome = json_object_get(result->header, RESULT_OUTCOME);

		r->rows = json_integer_value(json_object_get(outcome, "rows"));
		r->through = json_integer_value(json_object_get(outcome, "through"));
	}
	stop_if_reached(r);
}

static void event(void *ctx, const char *kind, const char *text)
{
	struct record *r = ctx;

	r->n_lost += !strcmp(kind, "worker_lost");
	r->n_started += !strcmp(kind, "worker_started");
	if (!strcmp(kind, "worker_log")) {
		strncat(r->lines, text, sizeof r->lines - strlen(r->lines) - 1);
		strncat(r->lines, "|", sizeof r->lines - strlen(r->lines) - 1);
	}
	stop_if_reached(r);
}

static const struct supervisor_callbacks callbacks = {need_rows, ready, progress, ended, event};

static void on_deadline(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("nothing came within %d ms", DEADLINE_MS);
}

static void on_pause_over(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void run_until(struct record *r, const int *until, int count)
{
	r->until = until;
	r->count = count;
	if (*until < count)
		uv_run(&r->loop, UV_RUN_DEFAULT);
	r->until = NULL;
	assert_true(*until >= count);
}

static void begin_with(struct record *r, const char *pool, uint64_t silence_ms)
{
	json_t *setup = json_pack("{s:s}", SETUP_POOL, pool);
	struct supervisor_options options = {.program = fake_worker, .setup = setup, .silence_ms = silence_ms};

	*r = (struct record){0};
	assert_int_equal(uv_loop_init(&r->loop), 0);
	uv_timer_init(&r->loop, &r->deadline);
	uv_timer_start(&r->deadline, on_deadline, DEADLINE_MS, 0);
	assert_int_equal(supervisor_create(&r->loop, &options, &callbacks, r, NULL, &r->supervisor), 0);
	json_decref(setup);
	assert_int_equal(supervisor_state(r->supervisor), SUPERVISOR_STOPPED);
	assert_int_equal(supervisor_start(r->supervisor, NULL), 0);
}

static void begin(struct record *r, const char *pool)
{
	begin_with(r, pool, 0);
}

static void stopped(void *ctx)
{
	((struct record *)ctx)->stopped = true;
}

static void end(struct record *r)
{
	supervisor_stop(r->supervisor, stopped, r);
	uv_close((uv_handle_t *)&r->deadline, NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_true(r->stopped);
	assert_int_equal(supervisor_pid(r->supervisor), 0);
	supervisor_destroy(r->supervisor);
	assert_int_equal(uv_loop_close(&r->loop), 0);
}

static void submit(struct record *r, uint64_t job, const char *kind, int64_t saw_seq)
{
	json_t *spec = json_pack("{s:s, s:I}", JOB_KIND, kind, JOB_SAW_SEQ, (json_int_t)saw_seq);

	assert_int_equal(supervisor_submit(r->supervisor, job, spec, NULL), 0);
	json_decref(spec);
}

static void rows_then_job(void **state)
{
	struct record r;
	struct error err;
	json_t *spec = json_pack("{s:s, s:i}", JOB_KIND, "echo", JOB_SAW_SEQ, 1);

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "echo", 8); /* before it is ready: held */
	assert_int_equal(supervisor_submit(r.supervisor, 2, spec, &err), -EBUSY);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.n_ready, 1);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.rows, 8);
	assert_int_equal(r.through, 8);
	assert_int_equal(r.n_pages, 3);
	assert_int_equal(supervisor_state(r.supervisor), SUPERVISOR_IDLE);
	/* Only what is new. */
	submit(&r, 2, "echo", 10);
	run_until(&r, &r.n_ended, 2);
	assert_int_equal(r.rows, 10);
	assert_int_equal(r.n_pages, 4);
	/* Nothing new: nothing asked. */
	submit(&r, 3, "echo", 10);
	run_until(&r, &r.n_ended, 3);
	assert_int_equal(r.n_pages, 4);
	json_decref(spec);
	end(&r);
}

static void refused_job_is_the_jobs_end(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "refuse", 0);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.status, -EINVAL);
	assert_string_equal(r.error, "job.kind: not this one");
	assert_int_equal(r.n_lost, 0);
	end(&r);
}

static void three_crashes_abandon_then_goes_on(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "crash", 2);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.status, -ECANCELED);
	assert_int_equal(r.lost, SUPERVISOR_ATTEMPTS);
	assert_int_equal(r.n_lost, SUPERVISOR_ATTEMPTS);
	assert_non_null(strstr(r.error, "signal 6"));
	/* The next job gets a new worker with all rows. */
	submit(&r, 2, "echo", 4);
	run_until(&r, &r.n_ended, 2);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.rows, 4);
	assert_int_equal(r.n_started, SUPERVISOR_ATTEMPTS + 1);
	end(&r);
}

static void garbage_costs_the_worker_its_life(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "garbage", 0);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.status, -ECANCELED);
	assert_non_null(strstr(r.error, "magic"));
	end(&r);
}

static void killed_once_the_job_is_done_by_the_next(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "hang", 5);
	run_until(&r, &r.n_progress, 1);
	assert_int_equal(supervisor_state(r.supervisor), SUPERVISOR_BUSY);
	kill(supervisor_pid(r.supervisor), SIGKILL);
	run_until(&r, &r.n_lost, 1);
	assert_int_equal(supervisor_state(r.supervisor), SUPERVISOR_LOST);
	assert_int_equal(supervisor_pid(r.supervisor), 0);
	run_until(&r, &r.n_progress, 2);
	supervisor_cancel(r.supervisor, 99); /* another job: ignored */
	supervisor_cancel(r.supervisor, 1);
	supervisor_cancel(r.supervisor, 1);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.lost, 1);
	assert_int_equal(r.rows, 5);
	end(&r);
}

static void silent_at_work_is_killed(void **state)
{
	struct record r;

	(void)state;
	begin_with(&r, "some", 150);
	submit(&r, 1, "hang", 1);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.status, -ECANCELED);
	assert_non_null(strstr(r.error, "said nothing"));
	/* Idle is no silence: nothing happens to the next worker while it has no job. */
	run_until(&r, &r.n_ready, SUPERVISOR_ATTEMPTS + 1);
	int pid = supervisor_pid(r.supervisor);
	uv_timer_t pause;
	uv_timer_init(&r.loop, &pause);
	uv_timer_start(&pause, on_pause_over, 400, 0);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	assert_int_equal(supervisor_pid(r.supervisor), pid);
	uv_close((uv_handle_t *)&pause, NULL);
	end(&r);
}

static void cancelled_before_it_was_sent(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "hang", 5);
	supervisor_cancel(r.supervisor, 1);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.status, 0);
	end(&r);
}

static void rows_for_a_dead_worker_are_thrown_away(void **state)
{
	struct record r;
	int64_t from, through;

	(void)state;
	begin(&r, "some");
	r.rows_later = true;
	submit(&r, 1, "echo", 2);
	run_until(&r, &r.n_ready, 1);
	from = r.asked_from;
	through = r.asked_through;
	kill(supervisor_pid(r.supervisor), SIGKILL);
	run_until(&r, &r.n_ready, 2);
	r.rows_later = false;
	give_rows(&r, from, through);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.rows, 2);
	assert_int_equal(r.n_pages, 2);
	end(&r);
}

static void rows_that_cannot_be_read(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "some");
	r.rows_fail = true;
	submit(&r, 1, "echo", 2);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.status, -EIO);
	assert_int_equal(r.n_lost, 0);
	r.rows_fail = false;
	submit(&r, 2, "echo", 2);
	run_until(&r, &r.n_ended, 2);
	assert_int_equal(r.status, 0);
	end(&r);
}

static void refused_setup_stops_and_can_be_started_again(void **state)
{
	struct record r;
	struct error err;
	json_t *setup = json_pack("{s:s}", SETUP_POOL, "some");
	json_t *spec = json_pack("{s:s, s:i}", JOB_KIND, "echo", JOB_SAW_SEQ, 0);

	(void)state;
	begin(&r, "none");
	submit(&r, 1, "echo", 0);
	run_until(&r, &r.n_ended, 1);
	assert_int_equal(r.n_refused, 1);
	assert_int_equal(r.status, -EINVAL);
	assert_string_equal(r.error, "images.pool: none is not there");
	assert_int_equal(supervisor_state(r.supervisor), SUPERVISOR_STOPPED);
	assert_int_equal(supervisor_submit(r.supervisor, 2, spec, &err), -ESHUTDOWN);
	supervisor_set_setup(r.supervisor, setup);
	while (supervisor_start(r.supervisor, NULL))
		uv_run(&r.loop, UV_RUN_ONCE);
	run_until(&r, &r.n_ready, 1);
	json_decref(spec);
	json_decref(setup);
	end(&r);
}

static void dying_before_ready_is_told_and_tried_on(void **state)
{
	struct record r;
	json_t *setup = json_pack("{s:s}", SETUP_POOL, "some");

	(void)state;
	begin(&r, "crash");
	run_until(&r, &r.n_refused, 1);
	assert_int_equal(r.n_lost, SUPERVISOR_ATTEMPTS);
	assert_non_null(strstr(r.error, "status 7"));
	supervisor_set_setup(r.supervisor, setup);
	run_until(&r, &r.n_ready, 1);
	json_decref(setup);
	end(&r);
}

static void new_setup_before_the_next_job(void **state)
{
	struct record r;
	json_t *setup = json_pack("{s:s}", SETUP_POOL, "other");

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "hang", 0);
	run_until(&r, &r.n_progress, 1);
	supervisor_set_setup(r.supervisor, setup);
	assert_int_equal(r.n_ready, 1);
	supervisor_cancel(r.supervisor, 1);
	run_until(&r, &r.n_ready, 2);
	submit(&r, 2, "echo", 0);
	run_until(&r, &r.n_ended, 2);
	json_decref(setup);
	end(&r);
}

static void lines_of_both_streams(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "some");
	submit(&r, 1, "talk", 0);
	run_until(&r, &r.n_ended, 1);
	end(&r); /* the line without an end comes with the process's end */
	assert_non_null(strstr(r.lines, "one|two|"));
	assert_non_null(strstr(r.lines, "three|"));
}

static void one_that_does_not_end_is_killed(void **state)
{
	struct record r;

	(void)state;
	begin(&r, "linger");
	run_until(&r, &r.n_ready, 1);
	end(&r);
}

static void program_that_is_not_there(void **state)
{
	uv_loop_t loop;
	struct supervisor *supervisor;
	struct error err;
	struct record r = {0};
	struct supervisor_options options = {.program = "/nowhere/evoked-worker", .setup = json_object()};

	(void)state;
	uv_loop_init(&loop);
	assert_int_equal(supervisor_create(&loop, &options, &callbacks, &r, NULL, &supervisor), 0);
	json_decref(options.setup);
	assert_int_equal(supervisor_start(supervisor, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/evoked-worker"));
	supervisor_stop(supervisor, stopped, &r);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(r.stopped);
	supervisor_destroy(supervisor);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_then_job),
		cmocka_unit_test(refused_job_is_the_jobs_end),
		cmocka_unit_test(three_crashes_abandon_then_goes_on),
		cmocka_unit_test(garbage_costs_the_worker_its_life),
		cmocka_unit_test(killed_once_the_job_is_done_by_the_next),
		cmocka_unit_test(silent_at_work_is_killed),
		cmocka_unit_test(cancelled_before_it_was_sent),
		cmocka_unit_test(rows_for_a_dead_worker_are_thrown_away),
		cmocka_unit_test(rows_that_cannot_be_read),
		cmocka_unit_test(refused_setup_stops_and_can_be_started_again),
		cmocka_unit_test(dying_before_ready_is_told_and_tried_on),
		cmocka_unit_test(new_setup_before_the_next_job),
		cmocka_unit_test(lines_of_both_streams),
		cmocka_unit_test(one_that_does_not_end_is_killed),
		cmocka_unit_test(program_that_is_not_there),
	};

	if (argc < 2)
		return 2;
	fake_worker = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
