/* Units that come and go, over runs whose numbers begin again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "protocol/session_spec.h"
#include "session_json.h"

static struct error err;

static int change(struct session_spec *spec, const char *text)
{
	json_t *header = json(text);
	int rc = session_spec_change_units(spec, header, &err);

	json_decref(header);
	return rc;
}

static void units_come_and_go(void **state)
{
	struct session_spec spec, asked, stored;
	uint32_t index[LIMIT_UNITS];
	json_t *object;

	(void)state;
	parse_session(open_text, &spec);
	parse_session(open_text, &asked);
	spec.run = 1;
	assert_int_equal(change(&spec, "{'from_number':100,'add':[{'id':11,'array':0}],'retire':[7]}"), 0);
	assert_int_equal(spec.n_units, 3);
	assert_int_equal(session_spec_units_at(&spec, 99, index), 2);
	assert_int_equal(index[0], 0);
	assert_int_equal(session_spec_units_at(&spec, 100, index), 2);
	assert_int_equal(index[0], 1);
	assert_int_equal(index[1], 2);
	assert_true(session_spec_same(&spec, &asked));

	/* The next run counts from 1 again and has the newest units. */
	spec.run = 2;
	assert_int_equal(session_spec_units_at(&spec, 1, index), 2);
	assert_int_equal(index[1], 2);
	assert_int_equal(session_spec_units_in(&spec, 1, 99, index), 2);
	assert_int_equal(index[1], 1);

	assert_int_equal(session_spec_encode(&spec, &err, &object), 0);
	assert_int_equal(session_spec_parse(object, &err, &stored), 0);
	assert_int_equal(session_spec_units_in(&stored, 1, 99, index), 2);
	assert_int_equal(index[0], 0);
	assert_int_equal(session_spec_units_in(&stored, 2, 1, index), 2);
	assert_int_equal(index[0], 1);
	json_decref(object);
	session_spec_done(&stored);
	session_spec_done(&asked);
	session_spec_done(&spec);
}

static void changes_are_whole_or_none(void **state)
{
	static const char again[] = "{'from_number':100,'add':[{'id':11,'array':0}],'retire':[7]}";
	struct session_spec spec;
	uint32_t index[LIMIT_UNITS];

	(void)state;
	parse_session(open_text, &spec);
	spec.run = 1;
	assert_int_equal(change(&spec, again), 0);
	assert_int_equal(change(&spec, again), 0);
	assert_int_equal(spec.n_units, 3);
	assert_int_equal(change(&spec, "{'from_number':200,'add':[{'id':12,'array':0},{'id':7,'array':0}]}"), -EINVAL);
	assert_string_equal(err.text, "add[1].id: 7 was used before, ids are never reused");
	assert_int_equal(change(&spec, "{'from_number':200,'retire':[9,8]}"), -ENOENT);
	assert_string_equal(err.text, "retire[1]: unit 8 is unknown");
	assert_int_equal(change(&spec, "{'from_number':200,'retire':[7]}"), -ENOENT);
	assert_string_equal(err.text, "retire[0]: unit 7 was retired before");
	assert_int_equal(change(&spec, "{'from_number':200,'retire':['7']}"), -EPROTO);
	assert_int_equal(change(&spec, "{'from_number':0}"), -ERANGE);
	assert_int_equal(change(&spec, "{'from_number':200,'add':[{'id':12,'array':5}]}"), -ERANGE);
	assert_int_equal(spec.n_units, 3);
	assert_int_equal(session_spec_units_at(&spec, 300, index), 2);
	session_spec_done(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_come_and_go),
		cmocka_unit_test(changes_are_whole_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
