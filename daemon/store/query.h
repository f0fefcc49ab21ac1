/* One use of a prepared statement: bind in order, run or step, read columns. The only calls of
 * sqlite3_bind/step/column.
 *
 * Statements are prepared at their first use and kept until sql_done. Failures of binding are remembered and come out
 * of query_run or query_step. Errors as database_error() maps them. Thread: the one that owns the connection. */
#ifndef EVOKED_DAEMON_STORE_QUERY_H
#define EVOKED_DAEMON_STORE_QUERY_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/sql.h"
#include "support/error.h"

struct sql {
	sqlite3 *db; /* borrowed */
	sqlite3_stmt *statements[SQL_N];
};

void sql_init(struct sql *sql, sqlite3 *db);
/* Before the connection is closed. */
void sql_done(struct sql *sql);

struct query {
	struct sql *sql;
	sqlite3_stmt *statement;
	int n_bound;
	int code; /* first SQLite error of preparing and binding */
};

struct query query_begin(struct sql *sql, enum sql_id id);
void query_int(struct query *query, int64_t value);
void query_int_or_null(struct query *query, int64_t value, bool is_null);
void query_real(struct query *query, double value); /* NaN becomes NULL */
/* Borrowed until the query has run; NULL becomes NULL. */
void query_text(struct query *query, const char *text);
/* As query_text, but "" becomes NULL too. */
void query_text_or_null(struct query *query, const char *text);
/* Borrowed until the query has run; no bytes become NULL. */
void query_blob(struct query *query, const void *data, size_t size);

/* Runs to the end, throwing rows away. */
int query_run(struct query *query, struct error *err);
/* 1 with a row, 0 at the end, or a negative errno; after 0 and errors the statement is free again. */
int query_step(struct query *query, struct error *err);
/* Ends a query whose rows are not all wanted; does nothing to one that has ended, or could not be prepared. */
void query_end(struct query *query);

/* Columns of the row, from 0; valid until the next step or end. Text of NULL is "". */
int64_t query_get_int(const struct query *query, int column);
double query_get_real(const struct query *query, int column); /* NaN for NULL */
bool query_is_null(const struct query *query, int column);
const char *query_get_text(const struct query *query, int column);
const void *query_get_blob(const struct query *query, int column, size_t *ret_size);

/* The row as a new object: column names to numbers, text or null (also for bytes). NULL without memory. */
json_t *query_get_object(const struct query *query);

/* Statements without parameters. */
int sql_run(struct sql *sql, enum sql_id id, struct error *err);
/* The first column of the first row; -ENOENT without a row. */
int sql_read_int(struct sql *sql, enum sql_id id, struct error *err, int64_t *ret_value);

#endif
