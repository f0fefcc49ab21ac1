/* A verb of the program `evoke`. Each verb's file defines one `struct verb`; evoke.c lists them in the order of the
 * help.
 *
 * Exit codes, the same for every verb: 0 done; 1 it failed, and one line on stderr says what and where; 2 the command
 * line was wrong, and one line on stderr names the option, its range and what was found. */
#ifndef EVOKED_DAEMON_CLI_VERB_H
#define EVOKED_DAEMON_CLI_VERB_H

enum verb_exit { VERB_OK = 0, VERB_FAILED = 1, VERB_USAGE = 2 };

struct verb {
	const char *name;
	const char *purpose;  /* one line, no full stop */
	const char *operands; /* as in the usage line: "SESSION.db"; "" for none */
	const char *example;  /* one command line that works as it stands */
	/* argv[0] is the verb's name. Returns an exit code. */
	int (*run)(const struct verb *verb, int argc, char **argv);
};

#endif
