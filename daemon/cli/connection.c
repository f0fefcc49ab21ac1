/* Flow: a question gets the next id, is sent without waiting, and answers are taken until the one with its id is there
 * or the time is over (an older answer may still be under way after a timeout; it is passed over).
 *
 * Failure modes: nobody listens (the time runs out), the daemon refuses (its own sentence), a message that is none. */
#include "daemon/cli/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "protocol/fields.h"

struct connection {
	void *context, *socket;
	char *endpoint;
	int64_t last_id;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int open_socket(const char *endpoint, int type, struct error *err, struct connection **ret_connection)
{
	const int no_linger = 0;
	const int64_t size_max = LIMIT_MESSAGE_BYTES_HARD;
	struct connection *connection = calloc(1, sizeof(*connection));
	int rc;

	if (!connection)
		return error_set(err, -ENOMEM, "out of memory");
	connection->endpoint = strdup(endpoint);
	connection->context = zmq_ctx_new();
	if (connection->context)
		connection->socket = zmq_socket(connection->context, type);
	if (!connection->endpoint || !connection->socket) {
		rc = error_set(err, -ENOMEM, "a ZeroMQ socket for %s cannot be made: %s", endpoint,
			       zmq_strerror(zmq_errno()));
		goto out_connection;
	}
	zmq_setsockopt(connection->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	zmq_setsockopt(connection->socket, ZMQ_MAXMSGSIZE, &size_max, sizeof(size_max));
	if (type == ZMQ_SUB)
		zmq_setsockopt(connection->socket, ZMQ_SUBSCRIBE, "", 0);
	if (zmq_connect(connection->socket, endpoint) < 0) {
		rc = error_set(err, -EINVAL, "%s is not an endpoint that can be connected to: %s", endpoint,
			       zmq_strerror(zmq_errno()));
		goto out_connection;
	}
	*ret_connection = connection;
	return 0;

out_connection:
	connection_close(connection);
	return rc;
}

int connection_open(const char *endpoint, struct error *err, struct connection **ret_connection)
{
	return open_socket(endpoint, ZMQ_DEALER, err, ret_connection);
}

int connection_subscribe(const char *endpoint, struct error *err, struct connection **ret_connection)
{
	return open_socket(endpoint, ZMQ_SUB, err, ret_connection);
}

void connection_close(struct connection *connection)
{
	if (!connection)
		return;
	if (connection->socket)
		zmq_close(connection->socket);
	if (connection->context)
		zmq_ctx_term(connection->context);
	free(connection->endpoint);
	free(connection);
}

static int send_question(struct connection *connection, const struct message *question, struct error *err)
{
	char *header;
	size_t size;
	int rc = message_encode_header(question, err, &header, &size);

	if (rc < 0)
		return rc;
	rc = zmq_send(connection->socket, header, size, ZMQ_DONTWAIT | (question->n_arrays > 0 ? ZMQ_SNDMORE : 0));
	free(header);
	for (size_t i = 0; rc >= 0 && i < question->n_arrays; i++)
		rc = zmq_send(connection->socket, question->arrays[i].data, question->arrays[i].size,
			      ZMQ_DONTWAIT | (i + 1 < question->n_arrays ? ZMQ_SNDMORE : 0));
	if (rc < 0)
		return error_set(err, -ETIMEDOUT, "nothing can be sent to %s: %s", connection->endpoint,
				 zmq_strerror(zmq_errno()));
	return 0;
}

/* Frames of one message, received into messages of ZeroMQ. */
struct frames {
	zmq_msg_t parts[CONNECTION_FRAMES_MAX];
	size_t n, size; /* size: of all together */
};

static void frames_done(struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		zmq_msg_close(&frames->parts[i]);
	frames->n = 0;
}

static int receive_frames(struct connection *connection, struct frames *frames, struct error *err)
{
	int more = 1;

	frames->n = frames->size = 0;
	while (more) {
		zmq_msg_t extra; /* frames over the limit are read and dropped */
		zmq_msg_t *part = frames->n < CONNECTION_FRAMES_MAX ? &frames->parts[frames->n] : &extra;

		zmq_msg_init(part);
		if (zmq_msg_recv(part, connection->socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(part);
			return error_set(err, -zmq_errno(), "%s: %s", connection->endpoint, zmq_strerror(zmq_errno()));
		}
		more = zmq_msg_more(part);
		if (part == &extra) {
			zmq_msg_close(part);
			continue;
		}
		frames->size += zmq_msg_size(part);
		frames->n++;
	}
	return 0;
}

/* Copies the frames into one piece that the message owns. */
static int parse_frames(const struct connection *connection, struct frames *frames, struct error *err,
			struct message *ret_message)
{
	const void *data[CONNECTION_FRAMES_MAX];
	size_t sizes[CONNECTION_FRAMES_MAX], used = 0;
	char *buffer = malloc(frames->size > 0 ? frames->size : 1);
	struct message message;
	int64_t id;
	int rc;

	if (!buffer)
		return error_set(err, -ENOMEM, "out of memory for a message of %zu bytes", frames->size);
	for (size_t i = 0; i < frames->n; i++) {
		sizes[i] = zmq_msg_size(&frames->parts[i]);
		memcpy(buffer + used, zmq_msg_data(&frames->parts[i]), sizes[i]);
		data[i] = buffer + used;
		used += sizes[i];
	}
	rc = message_parse(data, sizes, frames->n, err, &message, &id);
	if (rc < 0) {
		free(buffer);
		return error_prefix(err, rc, "what came from %s is not a message of evoked", connection->endpoint);
	}
	message.buffer = buffer;
	*ret_message = message;
	return 0;
}

static int no_answer(const struct connection *connection, int timeout_ms, struct error *err)
{
	return error_set(err, -ETIMEDOUT, "no daemon answers at %s (waited %.1f s)", connection->endpoint,
			 timeout_ms / 1e3);
}

int connection_receive(struct connection *connection, int timeout_ms, struct error *err, struct message *ret_message)
{
	zmq_pollitem_t item = {.socket = connection->socket, .events = ZMQ_POLLIN};
	struct frames frames;
	int rc = zmq_poll(&item, 1, timeout_ms);

	if (rc < 0)
		return error_set(err, -zmq_errno(), "%s: %s", connection->endpoint, zmq_strerror(zmq_errno()));
	if (rc == 0)
		return no_answer(connection, timeout_ms, err);
	rc = receive_frames(connection, &frames, err);
	if (rc == 0)
		rc = parse_frames(connection, &frames, err, ret_message);
	frames_done(&frames);
	return rc;
}

/* An answer that is a refusal becomes an error with the daemon's own sentence. */
static int check_answer(const struct connection *connection, const struct message *answer, struct error *err)
{
	const char *type = message_type(answer);

	if (strcmp(type, TYPE_BUSY) == 0) {
		const char *reason = json_string_value(json_object_get(answer->header, FIELD_REASON));

		return error_set(err, -EBUSY, "the daemon at %s is busy: %s", connection->endpoint,
				 reason ? reason : "no reason given");
	}
	if (strcmp(type, TYPE_ERROR) == 0) {
		const char *text = json_string_value(json_object_get(answer->header, FIELD_TEXT));

		return error_set(err, -EREMOTEIO, "the daemon refuses: %s", text ? text : "no text given");
	}
	return 0;
}

int connection_ask(struct connection *connection, struct message *question, int timeout_ms, struct error *err,
		   struct message *ret_answer)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	int64_t id = ++connection->last_id;
	struct message answer;
	int rc;

	if (json_object_set_new(question->header, FIELD_ID, json_integer(id)) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	rc = send_question(connection, question, err);
	if (rc < 0)
		return rc;
	for (;;) {
		int64_t left_ms = deadline_ms - now_ms();

		rc = connection_receive(connection, left_ms > 0 ? (int)left_ms : 0, err, &answer);
		if (rc == -ETIMEDOUT)
			return no_answer(connection, timeout_ms, err);
		if (rc < 0)
			return rc;
		if (message_id(&answer) == id)
			break;
		message_done(&answer);
	}
	rc = check_answer(connection, &answer, err);
	if (rc < 0) {
		message_done(&answer);
		return rc;
	}
	*ret_answer = answer;
	return 0;
}
