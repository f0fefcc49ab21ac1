/* The program `evoke`: finds the verb in its table and runs it.
 *
 * Failure modes: no verb, or an unknown one: the sentence and exit code 2. Everything else is the verb's. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/cli/verb.h"
#include "daemon/cli/verbs.h"

/* One line a verb, in the order of the help. */
/* clang-format off */
static const struct verb *const verbs[] = {
	&verb_demo,
	&verb_status,
	&verb_watch,
	&verb_control,
	&verb_report,
	&verb_rig,
	&verb_check,
	&verb_replay,
	&verb_predict,
	&verb_synthesize,
	NULL,
};
/* clang-format on */

static void print_help(FILE *out)
{
	fputs("evoke: run, watch and analyse closed-loop sessions with evoked\n\nUsage: evoke VERB [options]\n\n", out);
	for (size_t i = 0; verbs[i]; i++)
		fprintf(out, "  %-12s%s\n", verbs[i]->name, verbs[i]->purpose);
	fputs("\n`evoke VERB --help` lists the options of a verb, with an example.\n"
	      "Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
	      out);
}

int main(int argc, char **argv)
{
	/* A reader that goes away (`evoke status --follow | head`) is seen as a write error, not as a death. */
	signal(SIGPIPE, SIG_IGN);

	if (argc < 2) {
		print_help(stderr);
		return VERB_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return VERB_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("evoke " EVOKED_VERSION);
		return VERB_OK;
	}
	for (size_t i = 0; verbs[i]; i++)
		if (strcmp(argv[1], verbs[i]->name) == 0)
			return verbs[i]->run(verbs[i], argc - 1, argv + 1);
	fprintf(stderr, "evoke: there is no verb \"%s\"; `evoke --help` lists them\n", argv[1]);
	return VERB_USAGE;
}
