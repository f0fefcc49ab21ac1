/* The operators' questions: status, pause, exclude, note and so on; each change is a row of the session file, answered
 * when it is on disk. Loop thread only. */
#ifndef EVOKED_DAEMON_CONTROL_SERVICE_H
#define EVOKED_DAEMON_CONTROL_SERVICE_H

#include <stdbool.h>

#include "daemon/endpoint.h"
#include "protocol/message.h"
#include "support/error.h"

struct daemon;

void control_service_message(struct daemon *daemon, const struct endpoint_peer *peer, const struct message *message);

/* Does again what the commands of a session say that was left open (store_resume.commands): excluded units, natural
 * images, a halved budget. True when it was paused. */
bool control_service_resume(struct daemon *daemon, const json_t *commands);

#endif
