/* The tables of the session file, version by version. Append only: a file made by version n goes through n + 1, n + 2,
 * ... */
#ifndef EVOKED_DAEMON_STORE_MIGRATIONS_H
#define EVOKED_DAEMON_STORE_MIGRATIONS_H

#include <sqlite3.h>

#include "support/error.h"

struct migration {
	const char *const *statements; /* ends with NULL */
};

/* The file's version (PRAGMA user_version) is how many of them it has gone through. */
extern const struct migration migrations[];
extern const int migrations_n;

/* Brings the file to version `n` of `list` inside the caller's transaction. -ENOTSUP for a file of a later version,
 * -EINVAL for one of version 0 that has tables; else as database_error(). */
int migrations_run(sqlite3 *db, const struct migration *list, int n, struct error *err);

/* -ENOTSUP with the sentence for a file of a later version than `known`. */
int migrations_refuse(int version, int known, struct error *err);

/* The file's version. */
int migrations_version(sqlite3 *db, struct error *err, int *ret_version);

#endif
