/* The content hash changes with every field that is content, and with nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/content.h"

static const uint16_t counts[] = {1, 2, 300};

static struct presentation example(void)
{
	return (struct presentation){.number = 7,
				     .trial = 2,
				     .position = 3,
				     .batch = 4,
				     .slot = 5,
				     .commanded_us = 1000,
				     .onset_us = 1013,
				     .onset_source = ONSET_TTL,
				     .outcome = OUTCOME_COMPLETE,
				     .responses = counts,
				     .responses_size = sizeof counts};
}

static struct hash hash_of(const struct presentation *presentation)
{
	struct hash hash;

	content_hash(presentation, &hash);
	return hash;
}

static void the_bytes_are_fixed(void **state)
{
	struct presentation p = example();
	struct hash hash = hash_of(&p);
	char hex[HASH_HEX_SIZE];

	(void)state;
	hash_to_hex(&hash, hex);
	/* sha256(struct.pack("<4q32s2q", 2, 3, 4, 5, b"", 1000, 1013) + b"ttl\0complete\0" +
	 *        struct.pack("<q3Hq", 6, 1, 2, 300, 0)) */
	assert_string_equal(hex, "ce11a545e4f696f98356de6c0ffb543ecf313350af6b3cdf9ffabb929024b186");
}

static void every_field_counts(void **state)
{
	const uint16_t other_counts[] = {1, 2, 301};
	const uint8_t mask[] = {0, 0, 1};
	struct presentation base = example(), p;
	struct hash hash = hash_of(&base), other;

	(void)state;
#define CHANGED(change)                                                                                                \
	do {                                                                                                           \
		p = example();                                                                                         \
		change;                                                                                                \
		other = hash_of(&p);                                                                                   \
		assert_false(hash_equal(&hash, &other));                                                               \
	} while (0)
	CHANGED(p.trial++);
	CHANGED(p.position++);
	CHANGED(p.batch++);
	CHANGED(p.slot++);
	CHANGED(p.commanded_us++);
	CHANGED(p.onset_us++);
	CHANGED(p.onset_source = ONSET_SOFTWARE);
	CHANGED(p.outcome = OUTCOME_ARTIFACT);
	CHANGED(p.responses = other_counts);
	CHANGED(p.responses_size -= 2);
	CHANGED(p.mask = mask; p.mask_size = sizeof mask);
	CHANGED(p.batch = 0);
#undef CHANGED
}

static void what_is_not_content_does_not_count(void **state)
{
	const uint8_t nothing_hidden[] = {0, 0, 0};
	struct presentation base = example(), p = example();
	struct hash hash = hash_of(&base), other;

	(void)state;
	p.number = 8;
	p.mask = nothing_hidden;
	p.mask_size = sizeof nothing_hidden;
	assert_int_equal(content_mask_size(&p), 0);
	/* Named by batch and slot, an image beside them says nothing more. */
	p.has_image = true;
	memset(p.image, 9, sizeof p.image);
	other = hash_of(&p);
	assert_true(hash_equal(&hash, &other));
}

static void fields_are_written_with_the_protocols_names(void **state)
{
	struct presentation p = example();
	struct error err;
	char *text;

	(void)state;
	assert_int_equal(content_fields(&p, &err, &text), 0);
	assert_string_equal(
		text, "{\"trial\":2,\"position\":3,\"commanded_us\":1000,\"onset_us\":1013,\"onset_source\":\"ttl\","
		      "\"outcome\":\"complete\",\"batch\":4,\"slot\":5}");
	free(text);
	p.batch = 0;
	p.has_image = true;
	assert_int_equal(content_fields(&p, &err, &text), 0);
	assert_non_null(strstr(text, ",\"image\":\"0000"));
	assert_null(strstr(text, "batch"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_fixed),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(what_is_not_content_does_not_count),
		cmocka_unit_test(fields_are_written_with_the_protocols_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
