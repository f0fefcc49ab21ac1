/* One holder at a time, named; the lock goes with the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/holder.h"

static char dir[] = "/tmp/evoked_holder_XXXXXX";
static char path[64], lock[80];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/s.db", dir);
	snprintf(lock, sizeof lock, "%s.lock", path);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(lock);
	return rmdir(dir);
}

static void a_second_is_told_who_has_it(void **state)
{
	struct holder first, second = {-1, NULL};
	struct error err = {""};
	char expected[64];

	(void)state;
	assert_int_equal(holder_take(path, &err, &first), 0);
	assert_int_equal(holder_take(path, &err, &second), -EBUSY);
	snprintf(expected, sizeof expected, "another daemon has this session (process %ld)", (long)getpid());
	assert_string_equal(err.text, expected);
	assert_null(second.path);
	holder_drop(&first);
	assert_int_equal(access(lock, F_OK), -1);
	assert_int_equal(holder_take(path, &err, &second), 0);
	holder_drop(&second);
	holder_drop(&second);
}

static void the_lock_of_a_killed_process_is_free(void **state)
{
	struct holder holder = {-1, NULL};
	struct error err;
	int fds[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		byte = holder_take(path, &err, &holder) ? 'n' : 'y';
		if (write(fds[1], &byte, 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(holder_take(path, &err, &holder), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* Its file is still there. */
	assert_int_equal(access(lock, F_OK), 0);
	assert_int_equal(holder_take(path, &err, &holder), 0);
	holder_drop(&holder);
	close(fds[0]);
	close(fds[1]);
}

static void where_no_lock_can_be_made(void **state)
{
	struct holder holder = {-1, NULL};
	struct error err;

	(void)state;
	assert_int_equal(holder_take("/nonexistent/s.db", &err, &holder), -ENOENT);
	assert_string_equal(err.text, "/nonexistent/s.db.lock: No such file or directory");
	holder_drop(&holder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_is_told_who_has_it),
		cmocka_unit_test(the_lock_of_a_killed_process_is_free),
		cmocka_unit_test(where_no_lock_can_be_made),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
