/* Names there and back; what may be fitted and what needs a label. */
#include "stimuli/kind.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_go_there_and_back(void **state)
{
	(void)state;
	for (int k = 0; k < KIND_COUNT; k++) {
		enum kind back;
		assert_non_null(kind_name((enum kind)k));
		assert_int_equal(kind_from_name(kind_name((enum kind)k), NULL, &back), 0);
		assert_int_equal(back, k);
	}
	assert_string_equal(kind_name(KIND_INFORMATIVE_SYNTHESIZED), "informative_synthesized");
}

static void unknown_name_lists_all(void **state)
{
	enum kind kind = KIND_RIG;
	struct error err = {0};
	(void)state;

	assert_int_equal(kind_from_name("natura", &err, &kind), -EINVAL);
	assert_int_equal(kind, KIND_RIG);
	assert_non_null(strstr(err.text, "natura"));
	for (int k = 0; k < KIND_COUNT; k++)
		assert_non_null(strstr(err.text, kind_name((enum kind)k)));
}

static void held_out_and_adaptive_are_disjoint(void **state)
{
	(void)state;
	assert_true(kind_is_held_out(KIND_MONITOR));
	assert_true(kind_is_held_out(KIND_SEALED));
	assert_true(kind_is_adaptive(KIND_MAXIMIZING));
	assert_false(kind_is_adaptive(KIND_GAUDY));
	for (int k = 0; k < KIND_COUNT; k++)
		assert_false(kind_is_held_out((enum kind)k) && kind_is_adaptive((enum kind)k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_there_and_back),
		cmocka_unit_test(unknown_name_lists_all),
		cmocka_unit_test(held_out_and_adaptive_are_disjoint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
