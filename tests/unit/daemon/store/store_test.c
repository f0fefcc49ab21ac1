/* The session file through its contract: created, opened, refused, bounded, and alive after a kill. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const images[] = {"a", "b", "c"};

static void a_new_file_has_its_session(void **state)
{
	struct fixture f;
	struct store_session session = {.spec = &f.spec, .config_text = ""};
	struct error err;
	struct store *second = NULL;
	struct stat at;
	char lock[112];

	(void)state;
	fixture_init(&f);
	assert_int_equal(fixture_read(&f,
				      "SELECT count(*) FROM session WHERE seed = 'fedcba9876543210' AND width_px = 112 "
				      "AND height_px = 104 AND session = 'abababababababababababababababab'"),
			 1);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM unit WHERE label = 'ünit ' || unit AND from_number = 1"), 3);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM version WHERE name = 'evoked'"), 1);
	assert_int_equal(fixture_read(&f, "PRAGMA application_id"), 0x45564b44);
	assert_int_equal(fixture_read(&f, "PRAGMA user_version"), 1);
	assert_int_equal(store_open(f.path, &err, &second), -EBUSY);
	snprintf(lock, sizeof lock, "(process %ld)", (long)getpid());
	assert_non_null(strstr(err.text, lock));
	store_close(f.store);
	f.store = NULL;
	assert_int_equal(store_create(f.path, &session, &err, &second), -EEXIST);
	assert_non_null(strstr(err.text, f.path));
	/* Closed, it is one file. */
	snprintf(lock, sizeof lock, "%s.lock", f.path);
	assert_int_equal(stat(lock, &at), -1);
	snprintf(lock, sizeof lock, "%s-wal", f.path);
	assert_int_equal(stat(lock, &at), -1);
	fixture_done(&f);
}

static void what_is_no_session_file_is_refused(void **state)
{
	struct fixture f;
	struct error err;
	struct store *store = NULL;
	char path[128];
	FILE *file;

	(void)state;
	fixture_init(&f);
	assert_int_equal(store_open("/nonexistent/x.db", &err, &store), -ENOENT);
	snprintf(path, sizeof path, "%s/text.db", f.dir);
	file = fopen(path, "w");
	for (int i = 0; i < 100; i++)
		fputs("this is text and no database\n", file);
	fclose(file);
	assert_int_equal(store_open(path, &err, &store), -EINVAL);
	file = fopen(path, "w");
	fclose(file);
	assert_int_equal(store_open(path, &err, &store), -EINVAL);
	assert_non_null(strstr(err.text, "no session in it"));
	assert_null(store);
	fixture_done(&f);
}

static void a_newer_file_is_refused(void **state)
{
	struct fixture f;
	struct error err;
	struct store *store = NULL;
	char command[256];

	(void)state;
	fixture_init(&f);
	store_close(f.store);
	f.store = NULL;
	/* user_version: big-endian at byte 60. */
	snprintf(command, sizeof command,
		 "printf '\\000\\000\\000\\011' | dd of='%s' bs=1 seek=60 conv=notrunc status=none", f.path);
	assert_int_equal(system(command), 0);
	assert_int_equal(store_open(f.path, &err, &store), -ENOTSUP);
	assert_non_null(strstr(err.text, "version 9 of the session file, this program knows up to 1"));
	fixture_done(&f);
}

static void a_full_queue_gives_the_operation_back(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < STORE_QUEUE_MAX; i++) {
		op = fixture_op(&f, STORE_OP_NOTE);
		op->text = "x";
		fixture_submit(&f, op);
	}
	op = fixture_op(&f, STORE_OP_NOTE);
	op->text = "one too many";
	assert_int_equal(store_submit(f.store, op), -EAGAIN);
	assert_int_equal(store_queue_length(f.store), STORE_QUEUE_MAX);
	fixture_start(&f);
	while (f.n_done < STORE_QUEUE_MAX) {
		sem_wait(&f.woken);
		store_drain(f.store);
	}
	assert_int_equal(store_queue_length(f.store), 0);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM note"), STORE_QUEUE_MAX);
	fixture_ok(&f, op);
	fixture_done(&f);
}

static void the_queue_is_bounded_in_bytes_but_one_operation_passes(void **state)
{
	struct fixture f;
	struct store_op *op;
	size_t n = 0;
	int r;

	(void)state;
	fixture_init(&f);
	for (;;) {
		op = fixture_op(&f, STORE_OP_EVENT);
		op->text = "x";
		assert_non_null(store_op_alloc(op, n ? STORE_QUEUE_BYTES_MAX / 4 : STORE_QUEUE_BYTES_MAX / 2));
		r = store_submit(f.store, op);
		if (r)
			break;
		n++;
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(n, 2);
	store_op_destroy(op);
	fixture_start(&f);
	store_stop(f.store);
	store_drain(f.store);
	op = fixture_op(&f, STORE_OP_EVENT);
	op->text = "x";
	assert_non_null(store_op_alloc(op, STORE_QUEUE_BYTES_MAX + 1));
	assert_int_equal(store_submit(f.store, op), 0);
	fixture_start(&f);
	fixture_done(&f);
}

static void stopping_commits_what_is_queued(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	for (int i = 0; i < 50; i++) {
		op = fixture_op(&f, STORE_OP_STATE);
		op->text = "open";
		op->detail = "näh";
		fixture_submit(&f, op);
	}
	store_stop(f.store);
	store_drain(f.store);
	assert_int_equal(f.n_done, 50);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM state WHERE reason = 'näh'"), 50);
	fixture_done(&f);
}

/* The child acknowledges by writing the number of each block into a pipe, and is killed in the middle of it. */
static void child_writes(struct fixture *f, int pipe_fd)
{
	fixture_reopen(f);
	fixture_start(f);
	for (int64_t number = 1;; number += 3) {
		const struct fixture_answer *answer = fixture_run(f, fixture_presentations(f, number, 3, 1));

		if (answer->status || write(pipe_fd, &number, sizeof number) != sizeof number)
			_exit(1);
	}
}

static void a_killed_daemon_has_kept_what_it_acknowledged(void **state)
{
	struct fixture f;
	int64_t acknowledged, last = 0;
	char text[200];

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	store_close(f.store);
	f.store = NULL;
	for (int round = 0; round < 3; round++) {
		int fds[2];
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child)
			child_writes(&f, fds[1]);
		close(fds[1]);
		for (int i = 0; i < 20 + round; i++)
			assert_int_equal(read(fds[0], &last, sizeof last), sizeof last);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		while (read(fds[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged)
			last = acknowledged;
		close(fds[0]);
		/* The holder died: its lock went with it. */
		fixture_reopen(&f);
		snprintf(text, sizeof text, "SELECT count(DISTINCT number) FROM presentation WHERE number < %lld",
			 (long long)last + 3);
		assert_int_equal(fixture_read(&f, text), last + 2);
		assert_int_equal(fixture_read(&f, "SELECT count(*) - count(DISTINCT number) FROM presentation"), 0);
		assert_int_equal(fixture_read(&f, "SELECT count(*) % 3 FROM presentation"), 0);
		assert_int_equal(fixture_read(&f, "SELECT count(*) FROM conflict"), 0);
		assert_int_equal(
			fixture_read(&f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
			0);
		store_close(f.store);
		f.store = NULL;
	}
	fixture_done(&f);
}

static void a_creation_cut_short_can_be_done_again(void **state)
{
	struct fixture f;
	struct store_session session = {.spec = &f.spec, .config_text = "x"};
	struct error err = {""};
	char path[128];
	sqlite3 *db;

	(void)state;
	fixture_init(&f);
	snprintf(path, sizeof path, "%s/cut.db", f.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	store_close(f.store);
	f.store = NULL;
	if (store_create(path, &session, &err, &f.store))
		fail_msg("%s", err.text);
	fixture_done(&f);
}

static void a_creation_that_fails_leaves_nothing_behind(void **state)
{
	struct fixture f;
	struct store_session session = {.spec = &f.spec, .config_text = "x"};
	struct error err = {""};
	struct rlimit before, small;
	char path[128];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	fixture_init(&f);
	store_close(f.store);
	f.store = NULL;
	snprintf(path, sizeof path, "%s/full.db", f.dir);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 16384;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_true(store_create(path, &session, &err, &f.store) < 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(store_open(path, &err, &f.store), -ENOENT);
	/* In a folder that is not there. */
	assert_int_equal(store_create("/nonexistent/x.db", &session, &err, &f.store), -ENOENT);
	assert_null(f.store);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_file_has_its_session),
		cmocka_unit_test(what_is_no_session_file_is_refused),
		cmocka_unit_test(a_newer_file_is_refused),
		cmocka_unit_test(a_full_queue_gives_the_operation_back),
		cmocka_unit_test(the_queue_is_bounded_in_bytes_but_one_operation_passes),
		cmocka_unit_test(stopping_commits_what_is_queued),
		cmocka_unit_test(a_killed_daemon_has_kept_what_it_acknowledged),
		cmocka_unit_test(a_creation_that_fails_leaves_nothing_behind),
		cmocka_unit_test(a_creation_cut_short_can_be_done_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
