/* The session's own row, program versions, runs, units, states. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/writer.h"
#include "protocol/fields.h"
#include "protocol/message.h"

enum { SESSION_BYTES = 16, SEED_HEX_SIZE = 17 };

/* Units listed in `fields` at JSON path `path`. */
static int put_units(struct writer *writer, const char *fields, const char *path, int64_t seq, int64_t run,
		     int64_t from_number, struct error *err)
{
	struct query query = query_begin(&writer->sql, SQL_PUT_UNITS);

	query_int(&query, seq);
	query_int(&query, run);
	query_int(&query, from_number);
	query_text(&query, fields);
	query_text(&query, path);
	return query_run(&query, err);
}

static int put_session(struct writer *writer, const struct store_session *session, int64_t seq, const char *spec,
		       struct error *err)
{
	struct query query = query_begin(&writer->sql, SQL_PUT_SESSION);
	char id[2 * SESSION_BYTES + 1], seed[SEED_HEX_SIZE], config_hash[HASH_HEX_SIZE];

	sodium_bin2hex(id, sizeof id, session->session, sizeof session->session);
	snprintf(seed, sizeof seed, "%016" PRIx64, session->seed);
	hash_to_hex(&session->config_hash, config_hash);
	query_int(&query, seq);
	query_text(&query, id);
	query_text(&query, session->spec->name);
	query_text(&query, seed);
	query_text(&query, spec);
	query_text(&query, session->config_text);
	query_text(&query, config_hash);
	query_int(&query, session->width_px);
	query_int(&query, session->height_px);
	return query_run(&query, err);
}

int writer_write_session(struct writer *writer, const struct store_session *session, struct error *err)
{
	json_t *object = NULL;
	char *spec = NULL;
	int64_t seq;
	int r = session_spec_encode(session->spec, err, &object);

	if (!r)
		r = writer_json_text(object, err, &spec);
	if (!r)
		r = writer_log(writer, ROW_SESSION, err, &seq);
	if (!r)
		r = put_session(writer, session, seq, spec, err);
	if (!r)
		r = put_units(writer, spec, "$." FIELD_UNITS, seq, 0, 1, err);
	if (!r)
		r = writer_write_versions(writer, err);
	free(spec);
	json_decref(object);
	return r;
}

static int put_version(struct writer *writer, const char *name, const char *version, struct error *err)
{
	struct query query = query_begin(&writer->sql, SQL_LAST_VERSION);
	bool noted = false;
	int64_t seq;
	int r;

	query_text(&query, name);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (r) {
		noted = !strcmp(query_get_text(&query, 0), version);
		query_end(&query);
	}
	if (noted)
		return 0;
	r = writer_log(writer, ROW_VERSION, err, &seq);
	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_VERSION);
	query_int(&query, seq);
	query_text(&query, name);
	query_text(&query, version);
	return query_run(&query, err);
}

int writer_write_versions(struct writer *writer, struct error *err)
{
	int r = put_version(writer, "evoked", EVOKED_VERSION, err);

	if (!r)
		r = put_version(writer, "sqlite", sqlite3_libversion(), err);
	if (!r)
		r = put_version(writer, "jansson", jansson_version_str(), err);
	if (!r)
		r = put_version(writer, "libsodium", sodium_version_string(), err);
	return r;
}

int write_run(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query;
	char hex[2 * RUN_SIZE + 1];
	int64_t run;
	int r = writer_find_run(writer, op->run, err, &run);

	/* A rig that says hello again. */
	if (r != -ENOENT)
		return r;
	r = sql_read_int(&writer->sql, SQL_LAST_RUN, err, &run);
	if (!r)
		r = writer_log(writer, ROW_RUN, err, &op->seq);
	if (r)
		return r;
	sodium_bin2hex(hex, sizeof hex, op->run, RUN_SIZE);
	query = query_begin(&writer->sql, SQL_PUT_RUN);
	query_int(&query, op->seq);
	query_int(&query, run + 1);
	query_text(&query, hex);
	query_int(&query, op->received_us);
	return query_run(&query, err);
}

/* Whether the newest change of this run and number is this one: a resend. */
static int is_noted(struct writer *writer, int64_t run, int64_t number, const char *fields, struct error *err,
		    bool *ret_noted)
{
	struct query query = query_begin(&writer->sql, SQL_LAST_UNIT_CHANGE);
	int r;

	query_int(&query, run);
	query_int(&query, number);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	*ret_noted = r && !strcmp(query_get_text(&query, 0), fields);
	if (r)
		query_end(&query);
	return 0;
}

/* Only the fields that say what changed: the header's "id" differs from one resend to the next. */
static json_t *unit_fields(const json_t *header, int64_t number)
{
	static const char *const keys[] = {FIELD_ADD, FIELD_RETIRE};
	json_t *fields = json_pack("{s:I}", FIELD_FROM_NUMBER, (json_int_t)number);

	for (size_t i = 0; fields && i < sizeof keys / sizeof keys[0]; i++) {
		json_t *value = json_object_get(header, keys[i]);

		if (value && json_object_set(fields, keys[i], value)) {
			json_decref(fields);
			return NULL;
		}
	}
	return fields;
}

int write_units(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query;
	json_t *object = unit_fields(op->object, op->number);
	char *fields = NULL;
	bool noted = false;
	int64_t run = 0;
	int r = object ? writer_find_run(writer, op->run, err, &run) : error_set(err, -ENOMEM, "out of memory");

	if (!r)
		r = writer_json_text(object, err, &fields);
	if (!r)
		r = is_noted(writer, run, op->number, fields, err, &noted);
	if (r || noted)
		goto out;
	r = writer_log(writer, ROW_UNIT_CHANGE, err, &op->seq);
	if (r)
		goto out;
	query = query_begin(&writer->sql, SQL_PUT_UNIT_CHANGE);
	query_int(&query, op->seq);
	query_int(&query, run);
	query_int(&query, op->number);
	query_text(&query, fields);
	r = query_run(&query, err);
	if (!r)
		r = put_units(writer, fields, "$." FIELD_ADD, op->seq, run, op->number, err);
out:
	free(fields);
	json_decref(object);
	return r;
}

int write_state(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query;
	int r = writer_log(writer, ROW_STATE, err, &op->seq);

	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_STATE);
	query_int(&query, op->seq);
	query_text(&query, op->text);
	query_text_or_null(&query, op->detail);
	return query_run(&query, err);
}
