/* Who writes a session file: at most one daemon, known by a locked file "NAME.lock" beside it.
 *
 * The lock goes with the process that holds it, however it ends. */
#ifndef EVOKED_DAEMON_STORE_HOLDER_H
#define EVOKED_DAEMON_STORE_HOLDER_H

#include "support/error.h"

struct holder {
	int fd;	    /* -1 when nothing is held */
	char *path; /* of the lock file */
};

/* -EBUSY names the process that holds the session; -ENOENT, -EACCES. */
int holder_take(const char *session_path, struct error *err, struct holder *ret_holder);
void holder_drop(struct holder *holder);

#endif
