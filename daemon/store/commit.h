/* Group commit: all operations of a list in one transaction. */
#ifndef EVOKED_DAEMON_STORE_COMMIT_H
#define EVOKED_DAEMON_STORE_COMMIT_H

#include "daemon/store/writer.h"

/* Writes the operations from `first` on (by `next`) and commits. Each gets its status: its own error (then nothing of
 * it is in the file and the others go on), or the storage's error, which is then that of all and is returned. On
 * success the clocks of the commit are in each. */
int commit_group(struct writer *writer, struct store_op *first, struct error *err);

/* A transaction around `write`, for what is not an operation. */
int commit_one(struct writer *writer, int (*write)(struct writer *writer, void *ctx, struct error *err), void *ctx,
	       struct error *err);

int64_t commit_wall_us(void);

#endif
