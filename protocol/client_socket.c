/* IMMEDIATE is set: without a connection nothing is queued inside ZeroMQ, so that after a restart of the daemon no old
 * message arrives before the new `hello`. The frames of a received message are gathered in one buffer that the message
 * owns.
 *
 * Failure modes: sockets that cannot be made (descriptors, memory), a wrong endpoint, messages over LIMIT_ANSWER_BYTES
 * (read to their end and dropped). */
#include "protocol/client_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define MONITOR_ENDPOINT "inproc://monitor"

static const struct message_limits limits_answer = {
	.header_bytes = LIMIT_HEADER_BYTES,
	.message_bytes = LIMIT_ANSWER_BYTES,
	.header_values = LIMIT_HEADER_VALUES,
};

static int set_options(void *socket)
{
	static const struct {
		int option, value;
	} options[] = {
		{ZMQ_LINGER, 0},
		{ZMQ_IMMEDIATE, 1},
		{ZMQ_SNDHWM, CLIENT_SOCKET_QUEUE},
		{ZMQ_RCVHWM, CLIENT_SOCKET_QUEUE},
		{ZMQ_HEARTBEAT_IVL, CLIENT_HEARTBEAT_MS},
		{ZMQ_HEARTBEAT_TIMEOUT, CLIENT_HEARTBEAT_TIMEOUT_MS},
		{ZMQ_HANDSHAKE_IVL, CLIENT_HANDSHAKE_MS},
		{ZMQ_RECONNECT_IVL, CLIENT_RECONNECT_MS},
		{ZMQ_RECONNECT_IVL_MAX, CLIENT_RECONNECT_MAX_MS},
	};
	const int64_t max_bytes = LIMIT_ANSWER_BYTES;

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof options[i].value))
			return -errno;
	}
	return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) ? -errno : 0;
}

static int open_monitor(struct client_socket *s)
{
	if (zmq_socket_monitor(s->socket, MONITOR_ENDPOINT, ZMQ_EVENT_DISCONNECTED))
		return -errno;
	s->monitor = zmq_socket(s->context, ZMQ_PAIR);
	if (!s->monitor || zmq_connect(s->monitor, MONITOR_ENDPOINT))
		return -errno;
	return 0;
}

int client_socket_open(const char *endpoint, struct error *err, struct client_socket *ret_socket)
{
	struct client_socket s = {.context = zmq_ctx_new()};
	int rc = 0;

	if (s.context)
		s.socket = zmq_socket(s.context, ZMQ_DEALER);
	if (!s.socket)
		rc = -errno;
	if (!rc)
		rc = set_options(s.socket);
	if (!rc)
		rc = open_monitor(&s);
	if (!rc && zmq_connect(s.socket, endpoint))
		rc = -errno;
	if (rc) {
		client_socket_close(&s);
		return error_set(err, rc, "%s: %s", endpoint, zmq_strerror(-rc));
	}
	*ret_socket = s;
	return 0;
}

void client_socket_close(struct client_socket *s)
{
	if (s->monitor)
		zmq_close(s->monitor);
	if (s->socket)
		zmq_close(s->socket);
	if (s->context)
		zmq_ctx_term(s->context);
	*s = (struct client_socket){0};
}

/* The first frame alone can say EAGAIN: ZeroMQ takes a message whole. */
static int send_frame(void *socket, const void *data, size_t size, int flags)
{
	return zmq_send(socket, size ? data : "", size, ZMQ_DONTWAIT | flags) < 0 ? -errno : 0;
}

int client_socket_send(struct client_socket *s, const struct message *message, struct error *err)
{
	const size_t n = message->n_arrays;
	char *header;
	size_t size;
	int rc = message_encode_header(message, err, &header, &size);

	if (rc)
		return rc;
	rc = send_frame(s->socket, header, size, n ? ZMQ_SNDMORE : 0);
	for (size_t i = 0; !rc && i < n; i++)
		rc = send_frame(s->socket, message->arrays[i].data, message->arrays[i].size,
				i + 1 < n ? ZMQ_SNDMORE : 0);
	free(header);
	return rc ? error_set(err, rc, "sending: %s", zmq_strerror(-rc)) : 0;
}

struct gathered {
	unsigned char *data;
	size_t n, size;
	size_t sizes[LIMIT_FRAMES];
	bool dropped; /* too many frames or bytes, or no memory: read on to the end of the message, keep nothing */
};

static void gather(struct gathered *g, const void *data, size_t size)
{
	unsigned char *grown = NULL;

	if (!g->dropped && g->n < LIMIT_FRAMES && size <= LIMIT_ANSWER_BYTES - g->size)
		grown = realloc(g->data, g->size + size + 1);
	if (!grown) {
		g->dropped = true;
		return;
	}
	memcpy(grown + g->size, data, size);
	g->data = grown;
	g->sizes[g->n++] = size;
	g->size += size;
}

static int receive_frames(void *socket, struct gathered *g)
{
	int more = 1;

	while (more) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
			int rc = -errno;

			zmq_msg_close(&frame);
			return rc;
		}
		gather(g, zmq_msg_data(&frame), zmq_msg_size(&frame));
		more = zmq_msg_more(&frame);
		zmq_msg_close(&frame);
	}
	return 0;
}

int client_socket_receive(struct client_socket *s, struct error *err, struct message *ret_message)
{
	const void *frames[LIMIT_FRAMES];
	struct gathered g = {0};
	struct message message;
	int64_t id;
	int rc = receive_frames(s->socket, &g);

	if (!rc && g.dropped)
		rc = error_set(err, -E2BIG, "answer: at most %d frames and %d bytes", LIMIT_FRAMES, LIMIT_ANSWER_BYTES);
	if (rc)
		goto out_data;
	for (size_t i = 0, at = 0; i < g.n; at += g.sizes[i++])
		frames[i] = g.data + at;
	rc = message_parse_within(&limits_answer, frames, g.sizes, g.n, err, &message, &id);
	if (rc)
		goto out_data;
	message.buffer = g.data;
	*ret_message = message;
	return 0;

out_data:
	free(g.data);
	return rc;
}

/* Only one kind of event is asked for, so whatever comes is a lost connection. */
static bool drain_monitor(void *monitor)
{
	char frame[256];
	bool lost = false;

	while (zmq_recv(monitor, frame, sizeof frame, ZMQ_DONTWAIT) >= 0)
		lost = true;
	return lost;
}

int client_socket_wait(struct client_socket *s, int timeout_ms, bool want_send, struct error *err, bool *ret_lost)
{
	zmq_pollitem_t items[2] = {
		{.socket = s->socket, .events = (short)(want_send ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN)},
		{.socket = s->monitor, .events = ZMQ_POLLIN},
	};

	if (zmq_poll(items, 2, timeout_ms) < 0 && errno != EINTR)
		return error_set(err, -EIO, "waiting: %s", zmq_strerror(errno));
	*ret_lost = drain_monitor(s->monitor);
	return 0;
}
