/* Asking a daemon for its snapshot: what the verbs status, watch and demo begin with. */
#ifndef EVOKED_DAEMON_CLI_STATUS_H
#define EVOKED_DAEMON_CLI_STATUS_H

#include "protocol/message.h"
#include "support/error.h"

/* One snapshot from the control socket at `endpoint`; errors as connection_ask. The caller frees *ret_answer. */
int status_ask(const char *endpoint, struct error *err, struct message *ret_answer);

#endif
