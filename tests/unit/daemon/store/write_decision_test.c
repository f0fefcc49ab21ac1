/* Decisions with what they made, and the life of a batch. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>

static const char *const images[] = {"a", "b", "c"};

static void batches_go_from_stock_to_number_to_hand_over(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_ok(&f, fixture_slots(&f, 1, 0, "fallback", images, 3));
	assert_int_equal(fixture_run(&f, fixture_number(&f, 1, "fallback", 9))->status, -ENOENT);
	assert_int_equal(fixture_run(&f, fixture_handover(&f, 1, "fallback"))->status, -ENOENT);
	fixture_ok(&f, fixture_number(&f, 1, "fallback", 1));
	fixture_ok(&f, fixture_number(&f, 1, "fallback", 1));
	fixture_ok(&f, fixture_slots(&f, 2, 1, "chosen", images, 2));
	answer = fixture_run(&f, fixture_number(&f, 1, "chosen", 1));
	assert_int_equal(answer->status, -EEXIST);
	assert_string_equal(answer->error.text, "batch 1 (chosen): made by decision 2 already");
	fixture_ok(&f, fixture_handover(&f, 1, "fallback"));
	fixture_ok(&f, fixture_handover(&f, 1, "fallback"));
	assert_int_equal(fixture_run(&f, fixture_handover(&f, 1, "chosen"))->status, -EEXIST);
	/* A result that came too late becomes a later batch. */
	fixture_ok(&f, fixture_number(&f, 2, "chosen", 2));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM batch"), 3);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM handover"), 1);
	/* Slot 2 is of the fallback, which was shown; the chosen one has two slots. */
	answer = fixture_run(&f, fixture_presentations(&f, 1, 3, 1));
	assert_int_equal(answer->results[2], STORE_STORED);
	fixture_done(&f);
}

static void a_decision_is_whole_or_not_at_all(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	op = fixture_slots(&f, 1, 1, "chosen", images, 3);
	op->batch.slots[2].image = fixture_hash("unknown");
	answer = fixture_run(&f, op);
	assert_int_equal(answer->status, -ENOENT);
	assert_non_null(strstr(answer->error.text, "slot 2: image: one of the session expected, found "));
	assert_int_equal(fixture_read(&f, "SELECT (SELECT count(*) FROM decision) + (SELECT count(*) FROM image) + "
					  "(SELECT count(*) FROM slot)"),
			 0);
	op = fixture_decision(&f, 1, "fit");
	strcpy(op->model_hash, "feed");
	op->n_scores = 2;
	op->scores = store_op_alloc(op, 2 * sizeof *op->scores);
	op->scores[0] = (struct store_score){.set = "monitor",
					     .tier = "ridge",
					     .shown = true,
					     .unit = -1,
					     .r2 = 0.5,
					     .r2_low = 0.25,
					     .r2_high = 0.75,
					     .snr = 0.0 / 0.0,
					     .n_images = 24};
	op->scores[1] = op->scores[0];
	op->scores[1].unit = 2;
	fixture_ok(&f, op);
	assert_int_equal(fixture_read(&f,
				      "SELECT count(*) FROM scores WHERE unit IN ('median', 'ünit 2') AND r2 = 0.5 AND "
				      "snr IS NULL AND shown"),
			 2);
	assert_int_equal(fixture_read(&f, "SELECT decision FROM model WHERE model = 'feed'"), 1);
	/* The batch that came of it, as people see it. */
	fixture_hello(&f);
	op = fixture_slots(&f, 2, 1, "chosen", images, 3);
	strcpy(op->decision.parent_model, "feed");
	op->batch.saw_seq = 3;
	fixture_ok(&f, op);
	fixture_ok(&f, fixture_handover(&f, 1, "chosen"));
	fixture_ok(&f, fixture_presentations(&f, 1, 2, 1));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM batches WHERE batch = 1 AND fit = 1 AND r2 = 0.5 AND "
					  "fit_seconds = 2.5 AND n_slots = 3 AND n_presentations = 2 AND lag = 0"),
			 1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentations WHERE kind = 'gaudy' AND trial = 0"), 2);
	assert_int_equal(fixture_run(&f, fixture_decision(&f, 2, "fit"))->status, -EEXIST);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_go_from_stock_to_number_to_hand_over),
		cmocka_unit_test(a_decision_is_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
