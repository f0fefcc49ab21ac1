/* Child processes of a verb: started with their output in files, watched, and never left behind.
 *
 * A child gets SIGTERM when its parent's thread dies, whatever the cause. Thread: the one that started it. */
#ifndef EVOKED_DAEMON_CLI_PROCESS_H
#define EVOKED_DAEMON_CLI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "support/error.h"

enum { PROCESS_STOP_MS = 10000 };

struct process {
	pid_t pid;     /* 0: none was started, or it has been waited for */
	int exit_code; /* once it has ended; 128 + signal when a signal ended it */
};

/* argv ends with NULL; argv[0] is a path. Output goes to the end of the files, which may be the same one; stdin is
 * /dev/null. -errno with the program's or the file's name. */
int process_start(const char *const *argv, const char *stdout_path, const char *stderr_path, struct error *err,
		  struct process *ret_process);

/* Waits up to timeout_ms (0: one look). 0 when it has ended, -ETIMEDOUT, -EINTR after a signal. */
int process_wait(struct process *process, int timeout_ms);
/* SIGTERM, PROCESS_STOP_MS for leaving in order, then SIGKILL. Fine for one that is over. */
void process_stop(struct process *process);

/* The path of a program that lies in the folder of the running one. -ENAMETOOLONG, or what reading its path gave. */
int process_beside(const char *name, size_t size, char *ret_path);

#endif
