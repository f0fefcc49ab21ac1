/* Notes, commands, events. */
#include "tests/unit/daemon/store/fixture.h"

static void notes_are_of_a_run_or_of_an_operator(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	op = fixture_op(&f, STORE_OP_NOTE);
	op->text = "the rig's: 猿は眠い";
	fixture_ok(&f, op);
	op = fixture_op(&f, STORE_OP_NOTE);
	memset(op->run, 0, RUN_SIZE);
	op->text = "an operator's";
	fixture_ok(&f, op);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM note WHERE run = 1 AND text = 'the rig''s: 猿は眠い'"),
			 1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM note WHERE run IS NULL AND received_us > 0"), 1);
	fixture_done(&f);
}

static void commands_keep_their_fields_and_events_their_kind(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	op = fixture_op(&f, STORE_OP_COMMAND);
	op->text = "exclude";
	op->detail = "drifts";
	op->object = json_pack("{s:i}", "unit", 3);
	fixture_ok(&f, op);
	op = fixture_op(&f, STORE_OP_COMMAND);
	op->text = "pause";
	op->detail = "";
	fixture_ok(&f, op);
	op = fixture_op(&f, STORE_OP_EVENT);
	op->text = "worker_lost";
	op->detail = "signal 9";
	fixture_ok(&f, op);
	assert_int_equal(fixture_read(&f, "SELECT json_extract(fields, '$.unit') FROM command WHERE name = 'exclude' "
					  "AND detail = 'drifts'"),
			 3);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM command WHERE detail IS NULL AND fields IS NULL"), 1);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM event JOIN log USING (seq) WHERE event.kind = 'worker_lost' "
				 "AND log.kind = 'event' AND at_us > 1600000000000000"),
		1);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_are_of_a_run_or_of_an_operator),
		cmocka_unit_test(commands_keep_their_fields_and_events_their_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
