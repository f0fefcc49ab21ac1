/* Children start, say how they ended, are stopped even when they ignore it, and what cannot be started is named. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/cli/process.h"

static char dir[] = "/tmp/process_test_XXXXXX";
static char log_path[64];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(log_path);
	return rmdir(dir);
}

static void start(const char *script, struct process *process)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	struct error err = {0};

	assert_int_equal(process_start(argv, log_path, log_path, &err, process), 0);
}

static void exit_code_and_output(void **state)
{
	struct process process;
	char text[32] = "";
	FILE *log;

	(void)state;
	start("echo out; echo err >&2; exit 3", &process);
	assert_int_equal(process_wait(&process, 5000), 0);
	assert_int_equal(process.exit_code, 3);
	assert_int_equal(process.pid, 0);
	log = fopen(log_path, "r");
	assert_non_null(log);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, log), 8);
	assert_string_equal(text, "out\nerr\n");
	fclose(log);
}

static void stop_ends_it(void **state)
{
	struct process process;
	pid_t pid;

	(void)state;
	start("exec sleep 100", &process);
	pid = process.pid;
	assert_int_equal(process_wait(&process, 0), -ETIMEDOUT);
	process_stop(&process);
	assert_int_equal(process.exit_code, 128 + SIGTERM);
	assert_int_equal(kill(pid, 0), -1);
	process_stop(&process);
}

static void unstartable_is_named(void **state)
{
	const char *missing[] = {"/nowhere/evoked", NULL}, *shell[] = {"/bin/sh", NULL};
	struct process process = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(process_start(missing, log_path, log_path, &err, &process), -ENOENT);
	assert_string_equal(err.text, "/nowhere/evoked cannot be started: No such file or directory");
	assert_int_equal(process_start(shell, "/nowhere/log", log_path, &err, &process), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/log"));
}

static void finds_what_lies_beside(void **state)
{
	char path[256], shorter[8];

	(void)state;
	assert_int_equal(process_beside("process_test", sizeof(path), path), 0);
	assert_int_equal(access(path, X_OK), 0);
	assert_int_equal(process_beside("process_test", sizeof(shorter), shorter), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_code_and_output),
		cmocka_unit_test(stop_ends_it),
		cmocka_unit_test(unstartable_is_named),
		cmocka_unit_test(finds_what_lies_beside),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
