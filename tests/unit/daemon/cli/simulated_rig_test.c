/* The rig against a daemon that only keeps count: every presentation arrives once, in each kind of trouble. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/simulated_rig.h"
#include "tests/unit/protocol/mock_daemon.h"

enum { WIDTH_PX = 112, HEIGHT_PX = 96, N_UNITS = 3, N_SLOTS = 20, WAIT_MS = 20000 };

static struct mock mock;
static struct subject *subject;
static struct simulated_rig *rig;
static struct error err;
static void *png;
static bool stops;

static int make_subject(void **state)
{
	const struct subject_settings settings = {.seed = 1, .width_px = WIDTH_PX, .height_px = HEIGHT_PX};
	struct image image;
	size_t size;

	(void)state;
	if (subject_create_builtin(N_UNITS, &settings, NULL, &err, &subject) < 0 ||
	    image_init(WIDTH_PX, HEIGHT_PX, &err, &image) < 0 || image_encode_png(&image, &err, &png, &size) < 0)
		return -1;
	image_done(&image);
	mock.png_size = size;
	return 0;
}

static int drop_subject(void **state)
{
	(void)state;
	subject_destroy(subject);
	free(png);
	return 0;
}

static int setup(void **state)
{
	size_t size = mock.png_size;

	(void)state;
	memset(&mock, 0, sizeof(mock));
	mock.png = png;
	mock.png_size = size;
	mock.n_slots = N_SLOTS;
	stops = false;
	mock_start(&mock);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	simulated_rig_destroy(rig);
	rig = NULL;
	mock_stop(&mock);
	session_spec_done(&mock.spec);
	return 0;
}

static bool asked_to_stop(void)
{
	return stops;
}

static void stop_at_ten(void *ctx, const struct rig_report *report)
{
	(void)ctx;
	stops = report->n_shown >= 10;
}

/* The report of a run with these settings. */
static const struct rig_report *run(struct simulated_rig_settings settings, int expected)
{
	settings.endpoint = mock.endpoint;
	settings.session_name = "test";
	settings.seed = 5;
	settings.timeout_ms = WAIT_MS;
	settings.stop = asked_to_stop;
	assert_int_equal(simulated_rig_create(&settings, &err, &rig), 0);
	assert_int_equal(simulated_rig_run(rig, subject, &err), expected);
	return simulated_rig_report(rig);
}

static void assert_each_stored_once(int64_t n)
{
	for (int64_t i = 1; i <= n; i++)
		assert_int_equal(mock.stored[i], 1);
	assert_int_equal(mock.stored[n + 1], 0);
}

static int64_t n_reported(const struct rig_report *report)
{
	int64_t n = 0;

	for (int i = 0; i <= OUTCOME_NOT_SHOWN; i++)
		n += report->n_outcomes[i];
	return n;
}

static void shows_whole_batches(void **state)
{
	const struct rig_report *report;

	(void)state;
	report = run((struct simulated_rig_settings){.max_batches = 3}, 0);
	assert_int_equal(report->n_shown, 3 * N_SLOTS);
	assert_int_equal(report->n_acknowledged, 3 * N_SLOTS);
	assert_int_equal(report->n_fallbacks, 1);
	assert_int_equal(report->wait.n, 2);
	assert_true(report->round_trip.n >= 20);
	assert_int_equal(report->acknowledgement.n, 3 * N_SLOTS);
	assert_true(rig_report_is_clean(report));
	assert_each_stored_once(3 * N_SLOTS);
	assert_int_equal(mock.spec.n_units, N_UNITS);
}

static void broken_trials_are_reported_whole(void **state)
{
	const struct rig_report *report;

	(void)state;
	report = run((struct simulated_rig_settings){.max_batches = 10, .odds = {.p_break = 0.5, .p_drop = 0.1}}, 0);
	assert_int_equal(n_reported(report), 10 * N_SLOTS);
	assert_int_equal(report->n_shown + report->n_outcomes[OUTCOME_NOT_SHOWN], 10 * N_SLOTS);
	assert_true(report->n_outcomes[OUTCOME_NOT_SHOWN] > 0);
	assert_true(report->n_outcomes[OUTCOME_BROKEN_FIXATION] > 5);
	assert_true(report->n_outcomes[OUTCOME_DROPPED_FRAME] > 5);
	assert_each_stored_once(10 * N_SLOTS);
}

static void stops_at_its_limit(void **state)
{
	const struct rig_report *report;

	(void)state;
	report = run((struct simulated_rig_settings){.max_presentations = 33, .max_units = 2}, 0);
	assert_int_equal(report->n_shown, 33);
	assert_each_stored_once(33);
	assert_int_equal(mock.spec.n_units, 2);
}

static void restart_is_a_new_run(void **state)
{
	const struct rig_report *report;

	(void)state;
	report = run((struct simulated_rig_settings){.max_presentations = 50, .restart_after = 25}, 0);
	assert_int_equal(report->n_runs, 2);
	assert_int_equal(report->n_acknowledged, 50);
	assert_int_equal(report->n_unsettled, 0);
	assert_each_stored_once(50);
}

static void refusals_are_counted_and_named(void **state)
{
	const struct rig_report *report;

	(void)state;
	mock.refused_number = 7;
	report = run((struct simulated_rig_settings){.max_batches = 1}, 0);
	assert_int_equal(report->n_refused, 1);
	assert_string_equal(report->refusals[0], "7: because");
	assert_false(rig_report_is_clean(report));
}

static void stops_when_asked(void **state)
{
	const struct rig_report *report;

	(void)state;
	report = run((struct simulated_rig_settings){.progress = stop_at_ten}, 0);
	assert_in_range(report->n_shown, 10, 17);
	assert_int_equal(report->n_unsettled, 0);
}

static void an_image_that_is_none_is_named(void **state)
{
	(void)state;
	mock.png = "no image";
	mock.png_size = 8;
	run((struct simulated_rig_settings){.max_batches = 1}, -EINVAL);
	assert_non_null(strstr(err.text, "batch 1: slot 0"));
}

static void nobody_there(void **state)
{
	const struct simulated_rig_settings settings = {
		.endpoint = "tcp://127.0.0.1:1", .session_name = "test", .timeout_ms = 50};

	(void)state;
	assert_int_equal(simulated_rig_create(&settings, &err, &rig), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "tcp://127.0.0.1:1"));
	rig = NULL;
}

static void a_name_that_is_too_long(void **state)
{
	char name[LIMIT_LABEL_BYTES + 2];
	struct simulated_rig_settings settings = {
		.endpoint = mock.endpoint, .session_name = name, .timeout_ms = WAIT_MS};

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(simulated_rig_create(&settings, &err, &rig), 0);
	assert_int_equal(simulated_rig_run(rig, subject, &err), -EINVAL);
	assert_non_null(strstr(err.text, "session name: at most 64 bytes expected, found 65"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shows_whole_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_trials_are_reported_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(stops_at_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(restart_is_a_new_run, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_are_counted_and_named, setup, teardown),
		cmocka_unit_test_setup_teardown(stops_when_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(an_image_that_is_none_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_that_is_too_long, setup, teardown),
	};
	return cmocka_run_group_tests(tests, make_subject, drop_subject);
}
