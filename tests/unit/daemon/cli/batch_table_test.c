/* The table says what the file says: unknown numbers are dashes, fallbacks are named.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/batch_table.h"

static struct batch_table table;

static int make_table(void **state)
{
	(void)state;
	table = (struct batch_table){
		.batches = json_loads(
			"[{\"batch\": 1, \"handover_seq\": 10, \"origin\": \"chosen\", \"n_presentations\": 90,"
			" \"lag\": null},"
			" {\"batch\": 2, \"handover_seq\": 110, \"origin\": \"fallback\", \"n_presentations\": 88,"
			" \"rig_wait_ms\": 1.25, \"lag\": 97},"
			" {\"batch\": 3, \"handover_seq\": 210, \"origin\": \"chosen\", \"n_presentations\": 88,"
			" \"lag\": 96},"
			" {\"batch\": 4, \"handover_seq\": 310, \"origin\": \"chosen\", \"n_presentations\": 0}]",
			0, NULL),
		.fits = json_loads("[{\"decision\": 5, \"saw_seq\": 112, \"seconds\": 1.5, \"r2\": null},"
				   " {\"decision\": 7, \"saw_seq\": 320, \"seconds\": 2.26, \"tier\": \"ridge\","
				   " \"r2\": 0.312, \"r2_low\": 0.24, \"r2_high\": 0.38, \"ceiling\": 0.8},"
				   " {\"decision\": 9, \"saw_seq\": 330, \"seconds\": 9}]",
				   0, NULL),
		.monitor = {.decision = 9,
			    .tier = "ensemble",
			    .r_mean = 0.45,
			    .r2 = 0.4,
			    .r2_low = 0.3,
			    .r2_high = 0.5,
			    .ceiling = 0.81,
			    .n_images = 20,
			    .n_units = 24,
			    .n_positive = 21},
	};
	return table.batches && table.fits ? batch_table_assign(&table) : -1;
}

static int drop_table(void **state)
{
	(void)state;
	batch_table_done(&table);
	return 0;
}

static char *print(void)
{
	FILE *out = tmpfile();
	char *text;
	long size;

	assert_non_null(out);
	assert_int_equal(batch_table_print(&table, out), 0);
	size = ftell(out);
	rewind(out);
	text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)size, out), size);
	fclose(out);
	return text;
}

static const json_t *refit_of(size_t b)
{
	return json_object_get(json_array_get(table.batches, b), "refit");
}

/* The first refit came while batch 2 was shown, so it is batch 1's; batch 2 was left out, as the next came late. */
static void a_batch_has_the_refit_that_saw_it_first(void **state)
{
	(void)state;
	assert_int_equal(json_array_size(table.batches), 3);
	assert_int_equal(json_integer_value(json_object_get(refit_of(0), "decision")), 5);
	assert_true(json_is_null(refit_of(1)));
	assert_int_equal(json_integer_value(json_object_get(refit_of(2), "decision")), 7);
}

static void a_row_a_batch(void **state)
{
	char *text = print(), *second, *third;

	(void)state;
	second = strstr(text, "    2  fallback");
	assert_non_null(second);
	assert_non_null(strstr(second, "1.2 ms"));
	third = strstr(text, "    3  chosen");
	assert_non_null(third);
	assert_non_null(strstr(third, "0.31 [0.24, 0.38]"));
	assert_non_null(strstr(third, "ridge"));
	assert_non_null(strstr(text,
			       "newest model (ensemble):\n"
			       "  monitor R² 0.40 [0.30, 0.50], r 0.45, ceiling 0.81, above 0 in 21 of 24 units\n"));
	assert_null(strstr(text, "sealed"));
	free(text);
}

static void share_of_fallbacks_leaves_the_first_out(void **state)
{
	(void)state;
	assert_true(batch_table_fallback_share(&table) == 0.5);
	json_array_remove(table.batches, 2);
	json_array_remove(table.batches, 1);
	assert_true(isnan(batch_table_fallback_share(&table)));
}

static void json_has_null_for_unknown(void **state)
{
	json_t *object = batch_table_json(&table);

	(void)state;
	assert_non_null(object);
	assert_int_equal(json_array_size(json_object_get(object, "batches")), 3);
	assert_true(json_is_null(json_object_get(object, "sealed")));
	assert_true(json_number_value(json_object_get(json_object_get(object, "monitor"), "r2")) == 0.4);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_batch_has_the_refit_that_saw_it_first, make_table, drop_table),
		cmocka_unit_test_setup_teardown(a_row_a_batch, make_table, drop_table),
		cmocka_unit_test_setup_teardown(share_of_fallbacks_leaves_the_first_out, make_table, drop_table),
		cmocka_unit_test_setup_teardown(json_has_null_for_unknown, make_table, drop_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
