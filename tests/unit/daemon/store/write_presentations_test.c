/* Presentations, refusals, conflicts and amendments as they reach the file. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>

static const char *const images[] = {"a", "b", "c"};

static void presentations_are_stored_once(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;
	int64_t seq;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	answer = fixture_run(&f, fixture_presentations(&f, 1, 6, 1));
	assert_int_equal(answer->status, 0);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(answer->results[i], STORE_STORED);
	assert_true(answer->committed_us > 0);
	seq = answer->seq;
	answer = fixture_run(&f, fixture_presentations(&f, 4, 6, 1));
	assert_int_equal(answer->results[0], STORE_SAME);
	assert_int_equal(answer->results[2], STORE_SAME);
	assert_int_equal(answer->results[3], STORE_STORED);
	assert_int_equal(answer->seq, seq + 3);
	answer = fixture_run(&f, fixture_presentations(&f, 1, 9, 1));
	assert_int_equal(answer->results[8], STORE_SAME);
	assert_int_equal(answer->seq, seq + 3);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentation"), 9);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM presentation AS p JOIN image AS i ON i.seq = p.image "
				 "WHERE p.number = 5 AND p.trial = 1 AND p.position = 1 AND p.slot = 1 AND "
				 "p.onset_us = 5013 AND p.onset_source = 'photodiode' AND p.outcome = 'complete' AND "
				 "hex(p.responses) = '050006000700' AND p.mask IS NULL AND CAST(i.png AS TEXT) = 'b'"),
		1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) - max(seq) FROM log"), 0);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	fixture_done(&f);
}

static void other_content_is_a_conflict_kept_aside(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	fixture_ok(&f, fixture_presentations(&f, 1, 3, 1));
	for (int again = 0; again < 2; again++) {
		op = fixture_presentations(&f, 1, 3, 1);
		op->presentations[1].outcome = OUTCOME_ARTIFACT;
		answer = fixture_run(&f, op);
		assert_int_equal(answer->status, 0);
		assert_int_equal(answer->results[0], STORE_SAME);
		assert_int_equal(answer->results[1], STORE_CONFLICT);
		assert_int_equal(answer->results[2], STORE_SAME);
	}
	assert_int_equal(
		fixture_read(&f,
			     "SELECT count(*) FROM conflict WHERE number = 2 AND json_extract(fields, '$.outcome') = "
			     "'artifact' AND hex(responses) = '020003000400'"),
		1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentation WHERE outcome = 'complete'"), 3);
	/* A mask that hides nothing is no other content; one that hides something is. */
	op = fixture_presentations(&f, 1, 2, 1);
	op->presentations[0].mask = store_op_copy(op, "\0\0\0", 3);
	op->presentations[0].mask_size = 3;
	op->presentations[1].mask = store_op_copy(op, "\0\1\0", 3);
	op->presentations[1].mask_size = 3;
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_SAME);
	assert_int_equal(answer->results[1], STORE_CONFLICT);
	/* Twice in one block. */
	op = fixture_presentations(&f, 10, 2, 1);
	op->presentations[1].number = 10;
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_STORED);
	assert_int_equal(answer->results[1], STORE_CONFLICT);
	fixture_done(&f);
}

static void unknown_slots_and_images_are_refused_and_settled(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	/* Planned, but not handed over. */
	fixture_ok(&f, fixture_slots(&f, 2, 2, "chosen", images, 3));
	for (int again = 0; again < 2; again++) {
		op = fixture_presentations(&f, 1, 5, 1);
		op->presentations[0].slot = 3;
		op->presentations[1].batch = 2;
		op->presentations[2].batch = 0;
		op->presentations[2].has_image = true;
		memset(op->presentations[2].image, 7, 32);
		op->presentations[3].has_image = true;
		memset(op->presentations[3].image, 9, 32);
		answer = fixture_run(&f, op);
		assert_int_equal(answer->status, 0);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(answer->results[i], STORE_REFUSED);
		assert_int_equal(answer->results[4], again ? STORE_SAME : STORE_STORED);
		assert_int_equal(answer->n_refusals, 4);
		assert_int_equal(answer->refusals[0].number, 1);
		assert_string_equal(answer->refusals[0].error.text,
				    "batch, slot: one that was handed over expected, found batch 1, slot 3");
		assert_string_equal(answer->refusals[1].error.text,
				    "batch, slot: one that was handed over expected, found batch 2, slot 1");
		assert_string_equal(answer->refusals[2].error.text,
				    "image: one of the session expected, found "
				    "0707070707070707070707070707070707070707070707070707070707070707");
		assert_non_null(strstr(answer->refusals[3].error.text, " of batch 1, slot 0 expected, found 0909"));
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM refusal WHERE length(responses) = 6"), 4);
	/* Settled: what was refused stays so, although the image is there now. */
	op = fixture_op(&f, STORE_OP_IMAGES);
	fixture_add_images(op, images, 1, "rig", "");
	memset(op->images[0].hash.bytes, 7, 32);
	fixture_ok(&f, op);
	op = fixture_presentations(&f, 3, 1, 0);
	op->presentations[0].has_image = true;
	memset(op->presentations[0].image, 7, 32);
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_REFUSED);
	op = fixture_presentations(&f, 6, 1, 0);
	op->presentations[0].has_image = true;
	memset(op->presentations[0].image, 7, 32);
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_STORED);
	fixture_done(&f);
}

static void refusals_of_the_parser_are_stored_with_their_reason(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	for (int again = 0; again < 2; again++) {
		op = fixture_presentations(&f, 1, 2, 1);
		op->presentations[1].slot = 99;
		op->n_refusals = 2;
		op->refusals = store_op_alloc(op, 2 * sizeof *op->refusals);
		op->refusals[0].number = 7;
		error_set(&op->refusals[0].error, 0, "%s", again ? "another reason" : "presentations[2]: 20001 spikes");
		op->refusals[1].number = -1;
		error_set(&op->refusals[1].error, 0, "no number");
		answer = fixture_run(&f, op);
		assert_int_equal(answer->status, 0);
		assert_int_equal(answer->n_refusals, 3);
		assert_string_equal(answer->refusals[0].error.text, "presentations[2]: 20001 spikes");
		assert_int_equal(answer->refusals[2].number, 2);
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM refusal WHERE number = 7 AND reason LIKE '%20001%'"),
			 1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM refusal WHERE number IS NULL"), 2);
	fixture_done(&f);
}

static void amendments_stand_beside_the_presentation(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	fixture_ok(&f, fixture_presentations(&f, 1, 2, 1));
	fixture_ok(&f, fixture_amend(&f, 2, "artifact"));
	fixture_ok(&f, fixture_amend(&f, 2, "artifact"));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM amendment"), 1);
	assert_int_equal(fixture_run(&f, fixture_amend(&f, 3, "artifact"))->status, -ENOENT);
	assert_int_equal(fixture_run(&f, fixture_amend(&f, 2, "sleepy"))->status, -EINVAL);
	op = fixture_amend(&f, 2, "artifact");
	json_object_clear(op->object);
	assert_int_equal(fixture_run(&f, op)->status, -EINVAL);
	op = fixture_amend(&f, 2, "artifact");
	json_object_clear(op->object);
	json_object_set_new(op->object, "trial", json_integer(77));
	fixture_ok(&f, op);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM presentations WHERE number = 2 AND outcome = 'artifact' AND "
				 "outcome_sent = 'complete' AND trial = 77"),
		1);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM presentation WHERE number = 2 AND outcome = 'complete'"), 1);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presentations_are_stored_once),
		cmocka_unit_test(other_content_is_a_conflict_kept_aside),
		cmocka_unit_test(unknown_slots_and_images_are_refused_and_settled),
		cmocka_unit_test(refusals_of_the_parser_are_stored_with_their_reason),
		cmocka_unit_test(amendments_stand_beside_the_presentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
