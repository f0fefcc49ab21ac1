/* Runs, units, states, versions. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <sqlite3.h>

static void runs_are_counted_in_the_order_in_which_they_came(void **state)
{
	struct fixture f;
	int64_t seq;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	seq = f.answer.seq;
	/* Hello again is no new run. */
	fixture_hello(&f);
	assert_int_equal(f.answer.seq, seq);
	memset(f.run, 0x05, RUN_SIZE);
	fixture_hello(&f);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM run"), 2);
	assert_int_equal(fixture_read(&f, "SELECT run FROM run WHERE id = '05050505050505050505050505050505'"), 2);
	fixture_done(&f);
}

static void a_unit_that_was_there_before_is_refused_whole(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	op = fixture_op(&f, STORE_OP_UNITS);
	op->number = 4;
	op->object = json_pack("{s:[{s:i, s:s, s:i}]}", "add", "id", 7, "label", "x", "array", 0);
	assert_int_equal(fixture_run(&f, op)->status, -ENOENT); /* no such run */
	fixture_hello(&f);
	op = fixture_op(&f, STORE_OP_UNITS);
	op->number = 4;
	op->object = json_pack("{s:[{s:i, s:s, s:i}, {s:i, s:s, s:i}]}", "add", "id", 7, "label", "x", "array", 0, "id",
			       2, "label", "again", "array", 0);
	assert_int_equal(fixture_run(&f, op)->status, -EEXIST);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM unit"), FIXTURE_UNITS);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM unit_change"), 0);
	fixture_done(&f);
}

static void states_follow_each_other(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	for (int i = 0; i < 3; i++) {
		op = fixture_op(&f, STORE_OP_STATE);
		op->text = i == 1 ? "paused" : "open";
		op->detail = i == 1 ? "coffee" : "";
		fixture_ok(&f, op);
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM state WHERE reason IS NULL"), 2);
	assert_int_equal(fixture_read(&f, "SELECT state = 'open' FROM state ORDER BY seq DESC LIMIT 1"), 1);
	fixture_done(&f);
}

static void versions_are_noted_when_they_change(void **state)
{
	struct fixture f;
	sqlite3 *db;
	int64_t n;

	(void)state;
	fixture_init(&f);
	n = fixture_read(&f, "SELECT count(*) FROM version");
	assert_int_equal(fixture_read(&f, "SELECT count(DISTINCT name) FROM version"), n);
	fixture_reopen(&f);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM version"), n);
	/* Another program had it in between. */
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "INSERT INTO log SELECT max(seq) + 1, 'version', 0 FROM log;"
				      "INSERT INTO version SELECT max(seq), 'evoked', '9.9' FROM log",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	fixture_reopen(&f);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM version"), n + 2);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_counted_in_the_order_in_which_they_came),
		cmocka_unit_test(a_unit_that_was_there_before_is_refused_whole),
		cmocka_unit_test(states_follow_each_other),
		cmocka_unit_test(versions_are_noted_when_they_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
