/* Flow: argv is walked once; operands are moved to its front (so they need no memory), options are looked up in the
 * table and written through `value`. Every failure is one sentence; the first one ends the walk. */
#include "daemon/cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 26 };

static const struct options_entry *find_entry(const struct options *options, const char *name, size_t size)
{
	for (size_t i = 0; i < options->n_entries; i++)
		if (strlen(options->entries[i].name) == size && memcmp(options->entries[i].name, name, size) == 0)
			return &options->entries[i];
	return NULL;
}

static int set_number(const struct options_entry *entry, const char *text, struct error *err)
{
	char *end = NULL;
	bool whole = entry->type == OPTIONS_INT;
	long long integer = 0;
	double number = 0;

	errno = 0;
	if (whole) {
		integer = strtoll(text, &end, 10);
		number = (double)integer;
	} else {
		number = strtod(text, &end);
	}
	if (end == text || *end != '\0' || isnan(number))
		return error_set(err, -EINVAL, "--%s: a %snumber expected, found \"%s\"", entry->name,
				 whole ? "whole " : "", text);
	if (errno == ERANGE || number < entry->min || number > entry->max)
		return error_set(err, -EINVAL, "--%s: %.15g to %.15g expected, found %s", entry->name, entry->min,
				 entry->max, text);
	if (whole)
		*(int64_t *)entry->value = integer;
	else
		*(double *)entry->value = number;
	return 0;
}

static int add_item(const struct options_entry *entry, const char *text, struct error *err)
{
	struct options_list *list = entry->value;

	if (list->n == OPTIONS_LIST_MAX)
		return error_set(err, -EINVAL, "--%s: at most %d values, found more", entry->name, OPTIONS_LIST_MAX);
	list->items[list->n++] = text;
	return 0;
}

static int set_value(const struct options_entry *entry, const char *text, struct error *err)
{
	switch (entry->type) {
	case OPTIONS_FLAG:
		return error_set(err, -EINVAL, "--%s: takes no value, found \"%s\"", entry->name, text);
	case OPTIONS_INT:
	case OPTIONS_REAL:
		return set_number(entry, text, err);
	case OPTIONS_TEXT:
		*(const char **)entry->value = text;
		return 0;
	case OPTIONS_LIST:
		return add_item(entry, text, err);
	}
	return 0;
}

/* Takes the option at argv[*i] and its values; leaves *i behind the last one. */
static int take_option(const struct options *options, int argc, char **argv, int *i, struct error *err)
{
	const char *name = argv[*i] + 2;
	const char *equals = strchr(name, '=');
	size_t size = equals ? (size_t)(equals - name) : strlen(name);
	const struct options_entry *entry = find_entry(options, name, size);

	if (!entry)
		return error_set(err, -EINVAL, "--%.*s: there is no such option; --help lists them", (int)size, name);
	++*i;
	if (equals)
		return set_value(entry, equals + 1, err);
	if (entry->type == OPTIONS_FLAG) {
		*(bool *)entry->value = true;
		return 0;
	}
	if (*i >= argc || strncmp(argv[*i], "--", 2) == 0)
		return error_set(err, -EINVAL, "--%s: %s expected, found nothing", entry->name, entry->argument);
	do {
		int r = set_value(entry, argv[(*i)++], err);
		if (r < 0)
			return r;
	} while (entry->type == OPTIONS_LIST && *i < argc && strncmp(argv[*i], "--", 2) != 0);
	return 0;
}

static bool is_set(const struct options_entry *entry)
{
	switch (entry->type) {
	case OPTIONS_FLAG:
		return *(const bool *)entry->value;
	case OPTIONS_TEXT:
		return *(const char *const *)entry->value != NULL;
	case OPTIONS_LIST:
		return ((const struct options_list *)entry->value)->n > 0;
	case OPTIONS_INT:
	case OPTIONS_REAL:
		return true;
	}
	return true;
}

static int check_complete(const struct options *options, struct error *err)
{
	for (size_t i = 0; i < options->n_entries; i++)
		if (options->entries[i].required && !is_set(&options->entries[i]))
			return error_set(err, -EINVAL, "--%s %s is needed", options->entries[i].name,
					 options->entries[i].argument);
	if (options->n_operands < options->n_operands_min || options->n_operands > options->n_operands_max) {
		if (options->n_operands_max == 0)
			return error_set(err, -EINVAL, "no operands expected, found \"%s\"", options->operands[0]);
		if (options->n_operands_min == options->n_operands_max)
			return error_set(err, -EINVAL, "operands: %zu expected, found %zu", options->n_operands_min,
					 options->n_operands);
		return error_set(err, -EINVAL, "operands: %zu to %zu expected, found %zu", options->n_operands_min,
				 options->n_operands_max, options->n_operands);
	}
	return 0;
}

int options_parse(struct options *options, int argc, char **argv, struct error *err)
{
	bool only_operands = false;
	int i = 1;

	options->n_operands = 0;
	options->operands = argv + (argc > 0 ? 1 : 0);
	options->help = false;
	while (i < argc) {
		if (only_operands || strncmp(argv[i], "--", 2) != 0) {
			options->operands[options->n_operands++] = argv[i++];
			continue;
		}
		if (argv[i][2] == '\0') {
			only_operands = true;
			i++;
			continue;
		}
		if (strcmp(argv[i], "--help") == 0) {
			options->help = true;
			return 0;
		}
		int r = take_option(options, argc, argv, &i, err);
		if (r < 0)
			return r;
	}
	return check_complete(options, err);
}

static void print_default(const struct options_entry *entry, FILE *out)
{
	switch (entry->type) {
	case OPTIONS_INT:
		fprintf(out, " (%lld)", (long long)*(const int64_t *)entry->value);
		break;
	case OPTIONS_REAL:
		fprintf(out, " (%g)", *(const double *)entry->value);
		break;
	case OPTIONS_TEXT:
		if (is_set(entry))
			fprintf(out, " (%s)", *(const char *const *)entry->value);
		break;
	case OPTIONS_FLAG:
	case OPTIONS_LIST:
		break;
	}
}

static void print_usage(const struct options *options, const struct verb *verb, FILE *out)
{
	fprintf(out, "Usage: evoke %s%s%s%s\n", verb->name, options->n_entries > 0 ? " [options]" : "",
		verb->operands[0] ? " " : "", verb->operands);
}

void options_help(const struct options *options, const struct verb *verb, FILE *out)
{
	fprintf(out, "evoke %s: %s\n\n", verb->name, verb->purpose);
	print_usage(options, verb, out);
	if (options->n_entries > 0)
		fputs("\nOptions (defaults in brackets):\n", out);
	for (size_t i = 0; i < options->n_entries; i++) {
		const struct options_entry *entry = &options->entries[i];
		int used = fprintf(out, "  --%s%s%s%s", entry->name, entry->argument ? " " : "",
				   entry->argument ? entry->argument : "", entry->type == OPTIONS_LIST ? " …" : "");
		if (entry->type == OPTIONS_LIST)
			used -= 2; /* the ellipsis is three bytes and one column */
		fprintf(out, "%*s%s", used < HELP_COLUMN ? HELP_COLUMN - used : 1, "", entry->help);
		print_default(entry, out);
		fputs(entry->required ? " (needed)\n" : "\n", out);
	}
	fprintf(out, "\nExample:\n  %s\n\nExit codes: 0 done, 1 failed, 2 wrong usage.\n", verb->example);
}

bool options_take(struct options *options, const struct verb *verb, int argc, char **argv, int *ret_exit)
{
	struct error err = {0};

	if (options_parse(options, argc, argv, &err) < 0) {
		fprintf(stderr, "evoke %s: %s\n", verb->name, err.text);
		print_usage(options, verb, stderr);
		*ret_exit = VERB_USAGE;
		return false;
	}
	if (options->help) {
		options_help(options, verb, stdout);
		*ret_exit = VERB_OK;
		return false;
	}
	return true;
}
