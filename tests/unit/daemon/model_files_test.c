/* A long session leaves the first, the last two and every tenth; equal models are not taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/model_files.h"

enum { N = 45 };

static void name_of(int number, char ret_hash[HASH_HEX_SIZE])
{
	snprintf(ret_hash, HASH_HEX_SIZE, "%064d", number);
}

static void test_what_is_left_of_a_long_session(void **state)
{
	struct model_files files = {0};
	bool there[N + 1] = {false};
	char hash[HASH_HEX_SIZE], gone[HASH_HEX_SIZE];

	(void)state;
	for (int i = 1; i <= N; i++) {
		name_of(i, hash);
		there[i] = true;
		if (!model_files_add(&files, hash, gone))
			continue;
		int number;
		assert_int_equal(sscanf(gone, "%d", &number), 1);
		assert_true(there[number]);
		there[number] = false;
	}
	for (int i = 1; i <= N; i++)
		assert_int_equal(there[i], i == 1 || i >= N - 1 || i % 10 == 0);
}

static void test_equal_models_share_a_file(void **state)
{
	struct model_files files = {0};
	char hash[HASH_HEX_SIZE], gone[HASH_HEX_SIZE];

	(void)state;
	name_of(7, hash);
	for (int i = 1; i <= 30; i++)
		assert_false(model_files_add(&files, hash, gone));
	name_of(8, hash);
	assert_false(model_files_add(&files, hash, gone)); /* number 29 goes, but number 30 is the same file */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_of_a_long_session),
		cmocka_unit_test(test_equal_models_share_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
