/* One transaction for many operations: what fails alone, what fails together. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "daemon/store/commit.h"
#include "daemon/store/database.h"

/* A writer on a connection of its own: no thread in between. */
struct bench {
	struct fixture f;
	sqlite3 *db;
	struct writer writer;
	struct store_op *ops[4];
};

static void set_up(struct bench *b)
{
	struct error err = {""};

	fixture_init(&b->f);
	store_close(b->f.store);
	b->f.store = NULL;
	b->db = NULL;
	assert_int_equal(database_open(b->f.path, DATABASE_WRITE, &err, &b->db), 0);
	assert_int_equal(writer_init(&b->writer, b->db, &err), 0);
	/* A run; a block of a run that is not there; a note; a block without a batch. */
	b->ops[0] = fixture_op(&b->f, STORE_OP_RUN);
	b->ops[1] = fixture_presentations(&b->f, 1, 1, 1);
	memset(b->ops[1]->run, 0xee, RUN_SIZE);
	b->ops[2] = fixture_op(&b->f, STORE_OP_NOTE);
	b->ops[2]->text = "nöte";
	b->ops[3] = fixture_presentations(&b->f, 1, 2, 1);
	for (int i = 0; i < 3; i++)
		b->ops[i]->next = b->ops[i + 1];
}

static void tear_down(struct bench *b)
{
	for (int i = 0; i < 4; i++)
		store_op_destroy(b->ops[i]);
	writer_done(&b->writer);
	sqlite3_close(b->db);
	fixture_done(&b->f);
}

static void an_operations_own_error_is_its_own(void **state)
{
	struct bench b;
	struct error err = {""};
	int64_t before;

	(void)state;
	set_up(&b);
	before = b.writer.last_seq;
	assert_int_equal(commit_group(&b.writer, b.ops[0], &err), 0);
	assert_int_equal(b.ops[0]->status, 0);
	assert_int_equal(b.ops[0]->seq, before + 1);
	assert_int_equal(b.ops[1]->status, -ENOENT);
	assert_string_equal(b.ops[1]->error.text,
			    "run: one that said hello expected, found eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
	assert_int_equal(b.ops[2]->status, 0);
	assert_int_equal(b.ops[2]->seq, before + 2);
	assert_int_equal(b.ops[3]->status, 0);
	assert_int_equal(b.ops[3]->n_refusals, 2);
	assert_int_equal(b.ops[3]->seq, before + 4);
	assert_true(b.ops[0]->committed_us > 0 && b.ops[0]->committed_ns > 0);
	assert_int_equal(b.ops[0]->committed_ns, b.ops[3]->committed_ns);
	assert_int_equal(fixture_read(&b.f, "SELECT count(*) FROM note WHERE text = 'nöte' AND run = 1"), 1);
	assert_int_equal(fixture_read(&b.f, "SELECT max(seq) - count(*) FROM log"), 0);
	assert_int_equal(fixture_read(&b.f, "SELECT count(DISTINCT at_us) FROM log WHERE kind IN ('run', 'note')"), 1);
	tear_down(&b);
}

static void the_storages_error_is_everyones(void **state)
{
	struct bench b;
	struct error err = {""};
	int64_t before;
	char *large;

	(void)state;
	set_up(&b);
	before = b.writer.last_seq;
	/* SQLite's own limit stands for a full disk. */
	large = store_op_alloc(b.ops[2], 1000001);
	memset(large, 'x', 1000000);
	large[1000000] = '\0';
	b.ops[2]->text = large;
	assert_int_equal(database_run(b.db, "PRAGMA max_page_count = 60", &err), 0);
	assert_int_equal(commit_group(&b.writer, b.ops[0], &err), -ENOSPC);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(b.ops[i]->status, -ENOSPC);
		assert_string_equal(b.ops[i]->error.text, "database or disk is full");
		assert_int_equal(b.ops[i]->seq, 0);
	}
	assert_int_equal(b.writer.last_seq, before);
	assert_int_equal(fixture_read(&b.f, "SELECT count(*) FROM run"), 0);
	/* With room again, the next one goes through under the numbers that were not used. */
	assert_int_equal(database_run(b.db, "PRAGMA max_page_count = 100000", &err), 0);
	assert_int_equal(commit_group(&b.writer, b.ops[0], &err), 0);
	assert_int_equal(b.ops[0]->seq, before + 1);
	assert_int_equal(fixture_read(&b.f, "SELECT max(seq) - count(*) FROM log"), 0);
	tear_down(&b);
}

static int write_then_fail(struct writer *writer, void *ctx, struct error *err)
{
	int64_t seq;
	int r = writer_write_event(writer, "x", NULL, err, &seq);

	return r ? r : *(int *)ctx;
}

static void what_is_no_operation_is_whole_too(void **state)
{
	struct bench b;
	struct error err = {""};
	int result = -EINVAL;
	int64_t before;

	(void)state;
	set_up(&b);
	before = b.writer.last_seq;
	assert_int_equal(commit_one(&b.writer, write_then_fail, &result, &err), -EINVAL);
	assert_int_equal(b.writer.last_seq, before);
	assert_int_equal(fixture_read(&b.f, "SELECT count(*) FROM event"), 0);
	result = 0;
	assert_int_equal(commit_one(&b.writer, write_then_fail, &result, &err), 0);
	assert_int_equal(b.writer.last_seq, before + 1);
	assert_int_equal(fixture_read(&b.f, "SELECT count(*) FROM event"), 1);
	tear_down(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_operations_own_error_is_its_own),
		cmocka_unit_test(the_storages_error_is_everyones),
		cmocka_unit_test(what_is_no_operation_is_whole_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
