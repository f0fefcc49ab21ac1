/* The declaration of `open` is parsed again as it was sent, and the changes of units are applied to it in order by the
 * same function that applied them when they came. */
#include "daemon/store/session_row.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Columns of SQL_READ_SESSION. */
enum {
	COLUMN_SESSION,
	COLUMN_NAME,
	COLUMN_SEED,
	COLUMN_SPEC,
	COLUMN_CONFIG,
	COLUMN_CONFIG_HASH,
	COLUMN_WIDTH,
	COLUMN_HEIGHT,
	COLUMN_CREATED,
	COLUMN_STATE,
};

int session_row_json(const char *text, const char *what, struct error *err, json_t **ret_json)
{
	json_error_t at;
	json_t *json = NULL;

	if (text[0]) {
		json = json_loads(text, JSON_DECODE_ANY, &at);
		if (!json)
			return error_set(err, -EINVAL, "%s: JSON expected: %s at byte %d", what, at.text, at.position);
	}
	*ret_json = json;
	return 0;
}

static int read_row(const struct query *query, struct error *err, struct reader_session *session, json_t **ret_spec)
{
	const char *id = query_get_text(query, COLUMN_SESSION);
	char *end;
	size_t n;

	if (sodium_hex2bin(session->session, sizeof session->session, id, strlen(id), NULL, &n, NULL) ||
	    n != sizeof session->session)
		return error_set(err, -EINVAL, "session: 32 hex digits expected, found \"%.64s\"", id);
	errno = 0;
	session->seed = strtoull(query_get_text(query, COLUMN_SEED), &end, 16);
	if (errno || *end)
		return error_set(err, -EINVAL, "seed: 16 hex digits expected, found \"%.64s\"",
				 query_get_text(query, COLUMN_SEED));
	snprintf(session->name, sizeof session->name, "%s", query_get_text(query, COLUMN_NAME));
	snprintf(session->config_hash, sizeof session->config_hash, "%s", query_get_text(query, COLUMN_CONFIG_HASH));
	snprintf(session->state, sizeof session->state, "%s", query_get_text(query, COLUMN_STATE));
	session->width_px = (uint32_t)query_get_int(query, COLUMN_WIDTH);
	session->height_px = (uint32_t)query_get_int(query, COLUMN_HEIGHT);
	session->created_us = query_get_int(query, COLUMN_CREATED);
	session->config_text = strdup(query_get_text(query, COLUMN_CONFIG));
	if (!session->config_text)
		return error_set(err, -ENOMEM, "out of memory");
	return session_row_json(query_get_text(query, COLUMN_SPEC), "spec", err, ret_spec);
}

static int change_units(struct sql *sql, struct error *err, struct session_spec *spec)
{
	struct query query = query_begin(sql, SQL_READ_UNIT_CHANGES);
	json_t *fields = NULL;
	int r;

	while ((r = query_step(&query, err)) == 1) {
		r = session_row_json(query_get_text(&query, 1), "unit_change", err, &fields);
		spec->run = (uint32_t)query_get_int(&query, 0);
		if (!r)
			r = session_spec_change_units(spec, fields, err);
		json_decref(fields);
		fields = NULL;
		if (r) {
			query_end(&query);
			break;
		}
	}
	return r;
}

int session_row_read(struct sql *sql, struct error *err, struct reader_session *ret_session)
{
	struct reader_session session = {.config_text = NULL};
	struct query query = query_begin(sql, SQL_READ_SESSION);
	json_t *spec = NULL;
	int64_t run;
	int r = query_step(&query, err);

	if (r < 0)
		return r;
	if (!r)
		return error_set(err, -EINVAL, "no session in it");
	r = read_row(&query, err, &session, &spec);
	query_end(&query);
	if (!r)
		r = session_spec_parse(spec, err, &session.spec);
	json_decref(spec);
	if (!r)
		r = change_units(sql, err, &session.spec);
	if (!r)
		r = sql_read_int(sql, SQL_LAST_RUN, err, &run);
	if (r) {
		reader_session_done(&session);
		return r;
	}
	session.spec.run = (uint32_t)run;
	*ret_session = session;
	return 0;
}

void reader_session_done(struct reader_session *session)
{
	session_spec_done(&session->spec);
	free(session->config_text);
	session->config_text = NULL;
}

static int64_t count_slots(struct sql *sql, int64_t decision, struct error *err)
{
	struct query query = query_begin(sql, SQL_COUNT_SLOTS);
	int64_t n;
	int r;

	query_int(&query, decision);
	r = query_step(&query, err);
	if (r <= 0)
		return r;
	n = query_get_int(&query, 0);
	query_end(&query);
	return n;
}

int session_row_slots(struct sql *sql, int64_t decision, struct error *err, size_t *ret_n,
		      struct store_slot **ret_slots)
{
	struct store_slot *slots = NULL;
	struct query query;
	size_t n = 0;
	int64_t n_room = count_slots(sql, decision, err);
	int r;

	if (n_room < 0)
		return (int)n_room;
	if (n_room) {
		slots = calloc((size_t)n_room, sizeof *slots);
		if (!slots)
			return error_set(err, -ENOMEM, "out of memory");
	}
	query = query_begin(sql, SQL_READ_SLOTS);
	query_int(&query, decision);
	while ((r = query_step(&query, err)) == 1) {
		struct store_slot *slot = &slots[n++];

		slot->slot = query_get_int(&query, 0);
		if (hash_from_hex(query_get_text(&query, 1), &slot->image)) {
			r = error_set(err, -EINVAL, "image: 64 hex digits expected, found \"%.80s\"",
				      query_get_text(&query, 1));
			query_end(&query);
			break;
		}
		snprintf(slot->kind, sizeof slot->kind, "%s", query_get_text(&query, 2));
		slot->repeat = query_get_int(&query, 3);
		slot->requeued = query_get_int(&query, 4);
	}
	if (r) {
		free(slots);
		return r;
	}
	*ret_n = n;
	*ret_slots = slots;
	return 0;
}
