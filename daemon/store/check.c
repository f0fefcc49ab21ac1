/* Four passes: SQLite's pages, foreign keys, the log against its tables, presentations against their content hashes. */
#include "daemon/store/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/content.h"
#include "daemon/store/database.h"

struct report {
	void (*problem)(void *ctx, const char *text);
	void *ctx;
	size_t n;
};

static void ERROR_FORMAT(2, 3) tell(struct report *report, const char *format, ...)
{
	struct error sentence;
	va_list args;

	va_start(args, format);
	error_set_va(&sentence, 0, format, args);
	va_end(args);
	report->n++;
	report->problem(report->ctx, sentence.text);
}

static int check_pages(struct sql *sql, struct report *report, struct error *err)
{
	struct query query = query_begin(sql, SQL_CHECK_PAGES);
	int r;

	while ((r = query_step(&query, err)) == 1)
		if (strcmp(query_get_text(&query, 0), "ok"))
			tell(report, "pages: %s", query_get_text(&query, 0));
	return r;
}

static int check_keys(struct sql *sql, struct report *report, struct error *err)
{
	struct query query = query_begin(sql, SQL_CHECK_KEYS);
	int r;

	while ((r = query_step(&query, err)) == 1)
		tell(report, "%s row %" PRId64 ": refers to a row of %s that is not there", query_get_text(&query, 0),
		     query_get_int(&query, 1), query_get_text(&query, 2));
	return r;
}

/* Rows of a table whose name comes from the log: not one of the statements named in sql.h. */
static int count_rows(sqlite3 *db, const char *table, struct error *err, int64_t *ret_n)
{
	char *text =
		sqlite3_mprintf("SELECT count(*) FROM \"%w\" JOIN log USING (seq) WHERE log.kind = %Q", table, table);
	sqlite3_stmt *statement = NULL;
	int code = text ? sqlite3_prepare_v2(db, text, -1, &statement, NULL) : SQLITE_NOMEM;

	if (!code && sqlite3_step(statement) == SQLITE_ROW)
		*ret_n = sqlite3_column_int64(statement, 0);
	else
		code = code ? code : sqlite3_errcode(db);
	sqlite3_finalize(statement);
	sqlite3_free(text);
	return code ? database_error(db, code, err) : 0;
}

static int check_log(struct sql *sql, struct report *report, struct error *err)
{
	struct query query = query_begin(sql, SQL_CHECK_GAPS);
	struct error why = {""};
	int r = query_step(&query, err);

	if (r != 1)
		return r;
	if (query_get_int(&query, 0) != query_get_int(&query, 1))
		tell(report, "log: %" PRId64 " rows expected, found %" PRId64, query_get_int(&query, 0),
		     query_get_int(&query, 1));
	query_end(&query);

	query = query_begin(sql, SQL_CHECK_LOG);
	while ((r = query_step(&query, err)) == 1) {
		const char *table = query_get_text(&query, 0);
		int64_t n = 0;

		if (count_rows(sql->db, table, &why, &n))
			tell(report, "%s: %s", table, why.text);
		else if (n != query_get_int(&query, 1))
			tell(report, "%s: %" PRId64 " rows expected from the log, found %" PRId64, table,
			     query_get_int(&query, 1), n);
	}
	return r;
}

/* The presentation of a row of SQL_READ_CONTENT; false when a name or hash in it is none. */
static bool take_presentation(const struct query *query, struct presentation *ret_presentation)
{
	struct presentation *presentation = ret_presentation;
	struct hash image;

	*presentation = (struct presentation){.number = query_get_int(query, 1)};
	presentation->trial = query_get_int(query, 2);
	presentation->position = query_get_int(query, 3);
	presentation->batch = query_get_int(query, 4);
	presentation->slot = query_get_int(query, 5);
	if (hash_from_hex(query_get_text(query, 6), &image))
		return false;
	memcpy(presentation->image, image.bytes, HASH_SIZE);
	presentation->commanded_us = query_get_int(query, 7);
	presentation->onset_us = query_get_int(query, 8);
	presentation->responses = query_get_blob(query, 11, &presentation->responses_size);
	presentation->mask = query_get_blob(query, 12, &presentation->mask_size);
	return !onset_source_from_name(query_get_text(query, 9), &presentation->onset_source) &&
	       !presentation_outcome_from_name(query_get_text(query, 10), &presentation->outcome);
}

static int check_presentations(struct sql *sql, struct report *report, struct error *err)
{
	struct query query = query_begin(sql, SQL_READ_CONTENT);
	struct presentation presentation;
	struct hash hash;
	const void *stored;
	size_t size;
	int r;

	while ((r = query_step(&query, err)) == 1) {
		bool readable = take_presentation(&query, &presentation);

		if (readable)
			content_hash(&presentation, &hash);
		stored = query_get_blob(&query, 13, &size);
		if (!readable || size != HASH_SIZE || memcmp(stored, hash.bytes, HASH_SIZE))
			tell(report, "presentation %" PRId64 " of run %s: is not what its content hash says",
			     presentation.number, query_get_text(&query, 0));
	}
	return r;
}

int check_all(struct sql *sql, void (*problem)(void *ctx, const char *text), void *ctx, struct error *err,
	      size_t *ret_n)
{
	struct report report = {problem, ctx, 0};
	int r = check_pages(sql, &report, err);

	if (!r)
		r = check_keys(sql, &report, err);
	if (!r)
		r = check_log(sql, &report, err);
	if (!r)
		r = check_presentations(sql, &report, err);
	if (!r)
		*ret_n = report.n;
	return r;
}
