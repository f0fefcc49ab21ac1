/* Every statement fits the tables; values go in and come out as they were. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <math.h>

#include "daemon/store/database.h"
#include "daemon/store/query.h"
#include "daemon/store/writer.h"

static void every_statement_is_good_sql(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL;
	struct sql sql;

	(void)state;
	fixture_init(&f);
	assert_int_equal(database_open(f.path, DATABASE_WRITE, &err, &db), 0);
	sql_init(&sql, db);
	for (int id = 0; id < SQL_N; id++) {
		struct query query = query_begin(&sql, (enum sql_id)id);

		if (query.code)
			fail_msg("statement %d: %s", id, sqlite3_errmsg(db));
		/* Twice gives the same one. */
		assert_ptr_equal(query_begin(&sql, (enum sql_id)id).statement, query.statement);
	}
	sql_done(&sql);
	sqlite3_close(db);
	fixture_done(&f);
}

static void a_page_needs_no_sorting(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL;
	sqlite3_stmt *plan;
	struct sql sql;
	char text[8192];

	(void)state;
	fixture_init(&f);
	assert_int_equal(database_open(f.path, DATABASE_READ, &err, &db), 0);
	sql_init(&sql, db);
	snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(query_begin(&sql, SQL_PAGE).statement));
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(plan, 3);

		if (strstr(step, "TEMP B-TREE") || (!strncmp(step, "SCAN", 4)))
			fail_msg("%s", step);
	}
	sqlite3_finalize(plan);
	sql_done(&sql);
	sqlite3_close(db);
	fixture_done(&f);
}

static void values_come_back_as_they_went_in(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL;
	struct query query;
	struct sql sql;
	json_t *object;
	size_t size;

	(void)state;
	fixture_init(&f);
	store_close(f.store);
	f.store = NULL;
	assert_int_equal(database_open(f.path, DATABASE_WRITE, &err, &db), 0);
	sql_init(&sql, db);
	assert_int_equal(sql_run(&sql, SQL_BEGIN, &err), 0);
	query = query_begin(&sql, SQL_PUT_LOG);
	query_int(&query, 100);
	query_text(&query, ROW_CONFLICT);
	query_int(&query, INT64_MAX);
	assert_int_equal(query_run(&query, &err), 0);
	query = query_begin(&sql, SQL_PUT_LOG);
	query_int(&query, 100);
	query_text(&query, ROW_NOTE);
	query_int(&query, 0);
	assert_int_equal(query_run(&query, &err), -EEXIST);
	/* A run that is not there. */
	query = query_begin(&sql, SQL_PUT_CONFLICT);
	query_int(&query, 100);
	query_int(&query, 5);
	query_int(&query, 1);
	query_blob(&query, "hash", 4);
	query_text(&query, "{}");
	query_blob(&query, "x", 0);
	query_blob(&query, NULL, 0);
	query_int(&query, 0);
	assert_int_equal(query_run(&query, &err), -ENOENT);
	/* A missing value where one has to be. */
	query = query_begin(&sql, SQL_PUT_LOG);
	query_int(&query, 101);
	query_text_or_null(&query, "");
	query_int(&query, 0);
	assert_int_equal(query_run(&query, &err), -EINVAL);
	assert_int_equal(sql_run(&sql, SQL_ROLLBACK, &err), 0);

	query = query_begin(&sql, SQL_READ_SESSION);
	assert_int_equal(query_step(&query, &err), 1);
	object = query_get_object(&query);
	assert_string_equal(json_string_value(json_object_get(object, "name")), "test");
	assert_int_equal(json_integer_value(json_object_get(object, "width_px")), 112);
	json_decref(object);
	assert_string_equal(query_get_text(&query, 9), ""); /* no state yet */
	assert_true(query_is_null(&query, 9));
	assert_true(isnan(query_get_real(&query, 9)));
	assert_null(query_get_blob(&query, 9, &size));
	assert_int_equal(size, 0);
	query_end(&query);
	/* Too many parameters is a fault that comes out of the run. */
	query = query_begin(&sql, SQL_LAST_SEQ);
	query_int(&query, 1);
	assert_true(query_run(&query, &err) < 0);
	sql_done(&sql);
	sqlite3_close(db);
	fixture_done(&f);
}

static void a_row_that_must_be_there(void **state)
{
	struct fixture f;
	struct error err = {""};
	sqlite3 *db = NULL;
	struct sql sql;
	int64_t value = 77;

	(void)state;
	fixture_init(&f);
	assert_int_equal(database_open(f.path, DATABASE_READ, &err, &db), 0);
	sql_init(&sql, db);
	assert_int_equal(sql_read_int(&sql, SQL_LAST_SEQ, &err, &value), 0);
	assert_true(value > 0 && value < 77);
	assert_int_equal(sql_read_int(&sql, SQL_LAST_HANDOVER, &err, &value), -ENOENT);
	sql_done(&sql);
	sqlite3_close(db);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statement_is_good_sql),
		cmocka_unit_test(a_page_needs_no_sorting),
		cmocka_unit_test(values_come_back_as_they_went_in),
		cmocka_unit_test(a_row_that_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
