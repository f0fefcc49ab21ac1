/* evoke control: an operator's command to the daemon, logged by it with its reason.
 *
 * Flow: the action is looked up in a table that says what it takes; one question, one answer.
 * Failure: an unknown action or a missing operand (2); no daemon, or the daemon's refusal (1). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/connection.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "protocol/fields.h"

enum takes { TAKES_REASON, TAKES_UNIT, TAKES_TEXT, TAKES_ON_OFF, TAKES_NOTHING };

static const struct action {
	const char *name; /* also the message's type */
	enum takes takes;
	const char *usage;
} actions[] = {
	{TYPE_PAUSE, TAKES_REASON, "pause [REASON]"},
	{TYPE_RESUME, TAKES_REASON, "resume [REASON]"},
	{TYPE_EXCLUDE, TAKES_UNIT, "exclude UNIT [REASON]"},
	{TYPE_INCLUDE, TAKES_UNIT, "include UNIT [REASON]"},
	{TYPE_NOTE, TAKES_TEXT, "note TEXT"},
	{TYPE_NATURAL, TAKES_ON_OFF, "natural on|off [REASON]"},
	{TYPE_STOP, TAKES_NOTHING, "stop"},
};
enum { N_ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < N_ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static int wrong_usage(const struct action *action, struct error *err)
{
	return error_set(err, -EINVAL, "%s expected", action->usage);
}

/* Words [first, n) with spaces between them: a sentence need not be quoted. */
static int set_words(json_t *header, const char *key, char **words, size_t first, size_t n, struct error *err)
{
	char text[LIMIT_NOTE_BYTES + 1] = "";
	size_t used = 0;

	for (size_t i = first; i < n; i++) {
		int size = snprintf(text + used, sizeof(text) - used, "%s%s", i > first ? " " : "", words[i]);

		used += (size_t)size;
		if (used >= sizeof(text))
			return error_set(err, -EINVAL, "%s: at most %d bytes expected", key, LIMIT_NOTE_BYTES);
	}
	if (json_object_set_new(header, key, json_string(text)) < 0)
		return error_set(err, -EINVAL, "%s: text in UTF-8 expected", key);
	return 0;
}

static int set_unit(json_t *header, const char *text, struct error *err)
{
	char *end;
	long long unit;

	errno = 0;
	unit = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || unit < 0 || unit >= LIMIT_INTEGER)
		return error_set(err, -EINVAL, "UNIT: the id of a unit expected, found \"%s\"", text);
	return json_object_set_new(header, FIELD_UNIT, json_integer(unit)) < 0 ? -ENOMEM : 0;
}

static int set_on_off(json_t *header, const char *text, struct error *err)
{
	bool on = strcmp(text, "on") == 0;

	if (!on && strcmp(text, "off") != 0)
		return error_set(err, -EINVAL, "natural: on or off expected, found \"%s\"", text);
	return json_object_set_new(header, FIELD_ON, json_boolean(on)) < 0 ? -ENOMEM : 0;
}

/* The fields that the action takes, from words[1..n). */
static int fill_question(const struct action *action, char **words, size_t n, json_t *header, struct error *err)
{
	size_t n_fixed = 1;
	int rc = 0;

	switch (action->takes) {
	case TAKES_NOTHING:
		return n > 1 ? wrong_usage(action, err) : 0;
	case TAKES_TEXT:
		return n < 2 ? wrong_usage(action, err) : set_words(header, FIELD_TEXT, words, 1, n, err);
	case TAKES_UNIT:
	case TAKES_ON_OFF:
		n_fixed = 2;
		if (n < n_fixed)
			return wrong_usage(action, err);
		rc = action->takes == TAKES_UNIT ? set_unit(header, words[1], err) : set_on_off(header, words[1], err);
		break;
	case TAKES_REASON:
		break;
	}
	return rc < 0 ? rc : set_words(header, FIELD_REASON, words, n_fixed, n, err);
}

static int send_action(const char *endpoint, struct message *question, struct error *err)
{
	struct connection *connection;
	struct message answer;
	const char *state;
	int rc = connection_open(endpoint, err, &connection);

	if (rc < 0)
		return rc;
	rc = connection_ask(connection, question, CONNECTION_TIMEOUT_MS, err, &answer);
	if (rc == 0) {
		state = json_string_value(json_object_get(answer.header, FIELD_STATE));
		printf("done%s%s\n", state ? ": " : "", state ? state : "");
		message_done(&answer);
	}
	connection_close(connection);
	return rc;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	const char *control = CONNECTION_CONTROL;
	const struct options_entry entries[] = {
		{"control", "ENDPOINT", "the daemon's control socket", OPTIONS_TEXT, .value = &control},
	};
	struct options options = {
		.entries = entries, .n_entries = 1, .n_operands_min = 1, .n_operands_max = (size_t)argc};
	struct error err = {0};
	const struct action *action;
	struct message question;
	int exit_code, rc;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	action = find_action(options.operands[0]);
	if (!action) {
		fprintf(stderr, "evoke control: %s expected, found \"%s\"\n", verb->operands, options.operands[0]);
		return VERB_USAGE;
	}
	rc = message_init(action->name, 0, &question);
	if (rc < 0) {
		fprintf(stderr, "evoke control: out of memory\n");
		return VERB_FAILED;
	}
	exit_code = VERB_USAGE;
	rc = fill_question(action, options.operands, options.n_operands, question.header, &err);
	if (rc == 0) {
		exit_code = VERB_FAILED;
		rc = send_action(control, &question, &err);
	}
	message_done(&question);
	if (rc < 0) {
		fprintf(stderr, "evoke control: %s\n", err.text);
		return exit_code;
	}
	return VERB_OK;
}

const struct verb verb_control = {
	.name = "control",
	.purpose = "a command to the daemon: pause, exclude a unit, stop",
	.operands = "pause|resume|exclude UNIT|include UNIT|note TEXT|natural on|off|stop",
	.example = "evoke control exclude 17 drifts since the last break",
	.run = run,
};
