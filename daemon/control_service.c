/* A command is done first and answered when its row is on disk: `done` means that a restart remembers it. */
#include "daemon/control_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/schedule.h"
#include "daemon/status.h"
#include "protocol/fields.h"

struct pending_command {
	struct daemon *daemon;
	struct asker asker;
};

static json_t *state_json(const struct daemon *daemon)
{
	return json_pack("{s:s}", FIELD_STATE, session_state_name(daemon->machine.state));
}

static void command_on_disk(struct store_op *op, void *ctx)
{
	struct pending_command *pending = ctx;

	if (op->status < 0)
		answer_busy(&pending->asker, DAEMON_STALL_RETRY_MS, op->error.text, NULL);
	else
		answer_send(&pending->asker, TYPE_DONE, state_json(pending->daemon));
	daemon_moved(pending->daemon);
	free(pending);
}

/* Writes a command (or a note) down and answers `done`. `fields` is taken. */
static void record(struct daemon *daemon, const struct asker *asker, enum store_op_kind kind, const char *text,
		   const char *reason, json_t *fields)
{
	struct store_op *op = store_op_create(kind);
	struct pending_command *pending = malloc(sizeof *pending);

	if (!op || !pending) {
		store_op_destroy(op);
		json_decref(fields);
		goto refuse;
	}
	*pending = (struct pending_command){.daemon = daemon, .asker = *asker};
	op->text = store_op_string(op, text);
	op->detail = store_op_string(op, reason);
	op->object = fields;
	op->received_us = clock_wall_us();
	op->received_ns = clock_monotonic_ns();
	op->done = command_on_disk;
	op->ctx = pending;
	if (daemon_submit(daemon, op) == 0)
		return;
refuse:
	free(pending);
	answer_busy(asker, DAEMON_RETRY_MS, "the store's queue is full", NULL);
}

/* The reason of a command: "" when there is none. */
static int get_reason(const struct message *message, struct error *err, const char **ret_reason)
{
	*ret_reason = "";
	if (!message_has(message->header, FIELD_REASON))
		return 0;
	return message_get_string(message->header, "", FIELD_REASON, LIMIT_NOTE_BYTES, err, ret_reason);
}

static void on_move(struct daemon *daemon, const struct asker *asker, const struct message *message,
		    enum session_event event)
{
	const char *reason;
	struct error err;

	int status = get_reason(message, &err, &reason);

	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	if (session_move(&daemon->machine, event, &err) < 0) {
		answer_error(asker, CODE_STATE, NULL, err.text);
		return;
	}
	record(daemon, asker, STORE_OP_COMMAND, message_type(message), reason, NULL);
	daemon_moved(daemon);
	schedule_advance(daemon->schedule);
}

static void on_pause(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	on_move(daemon, asker, message, SESSION_EVENT_PAUSE);
}

static void on_resume(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	on_move(daemon, asker, message, SESSION_EVENT_RESUME);
}

static bool has_unit(const struct session_spec *spec, int64_t unit)
{
	for (uint32_t i = 0; i < spec->n_units; i++)
		if (spec->units[i].id == unit)
			return true;
	return false;
}

/* Keeps the list rising, each unit once. */
static void set_excluded(struct daemon *daemon, int64_t unit, bool excluded)
{
	json_t *list = daemon->session.excluded;
	size_t at = 0;

	while (at < json_array_size(list) && json_integer_value(json_array_get(list, at)) < unit)
		at++;
	bool there = at < json_array_size(list) && json_integer_value(json_array_get(list, at)) == unit;
	if (excluded && !there)
		json_array_insert_new(list, at, json_integer(unit));
	else if (!excluded && there)
		json_array_remove(list, at);
}

static void on_unit(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	const char *reason;
	struct error err;
	int64_t unit;
	int status = message_get_int(message->header, "", FIELD_UNIT, 0, UINT32_MAX, &err, &unit);

	if (status == 0)
		status = get_reason(message, &err, &reason);
	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	if (!has_unit(&daemon->session.spec, unit)) {
		error_set(&err, -ENOENT, "unit: %lld is not a unit of the session", (long long)unit);
		answer_error(asker, CODE_UNKNOWN_UNIT, FIELD_UNIT, err.text);
		return;
	}
	set_excluded(daemon, unit, strcmp(message_type(message), TYPE_EXCLUDE) == 0);
	record(daemon, asker, STORE_OP_COMMAND, message_type(message), reason,
	       json_pack("{s:I}", FIELD_UNIT, (json_int_t)unit));
}

static void on_natural(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	const char *reason;
	struct error err;
	bool on;
	int status = message_get_bool(message->header, "", FIELD_ON, &err, &on);

	if (status == 0)
		status = get_reason(message, &err, &reason);
	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	record(daemon, asker, STORE_OP_COMMAND, TYPE_NATURAL, reason, json_pack("{s:b}", FIELD_ON, on));
	schedule_set_natural(daemon->schedule, on);
}

static void on_note(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	const char *text;
	struct error err;
	int status = message_get_string(message->header, "", FIELD_TEXT, LIMIT_NOTE_BYTES, &err, &text);

	if (status < 0)
		answer_refuse(asker, status, &err);
	else
		record(daemon, asker, STORE_OP_NOTE, text, "", NULL);
}

static void image_read(struct store_op *op, void *ctx)
{
	struct pending_command *pending = ctx;
	struct message message;
	char hex[HASH_HEX_SIZE];

	hash_to_hex(&op->image, hex);
	if (op->status < 0) {
		answer_error(&pending->asker, op->status == -ENOENT ? CODE_UNKNOWN_IMAGE : CODE_STORAGE, FIELD_IMAGE,
			     op->error.text);
	} else if (message_init(TYPE_IMAGE, pending->asker.id, &message) == 0) {
		const uint64_t size = op->read_size;
		json_object_set_new(message.header, FIELD_IMAGE, json_string(hex));
		if (message_add_array(&message, ARRAY_PNG, MESSAGE_BYTES, 1, &size, op->read_data, NULL) == 0)
			endpoint_send(pending->asker.endpoint, &pending->asker.peer, &message);
		message_done(&message);
	}
	free(pending);
}

static void on_get_image(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	struct hash image;
	struct error err;

	int status = message_get_hex(message->header, "", FIELD_IMAGE, HASH_SIZE, &err, image.bytes);

	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	struct store_op *op = store_op_create(STORE_OP_IMAGE_READ);
	struct pending_command *pending = malloc(sizeof *pending);
	if (!op || !pending) {
		store_op_destroy(op);
		goto refuse;
	}
	*pending = (struct pending_command){.daemon = daemon, .asker = *asker};
	op->image = image;
	op->done = image_read;
	op->ctx = pending;
	if (daemon_submit(daemon, op) == 0)
		return;
refuse:
	free(pending);
	answer_busy(asker, DAEMON_RETRY_MS, "the store's queue is full", NULL);
}

static void on_status(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	(void)message;
	answer_send(asker, TYPE_STATUS, status_snapshot(daemon));
}

static void on_stop(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	(void)message;
	answer_send(asker, TYPE_DONE, state_json(daemon));
	daemon_stop(daemon, 0);
}

struct command {
	const char *type;
	bool needs_session;
	void (*take)(struct daemon *daemon, const struct asker *asker, const struct message *message);
};

static const struct command commands[] = {
	{TYPE_STATUS, false, on_status},  {TYPE_PAUSE, true, on_pause},	 {TYPE_RESUME, true, on_resume},
	{TYPE_EXCLUDE, true, on_unit},	  {TYPE_INCLUDE, true, on_unit}, {TYPE_NOTE, true, on_note},
	{TYPE_NATURAL, true, on_natural}, {TYPE_STOP, false, on_stop},	 {TYPE_GET_IMAGE, true, on_get_image},
};

void control_service_message(struct daemon *daemon, const struct endpoint_peer *peer, const struct message *message)
{
	struct asker asker = {.endpoint = daemon->control, .peer = *peer, .id = message_id(message)};
	const char *type = message_type(message);
	struct error text;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(type, commands[i].type) != 0)
			continue;
		if (commands[i].needs_session &&
		    (!daemon_has_session(daemon) || daemon->machine.state == SESSION_CLOSED))
			answer_error(&asker, CODE_UNKNOWN_SESSION, NULL, "no session is open");
		else
			commands[i].take(daemon, &asker, message);
		return;
	}
	error_set(&text, -EINVAL, "type: \"%.64s\" is not a question for the control socket", type);
	answer_error(&asker, CODE_UNKNOWN_TYPE, FIELD_TYPE, text.text);
}

bool control_service_resume(struct daemon *daemon, const json_t *rows)
{
	bool paused = false;
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, FIELD_NAME));
		const json_t *fields = json_object_get(row, "object");
		if (!name)
			continue;
		if (strcmp(name, TYPE_EXCLUDE) == 0 || strcmp(name, TYPE_INCLUDE) == 0)
			set_excluded(daemon, json_integer_value(json_object_get(fields, FIELD_UNIT)),
				     strcmp(name, TYPE_EXCLUDE) == 0);
		else if (strcmp(name, TYPE_NATURAL) == 0)
			daemon->session.natural_only = json_is_true(json_object_get(fields, FIELD_ON));
		else if (strcmp(name, COMMAND_BUDGET_HALVED) == 0)
			daemon->schedule->budget = json_real_value(json_object_get(fields, COMMAND_FIELD_BUDGET));
		else if (strcmp(name, TYPE_PAUSE) == 0 || strcmp(name, TYPE_RESUME) == 0)
			paused = strcmp(name, TYPE_PAUSE) == 0;
	}
	return paused;
}
