/* Thin: order of parameters is order of calls, errors are kept until the run. */
#include "daemon/store/query.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/store/database.h"
#include "protocol/fields.h"

#define SQL_TEXT(name, text) [name] = text,
static const char *const texts[SQL_N] = {SQL_STATEMENTS(SQL_TEXT)};

void sql_init(struct sql *sql, sqlite3 *db)
{
	memset(sql, 0, sizeof *sql);
	sql->db = db;
}

void sql_done(struct sql *sql)
{
	for (size_t i = 0; i < SQL_N; i++)
		sqlite3_finalize(sql->statements[i]);
	memset(sql, 0, sizeof *sql);
}

struct query query_begin(struct sql *sql, enum sql_id id)
{
	struct query query = {.sql = sql};

	if (!sql->statements[id])
		query.code = sqlite3_prepare_v3(sql->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT, &sql->statements[id],
						NULL);
	query.statement = sql->statements[id];
	return query;
}

static void keep_code(struct query *query, int code)
{
	if (!query->code)
		query->code = code;
}

void query_int(struct query *query, int64_t value)
{
	keep_code(query, sqlite3_bind_int64(query->statement, ++query->n_bound, value));
}

void query_int_or_null(struct query *query, int64_t value, bool is_null)
{
	if (is_null)
		keep_code(query, sqlite3_bind_null(query->statement, ++query->n_bound));
	else
		query_int(query, value);
}

void query_real(struct query *query, double value)
{
	keep_code(query, sqlite3_bind_double(query->statement, ++query->n_bound, value));
}

void query_text(struct query *query, const char *text)
{
	keep_code(query, sqlite3_bind_text(query->statement, ++query->n_bound, text, -1, SQLITE_STATIC));
}

void query_text_or_null(struct query *query, const char *text)
{
	query_text(query, text && text[0] ? text : NULL);
}

void query_blob(struct query *query, const void *data, size_t size)
{
	keep_code(query,
		  sqlite3_bind_blob64(query->statement, ++query->n_bound, size ? data : NULL, size, SQLITE_STATIC));
}

void query_end(struct query *query)
{
	if (!query->statement)
		return;
	sqlite3_reset(query->statement);
	/* What was bound belongs to the caller and may go now. */
	sqlite3_clear_bindings(query->statement);
}

int query_step(struct query *query, struct error *err)
{
	int code = query->code;
	int r;

	if (!code)
		code = sqlite3_step(query->statement);
	if (code == SQLITE_ROW)
		return 1;
	r = code == SQLITE_DONE ? 0 : database_error(query->sql->db, code, err);
	query_end(query);
	return r;
}

int query_run(struct query *query, struct error *err)
{
	int r;

	do
		r = query_step(query, err);
	while (r == 1);
	return r;
}

int64_t query_get_int(const struct query *query, int column)
{
	return sqlite3_column_int64(query->statement, column);
}

double query_get_real(const struct query *query, int column)
{
	return query_is_null(query, column) ? NAN : sqlite3_column_double(query->statement, column);
}

bool query_is_null(const struct query *query, int column)
{
	return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

const char *query_get_text(const struct query *query, int column)
{
	const char *text = (const char *)sqlite3_column_text(query->statement, column);

	return text ? text : "";
}

const void *query_get_blob(const struct query *query, int column, size_t *ret_size)
{
	const void *data = sqlite3_column_blob(query->statement, column);

	*ret_size = (size_t)sqlite3_column_bytes(query->statement, column);
	return data;
}

static json_t *get_value(const struct query *query, int column)
{
	switch (sqlite3_column_type(query->statement, column)) {
	case SQLITE_INTEGER:
		return json_integer(query_get_int(query, column));
	case SQLITE_FLOAT:
		return json_real(query_get_real(query, column));
	case SQLITE_TEXT:
		return json_string(query_get_text(query, column));
	default: /* SQLITE_NULL, SQLITE_BLOB: macros of SQLite's, no enum */
		return json_null();
	}
}

json_t *query_get_object(const struct query *query)
{
	json_t *object = json_object();
	int n = sqlite3_column_count(query->statement);

	for (int i = 0; object && i < n; i++) {
		if (json_object_set_new(object, sqlite3_column_name(query->statement, i), get_value(query, i))) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

int sql_run(struct sql *sql, enum sql_id id, struct error *err)
{
	struct query query = query_begin(sql, id);

	return query_run(&query, err);
}

int sql_read_int(struct sql *sql, enum sql_id id, struct error *err, int64_t *ret_value)
{
	struct query query = query_begin(sql, id);
	int r = query_step(&query, err);

	if (r < 0)
		return r;
	if (!r)
		return error_set(err, -ENOENT, "a row expected, found none");
	*ret_value = query_get_int(&query, 0);
	query_end(&query);
	return 0;
}
