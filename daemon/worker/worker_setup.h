/* The `setup` of a worker from a session's configuration: the same for the daemon and for `evoke replay`. */
#ifndef EVOKED_DAEMON_WORKER_WORKER_SETUP_H
#define EVOKED_DAEMON_WORKER_WORKER_SETUP_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/config.h"
#include "protocol/session_spec.h"

enum { WORKER_SEED_SIZE = 17 };

/* A session seed as it travels: 16 hex digits, most significant first, and a NUL. */
void worker_setup_seed(uint64_t seed, char ret_hex[WORKER_SEED_SIZE]);

/* The fields of `setup` (pipe_fields.h); a new object, or NULL when there is no memory. */
json_t *worker_setup_make(const struct config *config, uint64_t seed, const char *model_dir,
			  const struct session_spec *spec);

#endif
