/* A session file against itself (reader.h, reader_check). */
#ifndef EVOKED_DAEMON_STORE_CHECK_H
#define EVOKED_DAEMON_STORE_CHECK_H

#include <stddef.h>

#include "daemon/store/query.h"

/* Inside the caller's read transaction. Errors are of the reading; what is wrong with the file is told by `problem`. */
int check_all(struct sql *sql, void (*problem)(void *ctx, const char *text), void *ctx, struct error *err,
	      size_t *ret_n);

#endif
