/* A declaration for tests of the session, and JSON that is easy to read in C. */
#ifndef TESTS_UNIT_PROTOCOL_SESSION_JSON_H
#define TESTS_UNIT_PROTOCOL_SESSION_JSON_H

#include <string.h>

#include "protocol/session_spec.h"

static const char open_text[] =
	"{'name':'pe_2021-03.25','response_type':'counts',"
	"'arrays':[{'name':'A','area':'V4','rf':{'x_deg':2.5,'y_deg':-3,'size_deg':4}},{'name':'B'}],"
	"'units':[{'id':7,'label':'A-001a','array':0},{'id':9,'array':1}],"
	"'bins':[{'start_ms':0,'end_ms':50},{'start_ms':50,'end_ms':150}],"
	"'target':{'first_bin':1,'n_bins':1},"
	"'display':{'size_deg':4,'x_deg':2.5,'y_deg':-3,'pixels_per_deg':28,'refresh_hz':120,'background':[128,127,0]}"
	"}";

/* JSON with ' in place of ". */
static json_t *json(const char *text)
{
	char copy[4096];
	json_t *value;

	assert_true(strlen(text) < sizeof copy);
	strcpy(copy, text);
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	return value;
}

static void parse_session(const char *text, struct session_spec *spec)
{
	json_t *header = json(text);

	assert_int_equal(session_spec_parse(header, NULL, spec), 0);
	json_decref(header);
}

#endif
