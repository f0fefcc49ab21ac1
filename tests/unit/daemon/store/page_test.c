/* Pages: rows in order whatever their size, outcomes as amended, and the same rows however they are cut. */
#include <errno.h>

#include "tests/unit/daemon/store/fixture.h"

static const char *const images[] = {"aaaa", "bbbb", "cccc"};

static void set_up(struct fixture *f)
{
	fixture_init(f);
	fixture_start(f);
	fixture_hello(f);
	fixture_batch(f, 1, 1, images, 3);
	fixture_ok(f, fixture_presentations(f, 1, 5, 1));
}

static void rows_come_in_order_with_their_bytes(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;
	struct hash hash = fixture_hash("bbbb");

	(void)state;
	set_up(&f);
	answer = fixture_run(&f, fixture_page(&f, 0, INT64_MAX, 0));
	assert_int_equal(answer->status, 0);
	assert_int_equal(answer->n_rows, 8);
	assert_false(answer->more);
	assert_int_equal(answer->through_seq, fixture_read(&f, "SELECT max(seq) FROM log"));
	for (size_t i = 1; i < answer->n_rows; i++)
		assert_true(answer->rows[i].seq > answer->rows[i - 1].seq);
	assert_int_equal(answer->rows[1].kind, STORE_ROW_IMAGE);
	assert_memory_equal(answer->rows[1].image.bytes, hash.bytes, HASH_SIZE);
	assert_string_equal(answer->rows[1].image_kind, "natural");
	assert_string_equal(answer->rows[1].role, "");
	assert_string_equal(answer->first_png, "aaaa");
	assert_int_equal(answer->rows[4].kind, STORE_ROW_PRESENTATION);
	assert_memory_equal(answer->rows[4].image.bytes, hash.bytes, HASH_SIZE);
	assert_memory_equal(answer->rows[4].run, f.run, RUN_SIZE);
	assert_int_equal(answer->rows[4].run_index, 1);
	assert_int_equal(answer->rows[4].number, 2);
	assert_int_equal(answer->rows[4].batch, 1);
	assert_int_equal(answer->rows[4].slot, 1);
	assert_int_equal(answer->rows[4].responses_size, 6);
	assert_int_equal(answer->rows[4].mask_size, 0);
	answer = fixture_run(&f, fixture_page(&f, answer->through_seq, INT64_MAX, 0));
	assert_int_equal(answer->n_rows, 0);
	assert_false(answer->more);
	fixture_done(&f);
}

static void a_small_page_has_one_row_and_says_that_there_are_more(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;
	int64_t from = 0;
	size_t n = 0;

	(void)state;
	set_up(&f);
	do {
		answer = fixture_run(&f, fixture_page(&f, from, INT64_MAX, 1));
		assert_int_equal(answer->n_rows, 1);
		assert_true(answer->rows[0].seq > from);
		from = answer->through_seq;
		n++;
	} while (answer->more);
	assert_int_equal(n, 8);
	assert_int_equal(from, fixture_read(&f, "SELECT max(seq) FROM log"));
	fixture_done(&f);
}

static void bounds_and_outcomes_are_kept(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;
	int64_t last;

	(void)state;
	set_up(&f);
	last = fixture_read(&f, "SELECT max(seq) FROM log");
	op = fixture_presentations(&f, 6, 3, 1);
	op->presentations[0].outcome = OUTCOME_NOT_SHOWN;
	op->presentations[0].responses_size = 0;
	op->presentations[2].outcome = OUTCOME_BROKEN_FIXATION;
	fixture_ok(&f, op);
	answer = fixture_run(&f, fixture_page(&f, last, INT64_MAX, 0));
	assert_int_equal(answer->n_rows, 1);
	assert_int_equal(answer->rows[0].number, 7);
	answer = fixture_run(&f, fixture_page(&f, last - 2, last, 0));
	assert_int_equal(answer->n_rows, 2);
	assert_int_equal(answer->through_seq, last);
	assert_int_equal(answer->rows[1].number, 5);
	fixture_done(&f);
}

/* What a reader that follows the rows believes: which presentations are complete, by number. */
static void follow(const struct fixture_answer *answer, int64_t known[16])
{
	for (size_t i = 0; i < answer->n_rows; i++) {
		const struct store_row *row = &answer->rows[i];

		switch (row->kind) {
		case STORE_ROW_IMAGE:
			break;
		case STORE_ROW_PRESENTATION:
			assert_int_equal(known[row->number], 0);
			assert_int_equal(row->responses_size, 6);
			known[row->number] = row->seq;
			break;
		case STORE_ROW_WITHDRAWN:
			assert_int_equal(known[row->number], row->subject_seq);
			known[row->number] = 0;
			break;
		}
	}
}

static void amendments_withdraw_and_bring_back_the_same_however_pages_are_cut(void **state)
{
	static const struct {
		int64_t number;
		const char *outcome;
	} amendments[] = {
		{2, "artifact"}, {2, "dropped_frame"}, {3, "complete"}, {2, "complete"},
		{7, "complete"}, {2, "artifact"},      {7, "artifact"}, {7, "complete"},
	};
	struct fixture f;
	struct store_op *op;
	int64_t whole[16] = {0}, cut[16] = {0}, from = 0;

	(void)state;
	set_up(&f);
	op = fixture_presentations(&f, 6, 2, 1);
	op->presentations[1].outcome = OUTCOME_BROKEN_FIXATION;
	fixture_ok(&f, op);
	for (size_t i = 0; i < sizeof amendments / sizeof amendments[0]; i++) {
		fixture_ok(&f, fixture_amend(&f, amendments[i].number, amendments[i].outcome));
		/* One that follows as it happens. */
		follow(fixture_run(&f, fixture_page(&f, from, INT64_MAX, 0)), cut);
		from = f.answer.through_seq;
	}
	follow(fixture_run(&f, fixture_page(&f, 0, INT64_MAX, 0)), whole);
	assert_memory_equal(whole, cut, sizeof whole);
	for (int64_t number = 1; number <= 7; number++)
		assert_int_equal(whole[number] != 0, number != 2);
	fixture_done(&f);
}

static void an_image_is_read_by_its_hash(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	set_up(&f);
	op = fixture_op(&f, STORE_OP_IMAGE_READ);
	op->image = fixture_hash("cccc");
	answer = fixture_run(&f, op);
	assert_int_equal(answer->status, 0);
	assert_string_equal(answer->read_data, "cccc");
	op = fixture_op(&f, STORE_OP_IMAGE_READ);
	op->image = fixture_hash("dddd");
	answer = fixture_run(&f, op);
	assert_int_equal(answer->status, -ENOENT);
	assert_non_null(strstr(answer->error.text, "image: one of the session expected"));
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_in_order_with_their_bytes),
		cmocka_unit_test(a_small_page_has_one_row_and_says_that_there_are_more),
		cmocka_unit_test(bounds_and_outcomes_are_kept),
		cmocka_unit_test(amendments_withdraw_and_bring_back_the_same_however_pages_are_cut),
		cmocka_unit_test(an_image_is_read_by_its_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
