/* Whole or nothing: the old file survives a failed write, and no temporary file is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/atomic_file.h"

static char folder[32];
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/atomic_file.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/file", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder); /* fails the test when anything else was left */
}

static void assert_content(const char *expected)
{
	void *data;
	size_t size;

	assert_int_equal(atomic_file_read(path, 100, NULL, &data, &size), 0);
	assert_int_equal(size, strlen(expected));
	assert_string_equal(data, expected);
	free(data);
}

static void written_replaces(void **state)
{
	struct iovec parts[] = {{"ab", 2}, {"", 0}, {"cd", 2}};

	(void)state;
	assert_int_equal(atomic_file_write(path, "old", 3, NULL), 0);
	assert_content("old");
	assert_int_equal(atomic_file_write_parts(path, parts, 3, NULL), 0);
	assert_content("abcd");
	assert_int_equal(atomic_file_write(path, "", 0, NULL), 0);
	assert_content("");
}

static void failed_write_leaves_the_old(void **state)
{
	struct rlimit old, limit;
	static char big[100000];
	struct error err = {0};

	(void)state;
	assert_int_equal(atomic_file_write(path, "old", 3, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 5000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int r = atomic_file_write(path, big, sizeof big, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(err.text, path));
	assert_content("old");
}

static void a_crashed_writers_file_is_stepped_over(void **state)
{
	char stale[96];

	(void)state;
	snprintf(stale, sizeof stale, "%s.tmp-%d-0", path, (int)gettid());
	FILE *file = fopen(stale, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(atomic_file_write(path, "new", 3, NULL), 0);
	assert_content("new");
	unlink(stale);
}

static void errors_name_the_file(void **state)
{
	void *data = NULL;
	size_t size;
	struct error err = {0};

	(void)state;
	assert_int_equal(atomic_file_read(path, 100, &err, &data, &size), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(atomic_file_write(path, "0123456789", 10, NULL), 0);
	assert_int_equal(atomic_file_read(path, 9, &err, &data, &size), -EFBIG);
	assert_non_null(strstr(err.text, "10 bytes, at most 9"));
	assert_int_equal(atomic_file_read(folder, 9, &err, &data, &size), -EINVAL);
	assert_int_equal(atomic_file_write("/nowhere/at/all", "", 0, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/at/all"));
	/* A folder stands in the place: the rename fails and the temporary file goes. */
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(atomic_file_write(path, "", 0, &err) < 0);
	assert_int_equal(rmdir(path), 0);
	assert_null(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(written_replaces, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(failed_write_leaves_the_old, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_crashed_writers_file_is_stepped_over, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(errors_name_the_file, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
