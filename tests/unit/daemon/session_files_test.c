/* Names of a session's files, and the newest of a folder with its write-ahead log counted. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/session_files.h"

static char folder[] = "/tmp/evoked-test-XXXXXX";

static void path_of(const char *name, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);
}

/* A file that was last written at that second. */
static void write_file(const char *name, int second)
{
	char path[PATH_MAX];
	const struct timespec times[2] = {{.tv_sec = second}, {.tv_sec = second}};

	path_of(name, path);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void assert_newest(const char *name)
{
	char expected[PATH_MAX], found[PATH_MAX];

	path_of(name, expected);
	assert_int_equal(session_files_newest(folder, NULL, found), 0);
	assert_string_equal(found, expected);
}

static void test_newest(void **state)
{
	char path[PATH_MAX];
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(session_files_newest(folder, &err, path), -ENOENT);
	write_file("notes.txt", 900);
	write_file(".db", 900);
	write_file("a.db", 100);
	write_file("b.db", 200);
	assert_newest("b.db");
	write_file("a.db-wal", 300);
	assert_newest("a.db");
	for (size_t i = 0; i < 5; i++) {
		const char *names[] = {"notes.txt", ".db", "a.db", "b.db", "a.db-wal"};
		path_of(names[i], path);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(session_files_newest(folder, &err, path), -ENOENT);
	assert_non_null(strstr(err.text, folder));
}

static void test_names(void **state)
{
	char path[PATH_MAX], dir[PATH_MAX], long_name[PATH_MAX + 8];
	struct error err;

	(void)state;
	assert_int_equal(session_files_path("/data", "m1", false, &err, path), 0);
	assert_string_equal(path, "/data/m1.db");
	assert_int_equal(session_files_model_dir(path, &err, dir), 0);
	assert_string_equal(dir, "/data/m1.models");
	assert_int_equal(session_files_path("/data", "m1", true, &err, path), 0);
	assert_int_equal(strlen(path), strlen("/data/m1-20260101-000000.db"));
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	assert_int_equal(session_files_path("/data", long_name, false, &err, path), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
