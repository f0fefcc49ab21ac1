/* A loop that is kept busy is seen to be late, for each moment that was missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <uv.h>

#include <cmocka.h>

#include "daemon/clock.h"
#include "daemon/lateness.h"

enum { STALL_NS = 60 * 1000 * 1000 };

static void stall(uv_timer_t *timer)
{
	int64_t end_ns = clock_monotonic_ns() + STALL_NS;

	while (clock_monotonic_ns() < end_ns)
		;
	uv_timer_stop(timer);
}

static void stop(uv_timer_t *timer)
{
	uv_timer_stop(timer);
}

static void test_a_stall_is_seen(void **state)
{
	struct lateness *lateness;
	uv_timer_t timer, end;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	assert_int_equal(lateness_start(&loop, NULL, &lateness), 0);
	uv_timer_init(&loop, &timer);
	uv_timer_init(&loop, &end);
	uv_timer_start(&timer, stall, 20, 0);
	uv_timer_start(&end, stop, 150, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	const struct histogram *histogram = lateness_histogram(lateness);
	/* 60 ms hold 11 or 12 moments, 5 ms apart: late by about 60, 55, ... */
	assert_true(histogram->n >= 20);
	assert_true(histogram->max_ns >= STALL_NS - 2 * LATENESS_PERIOD_NS);
	double late = 11.0 / (double)histogram->n;
	assert_true(histogram_quantile_ns(histogram, 1 - late * 0.9) >= LATENESS_PERIOD_NS);
	lateness_stop(lateness);
	lateness_stop(NULL);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_close((uv_handle_t *)&end, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stall_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
