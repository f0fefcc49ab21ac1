/* The client's end of the wire: a DEALER socket and its monitor. The only file of protocol/ that knows ZeroMQ. */
#ifndef EVOKED_PROTOCOL_CLIENT_SOCKET_H
#define EVOKED_PROTOCOL_CLIENT_SOCKET_H

#include <stdbool.h>

#include "protocol/message.h"
#include "support/error.h"

enum {
	CLIENT_SOCKET_QUEUE = 64, /* messages that ZeroMQ holds, each way */
	CLIENT_HEARTBEAT_MS = 1000,
	CLIENT_HEARTBEAT_TIMEOUT_MS = 5000,
	CLIENT_HANDSHAKE_MS = 5000,
	CLIENT_RECONNECT_MS = 100,
	CLIENT_RECONNECT_MAX_MS = 1000,
};

struct client_socket {
	void *context, *socket, *monitor;
};

/* Connects in the background. -EINVAL endpoint, else what ZeroMQ says. */
int client_socket_open(const char *endpoint, struct error *err, struct client_socket *ret_socket);
void client_socket_close(struct client_socket *socket);

/* -EAGAIN: not connected or the queue is full; nothing was sent. */
int client_socket_send(struct client_socket *socket, const struct message *message, struct error *err);

/* One message, which owns its bytes. -EAGAIN there is none, -EPROTO and the like: one came that could not be read. */
int client_socket_receive(struct client_socket *socket, struct error *err, struct message *ret_message);

/* Waits until something can be received (or sent, if want_send); -1: for ever. *ret_lost: the connection broke since.
 */
int client_socket_wait(struct client_socket *socket, int timeout_ms, bool want_send, struct error *err, bool *ret_lost);

#endif
