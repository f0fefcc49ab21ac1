/* Notes, operators' commands, events. */
#include <stdlib.h>

#include "daemon/store/writer.h"

int write_note(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query;
	int64_t run = 0;
	int r = writer_find_run_if_any(writer, op->run, err, &run);

	if (!r)
		r = writer_log(writer, ROW_NOTE, err, &op->seq);
	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_NOTE);
	query_int(&query, op->seq);
	query_int_or_null(&query, run, !run);
	query_text(&query, op->text);
	query_int(&query, op->received_us);
	return query_run(&query, err);
}

int write_command(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query;
	char *fields;
	int r = writer_json_text(op->object, err, &fields);

	if (r)
		return r;
	r = writer_log(writer, ROW_COMMAND, err, &op->seq);
	if (!r) {
		query = query_begin(&writer->sql, SQL_PUT_COMMAND);
		query_int(&query, op->seq);
		query_text(&query, op->text);
		query_text_or_null(&query, op->detail);
		query_text(&query, fields);
		r = query_run(&query, err);
	}
	free(fields);
	return r;
}

int writer_write_event(struct writer *writer, const char *kind, const char *detail, struct error *err, int64_t *ret_seq)
{
	struct query query;
	int r = writer_log(writer, ROW_EVENT, err, ret_seq);

	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_EVENT);
	query_int(&query, *ret_seq);
	query_text(&query, kind);
	query_text_or_null(&query, detail);
	return query_run(&query, err);
}

int write_event(struct writer *writer, struct store_op *op, struct error *err)
{
	return writer_write_event(writer, op->text, op->detail, err, &op->seq);
}
