/* A connection to a session file with the settings that make it durable, and SQLite's errors as errno. */
#ifndef EVOKED_DAEMON_STORE_DATABASE_H
#define EVOKED_DAEMON_STORE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "support/error.h"

enum {
	DATABASE_APPLICATION_ID = 0x45564b44, /* "EVKD" at byte 68 of the file */
	DATABASE_BUSY_MS = 2000,	      /* how long another program's write is waited for */
	DATABASE_CACHE_KIB = 16384,
	DATABASE_WAL_LIMIT_BYTES = 16 << 20, /* a longer write-ahead log is cut back to this after a checkpoint */
};

enum database_mode {
	DATABASE_CREATE, /* makes the file when it is not there */
	DATABASE_WRITE,
	DATABASE_READ, /* other programs may write at the same time */
};

/* -ENOENT, -EACCES, -EINVAL (not a session file: application_id), -ENOTSUP (writing, where WAL is not
 * possible), -EIO. Files that have nothing in them yet (a creation
 * that was cut short) pass; the migrations begin at 0 then. The caller closes with sqlite3_close. */
int database_open(const char *path, enum database_mode mode, struct error *err, sqlite3 **ret_db);

/* Whether nothing was ever committed to it. */
int database_is_empty(sqlite3 *db, struct error *err, bool *ret_empty);

/* -ENOSPC full, -EIO, -ENOMEM, -EBUSY, -EROFS, -EEXIST a row that is there already, -ENOENT a reference to a row that
 * is not there, -EINVAL other constraints, -E2BIG; the sentence is SQLite's. */
int database_error(sqlite3 *db, int code, struct error *err);

/* Errors that are of the storage and not of what was written: everything of the transaction fails with them. */
bool database_is_storage_error(int error);

/* Runs statements of the program's own text. */
int database_run(sqlite3 *db, const char *text, struct error *err);

#endif
