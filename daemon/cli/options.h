/* The command line of a verb: one table says each option's name, argument, type, range and help.
 *
 * The values stand in the verb's own variables; what they hold before parsing is the default, and the help prints it.
 * `--name value` and `--name=value` are the same; options and operands may be mixed; `--` ends the options.
 * Thread: one at a time. */
#ifndef EVOKED_DAEMON_CLI_OPTIONS_H
#define EVOKED_DAEMON_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/cli/verb.h"
#include "support/error.h"

enum { OPTIONS_LIST_MAX = 1024 };

enum options_type {
	OPTIONS_FLAG, /* bool: no argument */
	OPTIONS_INT,  /* int64_t, min..max */
	OPTIONS_REAL, /* double, min..max */
	OPTIONS_TEXT, /* const char *, borrowed from argv */
	OPTIONS_LIST, /* struct options_list: one or more values up to the next option; may be given again */
};

struct options_list {
	size_t n;
	const char *items[OPTIONS_LIST_MAX]; /* borrowed from argv */
};

struct options_entry {
	const char *name;     /* "rate", given as --rate */
	const char *argument; /* "HZ"; NULL for a flag */
	const char *help;     /* one line */
	enum options_type type;
	double min, max; /* of OPTIONS_INT and OPTIONS_REAL, both included */
	void *value;
	bool required;
};

struct options {
	const struct options_entry *entries;
	size_t n_entries;
	size_t n_operands_min, n_operands_max;

	/* Filled by parsing: */
	size_t n_operands;
	char **operands; /* in argv, which is reordered for it */
	bool help;	 /* --help was given: nothing else was checked */
};

/* -EINVAL with a sentence that names the option, its range and what was found. Values already taken stay changed. */
int options_parse(struct options *options, int argc, char **argv, struct error *err);

/* Usage, purpose, all options with their defaults, the example, the exit codes. */
void options_help(const struct options *options, const struct verb *verb, FILE *out);

/* options_parse for a verb's run(): true when the verb should go on. Otherwise help (stdout) or the error (stderr) has
 * been printed and *ret_exit is the exit code. */
bool options_take(struct options *options, const struct verb *verb, int argc, char **argv, int *ret_exit);

#endif
