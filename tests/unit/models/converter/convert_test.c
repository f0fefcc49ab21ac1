/* The program evoked-convert itself: its exit codes and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keras_writer.h"

static char folder[32], model[64], out[64], said[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/convert_test.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(model, sizeof model, "%s/m.keras", folder);
	snprintf(out, sizeof out, "%s/m.safetensors", folder);
	snprintf(said, sizeof said, "%s/stderr", folder);
	keras_writer_small(model);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(model);
	unlink(out);
	unlink(said);
	return rmdir(folder);
}

/* Runs the converter with up to four arguments; returns its wait status. */
static int run(const char *a, const char *b, const char *c, const char *d)
{
	const char *libexec = getenv("EVOKED_LIBEXEC");
	char program[256];
	int status;

	assert_non_null(libexec);
	snprintf(program, sizeof program, "%s/evoked-convert", libexec);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDERR_FILENO);
		execl(program, "evoked-convert", a, b, c, d, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_said(const char *part)
{
	char text[4096] = "";
	FILE *file = fopen(said, "r");

	assert_non_null(file);
	size_t n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	fclose(file);
	if (!strstr(text, part))
		fail_msg("'%s' was not said: %s", part, text);
}

static void converts(void **state)
{
	(void)state;
	assert_int_equal(run(model, out, NULL, NULL), 0);
	assert_int_equal(access(out, R_OK), 0);
	assert_said("");
	assert_int_equal(run("--mean", "none", model, out), 0);
}

static void wrong_use(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(run(model, NULL, NULL, NULL)), 2);
	assert_said("usage:");
	assert_int_equal(WEXITSTATUS(run("--mean", "1,2", model, out)), 2);
	assert_int_equal(WEXITSTATUS(run("--memory-mib", "-5", model, out)), 2);
	assert_int_equal(WEXITSTATUS(run("--nonsense", "1", model, out)), 2);
}

static void failures_name_the_file(void **state)
{
	(void)state;
	unlink(model);
	assert_int_equal(WEXITSTATUS(run(model, out, NULL, NULL)), 1);
	assert_said(model);
	keras_writer_small(model);
	assert_int_equal(WEXITSTATUS(run(model, "/nowhere/out", NULL, NULL)), 1);
	assert_said("/nowhere/out");
}

static void memory_is_limited(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	skip(); /* that build sets no limit of addresses */
#endif
	int status = run("--memory-mib", "1", model, out);

	(void)state;
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 1);
	assert_int_not_equal(access(out, R_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(converts, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(wrong_use, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(failures_name_the_file, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(memory_is_limited, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
