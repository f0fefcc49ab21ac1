/* Blocks there and back; what refuses a block, what refuses one entry, at any address of the arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/presentation.h"

enum { N = 4, UNITS = 2, BINS = 3 };

static const uint8_t run[RUN_SIZE] = {0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint64_t dims[3] = {N, UNITS, BINS};

static struct session_unit units[] = {
	{.id = 70, .from_number = 1, .until_run = UINT32_MAX, .until_number = INT64_MAX},
	{.id = 90, .from_number = 1, .until_run = UINT32_MAX, .until_number = INT64_MAX},
};
static struct session_spec spec;
static uint16_t counts[N][UNITS][BINS];
static float rates[N][UNITS][BINS];
static uint8_t mask[N][UNITS][BINS];

static struct error err;
static uint8_t got_run[RUN_SIZE];
static struct presentation got[LIMIT_PRESENTATIONS];
static struct presentation_refusal refused[LIMIT_PRESENTATIONS];
static size_t n_got, n_refused;

static int setup(void **state)
{
	(void)state;
	spec = (struct session_spec){
		.response_type = RESPONSE_COUNTS, .n_units = UNITS, .units = units, .n_bins = BINS};
	units[1].until_run = UINT32_MAX;
	units[1].until_number = INT64_MAX;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0][0][0]; i++) {
		(&counts[0][0][0])[i] = (uint16_t)i;
		(&rates[0][0][0])[i] = (float)i - 5.5f;
	}
	memset(mask, 0, sizeof mask);
	n_got = n_refused = 999;
	return 0;
}

/* A good header with numbers 11..14. */
static void begin(struct message *message)
{
	json_t *entries = json_array();
	char hex[2 * RUN_SIZE + 1];

	assert_int_equal(message_init("presentations", 3, message), 0);
	message_hex(run, RUN_SIZE, hex);
	json_object_set_new(message->header, "run", json_string(hex));
	for (int i = 0; i < N; i++)
		json_array_append_new(entries,
				      json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:s, s:s}", "number", 11 + i,
						"trial", 3, "position", i, "batch", 1, "slot", i, "commanded_us",
						(json_int_t)1000000 * i, "onset_us", (json_int_t)1000000 * i + 8000,
						"onset_source", "photodiode", "outcome", "complete"));
	json_object_set_new(message->header, "presentations", entries);
}

static void make(struct message *message)
{
	begin(message);
	if (spec.response_type == RESPONSE_COUNTS)
		message_add_array(message, "responses", MESSAGE_U16, 3, dims, counts, NULL);
	else
		message_add_array(message, "responses", MESSAGE_F32, 3, dims, rates, NULL);
}

static json_t *entry(struct message *message, size_t i)
{
	return json_array_get(json_object_get(message->header, "presentations"), i);
}

static int parse(struct message *message)
{
	int rc = presentation_parse_block(message, &spec, &err, got_run, got, &n_got, refused, &n_refused);

	message_done(message);
	return rc;
}

static void assert_whole_refused(struct message *message, int code, const char *sentence)
{
	assert_int_equal(parse(message), code);
	if (!strstr(err.text, sentence))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, sentence));
	assert_int_equal(n_got, 999);
}

/* One of the four is refused with this sentence, the others are taken. */
static void assert_one_refused(struct message *message, int64_t number, const char *sentence)
{
	assert_int_equal(parse(message), 0);
	assert_int_equal(n_got, N - 1);
	assert_int_equal(n_refused, 1);
	assert_int_equal(refused[0].number, number);
	if (strcmp(refused[0].error.text, sentence) != 0)
		print_error("%s\n", refused[0].error.text);
	assert_string_equal(refused[0].error.text, sentence);
}

static void there_and_back(void **state)
{
	struct presentation sent[2] = {
		{.number = 5,
		 .trial = 2,
		 .position = 1,
		 .batch = 3,
		 .slot = 4,
		 .commanded_us = 10,
		 .onset_us = 20,
		 .onset_source = ONSET_TTL,
		 .outcome = OUTCOME_ARTIFACT,
		 .responses = counts[0],
		 .responses_size = sizeof counts[0],
		 .mask = &mask[1][0][0],
		 .mask_size = sizeof mask[1]},
		{.number = 6,
		 .trial = 2,
		 .position = 2,
		 .slot = -1,
		 .has_image = true,
		 .image = {1, 2, 255},
		 .commanded_us = 30,
		 .onset_us = PRESENTATION_NO_ONSET,
		 .onset_source = ONSET_SOFTWARE,
		 .outcome = OUTCOME_NOT_SHOWN,
		 .responses = counts[1],
		 .responses_size = sizeof counts[1]},
	};
	struct message message;

	(void)state;
	mask[1][0][1] = 1;
	assert_int_equal(presentation_encode_block(run, sent, 2, &spec, 8, &err, &message), 0);
	assert_int_equal(message_id(&message), 8);
	assert_int_equal(presentation_parse_block(&message, &spec, &err, got_run, got, &n_got, refused, &n_refused), 0);
	assert_int_equal(n_got, 2);
	assert_int_equal(n_refused, 0);
	assert_memory_equal(got_run, run, RUN_SIZE);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(got[i].number, sent[i].number);
		assert_int_equal(got[i].trial, sent[i].trial);
		assert_int_equal(got[i].position, sent[i].position);
		assert_int_equal(got[i].batch, sent[i].batch);
		assert_int_equal(got[i].slot, sent[i].slot);
		assert_int_equal(got[i].has_image, sent[i].has_image);
		assert_memory_equal(got[i].image, sent[i].image, sizeof got[i].image);
		assert_int_equal(got[i].commanded_us, sent[i].commanded_us);
		assert_int_equal(got[i].onset_us, sent[i].onset_us);
		assert_int_equal(got[i].onset_source, sent[i].onset_source);
		assert_int_equal(got[i].outcome, sent[i].outcome);
		assert_int_equal(got[i].responses_size, sizeof counts[0]);
		assert_memory_equal(got[i].responses, sent[i].responses, sizeof counts[0]);
	}
	assert_memory_equal(got[0].mask, mask[1], sizeof mask[1]);
	assert_int_equal(got[1].mask[0], 0);
	message_done(&message);
}

static void encode_refuses(void **state)
{
	struct presentation p = {.number = 1, .responses = counts, .responses_size = 2};
	struct message message;

	(void)state;
	assert_int_equal(presentation_encode_block(run, &p, 0, &spec, -1, &err, &message), -E2BIG);
	assert_int_equal(presentation_encode_block(run, &p, LIMIT_PRESENTATIONS + 1, &spec, -1, &err, &message),
			 -E2BIG);
	assert_int_equal(presentation_encode_block(run, &p, 1, &spec, -1, &err, &message), -EINVAL);
	assert_string_equal(err.text, "responses: presentation 1: 12 bytes expected (2 units, 3 bins), found 2");
}

static void names(void **state)
{
	enum presentation_outcome outcome;
	enum onset_source source;

	(void)state;
	for (enum presentation_outcome i = OUTCOME_COMPLETE; i <= OUTCOME_NOT_SHOWN; i++) {
		assert_int_equal(presentation_outcome_from_name(presentation_outcome_name(i), &outcome), 0);
		assert_int_equal(outcome, i);
	}
	for (enum onset_source i = ONSET_PHOTODIODE; i <= ONSET_SOFTWARE; i++) {
		assert_int_equal(onset_source_from_name(onset_source_name(i), &source), 0);
		assert_int_equal(source, i);
	}
	assert_null(presentation_outcome_name((enum presentation_outcome)99));
	assert_null(onset_source_name((enum onset_source)99));
	assert_int_equal(presentation_outcome_from_name("Complete", &outcome), -EINVAL);
	assert_int_equal(onset_source_from_name("", &source), -EINVAL);
}

static void whole_blocks_refused(void **state)
{
	const uint64_t three_units[3] = {N, 3, BINS}, flat[1] = {N * UNITS * BINS};
	struct message m;

	(void)state;
	make(&m);
	json_object_set_new(m.header, "run", json_string("abcd"));
	assert_whole_refused(&m, -EPROTO, "run: 32 hex digits expected, found \"abcd\" (4 bytes)");
	make(&m);
	json_object_del(m.header, "presentations");
	assert_whole_refused(&m, -EPROTO, "presentations: array expected, found nothing");
	make(&m);
	json_array_clear(json_object_get(m.header, "presentations"));
	assert_whole_refused(&m, -ERANGE, "presentations: at least 1 elements, found 0");
	make(&m);
	json_array_remove(json_object_get(m.header, "presentations"), 0);
	assert_whole_refused(&m, -EINVAL,
			     "responses: shape [3, 2, 3] expected (presentations, units at presentation 12, bins), "
			     "found [4, 2, 3]");
	make(&m);
	for (int i = 0; i < LIMIT_PRESENTATIONS; i++)
		json_array_append_new(json_object_get(m.header, "presentations"), json_integer(i));
	assert_whole_refused(&m, -E2BIG, "presentations: at most 1000 elements, found 1004");

	begin(&m);
	assert_whole_refused(&m, -EPROTO, "responses: an array of that name expected, found nothing");
	begin(&m);
	message_add_array(&m, "responses", MESSAGE_I64, 3, dims, counts, NULL);
	assert_whole_refused(&m, -EINVAL, "responses: dtype u16 expected, found i64");
	begin(&m);
	message_add_array(&m, "responses", MESSAGE_F32, 3, dims, rates, NULL);
	assert_whole_refused(&m, -EINVAL, "responses: dtype u16 expected, found f32");
	begin(&m);
	message_add_array(&m, "responses", MESSAGE_U16, 3, three_units, counts, NULL);
	assert_whole_refused(&m, -EINVAL, "found [4, 3, 3]");
	begin(&m);
	message_add_array(&m, "responses", MESSAGE_U16, 1, flat, counts, NULL);
	assert_whole_refused(&m, -EINVAL, "found [24]");
	make(&m);
	message_add_array(&m, "mask", MESSAGE_U16, 3, dims, counts, NULL);
	assert_whole_refused(&m, -EINVAL, "mask: dtype u8 expected, found u16");
	make(&m);
	json_object_set_new(entry(&m, 3), "number", json_integer(11));
	assert_whole_refused(&m, -EINVAL, "presentations[3].number: 11 is in this message twice");
}

static void units_change_inside(void **state)
{
	struct message m;

	(void)state;
	units[1].until_run = 0;
	units[1].until_number = 13;
	make(&m);
	assert_whole_refused(&m, -EINVAL, "presentations: the units change between presentations 11 and 14");
}

static void single_entries_refused(void **state)
{
	static const struct {
		const char *key, *value, *sentence;
	} bad[] = {
		{"trial", "'x'", "presentations[1].trial: integer expected, found string"},
		{"trial", "9007199254740992",
		 "presentations[1].trial: integer from 0 to 9007199254740991 expected, found 9007199254740992"},
		{"position", "-1", "presentations[1].position: integer from 0 to 9007199254740991 expected, found -1"},
		{"batch", "-1", "presentations[1].batch: integer from 0 to 9007199254740991 expected, found -1"},
		{"batch", "null", "presentations[1].image: string of hex digits expected, found nothing"},
		{"slot", "1000", "presentations[1].slot: integer from 0 to 999 expected, found 1000"},
		{"image", "'00'",
		 "presentations[1].image: either batch and slot or an image of the rig's own, found both"},
		{"commanded_us", "1.5", "presentations[1].commanded_us: integer expected, found real number"},
		{"onset_us", "null", "presentations[1].onset_us: integer expected, found null"},
		{"onset_source", "'guess'", "presentations[1].onset_source: unknown value \"guess\""},
		{"outcome", "'fine'", "presentations[1].outcome: unknown value \"fine\""},
		{"outcome", "true", "presentations[1].outcome: string expected, found true"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct message m;
		char text[64];

		setup(state);
		make(&m);
		snprintf(text, sizeof text, "[%s]", bad[i].value);
		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		json_t *wrapped = json_loads(text, 0, NULL);
		json_object_set(entry(&m, 1), bad[i].key, json_array_get(wrapped, 0));
		json_decref(wrapped);
		assert_one_refused(&m, 12, bad[i].sentence);
	}
}

static void entries_without_a_number(void **state)
{
	struct message m;

	(void)state;
	make(&m);
	json_array_set_new(json_object_get(m.header, "presentations"), 0, json_string("x"));
	assert_one_refused(&m, -1, "presentations[0]: object expected, found string");
	make(&m);
	json_object_set_new(entry(&m, 0), "number", json_integer(0));
	assert_one_refused(&m, -1, "presentations[0].number: integer from 1 to 9007199254740991 expected, found 0");
}

static void counts_over_the_limit(void **state)
{
	struct message m;

	(void)state;
	counts[2][1][2] = LIMIT_COUNT;
	make(&m);
	assert_int_equal(parse(&m), 0);
	assert_int_equal(n_got, N);
	assert_int_equal(n_refused, 0);
	counts[2][1][2] = LIMIT_COUNT + 1;
	make(&m);
	assert_one_refused(
		&m, 13, "presentations[2].responses: unit 90, bin 2: a count of at most 10000 expected, found 10001");
	/* Under the mask nothing is looked at. */
	mask[2][1][2] = 1;
	make(&m);
	message_add_array(&m, "mask", MESSAGE_U8, 3, dims, mask, NULL);
	assert_int_equal(parse(&m), 0);
	assert_int_equal(n_got, N);
	mask[2][1][2] = 2;
	make(&m);
	message_add_array(&m, "mask", MESSAGE_U8, 3, dims, mask, NULL);
	assert_one_refused(&m, 13, "presentations[2].mask: unit 90, bin 2: 0 or 1 expected, found 2");
}

static void not_finite(void **state)
{
	struct message m;

	(void)state;
	spec.response_type = RESPONSE_CONTINUOUS;
	make(&m);
	assert_int_equal(parse(&m), 0);
	assert_int_equal(n_got, N);
	assert_true(message_read_f32(got[0].responses, 0) == -5.5f);
	rates[0][0][1] = NAN;
	make(&m);
	assert_one_refused(&m, 11,
			   "presentations[0].responses: unit 70, bin 1: a finite number, or a mark in mask, expected, "
			   "found nan");
	rates[0][0][1] = -INFINITY;
	make(&m);
	assert_int_equal(parse(&m), 0);
	assert_int_equal(n_refused, 1);
}

static void not_shown_needs_no_onset(void **state)
{
	struct message m;

	(void)state;
	make(&m);
	json_object_set_new(entry(&m, 0), "outcome", json_string("not_shown"));
	json_object_del(entry(&m, 0), "onset_us");
	json_object_del(entry(&m, 0), "onset_source");
	assert_int_equal(parse(&m), 0);
	assert_int_equal(n_got, N);
	assert_int_equal(got[0].onset_us, PRESENTATION_NO_ONSET);
	assert_int_equal(got[0].onset_source, ONSET_SOFTWARE);
}

/* As a frame may lie at an odd address: under the sanitizers this would stop. */
static void odd_addresses(void **state)
{
	unsigned char *bytes = malloc(sizeof counts + 1);
	struct message m;

	(void)state;
	assert_non_null(bytes);
	memcpy(bytes + 1, counts, sizeof counts);
	begin(&m);
	message_add_array(&m, "responses", MESSAGE_U16, 3, dims, bytes + 1, NULL);
	assert_int_equal(parse(&m), 0);
	assert_int_equal(n_got, N);
	assert_int_equal(message_read_u16(got[3].responses, 5), counts[3][1][2]);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(there_and_back, setup),
		cmocka_unit_test_setup(encode_refuses, setup),
		cmocka_unit_test_setup(names, setup),
		cmocka_unit_test_setup(whole_blocks_refused, setup),
		cmocka_unit_test_setup(units_change_inside, setup),
		cmocka_unit_test_setup(single_entries_refused, setup),
		cmocka_unit_test_setup(entries_without_a_number, setup),
		cmocka_unit_test_setup(counts_over_the_limit, setup),
		cmocka_unit_test_setup(not_finite, setup),
		cmocka_unit_test_setup(not_shown_needs_no_onset, setup),
		cmocka_unit_test_setup(odd_addresses, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
