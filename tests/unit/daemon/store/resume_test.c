/* What a daemon that starts again finds. */
#include <errno.h>

#include "tests/unit/daemon/store/fixture.h"

static const char *const images[] = {"a", "b", "c"};

static void resume(struct fixture *f, struct store_resume *ret_resume)
{
	struct error err = {""};

	fixture_reopen(f);
	if (store_resume_read(f->store, &err, ret_resume))
		fail_msg("%s", err.text);
}

static void a_session_that_was_only_opened(void **state)
{
	struct fixture f;
	struct store_resume r;

	(void)state;
	fixture_init(&f);
	resume(&f, &r);
	assert_int_equal(r.session[15], 0xab);
	assert_true(r.seed == 0xfedcba9876543210u);
	assert_string_equal(r.state, "");
	assert_string_equal(r.config_text, "batch:\n  size: 5\n");
	assert_int_equal(r.width_px, 112);
	assert_int_equal(r.height_px, 104);
	assert_string_equal(r.spec.name, "test");
	assert_int_equal(r.spec.n_units, FIXTURE_UNITS);
	assert_string_equal(r.spec.units[1].label, "ünit 2");
	assert_int_equal(r.last_seq, fixture_read(&f, "SELECT max(seq) FROM log"));
	assert_int_equal(r.last_decision + r.last_batch + r.last_handed_batch + (int64_t)r.n_runs, 0);
	assert_int_equal(r.n_batches + r.n_stock + json_array_size(r.commands), 0);
	store_resume_done(&r);
	fixture_done(&f);
}

static void settled_numbers_are_ranges_of_each_run(void **state)
{
	struct fixture f;
	struct store_op *op;
	struct store_resume r;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	fixture_ok(&f, fixture_presentations(&f, 1, 3, 1));
	fixture_ok(&f, fixture_presentations(&f, 8, 2, 1));
	op = fixture_presentations(&f, 4, 2, 1);
	op->presentations[0].slot = 99;
	op->presentations[1].slot = 99;
	fixture_ok(&f, op);
	op = fixture_presentations(&f, 2, 1, 1);
	op->presentations[0].trial = 99;
	fixture_ok(&f, op);
	op = fixture_presentations(&f, 1, 0, 1);
	op->n_refusals = 2;
	op->refusals = store_op_alloc(op, 2 * sizeof *op->refusals);
	op->refusals[0] = (struct presentation_refusal){.number = 12, .error = {"bad"}};
	op->refusals[1] = (struct presentation_refusal){.number = -1, .error = {"worse"}};
	fixture_ok(&f, op);
	fixture_ok(&f, fixture_amend(&f, 3, "artifact"));
	memset(f.run, 0x22, RUN_SIZE);
	fixture_hello(&f);
	fixture_ok(&f, fixture_presentations(&f, 1, 1, 1));

	resume(&f, &r);
	assert_int_equal(r.n_runs, 2);
	assert_int_equal(r.runs[0].run[0], 0x11);
	assert_int_equal(r.runs[0].n_ranges, 3);
	assert_int_equal(r.runs[0].ranges[0].first, 1);
	assert_int_equal(r.runs[0].ranges[0].last, 5);
	assert_int_equal(r.runs[0].ranges[1].first, 8);
	assert_int_equal(r.runs[0].ranges[1].last, 9);
	assert_int_equal(r.runs[0].ranges[2].first, 12);
	assert_int_equal(r.runs[0].ranges[2].last, 12);
	assert_int_equal(r.runs[1].run[0], 0x22);
	assert_int_equal(r.runs[1].n_ranges, 1);
	assert_int_equal(r.n_presentations, 6);
	assert_int_equal(r.n_complete, 5);
	assert_int_equal(r.n_refused, 4);
	assert_int_equal(r.n_conflicts, 1);
	store_resume_done(&r);
	fixture_done(&f);
}

static void plans_models_states_and_commands_are_found(void **state)
{
	struct fixture f;
	struct store_op *op;
	struct store_resume r;
	struct hash hash = fixture_hash("c");

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	op = fixture_decision(&f, 1, "prepare");
	strcpy(op->decision.pool_hash, "p001");
	fixture_ok(&f, op);
	fixture_ok(&f, fixture_slots(&f, 2, 0, "fallback", images, 3));
	fixture_ok(&f, fixture_slots(&f, 3, 0, "fallback", images, 2));
	fixture_ok(&f, fixture_slots(&f, 4, 0, "fallback", images, 1));
	fixture_ok(&f, fixture_number(&f, 1, "fallback", 2));
	fixture_ok(&f, fixture_handover(&f, 1, "fallback"));
	fixture_ok(&f, fixture_number(&f, 2, "fallback", 3));
	fixture_ok(&f, fixture_slots(&f, 5, 2, "chosen", images, 3));
	fixture_ok(&f, fixture_handover(&f, 2, "chosen"));
	for (int64_t decision = 6; decision < 8; decision++) {
		op = fixture_decision(&f, decision, "fit");
		snprintf(op->model_hash, sizeof op->model_hash, "m%lld", (long long)decision);
		fixture_ok(&f, op);
	}
	for (int i = 0; i < 3; i++) {
		op = fixture_op(&f, STORE_OP_COMMAND);
		op->text = i ? "exclude" : "pause";
		op->detail = i == 2 ? "noisy" : NULL;
		op->object = i ? json_pack("{s:i}", "unit", i) : NULL;
		fixture_ok(&f, op);
	}
	op = fixture_op(&f, STORE_OP_STATE);
	op->text = "paused";
	fixture_ok(&f, op);

	resume(&f, &r);
	assert_string_equal(r.state, "paused");
	assert_string_equal(r.pool_hash, "p001");
	assert_string_equal(r.model_hash, "m7");
	assert_int_equal(r.last_decision, 7);
	assert_int_equal(r.last_batch, 2);
	assert_int_equal(r.last_handed_batch, 2);
	assert_string_equal(r.handed_origin, "chosen");
	assert_int_equal(r.n_batches, 2);
	assert_string_equal(r.batches[0].origin, "chosen");
	assert_int_equal(r.batches[0].decision, 5);
	assert_int_equal(r.batches[0].n_slots, 3);
	assert_int_equal(r.batches[0].slots[2].slot, 2);
	assert_memory_equal(r.batches[0].slots[2].image.bytes, hash.bytes, HASH_SIZE);
	assert_string_equal(r.batches[0].slots[2].kind, "gaudy");
	assert_int_equal(r.batches[0].slots[2].repeat, 2);
	assert_int_equal(r.batches[0].slots[2].requeued, 1);
	assert_string_equal(r.batches[1].origin, "fallback");
	assert_int_equal(r.batches[1].n_slots, 2);
	assert_int_equal(r.batches[1].saw_seq, 7);
	assert_int_equal(r.n_stock, 1);
	assert_int_equal(r.stock[0].decision, 4);
	assert_int_equal(r.stock[0].batch, 0);
	assert_string_equal(r.stock[0].origin, "fallback");
	assert_int_equal(json_array_size(r.commands), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(r.commands, 0), RESUME_COMMAND_NAME)),
			    "pause");
	assert_null(json_object_get(json_array_get(r.commands, 0), RESUME_COMMAND_OBJECT));
	assert_string_equal(json_string_value(json_object_get(json_array_get(r.commands, 2), RESUME_COMMAND_DETAIL)),
			    "noisy");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(json_array_get(r.commands, 2), RESUME_COMMAND_OBJECT), "unit")),
			 2);
	store_resume_done(&r);
	fixture_done(&f);
}

static void units_come_and_go(void **state)
{
	struct fixture f;
	struct store_op *op;
	struct store_resume r;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	for (int again = 0; again < 2; again++) {
		op = fixture_op(&f, STORE_OP_UNITS);
		op->number = 40;
		op->object = json_pack("{s:i, s:I, s:[{s:i, s:s, s:i}], s:[i]}", "id", 17 + again, "from_number",
				       (json_int_t)40, "add", "id", 9, "label", "nèw", "array", 0, "retire", 2);
		fixture_ok(&f, op);
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM unit_change"), 1);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM units WHERE unit = 2 AND until_number = 40 AND until_run = 1"),
		1);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM units WHERE unit = 9 AND label = 'nèw' AND from_number = 40 "
				 "AND until_number IS NULL"),
		1);
	resume(&f, &r);
	assert_int_equal(r.spec.n_units, 4);
	assert_int_equal(r.spec.units[3].id, 9);
	assert_int_equal(r.spec.units[3].from_number, 40);
	assert_int_equal(r.spec.units[3].from_run, 1);
	assert_int_equal(r.spec.units[1].until_number, 40);
	assert_int_equal(r.spec.units[1].until_run, 1);
	assert_int_equal(r.spec.run, 1);
	store_resume_done(&r);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_that_was_only_opened),
		cmocka_unit_test(settled_numbers_are_ranges_of_each_run),
		cmocka_unit_test(plans_models_states_and_commands_are_found),
		cmocka_unit_test(units_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
