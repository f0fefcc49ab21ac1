/* WAL so that anyone can read while the daemon writes; synchronous=FULL so that a commit is on disk when it returns;
 * checkpoints are the store thread's, never at a commit that someone waits for. */
#include "daemon/store/database.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char settings_of_all[] = "PRAGMA foreign_keys = ON;"
				      "PRAGMA trusted_schema = OFF;"
				      "PRAGMA temp_store = MEMORY;";

static const char settings_of_writer[] = "PRAGMA synchronous = FULL;"
					 "PRAGMA wal_autocheckpoint = 0;"
					 "PRAGMA cell_size_check = ON;";

int database_error(sqlite3 *db, int code, struct error *err)
{
	const char *sentence = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return error_set(err, -ENOSPC, "%s", sentence);
	case SQLITE_NOMEM:
		return error_set(err, -ENOMEM, "%s", sentence);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, -EBUSY, "another program is writing to it (%s)", sentence);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return error_set(err, -EROFS, "%s", sentence);
	case SQLITE_CONSTRAINT:
		if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
		    code == SQLITE_CONSTRAINT_ROWID)
			return error_set(err, -EEXIST, "%s", sentence);
		if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
			return error_set(err, -ENOENT, "%s", sentence);
		return error_set(err, -EINVAL, "%s", sentence);
	case SQLITE_MISMATCH:
	case SQLITE_NOTADB:
		return error_set(err, -EINVAL, "%s", sentence);
	case SQLITE_TOOBIG:
		return error_set(err, -E2BIG, "%s", sentence);
	default: /* SQLite's codes are not an enum of ours; I/O, corruption and what is to come are all the storage's.
		  */
		return error_set(err, -EIO, "%s (SQLite error %d, errno %d)", sentence, code,
				 db ? sqlite3_system_errno(db) : 0);
	}
}

bool database_is_storage_error(int error)
{
	return error == -ENOSPC || error == -EIO || error == -ENOMEM || error == -EBUSY || error == -EROFS;
}

int database_run(sqlite3 *db, const char *text, struct error *err)
{
	int code = sqlite3_exec(db, text, NULL, NULL, NULL);

	return code ? database_error(db, code, err) : 0;
}

static int read_int(sqlite3 *db, const char *text, struct error *err, int64_t *ret_value)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, text, -1, &statement, NULL);

	if (code)
		return database_error(db, code, err);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : database_error(db, code, err);
}

int database_is_empty(sqlite3 *db, struct error *err, bool *ret_empty)
{
	int64_t n_tables;
	int r = read_int(db, "SELECT count(*) FROM sqlite_schema", err, &n_tables);

	if (!r)
		*ret_empty = !n_tables;
	return r;
}

static int check_application(sqlite3 *db, struct error *err)
{
	int64_t application;
	bool empty;
	int r = read_int(db, "PRAGMA application_id", err, &application);

	if (!r)
		r = database_is_empty(db, err, &empty);
	if (!r && !empty && application != DATABASE_APPLICATION_ID)
		r = error_set(err, -EINVAL, "not a session file (application_id 0x%08x expected, found 0x%08x)",
			      DATABASE_APPLICATION_ID, (unsigned)application);
	return r;
}

static int connect(const char *path, int flags, struct error *err, sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	int r;

	if (code) {
		int number = db ? sqlite3_system_errno(db) : 0;

		if ((code & 0xff) == SQLITE_CANTOPEN && number)
			r = error_set(err, -number, "%s", strerror(number));
		else
			r = database_error(db, code, err);
		sqlite3_close(db);
		return r;
	}
	sqlite3_busy_timeout(db, DATABASE_BUSY_MS);
	*ret_db = db;
	return 0;
}

/* A file in a folder where nothing can be made (an archive, a read-only disk) cannot have the WAL's index beside it.
 * When it has no WAL either, nobody can be writing, and SQLite reads it without. */
static int connect_immutable(const char *path, struct error *err, sqlite3 **ret_db)
{
	char *wal = sqlite3_mprintf("%s-wal", path);
	char *escaped = NULL, *uri = NULL;
	size_t n = 0;
	int r = -ENOMEM;

	if (!wal)
		goto out;
	if (!access(wal, F_OK)) {
		r = error_set(err, -EACCES, "its write-ahead log can only be read in a folder that can be written");
		goto out;
	}
	escaped = malloc(3 * strlen(path) + 1);
	if (!escaped)
		goto out;
	for (const char *c = path; *c; c++)
		n += (size_t)sprintf(escaped + n, *c == '%' || *c == '?' || *c == '#' ? "%%%02x" : "%c", *c);
	escaped[n] = '\0';
	uri = sqlite3_mprintf("file:%s?immutable=1", escaped);
	if (uri)
		r = connect(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err, ret_db);
out:
	free(escaped);
	sqlite3_free(uri);
	sqlite3_free(wal);
	return r;
}

/* Where WAL is not possible, SQLite goes on without it and says so only in the answer. */
static int set_wal(sqlite3 *db, struct error *err)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
	int r = 0;

	if (code)
		return database_error(db, code, err);
	code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		r = database_error(db, code, err);
	else if (strcmp((const char *)sqlite3_column_text(statement, 0), "wal"))
		r = error_set(err, -ENOTSUP,
			      "a file system with shared memory expected for the write-ahead log (a local disk), found "
			      "one without");
	sqlite3_finalize(statement);
	return r;
}

static int set_up(sqlite3 *db, enum database_mode mode, struct error *err)
{
	char text[128];
	int r = database_run(db, settings_of_all, err);

	if (!r)
		r = check_application(db, err);
	if (r || mode == DATABASE_READ)
		return r;
	snprintf(text, sizeof text, "PRAGMA cache_size = -%d; PRAGMA journal_size_limit = %d", DATABASE_CACHE_KIB,
		 DATABASE_WAL_LIMIT_BYTES);
	r = set_wal(db, err);
	if (!r)
		r = database_run(db, settings_of_writer, err);
	if (!r)
		r = database_run(db, text, err);
	return r;
}

int database_open(const char *path, enum database_mode mode, struct error *err, sqlite3 **ret_db)
{
	static const int flags[] = {
		[DATABASE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		[DATABASE_WRITE] = SQLITE_OPEN_READWRITE,
		[DATABASE_READ] = SQLITE_OPEN_READONLY,
	};
	sqlite3 *db = NULL;
	int r = connect(path, flags[mode], err, &db);

	if (r)
		return error_prefix(err, r, "%s", path);
	r = set_up(db, mode, err);
	if (r && mode == DATABASE_READ && r != -EINVAL && access(path, R_OK) == 0) {
		sqlite3 *immutable = NULL;

		if (!connect_immutable(path, err, &immutable)) {
			sqlite3_close(db);
			db = immutable;
			r = set_up(db, mode, err);
		}
	}
	if (r) {
		sqlite3_close(db);
		return error_prefix(err, r, "%s", path);
	}
	*ret_db = db;
	return 0;
}
