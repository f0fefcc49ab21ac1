/* From version to version, whole or not at all; and the tables of today. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/database.h"
#include "daemon/store/migrations.h"
#include "support/atomic_file.h"

static const char *const images[] = {"a", "b", "c"};

static const char *const first[] = {"CREATE TABLE t (a INTEGER) STRICT", "INSERT INTO t VALUES (1)", NULL};
static const char *const second[] = {"ALTER TABLE t ADD COLUMN b TEXT", "UPDATE t SET b = 'two'", NULL};
static const char *const broken[] = {"CREATE TABLE u (a INTEGER) STRICT", "INSERT INTO no_table VALUES (1)", NULL};

static int count(sqlite3 *db, const char *text)
{
	sqlite3_stmt *statement;
	int n = -1;

	if (sqlite3_prepare_v2(db, text, -1, &statement, NULL))
		return -1;
	if (sqlite3_step(statement) == SQLITE_ROW)
		n = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return n;
}

static void each_step_is_gone_through_once(void **state)
{
	const struct migration list[] = {{first}, {second}};
	struct error err = {""};
	sqlite3 *db;
	int version;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(migrations_run(db, list, 1, &err), 0);
	assert_int_equal(migrations_version(db, &err, &version), 0);
	assert_int_equal(version, 1);
	assert_int_equal(count(db, "PRAGMA application_id"), DATABASE_APPLICATION_ID);
	assert_int_equal(migrations_run(db, list, 2, &err), 0);
	assert_int_equal(count(db, "SELECT count(*) FROM t WHERE a = 1 AND b = 'two'"), 1);
	assert_int_equal(migrations_run(db, list, 2, &err), 0);
	assert_int_equal(count(db, "SELECT count(*) FROM t"), 1);
	assert_int_equal(migrations_run(db, list, 1, &err), -ENOTSUP);
	assert_string_equal(err.text,
			    "made by a newer program: version 2 of the session file, this program knows up to 1");
	sqlite3_close(db);
}

static void a_step_that_fails_leaves_the_version(void **state)
{
	const struct migration list[] = {{first}, {broken}};
	struct error err = {""};
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(migrations_run(db, list, 1, &err), 0);
	assert_int_equal(database_run(db, "BEGIN IMMEDIATE", &err), 0);
	assert_true(migrations_run(db, list, 2, &err) < 0);
	assert_string_equal(err.text, "to version 2: no such table: no_table (SQLite error 1, errno 0)");
	assert_int_equal(database_run(db, "ROLLBACK", &err), 0);
	assert_int_equal(count(db, "PRAGMA user_version"), 1);
	assert_int_equal(count(db, "SELECT count(*) FROM sqlite_schema"), 1);
	sqlite3_close(db);
}

static void tables_of_nobody_are_refused(void **state)
{
	struct error err = {""};
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(database_run(db, "CREATE TABLE t (a)", &err), 0);
	assert_int_equal(migrations_run(db, migrations, migrations_n, &err), -EINVAL);
	assert_int_equal(database_run(db, "PRAGMA user_version = -4", &err), 0);
	assert_int_equal(migrations_run(db, migrations, migrations_n, &err), -EINVAL);
	sqlite3_close(db);
}

/* From version 1 on through every later one, with rows in it, as an old file would. */
static void an_old_file_with_rows_comes_through(void **state)
{
	struct error err = {""};
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(migrations_run(db, migrations, 1, &err), 0);
	assert_int_equal(database_run(db,
				      "INSERT INTO log VALUES (1, 'run', 5), (2, 'image', 5), (3, 'presentation', 6);"
				      "INSERT INTO run VALUES (1, 1, '00', 5);"
				      "INSERT INTO image VALUES (2, 'h', 'rig', '', 8, 8, x'00', NULL, NULL);"
				      "INSERT INTO presentation VALUES (3, 1, 1, 1, 0, NULL, NULL, 2, 0, 0, 'ttl', "
				      "'complete', x'0100', NULL, x'00', 5, 5)",
				      &err),
			 0);
	assert_int_equal(migrations_run(db, migrations, migrations_n, &err), 0);
	assert_int_equal(count(db, "PRAGMA user_version"), migrations_n);
	assert_int_equal(count(db, "SELECT count(*) FROM presentations WHERE number = 1 AND kind = 'rig'"), 1);
	sqlite3_close(db);
}

static void every_table_has_its_place_in_the_log_and_is_final(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE "
					  "'%STRICT%'"),
			 0);
	assert_int_equal(fixture_read(&f, "SELECT count(*) * 2 FROM sqlite_schema WHERE type = 'table'"),
			 fixture_read(&f, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"));
	fixture_done(&f);
}

/* README.md of daemon/: the line of a table names each of its columns. */
static void every_column_is_documented(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db;
	sqlite3_stmt *columns;
	char *readme, line[64], name[64];
	void *data;
	size_t size;

	(void)state;
	assert_int_equal(atomic_file_read(SOURCE_ROOT "/daemon/README.md", 1 << 20, &err, &data, &size), 0);
	readme = strndup(data, size);
	free(data);
	fixture_init(&f);
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db,
				   "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
				   "WHERE t.type = 'table'",
				   -1, &columns, NULL),
		SQLITE_OK);
	while (sqlite3_step(columns) == SQLITE_ROW) {
		const char *row, *column;

		snprintf(line, sizeof line, "\n| `%s` | ", sqlite3_column_text(columns, 0));
		snprintf(name, sizeof name, "`%s`", sqlite3_column_text(columns, 1));
		row = strstr(readme, line);
		column = row ? strstr(row, name) : NULL;
		if (!column || column > strchr(row + 1, '\n'))
			fail_msg("daemon/README.md:%s says nothing of %s", line, name);
	}
	sqlite3_finalize(columns);
	sqlite3_close(db);
	free(readme);
	fixture_done(&f);
}

static void rows_cannot_be_edited(void **state)
{
	static const char *const edits[] = {"UPDATE presentation SET outcome = 'artifact'",
					    "DELETE FROM presentation",
					    "DELETE FROM log",
					    "UPDATE session SET name = 'x'",
					    "DELETE FROM image",
					    "UPDATE slot SET slot = 9",
					    "UPDATE unit SET label = 'x'"};
	struct fixture f;
	sqlite3 *db;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	fixture_ok(&f, fixture_presentations(&f, 1, 2, 1));
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
		assert_int_equal(sqlite3_exec(db, edits[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
	sqlite3_close(db);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_gone_through_once),
		cmocka_unit_test(a_step_that_fails_leaves_the_version),
		cmocka_unit_test(tables_of_nobody_are_refused),
		cmocka_unit_test(an_old_file_with_rows_comes_through),
		cmocka_unit_test(every_table_has_its_place_in_the_log_and_is_final),
		cmocka_unit_test(every_column_is_documented),
		cmocka_unit_test(rows_cannot_be_edited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
