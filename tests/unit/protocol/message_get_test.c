/* Typed access: each refusal names path, expectation and finding, and leaves the output alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "protocol/message.h"

static struct error err;

static int setup(void **state)
{
	*state = json_loads(
		"{\"i\": 5, \"big\": 9007199254740992, \"r\": 2.5, \"s\": \"four\", \"t\": true, \"n\": null,"
		" \"a\": [1, 2], \"o\": {}, \"h\": \"00fFa1\"}",
		0, NULL);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void integers(void **state)
{
	int64_t value = -7;

	assert_int_equal(message_get_int(*state, "", "i", 0, 9, &err, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(message_get_int(*state, "", "i", 6, 9, &err, &value), -ERANGE);
	assert_string_equal(err.text, "i: integer from 6 to 9 expected, found 5");
	assert_int_equal(message_get_int(*state, "units[2]", "s", 0, 9, &err, &value), -EPROTO);
	assert_string_equal(err.text, "units[2].s: integer expected, found string");
	assert_int_equal(message_get_int(*state, "", "big", 0, LIMIT_INTEGER - 1, &err, &value), -ERANGE);
	assert_int_equal(message_get_int(*state, "", "none", 0, 9, &err, &value), -EPROTO);
	assert_string_equal(err.text, "none: integer expected, found nothing");
	assert_int_equal(message_get_int(*state, "", "n", 0, 9, NULL, &value), -EPROTO);
	assert_int_equal(value, 5);
}

static void numbers_and_booleans(void **state)
{
	double value = 0;
	bool on = false;

	assert_int_equal(message_get_double(*state, "", "r", 0, 9, &err, &value), 0);
	assert_true(value == 2.5);
	assert_int_equal(message_get_double(*state, "", "i", 0, 9, &err, &value), 0);
	assert_true(value == 5);
	assert_int_equal(message_get_double(*state, "", "r", 3, 9, &err, &value), -ERANGE);
	assert_string_equal(err.text, "r: number from 3 to 9 expected, found 2.5");
	assert_int_equal(message_get_double(*state, "", "t", 0, 9, &err, &value), -EPROTO);
	assert_int_equal(message_get_bool(*state, "", "t", &err, &on), 0);
	assert_true(on);
	assert_int_equal(message_get_bool(*state, "", "i", &err, &on), -EPROTO);
	assert_string_equal(err.text, "i: true or false expected, found integer");
}

static void strings_and_hex(void **state)
{
	uint8_t bytes[3] = {0}, two[2];
	const char *text;
	char hex[7];

	assert_int_equal(message_get_string(*state, "", "s", 4, &err, &text), 0);
	assert_string_equal(text, "four");
	assert_int_equal(message_get_string(*state, "", "s", 3, &err, &text), -E2BIG);
	assert_string_equal(err.text, "s: at most 3 bytes, found 4");
	assert_int_equal(message_get_hex(*state, "", "h", 3, &err, bytes), 0);
	message_hex(bytes, 3, hex);
	assert_string_equal(hex, "00ffa1");
	assert_int_equal(message_get_hex(*state, "", "h", 2, &err, two), -EPROTO);
	assert_int_equal(message_get_hex(*state, "", "s", 2, &err, two), -EPROTO);
	assert_string_equal(err.text, "s: 4 hex digits expected, found \"four\" (4 bytes)");
	assert_int_equal(message_get_hex(*state, "", "i", 2, &err, two), -EPROTO);
}

static void containers(void **state)
{
	const json_t *value = NULL;

	assert_int_equal(message_get_array(*state, "", "a", 1, 2, &err, &value), 0);
	assert_int_equal(json_array_size(value), 2);
	assert_int_equal(message_get_array(*state, "", "a", 0, 1, &err, &value), -E2BIG);
	assert_string_equal(err.text, "a: at most 1 elements, found 2");
	assert_int_equal(message_get_array(*state, "", "a", 3, 4, &err, &value), -ERANGE);
	assert_int_equal(message_get_array(*state, "", "o", 0, 4, &err, &value), -EPROTO);
	assert_int_equal(message_get_object(*state, "", "o", &err, &value), 0);
	assert_int_equal(message_get_object(*state, "", "a", &err, &value), -EPROTO);
	assert_string_equal(err.text, "a: object expected, found array");
	assert_true(message_has(*state, "i"));
	assert_false(message_has(*state, "n"));
	assert_false(message_has(*state, "none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(numbers_and_booleans),
		cmocka_unit_test(strings_and_hex),
		cmocka_unit_test(containers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
