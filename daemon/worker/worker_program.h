/* Where evoked-worker lies, and how it is called: the same for the daemon's supervisor and for a client without a loop.
 */
#ifndef EVOKED_DAEMON_WORKER_WORKER_PROGRAM_H
#define EVOKED_DAEMON_WORKER_WORKER_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"

#define WORKER_PROGRAM_NAME "evoked-worker"
#define WORKER_MEMORY_MAX   "--memory-max=" /* bytes of address space; 0: no limit */

enum { WORKER_PIPE_FD = 3, WORKER_ARGUMENT_SIZE = 64 };

/* `configured`, or when that is NULL or "" the file evoked-worker beside the running program. -ENAMETOOLONG, -errno. */
int worker_program_path(const char *configured, struct error *err, char *ret_path, size_t size);

/* The one argument. */
void worker_program_argument(uint64_t memory_max, char ret_argument[WORKER_ARGUMENT_SIZE]);

/* The environment of a worker: the caller's, and OpenBLAS held to one thread from the start. Else it starts threads of
 * its own when it is loaded, which under a limit of addresses ask for memory for ever and keep the process from ending.
 * A NULL-terminated list to be freed; the texts stay the environment's. -ENOMEM. */
int worker_program_environment(char ***ret_environment);

#endif
