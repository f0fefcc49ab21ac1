/* The program's path: as configured, or beside the running one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "daemon/worker/worker_program.h"

static void configured(void **state)
{
	char path[64];
	struct error err;

	(void)state;
	assert_int_equal(worker_program_path("/opt/evoked-worker", NULL, path, sizeof path), 0);
	assert_string_equal(path, "/opt/evoked-worker");
	assert_int_equal(worker_program_path("/opt/evoked-worker", &err, path, 10), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "worker.program"));
}

static void beside_this_program(void **state)
{
	char path[4096], other[4096];

	(void)state;
	assert_int_equal(worker_program_path("", NULL, path, sizeof path), 0);
	assert_int_equal(worker_program_path(NULL, NULL, other, sizeof other), 0);
	assert_string_equal(path, other);
	assert_int_equal(path[0], '/');
	assert_string_equal(strrchr(path, '/') + 1, WORKER_PROGRAM_NAME);
}

static void argument(void **state)
{
	char text[WORKER_ARGUMENT_SIZE];

	(void)state;
	worker_program_argument(UINT64_MAX, text);
	assert_string_equal(text, "--memory-max=18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configured),
		cmocka_unit_test(beside_this_program),
		cmocka_unit_test(argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
