/* A session file through the eyes of replay, reports and checks. */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/store/reader.h"
#include "tests/unit/daemon/store/fixture.h"

static const char *const images[] = {"a", "b", "c"};

static struct reader *open_reader(struct fixture *f)
{
	struct reader *reader = NULL;
	struct error err = {""};

	if (reader_open(f->path, &err, &reader))
		fail_msg("%s", err.text);
	return reader;
}

static void set_up(struct fixture *f)
{
	struct store_op *op;

	fixture_init(f);
	fixture_start(f);
	fixture_hello(f);
	op = fixture_decision(f, 1, "fit");
	strcpy(op->model_hash, "feed");
	strcpy(op->decision.outcome_hash, "feed");
	op->n_scores = 70;
	op->scores = store_op_alloc(op, op->n_scores * sizeof *op->scores);
	for (size_t i = 0; i < op->n_scores; i++)
		op->scores[i] = (struct store_score){.set = "monitor",
						     .tier = i % 2 ? "ensemble" : "ridge",
						     .shown = i % 2,
						     .unit = (int64_t)i / 2 - 1,
						     .r2 = (double)i,
						     .r2_low = NAN,
						     .n_images = 5,
						     .n_presentations = 50};
	fixture_ok(f, op);
	op = fixture_slots(f, 2, 1, "chosen", images, 3);
	strcpy(op->decision.parent_model, "feed");
	fixture_ok(f, op);
	fixture_ok(f, fixture_handover(f, 1, "chosen"));
	fixture_ok(f, fixture_presentations(f, 1, 5, 1));
	fixture_ok(f, fixture_amend(f, 5, "artifact"));
}

static void decisions_slots_and_scores_come_in_order(void **state)
{
	struct fixture f;
	struct reader *reader;
	struct reader_decision decision;
	struct store_slot *slots;
	struct store_score *scores;
	struct error err;
	size_t n;

	(void)state;
	set_up(&f);
	reader = open_reader(&f);
	assert_int_equal(reader_next_decision(reader, 0, &err, &decision), 1);
	assert_string_equal(decision.kind, "fit");
	assert_string_equal(decision.cause, "planned");
	assert_string_equal(decision.model_hash, "feed");
	assert_string_equal(decision.outcome_hash, "feed");
	assert_string_equal(decision.parent_model, "");
	assert_int_equal(json_integer_value(json_object_get(decision.spec, "decision")), 1);
	assert_int_equal(json_integer_value(json_object_get(decision.outcome, "n_slots")), 3);
	reader_decision_done(&decision);
	assert_int_equal(reader_next_decision(reader, 1, &err, &decision), 1);
	assert_int_equal(decision.decision, 2);
	assert_string_equal(decision.parent_model, "feed");
	reader_decision_done(&decision);
	assert_int_equal(reader_next_decision(reader, 2, &err, &decision), 0);

	assert_int_equal(reader_slots(reader, 2, &err, &n, &slots), 0);
	assert_int_equal(n, 3);
	assert_string_equal(slots[1].kind, "gaudy");
	free(slots);
	assert_int_equal(reader_slots(reader, 1, &err, &n, &slots), 0);
	assert_int_equal(n, 0);
	assert_null(slots);

	assert_int_equal(reader_scores(reader, 1, &err, &n, &scores), 0);
	assert_int_equal(n, 70);
	assert_string_equal(scores[0].tier, "ensemble");
	assert_int_equal(scores[0].unit, -1);
	assert_true(scores[0].shown);
	assert_true(scores[0].r2 == 1.0);
	assert_true(isnan(scores[0].r2_low));
	assert_string_equal(scores[69].set, "monitor");
	assert_string_equal(scores[69].tier, "ridge");
	assert_true(scores[69].r2 == 68.0);
	free(scores);
	reader_close(reader);
	fixture_done(&f);
}

static void session_pages_and_images_are_read_while_it_is_written(void **state)
{
	struct fixture f;
	struct reader *reader;
	struct reader_session session;
	struct store_page page;
	struct error err;
	struct hash hash = fixture_hash("b");
	const void *png;
	size_t size;
	int64_t last;

	(void)state;
	set_up(&f);
	reader = open_reader(&f);
	assert_int_equal(reader_session(reader, &err, &session), 0);
	assert_string_equal(session.name, "test");
	assert_true(session.seed == 0xfedcba9876543210u);
	assert_int_equal(session.spec.n_units, FIXTURE_UNITS);
	assert_true(session.created_us > 1600000000000000);
	reader_session_done(&session);
	assert_int_equal(reader_last_seq(reader, &err, &last), 0);
	assert_int_equal(reader_page(reader, 0, last, 0, &err, &page), 0);
	assert_int_equal(page.n_rows, 9);
	assert_int_equal(page.rows[8].kind, STORE_ROW_WITHDRAWN);
	fixture_ok(&f, fixture_presentations(&f, 6, 1, 1));
	assert_int_equal(reader_page(reader, last, INT64_MAX, 0, &err, &page), 0);
	assert_int_equal(page.n_rows, 1);
	assert_memory_equal(page.rows[0].responses, "\6\0\7\0\10\0", 6);
	assert_int_equal(reader_image(reader, &hash, &err, &png, &size), 0);
	assert_int_equal(size, 1);
	assert_memory_equal(png, "b", 1);
	hash.bytes[0] ^= 1;
	assert_int_equal(reader_image(reader, &hash, &err, &png, &size), -ENOENT);
	assert_non_null(strstr(err.text, f.path));
	reader_close(reader);
	fixture_done(&f);
}

struct table_rows {
	size_t n;
	json_t *last;
};

static int take_row(void *ctx, const json_t *row)
{
	struct table_rows *rows = ctx;

	rows->n++;
	json_decref(rows->last);
	rows->last = json_deep_copy(row);
	return 0;
}

static int stop_at_once(void *ctx, const json_t *row)
{
	(void)ctx;
	(void)row;
	return -ECANCELED;
}

static void every_table_can_be_read(void **state)
{
	static const size_t n_expected[READER_TABLES] = {
		[READER_BATCHES] = 1, [READER_SCORES] = 70,    [READER_PRESENTATIONS] = 5,
		[READER_IMAGES] = 3,  [READER_UNITS] = 3,      [READER_DECISIONS] = 2,
		[READER_RUNS] = 1,    [READER_AMENDMENTS] = 1, [READER_VERSIONS] = 4,
	};
	struct fixture f;
	struct reader *reader;
	struct error err = {""};

	(void)state;
	set_up(&f);
	reader = open_reader(&f);
	for (size_t i = 0; i < READER_TABLES; i++) {
		struct table_rows rows = {0, NULL};
		enum reader_table table;

		assert_int_equal(reader_table_from_name(reader_table_name((enum reader_table)i), &err, &table), 0);
		assert_int_equal(table, i);
		if (reader_read_table(reader, table, take_row, &rows, &err))
			fail_msg("%s", err.text);
		assert_int_equal(rows.n, n_expected[i]);
		if (table == READER_PRESENTATIONS)
			assert_string_equal(json_string_value(json_object_get(rows.last, "outcome")), "artifact");
		if (table == READER_BATCHES)
			assert_true(json_real_value(json_object_get(rows.last, "r2")) == 1.0);
		if (table == READER_SCORES)
			assert_true(json_is_null(json_object_get(rows.last, "r2_low")));
		json_decref(rows.last);
	}
	assert_int_equal(reader_read_table(reader, READER_UNITS, stop_at_once, NULL, &err), -ECANCELED);
	assert_int_equal(reader_table_from_name("penguins", &err, &(enum reader_table){0}), -EINVAL);
	assert_non_null(strstr(err.text, "versions expected, found \"penguins\""));
	reader_close(reader);
	fixture_done(&f);
}

static void what_cannot_be_read_is_refused(void **state)
{
	struct fixture f;
	struct reader *reader = NULL;
	struct error err;
	sqlite3 *db;

	(void)state;
	assert_int_equal(reader_open("/nonexistent/a.db", &err, &reader), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/a.db: No such file"));
	fixture_init(&f);
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 7", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(reader_open(f.path, &err, &reader), -ENOTSUP);
	assert_non_null(strstr(err.text, "version 7 of the session file, this program knows up to"));
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 0", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(reader_open(f.path, &err, &reader), -EINVAL);
	sqlite3_close(db);
	assert_null(reader);
	fixture_done(&f);
}

/* What a stranger may have made of a file that still says it is a session. */
static void missing_tables_are_an_error_of_each_call(void **state)
{
	struct fixture f;
	struct reader *reader;
	struct reader_session session;
	struct reader_decision decision;
	struct store_page page;
	struct store_slot *slots;
	struct store_score *scores;
	struct error err;
	sqlite3 *db;
	size_t n;

	(void)state;
	set_up(&f);
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "DROP TABLE amendment; DROP TABLE decision; DROP TABLE slot; DROP TABLE score; "
				      "DROP TABLE state",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	reader = open_reader(&f);
	assert_int_equal(reader_page(reader, 0, 10, 0, &err, &page), -EIO);
	assert_non_null(strstr(err.text, "no such table"));
	assert_int_equal(reader_session(reader, &err, &session), -EIO);
	assert_int_equal(reader_next_decision(reader, 0, &err, &decision), -EIO);
	assert_int_equal(reader_slots(reader, 2, &err, &n, &slots), -EIO);
	assert_int_equal(reader_scores(reader, 1, &err, &n, &scores), -EIO);
	assert_int_equal(reader_read_table(reader, READER_PRESENTATIONS, stop_at_once, NULL, &err), -EIO);
	reader_close(reader);
	fixture_done(&f);
}

static void an_archived_file_is_read_where_nothing_can_be_written(void **state)
{
	struct fixture f;
	struct reader *reader;
	struct error err;
	int64_t last;
	pid_t child;
	int status;

	(void)state;
	set_up(&f);
	store_close(f.store);
	f.store = NULL;
	chmod(f.path, 0444);
	chmod(f.dir, 0555);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		/* The superuser can write anywhere. */
		if (!getuid() && setuid(65534))
			_exit(2);
		_exit(reader_open(f.path, &err, &reader) || reader_last_seq(reader, &err, &last) || last < 10);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	chmod(f.dir, 0755);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions_slots_and_scores_come_in_order),
		cmocka_unit_test(session_pages_and_images_are_read_while_it_is_written),
		cmocka_unit_test(every_table_can_be_read),
		cmocka_unit_test(what_cannot_be_read_is_refused),
		cmocka_unit_test(missing_tables_are_an_error_of_each_call),
		cmocka_unit_test(an_archived_file_is_read_where_nothing_can_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
