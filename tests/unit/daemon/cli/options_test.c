/* Command lines that are right, and ones that are wrong in each way that a person gets them wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/options.h"

struct settings {
	bool json;
	int64_t count;
	double rate;
	const char *out;
	struct options_list files;
};

static int parse(struct settings *settings, struct options *options, char *line, struct error *err)
{
	static char *argv[64];
	int argc = 0;
	const struct options_entry entries[] = {
		{"json", NULL, "as JSON", OPTIONS_FLAG, .value = &settings->json},
		{"count", "N", "how many", OPTIONS_INT, 1, 1000, &settings->count},
		{"rate", "HZ", "how fast", OPTIONS_REAL, 0, 100, &settings->rate},
		{"out", "FILE", "where to", OPTIONS_TEXT, .value = &settings->out, .required = true},
		{"files", "FILE", "inputs", OPTIONS_LIST, .value = &settings->files},
	};

	argv[argc++] = "verb";
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	options->entries = entries;
	options->n_entries = sizeof(entries) / sizeof(entries[0]);
	return options_parse(options, argc, argv, err);
}

static void takes_every_type(void **state)
{
	struct settings settings = {.count = 5, .rate = 2};
	struct options options = {.n_operands_max = 3};
	char line[] = "one --out=x --files a b --json --rate 0.5 --files c --count 7 two -- --three";

	(void)state;
	assert_int_equal(parse(&settings, &options, line, NULL), 0);
	assert_true(settings.json);
	assert_int_equal(settings.count, 7);
	assert_true(settings.rate == 0.5);
	assert_string_equal(settings.out, "x");
	assert_int_equal(settings.files.n, 3);
	assert_string_equal(settings.files.items[2], "c");
	assert_int_equal(options.n_operands, 3);
	assert_string_equal(options.operands[0], "one");
	assert_string_equal(options.operands[1], "two");
	assert_string_equal(options.operands[2], "--three");
}

static void defaults_stay(void **state)
{
	struct settings settings = {.count = 5, .rate = 2};
	struct options options = {0};
	char line[] = "--out x";

	(void)state;
	assert_int_equal(parse(&settings, &options, line, NULL), 0);
	assert_int_equal(settings.count, 5);
	assert_false(settings.json);
}

static void errors_name_option_range_and_found(void **state)
{
	static const struct {
		const char *line, *sentence;
	} cases[] = {
		{"--out x --count 0", "--count: 1 to 1000 expected, found 0"},
		{"--out x --count 99999999999999999999", "--count: 1 to 1000 expected, found 99999999999999999999"},
		{"--out x --count 7.5", "--count: a whole number expected, found \"7.5\""},
		{"--out x --rate fast", "--rate: a number expected, found \"fast\""},
		{"--out x --rate nan", "--rate: a number expected, found \"nan\""},
		{"--out x --rate -1", "--rate: 0 to 100 expected, found -1"},
		{"--out --json", "--out: FILE expected, found nothing"},
		{"--out x --count", "--count: N expected, found nothing"},
		{"--out x --json=yes", "--json: takes no value, found \"yes\""},
		{"--out x --jsom", "--jsom: there is no such option; --help lists them"},
		{"--json", "--out FILE is needed"},
		{"--out x one", "no operands expected, found \"one\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings settings = {.count = 5, .rate = 2};
		struct options options = {0};
		struct error err = {0};
		char line[128];

		snprintf(line, sizeof(line), "%s", cases[i].line);
		assert_int_equal(parse(&settings, &options, line, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].sentence);
	}
}

static void list_is_bounded(void **state)
{
	static char *argv[OPTIONS_LIST_MAX + 4];
	static struct options_list files;
	const struct options_entry entries[] = {{"files", "FILE", "inputs", OPTIONS_LIST, .value = &files}};
	struct options options = {.entries = entries, .n_entries = 1};
	struct error err = {0};

	(void)state;
	argv[0] = "verb";
	argv[1] = "--files";
	for (int i = 0; i <= OPTIONS_LIST_MAX; i++)
		argv[2 + i] = "a";
	assert_int_equal(options_parse(&options, OPTIONS_LIST_MAX + 3, argv, &err), -EINVAL);
	assert_string_equal(err.text, "--files: at most 1024 values, found more");
}

static void help_prints_defaults_and_example(void **state)
{
	int64_t count = 5;
	const struct options_entry entries[] = {{"count", "N", "how many", OPTIONS_INT, 1, 1000, &count}};
	struct options options = {.entries = entries, .n_entries = 1};
	const struct verb verb = {"make", "makes things", "FILE", "evoke make --count 3 x.db", NULL};
	char *text = NULL;
	size_t size = 0;
	char *argv[] = {"make", "--count", "junk-is-not-looked-at-after-help", NULL};
	FILE *out = open_memstream(&text, &size);

	(void)state;
	options_help(&options, &verb, out);
	fclose(out);
	assert_non_null(strstr(text, "Usage: evoke make [options] FILE"));
	assert_non_null(strstr(text, "how many (5)"));
	assert_non_null(strstr(text, "evoke make --count 3 x.db"));
	free(text);

	argv[1] = "--help";
	assert_int_equal(options_parse(&options, 3, argv, NULL), 0);
	assert_true(options.help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_type),
		cmocka_unit_test(defaults_stay),
		cmocka_unit_test(errors_name_option_range_and_found),
		cmocka_unit_test(list_is_bounded),
		cmocka_unit_test(help_prints_defaults_and_example),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
