/* The report says what was measured, and null or "not measured" where nothing was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/rig_report.h"

static struct rig_report report; /* large: three histograms */

static int reset(void **state)
{
	(void)state;
	memset(&report, 0, sizeof(report));
	report.n_shown = report.n_acknowledged = 20;
	report.n_outcomes[OUTCOME_COMPLETE] = 19;
	report.n_outcomes[OUTCOME_BROKEN_FIXATION] = 1;
	report.n_runs = 1;
	report.seconds = 2;
	return 0;
}

static void json_has_every_figure(void **state)
{
	json_t *object;

	(void)state;
	histogram_add(&report.acknowledgement, 3000000);
	object = rig_report_json(&report);
	assert_non_null(object);
	assert_int_equal(json_integer_value(json_object_get(object, "acknowledged")), 20);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "outcomes"), "complete")), 19);
	assert_true(json_number_value(json_object_get(json_object_get(object, "acknowledgement"), "max_ms")) == 3);
	assert_true(json_is_null(json_object_get(json_object_get(object, "wait"), "p99_ms")));
	json_decref(object);
}

static void text_is_for_people(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	rig_report_print(&report, out);
	fclose(out);
	assert_non_null(strstr(text, "20 presentations in 2.0 s (10.0 a second)"));
	assert_non_null(strstr(text, "19 complete  1 broken_fixation"));
	assert_non_null(strstr(text, "not measured"));
	free(text);
}

static void clean_means_all_taken(void **state)
{
	(void)state;
	assert_true(rig_report_is_clean(&report));
	report.n_refused = 1;
	assert_false(rig_report_is_clean(&report));
	report.n_refused = 0;
	report.n_conflicts = 1;
	assert_false(rig_report_is_clean(&report));
	report.n_conflicts = 0;
	report.n_unsettled = 1;
	assert_false(rig_report_is_clean(&report));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(json_has_every_figure, reset),
		cmocka_unit_test_setup(text_is_for_people, reset),
		cmocka_unit_test_setup(clean_means_all_taken, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
