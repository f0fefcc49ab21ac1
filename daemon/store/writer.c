/* What all rows share: the next seq, the row of `log`, the run's number; and the table from kinds of operation to the
 * functions that write them. */
#include "daemon/store/writer.h"

#include <errno.h>
#include <sodium.h>

int writer_init(struct writer *writer, sqlite3 *db, struct error *err)
{
	sql_init(&writer->sql, db);
	writer->at_us = 0;
	return sql_read_int(&writer->sql, SQL_LAST_SEQ, err, &writer->last_seq);
}

void writer_done(struct writer *writer)
{
	sql_done(&writer->sql);
}

int writer_log(struct writer *writer, const char *kind, struct error *err, int64_t *ret_seq)
{
	struct query query = query_begin(&writer->sql, SQL_PUT_LOG);
	int r;

	query_int(&query, writer->last_seq + 1);
	query_text(&query, kind);
	query_int(&query, writer->at_us);
	r = query_run(&query, err);
	if (!r)
		*ret_seq = ++writer->last_seq;
	return r;
}

int writer_find_run(struct writer *writer, const uint8_t run[RUN_SIZE], struct error *err, int64_t *ret_run)
{
	struct query query = query_begin(&writer->sql, SQL_FIND_RUN);
	char hex[2 * RUN_SIZE + 1];
	int r;

	sodium_bin2hex(hex, sizeof hex, run, RUN_SIZE);
	query_text(&query, hex);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (!r)
		return error_set(err, -ENOENT, "run: one that said hello expected, found %s", hex);
	*ret_run = query_get_int(&query, 0);
	query_end(&query);
	return 0;
}

int writer_find_run_if_any(struct writer *writer, const uint8_t run[RUN_SIZE], struct error *err, int64_t *ret_run)
{
	int64_t found = 0;
	int r = writer_find_run(writer, run, err, &found);

	if (r && r != -ENOENT)
		return r;
	*ret_run = found;
	return 0;
}

int writer_json_text(const json_t *json, struct error *err, char **ret_text)
{
	char *text = NULL;

	if (json) {
		text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
		if (!text)
			return error_set(err, -ENOMEM, "out of memory");
	}
	*ret_text = text;
	return 0;
}

int writer_write(struct writer *writer, struct store_op *op, struct error *err)
{
	static int (*const writers[])(struct writer *, struct store_op *, struct error *) = {
		[STORE_OP_RUN] = write_run,	      [STORE_OP_PRESENTATIONS] = write_presentations,
		[STORE_OP_UNITS] = write_units,	      [STORE_OP_IMAGES] = write_images,
		[STORE_OP_BATCH] = write_batch,	      [STORE_OP_HANDOVER] = write_handover,
		[STORE_OP_DECISION] = write_decision, [STORE_OP_AMEND] = write_amendment,
		[STORE_OP_NOTE] = write_note,	      [STORE_OP_COMMAND] = write_command,
		[STORE_OP_EVENT] = write_event,	      [STORE_OP_STATE] = write_state,
	};

	return writers[op->kind](writer, op, err);
}
