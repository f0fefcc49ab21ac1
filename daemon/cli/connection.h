/* A verb's line to a daemon: questions on the control socket, snapshots from the status socket, both with a time limit.
 *
 * A daemon that does not answer is one sentence with the endpoint; nothing is asked twice. Thread: one at a time. */
#ifndef EVOKED_DAEMON_CLI_CONNECTION_H
#define EVOKED_DAEMON_CLI_CONNECTION_H

#include <stdint.h>

#include "protocol/limits.h"
#include "protocol/message.h"
#include "support/error.h"

enum { CONNECTION_TIMEOUT_MS = 2000, CONNECTION_FRAMES_MAX = LIMIT_FRAMES };

/* The endpoints of a daemon with the default configuration. */
#define CONNECTION_RIG	   "tcp://127.0.0.1:5571"
#define CONNECTION_STATUS  "tcp://127.0.0.1:5572"
#define CONNECTION_CONTROL "tcp://127.0.0.1:5573"

struct connection;

/* A DEALER for questions. -EINVAL: not an endpoint; -ENOMEM. The peer need not be there yet. */
int connection_open(const char *endpoint, struct error *err, struct connection **ret_connection);
/* A SUB for snapshots. */
int connection_subscribe(const char *endpoint, struct error *err, struct connection **ret_connection);
void connection_close(struct connection *connection);

/* Asks and waits up to `timeout_ms` for the answer to this question (by its id, which is set here). -ETIMEDOUT; -EBUSY
 * for `busy` and -EREMOTEIO for `error`, with the daemon's sentence. On success *ret_answer is the caller's, for
 * message_done. */
int connection_ask(struct connection *connection, struct message *question, int timeout_ms, struct error *err,
		   struct message *ret_answer);

/* The next message of either socket. -ETIMEDOUT when none came, -EINTR after a signal; a message that cannot be
 * parsed is -EPROTO. */
int connection_receive(struct connection *connection, int timeout_ms, struct error *err, struct message *ret_message);

#endif
