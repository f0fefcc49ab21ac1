/* A table of questions, each with what must hold before its function is called: a holder, a session. */
#include "daemon/rig_service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/hex.h"
#include "daemon/rig_image.h"
#include "daemon/schedule.h"
#include "daemon/status_fields.h"
#include "protocol/fields.h"

struct rig_service {
	struct daemon *daemon;
	struct rig_block *block;
	bool held;
	struct endpoint_peer holder;
	uint8_t run[RUN_SIZE];
	int64_t heard_ns;
	bool closing; /* somebody waits for `closed` */
	struct asker closer;
};

/* What an answer after the commit needs. */
struct pending_answer {
	struct rig_service *service;
	struct asker asker;
	const char *type;
	json_t *fields; /* owned; NULL: none */
};

int rig_service_create(struct daemon *daemon, struct error *err, struct rig_service **ret_service)
{
	struct rig_service *service = calloc(1, sizeof *service);

	if (!service || rig_block_create(&service->block) < 0) {
		free(service);
		return error_set(err, -ENOMEM, "rig service: out of memory");
	}
	service->daemon = daemon;
	*ret_service = service;
	return 0;
}

void rig_service_destroy(struct rig_service *service)
{
	if (!service)
		return;
	rig_block_destroy(service->block);
	free(service);
}

json_t *rig_service_json(const struct rig_service *service)
{
	char run_hex[2 * RUN_SIZE + 1];

	if (!service->held)
		return json_null();
	hex_encode(service->run, RUN_SIZE, run_hex);
	return json_pack("{s:s, s:I}", FIELD_RUN, run_hex, STATUS_SILENT_MS,
			 (json_int_t)((clock_monotonic_ns() - service->heard_ns) / 1000000));
}

static void answer_pending(struct store_op *op, void *ctx)
{
	struct pending_answer *pending = ctx;

	if (op->seq > pending->service->daemon->session.last_seq)
		pending->service->daemon->session.last_seq = op->seq;
	if (op->status == 0)
		answer_send(&pending->asker, pending->type, json_incref(pending->fields));
	else if (op->status == -ENOENT || op->status == -EINVAL || op->status == -EEXIST)
		answer_error(&pending->asker, CODE_INVALID, NULL, op->error.text);
	else
		answer_busy(&pending->asker, DAEMON_STALL_RETRY_MS, op->error.text, NULL);
	json_decref(pending->fields);
	free(pending);
}

/* Submits an operation that is answered with {type, fields} once it is on disk. Takes `op` and `fields`. */
static void submit_answered(struct rig_service *service, struct store_op *op, const struct asker *asker,
			    const char *type, json_t *fields)
{
	struct pending_answer *pending = malloc(sizeof *pending);

	if (!op || !pending) {
		store_op_destroy(op);
		goto refuse;
	}
	*pending = (struct pending_answer){.service = service, .asker = *asker, .type = type, .fields = fields};
	op->received_us = clock_wall_us();
	op->received_ns = clock_monotonic_ns();
	op->done = answer_pending;
	op->ctx = pending;
	if (daemon_submit(service->daemon, op) == 0)
		return;
refuse:
	json_decref(fields);
	free(pending);
	answer_busy(asker, DAEMON_RETRY_MS, "the store's queue is full", NULL);
}

static json_t *image_size_json(const struct config *config)
{
	return json_pack("{s:i, s:i}", FIELD_WIDTH_PX, (int)config->images.width_px, FIELD_HEIGHT_PX,
			 (int)config->images.height_px);
}

static json_t *welcome_json(const struct rig_service *service, const struct run *run)
{
	const struct daemon *daemon = service->daemon;
	const struct daemon_session *session = &daemon->session;
	bool open = daemon_has_session(daemon);

	return json_pack("{s:s, s:s, s:s?, s:s?, s:I, s:I, s:i, s:o}", FIELD_SERVER, "evoked " EVOKED_VERSION,
			 FIELD_STATE, session_state_name(daemon->machine.state), FIELD_SESSION,
			 open ? session->id_hex : NULL, FIELD_SESSION_NAME, open ? session->spec.name : NULL,
			 FIELD_SETTLED_THROUGH, (json_int_t)(run ? run_settled_through(run) : 0), FIELD_NEXT_AFTER,
			 (json_int_t)(open ? schedule_handed(daemon->schedule) : 0), FIELD_N_UNITS,
			 open ? (int)session->spec.n_units : 0, FIELD_IMAGE,
			 image_size_json(open ? &session->config : &daemon->config));
}

/* The run becomes one of the session: answered when that is on disk, at once when it was before. Takes `fields`. */
static void register_run(struct rig_service *service, const struct asker *asker, const char *type, json_t *fields)
{
	struct daemon_session *session = &service->daemon->session;
	bool known = runs_find(&session->runs, service->run) != NULL;
	struct run *run;
	struct error err;

	if (runs_add(&session->runs, service->run, &err, &run) < 0) {
		json_decref(fields);
		answer_error(asker, CODE_TOO_LARGE, FIELD_RUN, err.text);
		return;
	}
	session->spec.run = runs_index(&session->runs, run);
	if (known) {
		answer_send(asker, type, fields);
		return;
	}
	struct store_op *op = store_op_create(STORE_OP_RUN);
	if (op)
		memcpy(op->run, service->run, RUN_SIZE);
	submit_answered(service, op, asker, type, fields);
}

static void hold(struct rig_service *service, const struct endpoint_peer *peer, const uint8_t run[RUN_SIZE])
{
	service->held = true;
	service->holder = *peer;
	memcpy(service->run, run, RUN_SIZE);
	service->heard_ns = clock_monotonic_ns();
}

static void refuse_second(struct rig_service *service, const struct asker *asker)
{
	char run_hex[2 * RUN_SIZE + 1];

	hex_encode(service->run, RUN_SIZE, run_hex);
	answer_busy(asker, RIG_HOLDER_RETRY_MS, "another rig is writing", run_hex);
	daemon_event(service->daemon, "second_rig", "another rig asked while one is writing");
}

static void on_hello(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	const struct daemon *daemon = service->daemon;
	uint8_t run[RUN_SIZE];
	struct error err;

	int status = message_get_hex(message->header, "", FIELD_RUN, RUN_SIZE, &err, run);

	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	bool same = service->held &&
		    (endpoint_peer_equal(&service->holder, &asker->peer) || memcmp(service->run, run, RUN_SIZE) == 0);
	if (service->held && !same && clock_monotonic_ns() - service->heard_ns < RIG_SILENT_NS) {
		refuse_second(service, asker);
		return;
	}
	hold(service, &asker->peer, run);
	if (daemon_has_session(daemon) && daemon->machine.state != SESSION_CLOSED)
		register_run(service, asker, TYPE_WELCOME,
			     welcome_json(service, runs_find(&daemon->session.runs, run)));
	else
		answer_send(asker, TYPE_WELCOME, welcome_json(service, NULL));
}

static void send_opened(struct rig_service *service, const struct asker *asker)
{
	const struct daemon_session *session = &service->daemon->session;

	register_run(service, asker, TYPE_OPENED,
		     json_pack("{s:s, s:s, s:o}", FIELD_SESSION, session->id_hex, FIELD_SEED, session->seed_hex,
			       FIELD_IMAGE, image_size_json(&session->config)));
}

static void on_open(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	struct daemon *daemon = service->daemon;
	struct session_spec spec;
	struct error err;
	int status = session_spec_parse(message->header, &err, &spec);

	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	const struct config *config = daemon_has_session(daemon) ? &daemon->session.config : &daemon->config;
	if (config->session.name[0]) /* the operator's word goes before the rig's */
		strcpy(spec.name, config->session.name);
	if (daemon_has_session(daemon)) {
		if (daemon->machine.state == SESSION_CLOSED)
			answer_busy(asker, DAEMON_RETRY_MS, "the session before is being closed", NULL);
		else if (session_spec_same(&daemon->session.spec, &spec))
			send_opened(service, asker);
		else
			answer_error(asker, CODE_STATE, NULL, "another session is open, with other content");
		session_spec_done(&spec);
		return;
	}
	status = daemon_session_open(daemon, &spec, &err);
	if (status < 0) {
		answer_error(asker, status == -EINVAL ? CODE_INVALID : CODE_STORAGE, NULL, err.text);
		session_spec_done(&spec);
		return;
	}
	send_opened(service, asker);
}

static void on_presentations(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	rig_block_take(service->daemon, service->block, asker, message);
}

static void on_next_batch(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	struct error err;
	int64_t after;
	int status = message_get_int(message->header, "", FIELD_AFTER, 0, LIMIT_INTEGER - 1, &err, &after);

	if (status < 0)
		answer_refuse(asker, status, &err);
	else
		schedule_next_batch(service->daemon->schedule, asker, service->run, after);
}

static void on_units(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	struct daemon *daemon = service->daemon;
	struct session_spec *spec = &daemon->session.spec;
	struct store_op *op;
	struct error err;
	int64_t from_number;
	int status = message_get_int(message->header, "", FIELD_FROM_NUMBER, 1, LIMIT_INTEGER - 1, &err, &from_number);

	if (status == 0)
		status = session_spec_change_units(spec, message->header, &err);
	if (status == -ENOENT) {
		answer_error(asker, CODE_UNKNOWN_UNIT, NULL, err.text);
		return;
	}
	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	op = store_op_create(STORE_OP_UNITS);
	if (op) {
		memcpy(op->run, service->run, RUN_SIZE);
		op->number = from_number;
		op->object = json_pack("{s:I, s:O*, s:O*}", FIELD_FROM_NUMBER, (json_int_t)from_number, FIELD_ADD,
				       json_object_get(message->header, FIELD_ADD), FIELD_RETIRE,
				       json_object_get(message->header, FIELD_RETIRE));
	}
	json_t *setup = daemon_worker_setup(daemon);
	if (setup && daemon->worker)
		supervisor_set_setup(daemon->worker, setup);
	json_decref(setup);
	submit_answered(service, op, asker, TYPE_UNITS_SET, json_pack("{s:i}", FIELD_N_UNITS, (int)spec->n_units));
}

static void on_image(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	rig_image_take(service->daemon, asker, message);
}

static void on_amend(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	const json_t *header = message->header;
	enum presentation_outcome outcome;
	const char *reason, *name;
	int64_t number, trial;
	struct error err;

	int status = message_get_int(header, "", FIELD_NUMBER, 1, LIMIT_INTEGER - 1, &err, &number);

	if (status == 0)
		status = message_get_string(header, "", FIELD_REASON, LIMIT_NOTE_BYTES, &err, &reason);
	if (status == 0 && message_has(header, FIELD_TRIAL))
		status = message_get_int(header, "", FIELD_TRIAL, 0, LIMIT_INTEGER - 1, &err, &trial);
	if (status == 0 && message_has(header, FIELD_OUTCOME)) {
		status = message_get_string(header, "", FIELD_OUTCOME, LIMIT_LABEL_BYTES, &err, &name);
		if (status == 0 && presentation_outcome_from_name(name, &outcome) < 0)
			status = error_set(&err, -EINVAL, FIELD_OUTCOME ": unknown value \"%s\"", name);
	}
	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	char run_hex[2 * RUN_SIZE + 1];
	struct store_op *op = store_op_create(STORE_OP_AMEND);
	if (op) {
		memcpy(op->run, service->run, RUN_SIZE);
		op->number = number;
		op->detail = store_op_string(op, reason);
		op->object = json_pack("{s:O*, s:O*, s:s}", FIELD_OUTCOME, json_object_get(header, FIELD_OUTCOME),
				       FIELD_TRIAL, json_object_get(header, FIELD_TRIAL), FIELD_REASON, reason);
	}
	hex_encode(service->run, RUN_SIZE, run_hex);
	submit_answered(service, op, asker, TYPE_AMENDED,
			json_pack("{s:s, s:I}", FIELD_RUN, run_hex, FIELD_NUMBER, (json_int_t)number));
}

static void on_note(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	const char *text;
	struct error err;
	int status = message_get_string(message->header, "", FIELD_TEXT, LIMIT_NOTE_BYTES, &err, &text);

	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	struct store_op *op = store_op_create(STORE_OP_NOTE);
	if (op) {
		memcpy(op->run, service->run, RUN_SIZE);
		op->text = store_op_string(op, text);
	}
	submit_answered(service, op, asker, TYPE_NOTED, NULL);
}

static void on_close(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	struct daemon *daemon = service->daemon;
	struct error err;

	(void)message;
	if (!daemon_has_session(daemon)) {
		if (daemon->last_session_hex[0])
			answer_send(asker, TYPE_CLOSED, json_pack("{s:s}", FIELD_SESSION, daemon->last_session_hex));
		else
			answer_error(asker, CODE_STATE, NULL, "no session is open");
		return;
	}
	if (daemon->machine.state != SESSION_DRAINING && daemon->machine.state != SESSION_CLOSED &&
	    session_move(&daemon->machine, SESSION_EVENT_CLOSE, &err) < 0) {
		answer_busy(asker, DAEMON_STALL_RETRY_MS, err.text, NULL);
		return;
	}
	bool first = !service->closing;
	service->closing = true;
	service->closer = *asker;
	daemon_moved(daemon);
	if (first)
		schedule_drain(daemon->schedule);
}

void rig_service_closed(struct rig_service *service, const char *session_hex)
{
	if (service->closing)
		answer_send(&service->closer, TYPE_CLOSED, json_pack("{s:s}", FIELD_SESSION, session_hex));
	service->closing = false;
}

struct question {
	const char *type;
	bool needs_session;
	void (*take)(struct rig_service *service, const struct asker *asker, const struct message *message);
};

static const struct question questions[] = {
	{TYPE_OPEN, false, on_open},
	{TYPE_PRESENTATIONS, true, on_presentations},
	{TYPE_NEXT_BATCH, true, on_next_batch},
	{TYPE_UNITS, true, on_units},
	{TYPE_IMAGE, true, on_image},
	{TYPE_AMEND, true, on_amend},
	{TYPE_NOTE, true, on_note},
	{TYPE_CLOSE, false, on_close},
};

static bool is_newest_run(const struct daemon *daemon, const uint8_t run[RUN_SIZE])
{
	const struct runs *runs = &daemon->session.runs;

	return daemon_has_session(daemon) && runs->n > 0 && memcmp(runs->list[runs->n - 1]->id, run, RUN_SIZE) == 0;
}

/* Is this the rig that writes? Answers for it when it is not. */
static bool is_holder(struct rig_service *service, const struct asker *asker, const struct message *message)
{
	bool has_run = json_object_get(message->header, FIELD_RUN) != NULL;
	uint8_t run[RUN_SIZE];
	struct error err;

	if (has_run && message_get_hex(message->header, "", FIELD_RUN, RUN_SIZE, &err, run) < 0) {
		answer_error(asker, CODE_MALFORMED, FIELD_RUN, err.text);
		return false;
	}
	if (!service->held && has_run && is_newest_run(service->daemon, run))
		hold(service, &asker->peer, run); /* the daemon was started again, the rig noticed nothing */
	bool same_peer = service->held && endpoint_peer_equal(&service->holder, &asker->peer);
	bool same_run = service->held && has_run && memcmp(service->run, run, RUN_SIZE) == 0;
	if (same_run || (same_peer && !has_run)) {
		hold(service, &asker->peer, service->run);
		return true;
	}
	if (service->held && !same_peer && clock_monotonic_ns() - service->heard_ns < RIG_SILENT_NS)
		refuse_second(service, asker);
	else
		answer_error(asker, CODE_STATE, FIELD_RUN, "run: say hello with it first");
	return false;
}

void rig_service_message(struct rig_service *service, const struct endpoint_peer *peer, const struct message *message)
{
	struct daemon *daemon = service->daemon;
	struct asker asker = {.endpoint = daemon->rig, .peer = *peer, .id = message_id(message)};
	const char *type = message_type(message);
	struct error text;

	if (strcmp(type, TYPE_HELLO) == 0) {
		on_hello(service, &asker, message);
		return;
	}
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		if (strcmp(type, questions[i].type) != 0)
			continue;
		if (!is_holder(service, &asker, message))
			return;
		if (questions[i].needs_session &&
		    (!daemon_has_session(daemon) || daemon->machine.state == SESSION_CLOSED))
			answer_error(&asker, CODE_UNKNOWN_SESSION, NULL, "no session is open");
		else
			questions[i].take(service, &asker, message);
		return;
	}
	error_set(&text, -EINVAL, "type: \"%.64s\" is not a question for the rig socket", type);
	answer_error(&asker, CODE_UNKNOWN_TYPE, FIELD_TYPE, text.text);
}
