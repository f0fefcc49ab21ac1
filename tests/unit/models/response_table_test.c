/* Means, repeats and deviations of what a fit may use; what it may not use stays out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "models/response_table.h"

enum { UNITS = 2, IMAGES = 5, PRESENTATIONS = 7 };

struct session {
	struct session_data data;
	uint32_t image[PRESENTATIONS];
	float counts[PRESENTATIONS * UNITS];
	uint8_t valid[PRESENTATIONS * UNITS], monitor[IMAGES], held_out[IMAGES];
};

/* Image 4 three times (once without unit 1), 1 once, 2 (monitor) and 3 (sealed) once, 0 once without any response. */
static void make_session(struct session *s)
{
	*s = (struct session){
		.image = {4, 2, 4, 1, 3, 4, 0},
		.counts = {1, 2, 9, 9, 3, 4, 5, 6, 9, 9, 5, 100, 7, 7},
		.valid = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0},
		.monitor = {0, 0, 1, 0, 0},
		.held_out = {0, 0, 0, 1, 0},
	};
	s->data = (struct session_data){
		.n_units = UNITS,
		.n_images = IMAGES,
		.n_presentations = PRESENTATIONS,
		.image = s->image,
		.counts = s->counts,
		.valid = s->valid,
		.monitor = s->monitor,
		.held_out = s->held_out,
	};
}

static void test_only_valid_training_responses_count(void **state)
{
	struct session s;
	struct response_table table;
	(void)state;

	make_session(&s);
	assert_int_equal(response_table_init(&s.data, NULL, &table), 0);
	assert_int_equal(table.n_images, 2);
	assert_int_equal(table.image[0], 1);
	assert_int_equal(table.image[1], 4);
	const float mean[] = {5, 6, 3, 3}, n[] = {1, 1, 3, 2};
	for (int i = 0; i < 4; i++)
		assert_true(table.mean[i] == mean[i] && table.n[i] == n[i]);
	assert_true(table.deviations[0] == 8.0 && table.freedom[0] == 2.0);
	assert_true(table.deviations[1] == 2.0 && table.freedom[1] == 1.0);
	response_table_done(&table);
}

static void test_an_image_that_is_not_there_is_named(void **state)
{
	struct session s;
	struct response_table table;
	struct error err;
	(void)state;

	make_session(&s);
	s.image[5] = IMAGES;
	assert_int_equal(response_table_init(&s.data, &err, &table), -EINVAL);
	assert_string_equal(err.text, "presentations[5].image: 5, the session has 5 images");
}

static void test_nothing_is_no_error(void **state)
{
	struct session s;
	struct response_table table;
	(void)state;

	make_session(&s);
	s.data.n_presentations = 0;
	assert_int_equal(response_table_init(&s.data, NULL, &table), 0);
	assert_int_equal(table.n_images, 0);
	response_table_done(&table);
	response_table_done(&table);
	response_table_done(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_valid_training_responses_count),
		cmocka_unit_test(test_an_image_that_is_not_there_is_named),
		cmocka_unit_test(test_nothing_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
