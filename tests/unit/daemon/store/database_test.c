/* The settings that durability rests on, and SQLite's errors as errno. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/store/database.h"

static char *setting(sqlite3 *db, const char *name, char ret_value[32])
{
	sqlite3_stmt *statement;
	char text[64];

	snprintf(text, sizeof text, "PRAGMA %s", name);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	snprintf(ret_value, 32, "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	return ret_value;
}

static void a_writer_is_durable(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL;
	char value[32];
	bool empty;

	(void)state;
	fixture_init(&f);
	assert_int_equal(database_open(f.path, DATABASE_WRITE, &err, &db), 0);
	assert_string_equal(setting(db, "journal_mode", value), "wal");
	assert_string_equal(setting(db, "synchronous", value), "2");
	assert_string_equal(setting(db, "foreign_keys", value), "1");
	assert_string_equal(setting(db, "wal_autocheckpoint", value), "0");
	assert_string_equal(setting(db, "trusted_schema", value), "0");
	assert_int_equal(database_is_empty(db, &err, &empty), 0);
	assert_false(empty);
	sqlite3_close(db);
	fixture_done(&f);
}

static void errors_are_told_apart(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL, *other = NULL;

	(void)state;
	fixture_init(&f);
	assert_int_equal(database_open(f.path, DATABASE_WRITE, &err, &db), 0);
	assert_int_equal(database_run(db, "INSERT INTO log VALUES (1, 'x', 0)", &err), -EEXIST);
	assert_int_equal(database_run(db, "INSERT INTO note VALUES (99, NULL, 'x', 0)", &err), -ENOENT);
	assert_int_equal(database_run(db, "INSERT INTO log VALUES (99, NULL, 0)", &err), -EINVAL);
	assert_int_equal(database_run(db, "INSERT INTO log VALUES (99, 'x', 'not a number')", &err), -EINVAL);
	assert_int_equal(database_run(db, "UPDATE log SET kind = 'x'", &err), -EINVAL);
	assert_string_equal(err.text, "rows of a session file are never edited");
	assert_false(database_is_storage_error(-EINVAL));
	/* A full file: SQLite's own limit stands for the disk's. */
	assert_int_equal(database_run(db, "PRAGMA max_page_count = 1", &err), 0);
	assert_int_equal(database_run(db, "INSERT INTO log VALUES (99, hex(zeroblob(100000)), 0)", &err), -ENOSPC);
	assert_true(database_is_storage_error(-ENOSPC));
	assert_int_equal(database_open(f.path, DATABASE_READ, &err, &other), 0);
	assert_int_equal(database_run(other, "INSERT INTO log VALUES (99, 'x', 0)", &err), -EROFS);
	sqlite3_close(other);
	assert_int_equal(database_run(db, "BEGIN IMMEDIATE", &err), 0);
	assert_int_equal(database_open(f.path, DATABASE_WRITE, &err, &other), 0);
	sqlite3_busy_timeout(other, 1);
	assert_int_equal(database_run(other, "BEGIN IMMEDIATE", &err), -EBUSY);
	assert_non_null(strstr(err.text, "another program is writing to it"));
	sqlite3_close(other);
	sqlite3_close(db);
	fixture_done(&f);
}

static void other_databases_are_refused(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL;
	char path[128];

	(void)state;
	fixture_init(&f);
	snprintf(path, sizeof path, "%s/other.db", f.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	db = NULL;
	assert_int_equal(database_open(path, DATABASE_WRITE, &err, &db), -EINVAL);
	assert_non_null(strstr(err.text, "not a session file (application_id 0x45564b44 expected, found 0x00000000)"));
	assert_true(database_open(f.dir, DATABASE_READ, &err, &db) < 0);
	assert_non_null(strstr(err.text, f.dir));
	assert_null(db);
	fixture_done(&f);
}

static void without_a_write_ahead_log_nothing_is_written(void **state)
{
	struct error err = {""};
	sqlite3 *db = NULL;

	(void)state;
	/* SQLite's database in memory is a place where WAL is not possible. */
	assert_int_equal(database_open(":memory:", DATABASE_CREATE, &err, &db), -ENOTSUP);
	assert_non_null(strstr(err.text, "a local disk"));
	assert_null(db);
}

static void names_with_signs_are_read_in_an_archive(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL;
	char path[128];
	pid_t child;
	int status;

	(void)state;
	fixture_init(&f);
	store_close(f.store);
	f.store = NULL;
	snprintf(path, sizeof path, "%s/100%%25?a#b.db", f.dir);
	assert_int_equal(rename(f.path, path), 0);
	chmod(f.dir, 0555);
	child = fork();
	if (!child) {
		/* The superuser can write anywhere. */
		if (!getuid() && setuid(65534))
			_exit(2);
		_exit(database_open(path, DATABASE_READ, &err, &db) ||
		      database_run(db, "SELECT count(*) FROM session", &err));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	chmod(f.dir, 0755);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_writer_is_durable),
		cmocka_unit_test(errors_are_told_apart),
		cmocka_unit_test(other_databases_are_refused),
		cmocka_unit_test(without_a_write_ahead_log_nothing_is_written),
		cmocka_unit_test(names_with_signs_are_read_in_an_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
