/* evoke status: what the daemon is doing, once or as it happens.
 *
 * Flow: the control socket is asked once; with --follow the status socket that the snapshot names is listened to.
 * Failure: no daemon there; one sentence, exit code 1. */
#include "daemon/cli/status.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/cli/connection.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/options.h"
#include "daemon/cli/snapshot.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"
#include "protocol/fields.h"

int status_ask(const char *endpoint, struct error *err, struct message *ret_answer)
{
	struct connection *connection;
	struct message question;
	int rc = connection_open(endpoint, err, &connection);

	if (rc < 0)
		return rc;
	rc = message_init(TYPE_STATUS, 0, &question);
	if (rc == 0) {
		rc = connection_ask(connection, &question, CONNECTION_TIMEOUT_MS, err, ret_answer);
		message_done(&question);
	}
	connection_close(connection);
	return rc;
}

static void print_json(const struct message *message)
{
	json_dumpf(message->header, stdout, JSON_COMPACT);
	putchar('\n');
}

static void print_lines(const struct snapshot *snapshot)
{
	struct snapshot_line lines[SNAPSHOT_LINES_MAX];
	size_t n = snapshot_describe(snapshot, lines);
	const char *reason;
	bool healthy = snapshot_is_healthy(snapshot, &reason);

	printf("%s%s%s: %s\n", terminal_style(stdout, healthy ? TERMINAL_GOOD : TERMINAL_BAD), snapshot->state,
	       terminal_style(stdout, TERMINAL_PLAIN), reason);
	for (size_t i = 0; i < n; i++)
		printf("  %-9s%s\n", lines[i].label, lines[i].text);
}

static void print_summary(const struct snapshot *snapshot)
{
	char text[256];

	snapshot_summarize(snapshot, sizeof(text), text);
	puts(text);
}

/* Prints snapshots until a signal, or until nobody reads them any more. */
static int follow(const char *endpoint, bool json, struct error *err)
{
	struct connection *connection;
	int rc = connection_subscribe(endpoint, err, &connection);

	if (rc < 0)
		return rc;
	interrupt_catch();
	while (!interrupt_seen()) {
		struct message message;
		struct snapshot snapshot;

		rc = connection_receive(connection, CONNECTION_TIMEOUT_MS, err, &message);
		if (rc < 0)
			break;
		if (json) {
			print_json(&message);
		} else {
			snapshot_read(message.header, &snapshot);
			print_summary(&snapshot);
		}
		message_done(&message);
		if (fflush(stdout) != 0)
			break;
	}
	connection_close(connection);
	return rc == -EINTR ? 0 : rc;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	const char *control = CONNECTION_CONTROL;
	bool json = false, follows = false;
	const struct options_entry entries[] = {
		{"json", NULL, "the snapshot as JSON (daemon/README.md)", OPTIONS_FLAG, .value = &json},
		{"follow", NULL, "a line for each snapshot, until Ctrl-C", OPTIONS_FLAG, .value = &follows},
		{"control", "ENDPOINT", "the daemon's control socket", OPTIONS_TEXT, .value = &control},
	};
	struct options options = {.entries = entries, .n_entries = sizeof(entries) / sizeof(entries[0])};
	struct error err = {0};
	struct message answer;
	struct snapshot snapshot;
	int exit_code, rc;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	rc = status_ask(control, &err, &answer);
	if (rc == 0) {
		snapshot_read(answer.header, &snapshot);
		if (follows)
			rc = follow(snapshot.status_endpoint, json, &err);
		else if (json)
			print_json(&answer);
		else
			print_lines(&snapshot);
		message_done(&answer);
	}
	if (rc < 0) {
		fprintf(stderr, "evoke status: %s\n", err.text);
		return VERB_FAILED;
	}
	return VERB_OK;
}

const struct verb verb_status = {
	.name = "status",
	.purpose = "what the daemon is doing",
	.operands = "",
	.example = "evoke status --follow",
	.run = run,
};
