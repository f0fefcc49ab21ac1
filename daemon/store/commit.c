/* BEGIN IMMEDIATE, a savepoint an operation, COMMIT with an fsync. The newest seq goes back with whatever is rolled
 * back. */
#include "daemon/store/commit.h"

#include <time.h>

#include "daemon/store/database.h"

int64_t commit_wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int begin(struct writer *writer, struct error *err)
{
	int r = sql_run(&writer->sql, SQL_BEGIN, err);

	writer->at_us = commit_wall_us();
	return r;
}

/* SQLite may have rolled back by itself; then there is nothing to roll back, and that is all right. */
static void roll_back(struct writer *writer, int64_t last_seq)
{
	if (!sqlite3_get_autocommit(writer->sql.db))
		sql_run(&writer->sql, SQL_ROLLBACK, NULL);
	writer->last_seq = last_seq;
}

/* The operation's own error goes into its status; only the storage's is returned. */
static int write_one(struct writer *writer, struct store_op *op, struct error *err)
{
	int64_t last_seq = writer->last_seq;
	int r = sql_run(&writer->sql, SQL_SAVEPOINT, err);

	if (r)
		return r;
	op->status = writer_write(writer, op, &op->error);
	if (!op->status)
		return sql_run(&writer->sql, SQL_RELEASE, err);
	if (database_is_storage_error(op->status) || sqlite3_get_autocommit(writer->sql.db))
		return error_set(err, op->status, "%s", op->error.text);
	r = sql_run(&writer->sql, SQL_ROLLBACK_TO, err);
	if (!r)
		r = sql_run(&writer->sql, SQL_RELEASE, err);
	writer->last_seq = last_seq;
	op->seq = 0;
	return r;
}

int commit_group(struct writer *writer, struct store_op *first, struct error *err)
{
	int64_t last_seq = writer->last_seq;
	int64_t committed_us, committed_ns;
	int r = begin(writer, err);

	for (struct store_op *op = first; !r && op; op = op->next)
		r = write_one(writer, op, err);
	if (!r)
		r = sql_run(&writer->sql, SQL_COMMIT, err);
	if (r) {
		roll_back(writer, last_seq);
		for (struct store_op *op = first; op; op = op->next) {
			op->status = r;
			error_set(&op->error, r, "%s", err->text);
			op->seq = 0;
		}
		return r;
	}
	committed_us = commit_wall_us();
	committed_ns = monotonic_ns();
	for (struct store_op *op = first; op; op = op->next) {
		op->committed_us = committed_us;
		op->committed_ns = committed_ns;
		/* An operation that was in the file already is covered by what is there now. */
		if (!op->status && !op->seq)
			op->seq = writer->last_seq;
	}
	return 0;
}

int commit_one(struct writer *writer, int (*write)(struct writer *writer, void *ctx, struct error *err), void *ctx,
	       struct error *err)
{
	int64_t last_seq = writer->last_seq;
	int r = begin(writer, err);

	if (!r)
		r = write(writer, ctx, err);
	if (!r)
		r = sql_run(&writer->sql, SQL_COMMIT, err);
	if (r)
		roll_back(writer, last_seq);
	return r;
}
