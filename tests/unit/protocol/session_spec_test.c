/* `open` there and back, each wrong field named. */
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

/* The good `open` with one field in place of its own; `value` NULL leaves the field out. */
static void assert_refused(const char *key, const char *value, int code, const char *sentence)
{
	struct session_spec spec = {.n_bins = 77};
	json_t *header = json(open_text);

	if (value) {
		char text[256];
		json_t *wrapped;

		snprintf(text, sizeof text, "{'x':%s}", value);
		wrapped = json(text);
		json_object_set(header, key, json_object_get(wrapped, "x"));
		json_decref(wrapped);
	} else {
		json_object_del(header, key);
	}
	assert_int_equal(session_spec_parse(header, &err, &spec), code);
	if (strcmp(err.text, sentence) != 0)
		print_error("%s\n", err.text);
	assert_string_equal(err.text, sentence);
	assert_int_equal(spec.n_bins, 77);
	json_decref(header);
}

static void there_and_back(void **state)
{
	struct session_spec spec, again;
	json_t *object, *object_again;

	(void)state;
	parse_session(open_text, &spec);
	assert_string_equal(spec.name, "pe_2021-03.25");
	assert_int_equal(spec.response_type, RESPONSE_COUNTS);
	assert_int_equal(spec.n_arrays, 2);
	assert_true(spec.arrays[0].rf_known && spec.arrays[0].rf_y_deg == -3);
	assert_false(spec.arrays[1].rf_known);
	assert_int_equal(spec.n_units, 2);
	assert_int_equal(spec.units[1].id, 9);
	assert_string_equal(spec.units[0].label, "A-001a");
	assert_int_equal(spec.target_first_bin, 1);
	assert_true(spec.refresh_hz == 120);
	assert_int_equal(spec.background[1], 127);

	assert_int_equal(session_spec_encode(&spec, &err, &object), 0);
	assert_int_equal(session_spec_parse(object, &err, &again), 0);
	assert_int_equal(session_spec_encode(&again, &err, &object_again), 0);
	assert_true(json_equal(object, object_again));
	assert_true(session_spec_same(&spec, &again));
	json_decref(object);
	json_decref(object_again);
	session_spec_done(&again);
	session_spec_done(&spec);
	session_spec_done(&spec);
	session_spec_done(NULL);
}

static void what_may_be_left_out(void **state)
{
	struct session_spec spec;

	(void)state;
	parse_session(
		"{'name':'s','response_type':'continuous','arrays':[{'name':'A','rf':null}],"
		"'units':[{'id':0,'array':0}],'bins':[{'start_ms':50,'end_ms':150},{'start_ms':150,'end_ms':200}]}",
		&spec);
	assert_int_equal(spec.target_first_bin, 0);
	assert_int_equal(spec.target_n_bins, 2);
	assert_int_equal(spec.background[0], 128);
	assert_true(spec.pixels_per_deg == 0);
	assert_false(spec.arrays[0].rf_known);
	session_spec_done(&spec);
}

static void wrong_fields_are_named(void **state)
{
	(void)state;
	assert_refused("name", NULL, -EPROTO, "name: string expected, found nothing");
	assert_refused("name", "'../../etc/passwd'", -EINVAL,
		       "name: letters, digits, '-', '_' and '.' (not first) expected, found \"../../etc/passwd\"");
	assert_refused("name", "'.hidden'", -EINVAL,
		       "name: letters, digits, '-', '_' and '.' (not first) expected, found \".hidden\"");
	assert_refused("name", "''", -EINVAL,
		       "name: letters, digits, '-', '_' and '.' (not first) expected, found \"\"");
	assert_refused("name", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", -E2BIG,
		       "name: at most 64 bytes, found 65");
	assert_refused("response_type", "'volts'", -EINVAL,
		       "response_type: counts or continuous expected, found \"volts\"");
	assert_refused("arrays", "[]", -ERANGE, "arrays: at least 1 elements, found 0");
	assert_refused("arrays", "[7]", -EPROTO, "arrays[0]: object expected, found integer");
	assert_refused("arrays", "[{'name':''}]", -EINVAL, "arrays[0].name: it is empty");
	assert_refused("arrays", "[{'name':'A'},{'name':'A'}]", -EINVAL, "arrays[1].name: \"A\" is there twice");
	assert_refused("arrays", "[{'name':'A','rf':{'x_deg':1}}]", -EPROTO,
		       "arrays[0].rf.y_deg: number expected, found nothing");
	assert_refused("arrays", "[{'name':'A','rf':{'x_deg':1,'y_deg':999,'size_deg':1}}]", -ERANGE,
		       "arrays[0].rf.y_deg: number from -180 to 180 expected, found 999");
	assert_refused("units", "{}", -EPROTO, "units: array expected, found object");
	assert_refused("units", "[{'id':-1,'array':0}]", -ERANGE,
		       "units[0].id: integer from 0 to 4294967295 expected, found -1");
	assert_refused("units", "[{'id':1,'array':2}]", -ERANGE,
		       "units[0].array: integer from 0 to 1 expected, found 2");
	assert_refused("units", "[{'id':1,'array':0},{'id':1,'array':0}]", -EINVAL, "units[1].id: 1 is there twice");
	assert_refused("bins", "[]", -ERANGE, "bins: at least 1 elements, found 0");
	assert_refused("bins", "[{'start_ms':50,'end_ms':50}]", -EINVAL,
		       "bins[0].end_ms: more than the start of 50 ms expected, found 50");
	assert_refused("bins", "[{'start_ms':0,'end_ms':50},{'start_ms':40,'end_ms':60}]", -EINVAL,
		       "bins[1].start_ms: at least the end of the bin before, 50 ms, expected, found 40");
	assert_refused("target", "{'first_bin':1,'n_bins':2}", -ERANGE,
		       "target.n_bins: integer from 1 to 1 expected, found 2");
	assert_refused("target", "{'first_bin':2,'n_bins':1}", -ERANGE,
		       "target.first_bin: integer from 0 to 1 expected, found 2");
	assert_refused("display", "{'background':[0,0,256]}", -ERANGE,
		       "display.background[2]: integer from 0 to 255 expected");
	assert_refused("display", "{'refresh_hz':-1}", -ERANGE,
		       "display.refresh_hz: number from 0 to 10000 expected, found -1");
}

static void too_many(void **state)
{
	json_t *header = json(open_text), *units = json_array(), *bins = json_array();
	struct session_spec spec;

	(void)state;
	for (int i = 0; i < LIMIT_UNITS; i++)
		json_array_append_new(units, json_pack("{s:i, s:i}", "id", i, "array", 0));
	json_object_set_new(header, "units", units);
	assert_int_equal(session_spec_parse(header, &err, &spec), 0);
	assert_int_equal(spec.n_units, LIMIT_UNITS);
	session_spec_done(&spec);
	json_array_append_new(units, json_pack("{s:i, s:i}", "id", LIMIT_UNITS, "array", 0));
	assert_int_equal(session_spec_parse(header, &err, &spec), -E2BIG);
	assert_string_equal(err.text, "units: at most 1024 elements, found 1025");
	json_array_remove(units, 0);
	for (int i = 0; i <= LIMIT_BINS; i++)
		json_array_append_new(bins, json_pack("{s:i, s:i}", "start_ms", i, "end_ms", i + 1));
	json_object_set_new(header, "bins", bins);
	assert_int_equal(session_spec_parse(header, &err, &spec), -E2BIG);
	assert_string_equal(err.text, "bins: at most 32 elements, found 33");
	json_decref(header);
}

static void same_or_other(void **state)
{
	static const char *const others[][2] = {
		{"name", "'other'"},
		{"response_type", "'continuous'"},
		{"units", "[{'id':7,'label':'A-001a','array':0}]"},
		{"units", "[{'id':7,'label':'A-001b','array':0},{'id':9,'array':1}]"},
		{"bins", "[{'start_ms':0,'end_ms':51},{'start_ms':51,'end_ms':150}]"},
		{"target", "{'first_bin':0,'n_bins':1}"},
		{"display", "{}"},
	};
	struct session_spec spec;

	(void)state;
	parse_session(open_text, &spec);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct session_spec other;
		char text[256];
		json_t *header = json(open_text), *wrapped;

		snprintf(text, sizeof text, "{'x':%s}", others[i][1]);
		wrapped = json(text);
		json_object_set(header, others[i][0], json_object_get(wrapped, "x"));
		assert_int_equal(session_spec_parse(header, &err, &other), 0);
		assert_false(session_spec_same(&spec, &other));
		session_spec_done(&other);
		json_decref(wrapped);
		json_decref(header);
	}
	session_spec_done(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),	  cmocka_unit_test(what_may_be_left_out),
		cmocka_unit_test(wrong_fields_are_named), cmocka_unit_test(too_many),
		cmocka_unit_test(same_or_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
