/* Storage that fails and comes back. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/store_internal.h"

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

/* A small disk of the test's own: tmpfs in a mount namespace. False where that is not allowed. */
static bool mount_small_disk(const char *dir, const char *options)
{
	char map[64];
	uid_t uid = getuid();
	FILE *file;

	if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS))
		return false;
	if (uid) {
		snprintf(map, sizeof map, "0 %u 1", uid);
		file = fopen("/proc/self/uid_map", "w");
		if (!file || fputs(map, file) < 0 || fclose(file))
			return false;
	}
	return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mount("tmpfs", dir, "tmpfs", 0, options);
}

static void a_full_disk_stops_nothing_but_the_acknowledgements(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;
	char ballast[128];
	int64_t stored = 0;
	int fd;

	(void)state;
	fixture_init(&f);
	store_close(f.store);
	f.store = NULL;
	if (!mount_small_disk(f.dir, "size=1m")) {
		fixture_done(&f);
		print_message("no mount namespace here: skipped\n");
		skip();
	}
	fixture_create(&f);
	snprintf(ballast, sizeof ballast, "%s/ballast", f.dir);
	fd = open(ballast, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 400000), 0);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	/* Until it is full. */
	for (;;) {
		answer = fixture_run(&f, fixture_presentations(&f, stored + 1, 60, 1));
		if (answer->status)
			break;
		stored += 60;
	}
	assert_int_equal(answer->status, -ENOSPC);
	assert_non_null(strstr(answer->error.text, "full"));
	assert_true(store_is_stalled(f.store));
	assert_true(stored > 0);
	/* What is there can still be read. */
	op = fixture_op(&f, STORE_OP_IMAGE_READ);
	op->image = fixture_hash("b");
	answer = fixture_run(&f, op);
	assert_int_equal(answer->status, 0);
	assert_int_equal(fixture_run(&f, fixture_presentations(&f, stored + 1, 60, 1))->status, -ENOSPC);
	/* Room again. */
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	answer = fixture_run(&f, fixture_presentations(&f, stored + 1, 60, 1));
	assert_int_equal(answer->status, 0);
	assert_int_equal(answer->results[59], STORE_STORED);
	assert_false(store_is_stalled(f.store));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentation"), stored + 60);
	assert_int_equal(fixture_read(&f, "SELECT count(*) - max(seq) FROM log"), 0);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM event WHERE detail LIKE '%full%'"), 1);
	fixture_reopen(&f);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
			 0);
	store_close(f.store);
	f.store = NULL;
	assert_int_equal(umount(f.dir), 0);
	fixture_done(&f);
}

static void large_image(struct fixture *f, unsigned i)
{
	struct store_op *op = fixture_op(f, STORE_OP_IMAGES);
	char name[16];

	snprintf(name, sizeof name, "large %u", i);
	fixture_add_images(op, (const char *const[]){name}, 1, "rig", "");
	op->images[0].png_size = 1 << 20;
	op->images[0].png = memset(store_op_alloc(op, 1 << 20), (int)i, 1 << 20);
	fixture_ok(f, op);
}

static void a_long_wal_is_brought_in_without_waiting_for_idleness(void **state)
{
	struct fixture f;
	struct stat at;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	for (unsigned i = 0; i < 17; i++)
		large_image(&f, i);
	/* The thread has gone on to this one only after the checkpoint. */
	fixture_hello(&f);
	assert_int_equal(stat(f.path, &at), 0);
	assert_true(at.st_size > 16 << 20);
	fixture_done(&f);
}

static void a_reader_that_stays_holds_up_nothing(void **state)
{
	struct fixture f;
	sqlite3 *reader;
	char wal[128];
	struct stat at;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	assert_int_equal(sqlite3_open(f.path, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM log", NULL, NULL, NULL), SQLITE_OK);
	for (unsigned i = 0; i < 4; i++)
		large_image(&f, i);
	fixture_hello(&f);
	/* Closed under the reader: what could not be brought in stays in the WAL, and nothing is lost. */
	fixture_reopen(&f);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM image"), 4);
	sqlite3_close(reader);
	fixture_reopen(&f);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM image"), 4);
	store_close(f.store);
	f.store = NULL;
	snprintf(wal, sizeof wal, "%s-wal", f.path);
	assert_int_equal(stat(wal, &at), -1);
	fixture_done(&f);
}

static void another_writer_is_an_error_that_passes(void **state)
{
	struct fixture f;
	sqlite3 *writer;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	sqlite3_busy_timeout(f.store->db, 1);
	fixture_start(&f);
	fixture_hello(&f);
	assert_int_equal(sqlite3_open(f.path, &writer), SQLITE_OK);
	assert_int_equal(sqlite3_exec(writer, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	answer = fixture_run(&f, fixture_slots(&f, 1, 1, "chosen", images, 3));
	assert_int_equal(answer->status, -EBUSY);
	assert_non_null(strstr(answer->error.text, "another program is writing to it"));
	sqlite3_close(writer);
	fixture_batch(&f, 1, 1, images, 3);
	assert_false(store_is_stalled(f.store));
	fixture_done(&f);
}

static void reads_and_writes_take_turns(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	for (int i = 0; i < 200; i++) {
		op = fixture_op(&f, i % 2 ? STORE_OP_NOTE : STORE_OP_PAGE);
		op->text = "x";
		op->through_seq = INT64_MAX;
		fixture_submit(&f, op);
	}
	fixture_start(&f);
	while (f.n_done < 200) {
		sem_wait(&f.woken);
		store_drain(f.store);
		assert_int_equal(f.answer.status, 0);
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM note"), 100);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_storage_acknowledges_nothing_and_recovers),
		cmocka_unit_test(storage_that_comes_back_is_seen_without_work),
		cmocka_unit_test(a_full_disk_stops_nothing_but_the_acknowledgements),
		cmocka_unit_test(a_long_wal_is_brought_in_without_waiting_for_idleness),
		cmocka_unit_test(a_reader_that_stays_holds_up_nothing),
		cmocka_unit_test(another_writer_is_an_error_that_passes),
		cmocka_unit_test(reads_and_writes_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
