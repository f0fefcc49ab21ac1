/* The sentence and the code; too long is cut; no error struct is no crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "support/error.h"

static void sentence_and_code(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(error_set(&err, -EINVAL, "%d units, the session has %d", 49, 50), -EINVAL);
	assert_string_equal(err.text, "49 units, the session has 50");
	assert_int_equal(error_prefix(&err, -EIO, "trial %d", 7), -EIO);
	assert_string_equal(err.text, "trial 7: 49 units, the session has 50");
	assert_int_equal(error_set(NULL, -EIO, "nobody asked"), -EIO);
	assert_int_equal(error_prefix(NULL, -EIO, "nobody asked"), -EIO);
}

static void too_long_is_cut(void **state)
{
	char text[2 * ERROR_TEXT_MAX];
	struct error err;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	error_set(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_prefix(&err, -EINVAL, "place");
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_int_equal(strncmp(err.text, "place: xxx", 10), 0);
	error_prefix(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sentence_and_code),
		cmocka_unit_test(too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
