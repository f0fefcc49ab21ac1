/* The daemon program: arguments, configuration, exit status. Everything else is daemon.c. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/daemon.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"evoked: closed-loop experiment daemon for visual neuroscience\n"
	"\n"
	"  evoked [--config FILE] [--set key=value]... [--session FILE.db]\n"
	"\n"
	"  --config FILE        read the configuration (YAML); without it, every key has its default\n"
	"  --set key=value      set one key over the file, as often as needed\n"
	"  --session FILE.db    go on with this session; without it, with the newest of session.dir when it is not "
	"closed\n"
	"  --config-reference   print all keys with range, default and meaning (Markdown)\n"
	"  --version, --help\n"
	"\n"
	"Example: evoked --set images.pool=$HOME/images.zip --set session.dir=$HOME/recordings\n"
	"\n"
	"When it is ready it prints one line with its endpoints on stdout; the log goes to stderr.\n"
	"Exit status: 0 ended by SIGTERM, SIGINT or `stop`; 1 failure; 2 wrong arguments or configuration.\n";

/* What the command line asked for. */
struct arguments {
	const char *session;
	struct config config;
};

static int complain(const struct error *err)
{
	fprintf(stderr, "evoked: %s\n", err->text);
	return EXIT_USAGE;
}

enum { ARGUMENT_CONFIG = 1, ARGUMENT_SET, ARGUMENT_SESSION, ARGUMENT_REFERENCE, ARGUMENT_VERSION, ARGUMENT_HELP };

static const struct option options[] = {
	{"config", required_argument, NULL, ARGUMENT_CONFIG},
	{"set", required_argument, NULL, ARGUMENT_SET},
	{"session", required_argument, NULL, ARGUMENT_SESSION},
	{"config-reference", no_argument, NULL, ARGUMENT_REFERENCE},
	{"version", no_argument, NULL, ARGUMENT_VERSION},
	{"help", no_argument, NULL, ARGUMENT_HELP},
	{0},
};

/* -1: go on; else the exit status. The file is read before any --set, wherever it stands. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	struct error err;
	int option;

	for (int pass = 0; pass < 2; pass++) {
		optind = 1;
		opterr = pass == 0;
		while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
			switch (option) {
			case ARGUMENT_CONFIG:
				if (pass == 0 && config_load(&arguments->config, optarg, &err) < 0)
					return complain(&err);
				break;
			case ARGUMENT_SET:
				if (pass == 1 && config_set(&arguments->config, optarg, &err) < 0)
					return complain(&err);
				break;
			case ARGUMENT_SESSION:
				arguments->session = optarg;
				break;
			case ARGUMENT_REFERENCE:
				config_reference(stdout);
				return EXIT_OK;
			case ARGUMENT_VERSION:
				printf("evoked %s\n", EVOKED_VERSION);
				return EXIT_OK;
			case ARGUMENT_HELP:
				fputs(usage, stdout);
				return EXIT_OK;
			default:
				fputs("evoked: try --help\n", stderr);
				return EXIT_USAGE;
			}
		}
	}
	if (optind < argc) {
		fprintf(stderr, "evoked: no argument \"%s\" expected; try --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	return config_check(&arguments->config, &err) < 0 ? complain(&err) : -1;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.session = ""};
	struct daemon *daemon;
	struct error err = {0};
	int status;

	/* A reader that went away, or a file that may not grow, is an error of the call, not the end of the daemon. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	config_init(&arguments.config);
	status = read_arguments(argc, argv, &arguments);
	if (status >= 0)
		return status;
	status = daemon_create(&arguments.config, arguments.session, &err, &daemon);
	if (status < 0) {
		complain(&err);
		return status == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	status = daemon_run(daemon);
	daemon_destroy(daemon);
	return status;
}
