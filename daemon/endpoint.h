/* One ZeroMQ socket in the loop: ROUTER for questions and answers, PUB for the status.
 *
 * ZeroMQ's descriptor tells of changes only once (edge-triggered), so the socket is read until it has no more after
 * every wake-up and every send; at most ENDPOINT_TURN messages in one turn of the loop, then the others have theirs.
 * A send never waits: when the peer's queue is full or the peer is gone, the message is dropped and counted.
 * What is not a message of the protocol is refused here, with an `error` that names the field. Loop thread only. */
#ifndef EVOKED_DAEMON_ENDPOINT_H
#define EVOKED_DAEMON_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/message.h"
#include "support/error.h"

enum {
	ENDPOINT_TURN = 64,    /* messages read in one turn of the loop */
	ENDPOINT_QUEUE = 1000, /* messages waiting in ZeroMQ for one peer, each way */
	ENDPOINT_PEER_BYTES = 255,
	ENDPOINT_HEARTBEAT_MS = 1000,
	ENDPOINT_HEARTBEAT_TIMEOUT_MS = 5000,
	ENDPOINT_LINGER_MS = 200, /* at close: for the last acknowledgements */
};

struct uv_loop_s;
struct endpoint;

/* Who asked: the identity that ROUTER gave. */
struct endpoint_peer {
	size_t size;
	uint8_t bytes[ENDPOINT_PEER_BYTES];
};

struct endpoint_callbacks {
	/* A message that is whole and of this version; borrowed. */
	void (*message)(void *ctx, const struct endpoint_peer *peer, const struct message *message);
	/* One that is refused, here or with endpoint_refuse(): for the log. */
	void (*refused)(void *ctx, const struct endpoint_peer *peer, const struct error *reason);
};

/* Binds. The error sentence names the address. `callbacks` is NULL for PUB. */
int endpoint_open_router(struct uv_loop_s *loop, void *zmq, const char *address,
			 const struct endpoint_callbacks *callbacks, void *ctx, struct error *err,
			 struct endpoint **ret_endpoint);
int endpoint_open_pub(struct uv_loop_s *loop, void *zmq, const char *address, struct error *err,
		      struct endpoint **ret_endpoint);
/* Stops reading, flushes for ENDPOINT_LINGER_MS at most; the memory is freed once the loop has closed the handles.
 * NULL is fine. */
void endpoint_close(struct endpoint *endpoint);

/* The real address: the port is known also when "tcp://127.0.0.1:*" was asked for. */
const char *endpoint_address(const struct endpoint *endpoint);

/* Sends a message with its arrays to a peer. The bytes are copied. 0, -EAGAIN (queue full: dropped and counted),
 * -EHOSTUNREACH (peer gone: counted), -ENOMEM. */
int endpoint_send(struct endpoint *endpoint, const struct endpoint_peer *peer, const struct message *message);
/* An `error` answer, and the callback `refused`. `field` NULL: the path with which the reason begins. */
void endpoint_refuse(struct endpoint *endpoint, const struct endpoint_peer *peer, int64_t id, const char *code,
		     const char *field, const struct error *reason);
/* PUB: one frame to all who listen. */
int endpoint_publish(struct endpoint *endpoint, const void *data, size_t size);

bool endpoint_peer_equal(const struct endpoint_peer *a, const struct endpoint_peer *b);
/* Peers that were heard within the heartbeat timeout (of the LIMIT_CLIENTS that are remembered). */
unsigned endpoint_n_clients(const struct endpoint *endpoint);
uint64_t endpoint_n_dropped(const struct endpoint *endpoint);

#endif
