/* Flow: uv_poll on ZMQ_FD wakes -> read until EAGAIN or ENDPOINT_TURN -> an idle handle goes on in the next turn.
 * A send can swallow the edge of ZMQ_FD, so it starts the same idle handle, which looks once more and stops.
 *
 * A message of more frames than the protocol has, or of more bytes, is read to its end (ROUTER must be left at a
 * message's border) without being kept, and refused. */
#include "daemon/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <zmq.h>

#include "daemon/clock.h"
#include "protocol/fields.h"

/* What is remembered of a peer: for the status, and to drop for it alone. The longest silent one is forgotten first. */
struct known_peer {
	struct endpoint_peer peer;
	int64_t heard_ns;
};

struct endpoint {
	void *socket;
	uv_poll_t poll;
	uv_idle_t again;
	unsigned n_handles; /* not yet closed */
	struct endpoint_callbacks callbacks;
	void *ctx;
	char address[256];
	unsigned n_known;
	struct known_peer known[LIMIT_CLIENTS];
	uint64_t n_dropped;
};

/* One multipart message as it lies in ZeroMQ's memory. */
struct incoming {
	struct endpoint_peer peer;
	size_t n_frames; /* that were kept, all of them initialized */
	size_t n_all, size;
	zmq_msg_t frames[LIMIT_FRAMES];
};

bool endpoint_peer_equal(const struct endpoint_peer *a, const struct endpoint_peer *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void remember(struct endpoint *endpoint, const struct endpoint_peer *peer)
{
	struct known_peer *place = NULL;

	for (unsigned i = 0; i < endpoint->n_known; i++) {
		if (endpoint_peer_equal(&endpoint->known[i].peer, peer)) {
			endpoint->known[i].heard_ns = clock_monotonic_ns();
			return;
		}
		if (!place || endpoint->known[i].heard_ns < place->heard_ns)
			place = &endpoint->known[i];
	}
	if (endpoint->n_known < LIMIT_CLIENTS)
		place = &endpoint->known[endpoint->n_known++];
	place->peer = *peer;
	place->heard_ns = clock_monotonic_ns();
}

unsigned endpoint_n_clients(const struct endpoint *endpoint)
{
	int64_t since_ns = clock_monotonic_ns() - (int64_t)ENDPOINT_HEARTBEAT_TIMEOUT_MS * 1000000;
	unsigned n = 0;

	for (unsigned i = 0; i < endpoint->n_known; i++)
		n += endpoint->known[i].heard_ns >= since_ns;
	return n;
}

uint64_t endpoint_n_dropped(const struct endpoint *endpoint)
{
	return endpoint->n_dropped;
}

const char *endpoint_address(const struct endpoint *endpoint)
{
	return endpoint->address;
}

/* Sends one frame; the last one without ZMQ_SNDMORE. */
static int send_frame(void *socket, const void *data, size_t size, bool more)
{
	return zmq_send(socket, data, size, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0 ? -zmq_errno() : 0;
}

static void look_again(struct endpoint *endpoint);

int endpoint_send(struct endpoint *endpoint, const struct endpoint_peer *peer, const struct message *message)
{
	char *header;
	size_t header_size;
	int status = message_encode_header(message, NULL, &header, &header_size);

	if (status < 0)
		return status;
	/* The first frame decides: ROUTER takes or refuses a whole message with it. */
	status = send_frame(endpoint->socket, peer->bytes, peer->size, true);
	if (status == 0)
		status = send_frame(endpoint->socket, header, header_size, message->n_arrays > 0);
	for (size_t i = 0; status == 0 && i < message->n_arrays; i++)
		status = send_frame(endpoint->socket, message->arrays[i].data, message->arrays[i].size,
				    i + 1 < message->n_arrays);
	free(header);
	if (status < 0)
		endpoint->n_dropped++;
	look_again(endpoint);
	return status;
}

int endpoint_publish(struct endpoint *endpoint, const void *data, size_t size)
{
	int status = send_frame(endpoint->socket, data, size, false);

	if (status < 0)
		endpoint->n_dropped++;
	look_again(endpoint);
	return status;
}

void endpoint_refuse(struct endpoint *endpoint, const struct endpoint_peer *peer, int64_t id, const char *code,
		     const char *field, const struct error *reason)
{
	struct message answer;

	endpoint->callbacks.refused(endpoint->ctx, peer, reason);
	if (message_init_error(id, code, reason, &answer) < 0)
		return;
	if (field)
		json_object_set_new(answer.header, FIELD_FIELD, json_string(field));
	endpoint_send(endpoint, peer, &answer);
	message_done(&answer);
}

static void incoming_done(struct incoming *in)
{
	for (size_t i = 0; i < in->n_frames; i++)
		zmq_msg_close(&in->frames[i]);
}

/* Reads one whole message. 1, or 0 when there is none. */
static int receive(struct endpoint *endpoint, struct incoming *in)
{
	int n = zmq_recv(endpoint->socket, in->peer.bytes, sizeof in->peer.bytes, ZMQ_DONTWAIT);
	int more = 0;
	size_t more_size = sizeof more;

	in->n_frames = in->n_all = in->size = 0;
	if (n < 0)
		return 0;
	in->peer.size = (size_t)n;
	while (zmq_getsockopt(endpoint->socket, ZMQ_RCVMORE, &more, &more_size) == 0 && more) {
		zmq_msg_t frame;
		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, endpoint->socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&frame);
			break;
		}
		in->n_all++;
		in->size += zmq_msg_size(&frame);
		if (in->n_frames == LIMIT_FRAMES || in->size > LIMIT_MESSAGE_BYTES) {
			zmq_msg_close(&frame);
			continue;
		}
		zmq_msg_init(&in->frames[in->n_frames]);
		zmq_msg_move(&in->frames[in->n_frames++], &frame);
		zmq_msg_close(&frame);
	}
	return 1;
}

/* What is too large is not parsed, but for its header: the refusal is to reach the question. */
static int64_t read_id(const void *const *frames, const size_t *sizes, size_t n_frames)
{
	struct message message;
	int64_t id;

	if (message_parse(frames, sizes, n_frames > 0, NULL, &message, &id) == 0)
		message_done(&message);
	return id;
}

static void take(struct endpoint *endpoint, struct incoming *in)
{
	const void *frames[LIMIT_FRAMES];
	size_t sizes[LIMIT_FRAMES];
	struct message message;
	struct error err = {0};
	int64_t id;
	int status;

	for (size_t i = 0; i < in->n_frames; i++) {
		frames[i] = zmq_msg_data(&in->frames[i]);
		sizes[i] = zmq_msg_size(&in->frames[i]);
	}
	if (in->n_all > LIMIT_FRAMES) {
		id = read_id(frames, sizes, in->n_frames);
		status = error_set(&err, -E2BIG, "message: at most %d frames expected, found %zu", LIMIT_FRAMES,
				   in->n_all);
	} else if (in->size > LIMIT_MESSAGE_BYTES) {
		id = read_id(frames, sizes, in->n_frames);
		status = error_set(&err, -E2BIG, "message: at most %d bytes expected, found %zu", LIMIT_MESSAGE_BYTES,
				   in->size);
	} else {
		status = message_parse(frames, sizes, in->n_frames, &err, &message, &id);
	}
	if (status < 0) {
		endpoint_refuse(endpoint, &in->peer, id, message_error_code(status), NULL, &err);
		return;
	}
	endpoint->callbacks.message(endpoint->ctx, &in->peer, &message);
	message_done(&message);
}

/* Reads what is there, ENDPOINT_TURN messages at most; true when there may be more. */
static bool read_turn(struct endpoint *endpoint)
{
	struct incoming in;

	for (unsigned i = 0; i < ENDPOINT_TURN; i++) {
		/* asked each time: what came may have closed the endpoint */
		if (!endpoint->callbacks.message || !receive(endpoint, &in))
			return false;
		remember(endpoint, &in.peer);
		take(endpoint, &in);
		incoming_done(&in);
	}
	return true;
}

static void on_again(uv_idle_t *idle)
{
	struct endpoint *endpoint = idle->data;
	int events = 0;
	size_t size = sizeof events;

	uv_idle_stop(idle); /* a send below starts it again */
	zmq_getsockopt(endpoint->socket, ZMQ_EVENTS, &events, &size);
	if (events & ZMQ_POLLIN && read_turn(endpoint))
		look_again(endpoint);
}

static void look_again(struct endpoint *endpoint)
{
	if (!uv_is_closing((uv_handle_t *)&endpoint->again))
		uv_idle_start(&endpoint->again, on_again);
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	on_again(&((struct endpoint *)poll->data)->again);
}

static int set_option(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof value) < 0 ? -zmq_errno() : 0;
}

static int set_options(void *socket, int type)
{
	const int64_t max_size = LIMIT_MESSAGE_BYTES_HARD;
	int status = set_option(socket, ZMQ_LINGER, 0);

	if (status == 0)
		status = set_option(socket, ZMQ_HEARTBEAT_IVL, ENDPOINT_HEARTBEAT_MS);
	if (status == 0)
		status = set_option(socket, ZMQ_HEARTBEAT_TIMEOUT, ENDPOINT_HEARTBEAT_TIMEOUT_MS);
	if (status == 0)
		status = set_option(socket, ZMQ_SNDHWM, ENDPOINT_QUEUE);
	if (status == 0)
		status = set_option(socket, ZMQ_RCVHWM, ENDPOINT_QUEUE);
	if (status == 0 && type == ZMQ_ROUTER)
		status = set_option(socket, ZMQ_ROUTER_MANDATORY, 1);
	if (status == 0 && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_size, sizeof max_size) < 0)
		status = -zmq_errno();
	return status;
}

static int open_endpoint(struct uv_loop_s *loop, void *zmq, int type, const char *address, struct error *err,
			 struct endpoint **ret_endpoint)
{
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	size_t size = sizeof endpoint->address;
	int fd;
	size_t fd_size = sizeof fd;
	int status;

	if (!endpoint)
		return error_set(err, -ENOMEM, "%s: out of memory", address);
	endpoint->socket = zmq_socket(zmq, type);
	if (!endpoint->socket) {
		status = error_set(err, -zmq_errno(), "%s: %s", address, zmq_strerror(zmq_errno()));
		goto out_free;
	}
	status = set_options(endpoint->socket, type);
	if (status == 0 && zmq_bind(endpoint->socket, address) < 0)
		status = -zmq_errno();
	if (status == 0 && (zmq_getsockopt(endpoint->socket, ZMQ_LAST_ENDPOINT, endpoint->address, &size) < 0 ||
			    zmq_getsockopt(endpoint->socket, ZMQ_FD, &fd, &fd_size) < 0))
		status = -zmq_errno();
	if (status < 0) {
		error_set(err, status, "%s: cannot listen: %s", address, zmq_strerror(-status));
		goto out_close;
	}
	status = uv_poll_init(loop, &endpoint->poll, fd);
	if (status < 0) {
		error_set(err, status, "%s: %s", address, uv_strerror(status));
		goto out_close;
	}
	uv_idle_init(loop, &endpoint->again);
	endpoint->poll.data = endpoint->again.data = endpoint;
	endpoint->n_handles = 2;
	*ret_endpoint = endpoint;
	return 0;

out_close:
	zmq_close(endpoint->socket);
out_free:
	free(endpoint);
	return status;
}

static void start_reading(struct endpoint *endpoint)
{
	uv_poll_start(&endpoint->poll, UV_READABLE, on_wake);
	look_again(endpoint);
}

int endpoint_open_router(struct uv_loop_s *loop, void *zmq, const char *address,
			 const struct endpoint_callbacks *callbacks, void *ctx, struct error *err,
			 struct endpoint **ret_endpoint)
{
	int status = open_endpoint(loop, zmq, ZMQ_ROUTER, address, err, ret_endpoint);

	if (status < 0)
		return status;
	(*ret_endpoint)->callbacks = *callbacks;
	(*ret_endpoint)->ctx = ctx;
	start_reading(*ret_endpoint);
	return 0;
}

int endpoint_open_pub(struct uv_loop_s *loop, void *zmq, const char *address, struct error *err,
		      struct endpoint **ret_endpoint)
{
	int status = open_endpoint(loop, zmq, ZMQ_PUB, address, err, ret_endpoint);

	if (status < 0)
		return status;
	start_reading(*ret_endpoint);
	return 0;
}

static void closed(uv_handle_t *handle)
{
	struct endpoint *endpoint = handle->data;

	if (--endpoint->n_handles > 0)
		return;
	set_option(endpoint->socket, ZMQ_LINGER, ENDPOINT_LINGER_MS);
	zmq_close(endpoint->socket);
	free(endpoint);
}

void endpoint_close(struct endpoint *endpoint)
{
	if (!endpoint)
		return;
	endpoint->callbacks.message = NULL;
	uv_close((uv_handle_t *)&endpoint->poll, closed);
	uv_close((uv_handle_t *)&endpoint->again, closed);
}
