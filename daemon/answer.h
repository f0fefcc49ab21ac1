/* Answers to questions on a ROUTER socket: who asked, and the few shapes that every service needs. Loop thread only. */
#ifndef EVOKED_DAEMON_ANSWER_H
#define EVOKED_DAEMON_ANSWER_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/endpoint.h"
#include "protocol/message.h"

/* Where an answer goes: kept with an operation until it is on disk. */
struct asker {
	struct endpoint *endpoint;
	struct endpoint_peer peer;
	int64_t id; /* -1: the question had none */
};

/* {type} with the fields of `fields` (taken; NULL: none). */
void answer_send(const struct asker *asker, const char *type, json_t *fields);
/* {error}, and a row in the log. `field` NULL: the path with which the text begins, if it does. */
void answer_error(const struct asker *asker, const char *code, const char *field, const char *text);
/* {error} for what a function of protocol/ refused, with the code of its status. */
void answer_refuse(const struct asker *asker, int status, const struct error *reason);
/* {busy}: `holder` may be NULL. */
void answer_busy(const struct asker *asker, int retry_ms, const char *reason, const char *holder);

#endif
