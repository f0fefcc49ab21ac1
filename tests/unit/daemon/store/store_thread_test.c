/* Storage that fails and comes back. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *const images[] = {"a", "b", "c"};

/* A file size limit is what a full disk is to a write: it fails, and later it does not. */
static void failing_storage_acknowledges_nothing_and_recovers(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;
	struct rlimit before, small;
	struct stat at;
	char wal[128];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	snprintf(wal, sizeof wal, "%s-wal", f.path);
	assert_int_equal(stat(wal, &at), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = (rlim_t)at.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 3; i++) {
		answer = fixture_run(&f, fixture_presentations(&f, 1, 9, 1));
		assert_true(answer->status == -EIO || answer->status == -ENOSPC);
		assert_true(answer->error.text[0]);
		assert_int_equal(answer->seq, 0);
		assert_true(store_is_stalled(f.store));
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	answer = fixture_run(&f, fixture_presentations(&f, 1, 9, 1));
	assert_int_equal(answer->status, 0);
	assert_int_equal(answer->results[8], STORE_STORED);
	assert_false(store_is_stalled(f.store));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentation"), 9);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM event WHERE kind = 'storage' AND detail LIKE 'failed for %'"),
		1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) - max(seq) FROM log"), 0);
	fixture_done(&f);
}

static void storage_that_comes_back_is_seen_without_work(void **state)
{
	struct fixture f;
	struct rlimit before, small;
	struct stat at;
	char wal[128];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	snprintf(wal, sizeof wal, "%s-wal", f.path);
	assert_int_equal(stat(wal, &at), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = (rlim_t)at.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(fixture_run(&f, fixture_slots(&f, 1, 1, "chosen", images, 3))->status < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	while (store_is_stalled(f.store))
		sem_wait(&f.woken);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM event WHERE kind = 'storage'"), 1);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_storage_acknowledges_nothing_and_recovers),
		cmocka_unit_test(storage_that_comes_back_is_seen_without_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
