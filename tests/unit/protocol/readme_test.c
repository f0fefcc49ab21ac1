/* The specification is what the code does: every example of protocol/README.md goes through the parsers, every type,
 * code and limit is in it, and every key of an example is one of fields.h. Argument: the root of the source tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/client_internal.h"
#include "protocol/fields.h"
#include "protocol/presentation.h"
#include "protocol/session_spec.h"

enum { EXAMPLES_MAX = 100, NAME_MAX_BYTES = 64, LIST_MAX = 200 };

static char *readme, *fields_h, *limits_h;
static char *examples[EXAMPLES_MAX];
static size_t n_examples;
static struct error err;

static char *read_text(const char *root, const char *path)
{
	char name[1024], *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(name, sizeof name, "%s/%s", root, path);
	file = fopen(name, "rb");
	if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0) {
		fprintf(stderr, "%s: cannot be read\n", name);
		abort();
	}
	fclose(file);
	return text;
}

static void find_examples(void)
{
	static const char begin[] = "```json\n";
	const char *at = readme;

	while ((at = strstr(at, begin))) {
		const char *end = strstr(at += sizeof begin - 1, "```");

		assert_non_null(end);
		assert_true(n_examples < EXAMPLES_MAX);
		examples[n_examples++] = strndup(at, (size_t)(end - at));
		at = end;
	}
}

/* With frames of zeros, as large as the header says. */
static void parse_example(const char *text, struct message *message)
{
	static const unsigned char zeros[4096];
	const void *frames[LIMIT_FRAMES] = {text};
	size_t sizes[LIMIT_FRAMES] = {strlen(text)}, n = 1, i;
	json_t *header = json_loads(text, 0, NULL), *entry;
	int64_t id;

	json_array_foreach(json_object_get(header, FIELD_FRAMES), i, entry)
	{
		const char *dtype = json_string_value(json_object_get(entry, FIELD_DTYPE));
		json_t *dim;
		size_t j;

		sizes[n] = !strcmp(dtype, "u16") ? 2 : 1;
		json_array_foreach(json_object_get(entry, FIELD_SHAPE), j, dim) sizes[n] *=
			(size_t)json_integer_value(dim);
		assert_true(sizes[n] <= sizeof zeros);
		frames[n++] = zeros;
	}
	json_decref(header);
	if (message_parse(frames, sizes, n, &err, message, &id))
		fail_msg("%s\n%s", err.text, text);
	assert_true(id > 0);
}

/* The one example of that type that has this key (NULL: any). */
static void find_example(const char *type, const char *key, struct message *ret_message)
{
	for (size_t i = 0; i < n_examples; i++) {
		struct message message;

		parse_example(examples[i], &message);
		if (!strcmp(message_type(&message), type) && (!key || message_has(message.header, key))) {
			*ret_message = message;
			return;
		}
		message_done(&message);
	}
	fail_msg("no example of %s", type);
}

/* Names behind `#define PREFIX` (their value, if it is a string) or `PREFIX..._` in an enum. */
static size_t find_names(const char *text, const char *prefix, bool values, char names[LIST_MAX][NAME_MAX_BYTES])
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, prefix)); at++) {
		size_t size = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
		const char *from = at;

		if (at > text && (strspn(at - 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") || size == strlen(prefix)))
			continue;
		if (values) {
			from = at + size + strspn(at + size, " \t");
			if (*from++ != '"')
				continue;
			size = strcspn(from, "\"");
		}
		assert_true(n < LIST_MAX && size < NAME_MAX_BYTES);
		snprintf(names[n++], NAME_MAX_BYTES, "%.*s", (int)size, from);
	}
	assert_true(n > 0);
	return n;
}

static bool has_name(char names[LIST_MAX][NAME_MAX_BYTES], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

static void each_example_is_a_message(void **state)
{
	(void)state;
	assert_true(n_examples >= 30);
	for (size_t i = 0; i < n_examples; i++) {
		struct message message;

		parse_example(examples[i], &message);
		message_done(&message);
	}
}

static void each_type_has_an_example_and_no_other(void **state)
{
	static char types[LIST_MAX][NAME_MAX_BYTES];
	size_t n = find_names(fields_h, "TYPE_", true, types);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct message message;

		find_example(types[i], NULL, &message);
		message_done(&message);
	}
	for (size_t i = 0; i < n_examples; i++) {
		struct message message;

		parse_example(examples[i], &message);
		if (!has_name(types, n, message_type(&message)))
			fail_msg("fields.h has no type %s", message_type(&message));
		message_done(&message);
	}
}

static void check_keys(const json_t *value, char keys[LIST_MAX][NAME_MAX_BYTES], size_t n)
{
	json_t *child;
	const char *key;
	size_t i;

	json_object_foreach((json_t *)value, key, child)
	{
		if (!has_name(keys, n, key))
			fail_msg("fields.h has no key %s", key);
		check_keys(child, keys, n);
	}
	json_array_foreach(value, i, child) check_keys(child, keys, n);
}

static void each_key_is_named(void **state)
{
	static char keys[LIST_MAX][NAME_MAX_BYTES];
	size_t n = find_names(fields_h, "FIELD_", true, keys);

	(void)state;
	for (size_t i = 0; i < n_examples; i++) {
		struct message message;

		parse_example(examples[i], &message);
		check_keys(message.header, keys, n);
		message_done(&message);
	}
}

/* In the text as `name`. */
static void assert_mentioned(const char *name)
{
	char quoted[NAME_MAX_BYTES + 2];

	snprintf(quoted, sizeof quoted, "`%s`", name);
	if (!strstr(readme, quoted))
		fail_msg("README.md does not mention %s", quoted);
}

static void each_code_and_limit_is_mentioned(void **state)
{
	static char names[LIST_MAX][NAME_MAX_BYTES];
	size_t n = find_names(fields_h, "CODE_", true, names);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_mentioned(names[i]);
	n = find_names(limits_h, "LIMIT_", false, names);
	for (size_t i = 0; i < n; i++)
		assert_mentioned(names[i]);
	for (enum presentation_outcome i = OUTCOME_COMPLETE; i <= OUTCOME_NOT_SHOWN; i++)
		assert_mentioned(presentation_outcome_name(i));
	for (enum onset_source i = ONSET_PHOTODIODE; i <= ONSET_SOFTWARE; i++)
		assert_mentioned(onset_source_name(i));
	for (enum message_dtype i = MESSAGE_U8; i <= MESSAGE_BYTES; i++)
		assert_mentioned(message_dtype_name(i));
}

static void the_session_is_one(void **state)
{
	static struct presentation presentations[LIMIT_PRESENTATIONS];
	static struct presentation_refusal refusals[LIMIT_PRESENTATIONS];
	struct message message;
	struct session_spec spec;
	uint8_t run[RUN_SIZE];
	size_t n, n_refusals;

	(void)state;
	find_example(TYPE_OPEN, NULL, &message);
	assert_int_equal(session_spec_parse(message.header, &err, &spec), 0);
	message_done(&message);
	find_example(TYPE_PRESENTATIONS, NULL, &message);
	if (presentation_parse_block(&message, &spec, &err, run, presentations, &n, refusals, &n_refusals))
		fail_msg("%s", err.text);
	assert_int_equal(n, 3);
	assert_int_equal(n_refusals, 0);
	assert_non_null(presentations[0].mask);
	message_done(&message);
	find_example(TYPE_UNITS, NULL, &message);
	spec.run = 1;
	assert_int_equal(session_spec_change_units(&spec, message.header, &err), 0);
	assert_int_equal(spec.n_units, 3);
	message_done(&message);
	session_spec_done(&spec);
}

static void the_batch_is_one(void **state)
{
	struct message message;
	struct client_batch batch;

	(void)state;
	find_example(TYPE_BATCH, NULL, &message);
	if (client_batch_parse(&message, &err, &batch))
		fail_msg("%s", err.text);
	assert_int_equal(batch.n_slots, 2);
	assert_int_equal(batch.slots[1].png_size, 1100);
	client_batch_done(&batch);
	message_done(&message);
	find_example(TYPE_ERROR, NULL, &message);
	assert_int_equal(client_check_answer(&message, TYPE_SETTLED, &err), -EINVAL);
	message_done(&message);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_example_is_a_message), cmocka_unit_test(each_type_has_an_example_and_no_other),
		cmocka_unit_test(each_key_is_named),	     cmocka_unit_test(each_code_and_limit_is_mentioned),
		cmocka_unit_test(the_session_is_one),	     cmocka_unit_test(the_batch_is_one),
	};
	const char *root = argc > 1 ? argv[1] : ".";
	int n_failed;

	readme = read_text(root, "protocol/README.md");
	fields_h = read_text(root, "protocol/fields.h");
	limits_h = read_text(root, "protocol/limits.h");
	find_examples();
	n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	while (n_examples > 0)
		free(examples[--n_examples]);
	free(readme);
	free(fields_h);
	free(limits_h);
	return n_failed;
}
