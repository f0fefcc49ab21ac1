/* The rig's questions: messages in, operations for the store, answers when they are on disk.
 *
 * One rig writes at a time, known by its run. Another one is told `busy` and who it is, until the first has been silent
 * for RIG_SILENT_NS, or says `hello` anew. A reconnected rig has a new identity and the old run: it is the same. Loop
 * thread only. */
#ifndef EVOKED_DAEMON_RIG_SERVICE_H
#define EVOKED_DAEMON_RIG_SERVICE_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/answer.h"
#include "daemon/endpoint.h"
#include "protocol/message.h"
#include "protocol/presentation.h"
#include "support/error.h"

#define RIG_SILENT_NS ((int64_t)ENDPOINT_HEARTBEAT_TIMEOUT_MS * 1000000)
enum { RIG_HOLDER_RETRY_MS = 1000 };

struct daemon;
struct rig_service;

int rig_service_create(struct daemon *daemon, struct error *err, struct rig_service **ret_service);
void rig_service_destroy(struct rig_service *service);

void rig_service_message(struct rig_service *service, const struct endpoint_peer *peer, const struct message *message);
/* The session is over: whoever asked for `close` is told, nobody holds the socket. */
void rig_service_closed(struct rig_service *service, const char *session_hex);
/* {run, silent_ms}, or null when no rig has said `hello`. */
json_t *rig_service_json(const struct rig_service *service);

/* rig_presentations.c: one block, from the holder of `run`. */
struct rig_block;
int rig_block_create(struct rig_block **ret_block);
void rig_block_destroy(struct rig_block *block);
void rig_block_take(struct daemon *daemon, struct rig_block *block, const struct asker *asker,
		    const struct message *message);

#endif
