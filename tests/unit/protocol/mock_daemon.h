/* A daemon for tests of the client: a ROUTER in a thread, with a memory of its own that survives its restarts, and
 * knobs for what goes wrong. Set the knobs before mock_start(), read the results after mock_stop(). */
#ifndef TESTS_UNIT_PROTOCOL_MOCK_DAEMON_H
#define TESTS_UNIT_PROTOCOL_MOCK_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "protocol/fields.h"
#include "protocol/presentation.h"

enum { MOCK_NUMBERS = 16384 };

struct mock {
	/* knobs */
	int n_swallowed;	/* of the first n presentations messages the answer is lost, after they were stored */
	int n_busy;		/* the first n presentations or hellos are answered busy */
	int64_t refused_number; /* this one is refused */
	int64_t missing_number; /* this one gets lost inside, once, and is reported as missing */
	const char *error_type; /* questions of this type get an error ... */
	const char *error_code; /* ... with this code, */
	int n_errors;		/* so often */
	const char *bad_slots;	/* JSON of slots in place of the good ones */
	const void *png;	/* the image of every slot, in place of bytes that are none */
	size_t png_size;
	int n_slots; /* with `png`: slots of a batch */

	/* memory */
	int stored[MOCK_NUMBERS]; /* how often each number came */
	int n_hellos, n_messages, n_notes;
	char last_type[32];
	struct session_spec spec;
	bool opened;

	/* machinery */
	void *context, *socket, *control;
	char endpoint[64];
	pthread_t thread;
};

static void mock_send(struct mock *m, const void *identity, size_t identity_size, struct message *answer)
{
	char *text;
	size_t size;

	if (message_encode_header(answer, NULL, &text, &size))
		abort();
	zmq_send(m->socket, identity, identity_size, ZMQ_SNDMORE);
	zmq_send(m->socket, text, size, answer->n_arrays ? ZMQ_SNDMORE : 0);
	for (size_t i = 0; i < answer->n_arrays; i++)
		zmq_send(m->socket, answer->arrays[i].data, answer->arrays[i].size,
			 i + 1 < answer->n_arrays ? ZMQ_SNDMORE : 0);
	free(text);
	message_done(answer);
}

static void set(struct message *message, const char *key, json_t *value)
{
	if (json_object_set_new(message->header, key, value))
		abort();
}

static void begin_answer(const struct message *question, const char *type, struct message *answer)
{
	if (message_init(type, message_id(question), answer))
		abort();
}

static json_int_t mock_settled_through(const struct mock *m)
{
	json_int_t n = 0;

	while (n + 1 < MOCK_NUMBERS && m->stored[n + 1])
		n++;
	return n;
}

/* False: no answer. */
static bool mock_presentations(struct mock *m, const struct message *question, struct message *answer)
{
	static struct presentation presentations[LIMIT_PRESENTATIONS];
	static struct presentation_refusal refusals[LIMIT_PRESENTATIONS];
	json_t *refused = json_array(), *missing = json_array();
	uint8_t run[RUN_SIZE];
	size_t n, n_refusals;
	struct error err;

	if (presentation_parse_block(question, &m->spec, &err, run, presentations, &n, refusals, &n_refusals))
		abort();
	for (size_t i = 0; i < n; i++) {
		int64_t number = presentations[i].number;

		if (number == m->missing_number) {
			m->missing_number = 0;
			json_array_append_new(missing, json_integer(number));
			continue;
		}
		m->stored[number]++;
		if (number == m->refused_number)
			json_array_append_new(refused, json_pack("{s:I, s:s}", FIELD_NUMBER, (json_int_t)number,
								 FIELD_REASON, "because"));
	}
	begin_answer(question, TYPE_SETTLED, answer);
	set(answer, FIELD_SETTLED_THROUGH, json_integer(mock_settled_through(m)));
	set(answer, FIELD_REFUSED, refused);
	set(answer, FIELD_CONFLICTS, json_array());
	set(answer, FIELD_MISSING, missing);
	return m->n_swallowed-- <= 0;
}

static void mock_batch(struct mock *m, const struct message *question, struct message *answer)
{
	static const char image[] = "00000000000000000000000000000000000000000000000000000000000000ff";
	const json_int_t after = json_integer_value(json_object_get(question->header, FIELD_AFTER));
	const uint64_t size = 8;

	begin_answer(question, TYPE_BATCH, answer);
	set(answer, FIELD_BATCH, json_integer(after + 1));
	set(answer, FIELD_ORIGIN, json_string("chosen"));
	set(answer, FIELD_IMAGES, json_pack("[{s:s, s:i, s:i}]", FIELD_IMAGE, image, FIELD_OFFSET, 2, FIELD_SIZE, 6));
	set(answer, FIELD_SLOTS,
	    m->bad_slots ? json_loads(m->bad_slots, 0, NULL)
			 : json_pack("[{s:i, s:s, s:s, s:i}, {s:i, s:s, s:s, s:i}]", FIELD_SLOT, 0, FIELD_IMAGE, image,
				     FIELD_KIND, "natural", FIELD_REPEAT, 0, FIELD_SLOT, 1, FIELD_IMAGE, image,
				     FIELD_KIND, "gaudy", FIELD_REPEAT, 3));
	if (message_add_array(answer, ARRAY_PNG, MESSAGE_BYTES, 1, &size, "..pixels", NULL))
		abort();
}

/* A batch whose images can be decoded. */
static void mock_image_batch(struct mock *m, const struct message *question, struct message *answer)
{
	static const char image[] = "00000000000000000000000000000000000000000000000000000000000000ff";
	const json_int_t after = json_integer_value(json_object_get(question->header, FIELD_AFTER));
	const uint64_t size = m->png_size;
	json_t *slots = json_array();

	for (int i = 0; i < m->n_slots; i++)
		json_array_append_new(slots, json_pack("{s:i, s:s, s:s, s:i}", FIELD_SLOT, i, FIELD_IMAGE, image,
						       FIELD_KIND, "natural", FIELD_REPEAT, i));
	begin_answer(question, TYPE_BATCH, answer);
	set(answer, FIELD_BATCH, json_integer(after + 1));
	set(answer, FIELD_ORIGIN, json_string(after == 0 ? "fallback" : "chosen"));
	set(answer, FIELD_SLOTS, slots);
	set(answer, FIELD_IMAGES,
	    json_pack("[{s:s, s:i, s:I}]", FIELD_IMAGE, image, FIELD_OFFSET, 0, FIELD_SIZE, (json_int_t)size));
	if (message_add_array(answer, ARRAY_PNG, MESSAGE_BYTES, 1, &size, m->png, NULL))
		abort();
}

static void mock_hello(struct mock *m, const struct message *question, struct message *answer)
{
	m->n_hellos++;
	begin_answer(question, TYPE_WELCOME, answer);
	set(answer, FIELD_SERVER, json_string("mock 1"));
	set(answer, FIELD_STATE, json_string(m->opened ? "running" : "idle"));
	set(answer, FIELD_SESSION_NAME, m->opened ? json_string(m->spec.name) : json_null());
	set(answer, FIELD_SETTLED_THROUGH, json_integer(mock_settled_through(m)));
	set(answer, FIELD_NEXT_AFTER, json_integer(0));
	set(answer, FIELD_IMAGE, json_pack("{s:i, s:i}", FIELD_WIDTH_PX, 112, FIELD_HEIGHT_PX, 96));
}

static void mock_open(struct mock *m, const struct message *question, struct message *answer)
{
	if (!m->opened && session_spec_parse(question->header, NULL, &m->spec))
		abort();
	m->opened = true;
	begin_answer(question, TYPE_OPENED, answer);
	set(answer, FIELD_SESSION, json_string("0123"));
	set(answer, FIELD_IMAGE, json_pack("{s:i, s:i}", FIELD_WIDTH_PX, 112, FIELD_HEIGHT_PX, 96));
}

/* What needs no more than its name. */
static void mock_other(struct mock *m, const struct message *question, struct message *answer)
{
	static const struct {
		const char *question, *answer;
	} pairs[] = {
		{TYPE_UNITS, TYPE_UNITS_SET}, {TYPE_IMAGE, TYPE_IMAGE_STORED}, {TYPE_AMEND, TYPE_AMENDED},
		{TYPE_NOTE, TYPE_NOTED},      {TYPE_CLOSE, TYPE_CLOSED},
	};
	const char *type = message_type(question);

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		if (!strcmp(type, pairs[i].question))
			begin_answer(question, pairs[i].answer, answer);
	}
	if (!strcmp(type, TYPE_UNITS) && session_spec_change_units(&m->spec, question->header, NULL))
		abort();
	if (!strcmp(type, TYPE_IMAGE))
		set(answer, FIELD_IMAGE,
		    json_string("00000000000000000000000000000000000000000000000000000000000000aa"));
	m->n_notes += !strcmp(type, TYPE_NOTE);
}

static bool mock_answer(struct mock *m, const struct message *question, struct message *answer)
{
	const char *type = message_type(question);
	const bool presentations = !strcmp(type, TYPE_PRESENTATIONS), hello = !strcmp(type, TYPE_HELLO);

	m->n_messages++;
	strcpy(m->last_type, type);
	if ((presentations || hello) && m->n_busy > 0) {
		m->n_busy--;
		begin_answer(question, TYPE_BUSY, answer);
		set(answer, FIELD_RETRY_MS, json_integer(5));
		set(answer, FIELD_REASON, json_string("another rig writes"));
		set(answer, FIELD_HOLDER, json_string("rig 7"));
		return true;
	}
	if (m->error_type && !strcmp(type, m->error_type) && m->n_errors-- > 0) {
		begin_answer(question, TYPE_ERROR, answer);
		set(answer, FIELD_CODE, json_string(m->error_code));
		set(answer, FIELD_TEXT, json_string("the reason why"));
		return true;
	}
	if (presentations)
		return mock_presentations(m, question, answer);
	if (hello)
		mock_hello(m, question, answer);
	else if (!strcmp(type, TYPE_OPEN))
		mock_open(m, question, answer);
	else if (!strcmp(type, TYPE_NEXT_BATCH) && m->png)
		mock_image_batch(m, question, answer);
	else if (!strcmp(type, TYPE_NEXT_BATCH))
		mock_batch(m, question, answer);
	else
		mock_other(m, question, answer);
	return true;
}

static void mock_take_one(struct mock *m)
{
	const void *frames[LIMIT_FRAMES];
	size_t sizes[LIMIT_FRAMES], n = 0;
	zmq_msg_t parts[LIMIT_FRAMES + 1];
	struct message question, answer = {0};
	int64_t id;

	do {
		zmq_msg_init(&parts[n]);
		zmq_msg_recv(&parts[n], m->socket, 0);
		if (n > 0) {
			frames[n - 1] = zmq_msg_data(&parts[n]);
			sizes[n - 1] = zmq_msg_size(&parts[n]);
		}
	} while (zmq_msg_more(&parts[n++]));
	if (message_parse(frames, sizes, n - 1, NULL, &question, &id))
		abort();
	if (mock_answer(m, &question, &answer))
		mock_send(m, zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0]), &answer);
	message_done(&answer);
	message_done(&question);
	while (n > 0)
		zmq_msg_close(&parts[--n]);
}

static void *mock_run(void *arg)
{
	struct mock *m = arg;
	zmq_pollitem_t items[2] = {{.socket = m->socket, .events = ZMQ_POLLIN},
				   {.socket = m->control, .events = ZMQ_POLLIN}};

	for (;;) {
		zmq_poll(items, 2, -1);
		if (items[1].revents)
			return NULL;
		if (items[0].revents)
			mock_take_one(m);
	}
}

/* The first time on a free port, then always on the same. */
static void mock_start(struct mock *m)
{
	const int linger = 0;
	size_t size = sizeof m->endpoint;

	m->context = zmq_ctx_new();
	m->socket = zmq_socket(m->context, ZMQ_ROUTER);
	m->control = zmq_socket(m->context, ZMQ_PAIR);
	zmq_setsockopt(m->socket, ZMQ_LINGER, &linger, sizeof linger);
	if (zmq_bind(m->socket, m->endpoint[0] ? m->endpoint : "tcp://127.0.0.1:*") ||
	    zmq_bind(m->control, "inproc://control"))
		abort();
	zmq_getsockopt(m->socket, ZMQ_LAST_ENDPOINT, m->endpoint, &size);
	if (pthread_create(&m->thread, NULL, mock_run, m))
		abort();
}

static void mock_stop(struct mock *m)
{
	void *control = zmq_socket(m->context, ZMQ_PAIR);

	zmq_connect(control, "inproc://control");
	zmq_send(control, "", 0, 0);
	pthread_join(m->thread, NULL);
	zmq_close(control);
	zmq_close(m->control);
	zmq_close(m->socket);
	zmq_ctx_term(m->context);
	m->context = NULL;
}

#endif
