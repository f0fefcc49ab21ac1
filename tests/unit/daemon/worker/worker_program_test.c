/* The program's path: as configured, or beside the running one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
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

/* The caller's environment with OpenBLAS's threads set, once, whatever was there. */
static void environment(void **state)
{
	char **list;
	size_t n_home = 0, n_openblas = 0;

	(void)state;
	setenv("WORKER_PROGRAM_TEST", "here", 1);
	setenv("OPENBLAS_NUM_THREADS", "16", 1);
	assert_int_equal(worker_program_environment(&list), 0);
	for (size_t i = 0; list[i]; i++) {
		n_home += !strcmp(list[i], "WORKER_PROGRAM_TEST=here");
		if (strncmp(list[i], "OPENBLAS_NUM_THREADS=", 21))
			continue;
		n_openblas++;
		assert_string_equal(list[i], "OPENBLAS_NUM_THREADS=1");
	}
	assert_int_equal(n_home, 1);
	assert_int_equal(n_openblas, 1);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configured),
		cmocka_unit_test(beside_this_program),
		cmocka_unit_test(argument),
		cmocka_unit_test(environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
