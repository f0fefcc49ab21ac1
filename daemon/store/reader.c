/* Each function is one or a few statements inside one read transaction; what it returns is copied out before that ends.
 */
#include "daemon/store/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/check.h"
#include "daemon/store/database.h"
#include "daemon/store/migrations.h"
#include "daemon/store/page.h"
#include "daemon/store/session_row.h"

struct reader {
	char *path;
	sqlite3 *db;
	struct sql sql;
	struct arena arena; /* of the last page or image */
};

static const struct {
	const char *name;
	enum sql_id sql;
} tables[READER_TABLES] = {
	[READER_BATCHES] = {"batches", SQL_TABLE_BATCHES},
	[READER_SCORES] = {"scores", SQL_TABLE_SCORES},
	[READER_PRESENTATIONS] = {"presentations", SQL_TABLE_PRESENTATIONS},
	[READER_IMAGES] = {"images", SQL_TABLE_IMAGES},
	[READER_UNITS] = {"units", SQL_TABLE_UNITS},
	[READER_DECISIONS] = {"decisions", SQL_TABLE_DECISIONS},
	[READER_RUNS] = {"runs", SQL_TABLE_RUNS},
	[READER_AMENDMENTS] = {"amendments", SQL_TABLE_AMENDMENTS},
	[READER_REFUSALS] = {"refusals", SQL_TABLE_REFUSALS},
	[READER_CONFLICTS] = {"conflicts", SQL_TABLE_CONFLICTS},
	[READER_COMMANDS] = {"commands", SQL_TABLE_COMMANDS},
	[READER_NOTES] = {"notes", SQL_TABLE_NOTES},
	[READER_EVENTS] = {"events", SQL_TABLE_EVENTS},
	[READER_STATES] = {"states", SQL_TABLE_STATES},
	[READER_VERSIONS] = {"versions", SQL_TABLE_VERSIONS},
};

static int check_version(struct reader *reader, struct error *err)
{
	int version;
	int r = migrations_version(reader->db, err, &version);

	if (r)
		return r;
	if (version > migrations_n)
		return migrations_refuse(version, migrations_n, err);
	if (version < migrations_n)
		return error_set(err, -EINVAL,
				 "version %d of the session file expected, found %d (opening it with evoked "
				 "brings it up)",
				 migrations_n, version);
	return 0;
}

int reader_open(const char *path, struct error *err, struct reader **ret_reader)
{
	struct reader *reader = calloc(1, sizeof *reader);
	int r;

	if (!reader)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	r = database_open(path, DATABASE_READ, err, &reader->db);
	if (r)
		goto out_reader;
	sql_init(&reader->sql, reader->db);
	reader->path = strdup(path);
	r = reader->path ? check_version(reader, err) : error_set(err, -ENOMEM, "out of memory");
	if (r) {
		error_prefix(err, r, "%s", path);
		goto out_reader;
	}
	*ret_reader = reader;
	return 0;
out_reader:
	reader_close(reader);
	return r;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	arena_done(&reader->arena);
	sql_done(&reader->sql);
	sqlite3_close(reader->db);
	free(reader->path);
	free(reader);
}

static int begin(struct reader *reader, struct error *err)
{
	int r = sql_run(&reader->sql, SQL_BEGIN_READ, err);

	return r ? error_prefix(err, r, "%s", reader->path) : 0;
}

/* Ends what `begin` began; `r` is how the reading went. */
static int end(struct reader *reader, int r, struct error *err)
{
	if (r < 0)
		error_prefix(err, r, "%s", reader->path);
	sql_run(&reader->sql, SQL_ROLLBACK, NULL);
	return r;
}

int reader_last_seq(struct reader *reader, struct error *err, int64_t *ret_seq)
{
	int r = sql_read_int(&reader->sql, SQL_LAST_SEQ, err, ret_seq);

	return r ? error_prefix(err, r, "%s", reader->path) : 0;
}

int reader_session(struct reader *reader, struct error *err, struct reader_session *ret_session)
{
	int r = begin(reader, err);

	return r ? r : end(reader, session_row_read(&reader->sql, err, ret_session), err);
}

/* Columns of SQL_READ_DECISION. */
enum {
	COLUMN_SEQ,
	COLUMN_DECISION,
	COLUMN_KIND,
	COLUMN_CAUSE,
	COLUMN_SAW_SEQ,
	COLUMN_PARENT_MODEL,
	COLUMN_POOL_HASH,
	COLUMN_UNITS_PLANNED,
	COLUMN_UNITS_DONE,
	COLUMN_SPEC,
	COLUMN_OUTCOME,
	COLUMN_OUTCOME_HASH,
	COLUMN_MODEL,
	COLUMN_STARTED,
	COLUMN_FINISHED,
};

#define COPY_TEXT(query, column, place) snprintf(place, sizeof(place), "%s", query_get_text(query, column))

static int take_decision(const struct query *query, struct error *err, struct reader_decision *decision)
{
	int r;

	decision->seq = query_get_int(query, COLUMN_SEQ);
	decision->decision = query_get_int(query, COLUMN_DECISION);
	COPY_TEXT(query, COLUMN_KIND, decision->kind);
	COPY_TEXT(query, COLUMN_CAUSE, decision->cause);
	decision->saw_seq = query_get_int(query, COLUMN_SAW_SEQ);
	COPY_TEXT(query, COLUMN_PARENT_MODEL, decision->parent_model);
	COPY_TEXT(query, COLUMN_POOL_HASH, decision->pool_hash);
	decision->units_planned = query_get_int(query, COLUMN_UNITS_PLANNED);
	decision->units_done = query_get_int(query, COLUMN_UNITS_DONE);
	COPY_TEXT(query, COLUMN_OUTCOME_HASH, decision->outcome_hash);
	COPY_TEXT(query, COLUMN_MODEL, decision->model_hash);
	decision->started_us = query_get_int(query, COLUMN_STARTED);
	decision->finished_us = query_get_int(query, COLUMN_FINISHED);
	r = session_row_json(query_get_text(query, COLUMN_SPEC), "spec", err, &decision->spec);
	if (!r)
		r = session_row_json(query_get_text(query, COLUMN_OUTCOME), "outcome", err, &decision->outcome);
	return r;
}

int reader_next_decision(struct reader *reader, int64_t after, struct error *err, struct reader_decision *ret_decision)
{
	struct reader_decision decision = {.seq = 0};
	struct query query = query_begin(&reader->sql, SQL_READ_DECISION);
	int r;

	query_int(&query, after);
	r = query_step(&query, err);
	if (r == 1) {
		r = take_decision(&query, err, &decision);
		query_end(&query);
		if (!r) {
			*ret_decision = decision;
			return 1;
		}
		reader_decision_done(&decision);
	}
	return r ? error_prefix(err, r, "%s", reader->path) : 0;
}

void reader_decision_done(struct reader_decision *decision)
{
	json_decref(decision->spec);
	json_decref(decision->outcome);
	decision->spec = decision->outcome = NULL;
}

int reader_slots(struct reader *reader, int64_t decision, struct error *err, size_t *ret_n,
		 struct store_slot **ret_slots)
{
	int r = begin(reader, err);

	return r ? r : end(reader, session_row_slots(&reader->sql, decision, err, ret_n, ret_slots), err);
}

/* The score and, behind it in its own piece, the names it points to: pieces are joined when all are there. */
struct score_piece {
	struct store_score score;
	char set[16], tier[16];
};

static void take_score(const struct query *query, struct score_piece *piece)
{
	struct store_score *score = &piece->score;

	COPY_TEXT(query, 0, piece->set);
	COPY_TEXT(query, 1, piece->tier);
	score->shown = query_get_int(query, 2);
	score->unit = query_get_int(query, 3);
	score->r2 = query_get_real(query, 4);
	score->r2_low = query_get_real(query, 5);
	score->r2_high = query_get_real(query, 6);
	score->r_mean = query_get_real(query, 7);
	score->r_single = query_get_real(query, 8);
	score->ceiling = query_get_real(query, 9);
	score->snr = query_get_real(query, 10);
	score->n_images = query_get_int(query, 11);
	score->n_presentations = query_get_int(query, 12);
}

/* [n] scores, then [n] pairs of names. */
static struct store_score *join_scores(const struct score_piece *pieces, size_t n)
{
	const size_t names = sizeof pieces->set + sizeof pieces->tier;
	struct store_score *scores = malloc(n * (sizeof *scores + names));
	char *text = scores ? (char *)(scores + n) : NULL;

	for (size_t i = 0; scores && i < n; i++, text += names) {
		scores[i] = pieces[i].score;
		memcpy(text, pieces[i].set, sizeof pieces[i].set);
		memcpy(text + sizeof pieces[i].set, pieces[i].tier, sizeof pieces[i].tier);
		scores[i].set = text;
		scores[i].tier = text + sizeof pieces[i].set;
	}
	return scores;
}

int reader_scores(struct reader *reader, int64_t decision, struct error *err, size_t *ret_n,
		  struct store_score **ret_scores)
{
	struct query query = query_begin(&reader->sql, SQL_READ_SCORES);
	struct score_piece *pieces = NULL;
	struct store_score *scores = NULL;
	size_t n = 0, n_room = 0;
	int r;

	query_int(&query, decision);
	while ((r = query_step(&query, err)) == 1) {
		if (n == n_room) {
			struct score_piece *more =
				realloc(pieces, (n_room = n_room ? 2 * n_room : 64) * sizeof *pieces);

			if (!more) {
				query_end(&query);
				r = error_set(err, -ENOMEM, "out of memory");
				break;
			}
			pieces = more;
		}
		take_score(&query, &pieces[n++]);
	}
	if (!r && n) {
		scores = join_scores(pieces, n);
		if (!scores)
			r = error_set(err, -ENOMEM, "out of memory");
	}
	free(pieces);
	if (r)
		return error_prefix(err, r, "%s", reader->path);
	*ret_n = n;
	*ret_scores = scores;
	return 0;
}

int reader_page(struct reader *reader, int64_t from_seq, int64_t through_seq, int64_t max_bytes, struct error *err,
		struct store_page *ret_page)
{
	int r = begin(reader, err);

	if (r)
		return r;
	arena_done(&reader->arena);
	return end(reader, page_read(&reader->sql, from_seq, through_seq, max_bytes, &reader->arena, err, ret_page),
		   err);
}

int reader_image(struct reader *reader, const struct hash *image, struct error *err, const void **ret_png,
		 size_t *ret_size)
{
	int r;

	arena_done(&reader->arena);
	r = page_read_image(&reader->sql, image, &reader->arena, err, ret_png, ret_size);
	return r ? error_prefix(err, r, "%s", reader->path) : 0;
}

const char *reader_table_name(enum reader_table table)
{
	return tables[table].name;
}

int reader_table_from_name(const char *name, struct error *err, enum reader_table *ret_table)
{
	char names[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < READER_TABLES; i++) {
		if (!strcmp(tables[i].name, name)) {
			*ret_table = (enum reader_table)i;
			return 0;
		}
		n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", tables[i].name);
	}
	return error_set(err, -EINVAL, "table: one of %s expected, found \"%.64s\"", names, name);
}

int reader_read_table(struct reader *reader, enum reader_table table, int (*row)(void *ctx, const json_t *row),
		      void *ctx, struct error *err)
{
	struct query query = query_begin(&reader->sql, tables[table].sql);
	int r;

	while ((r = query_step(&query, err)) == 1) {
		json_t *object = query_get_object(&query);

		r = object ? row(ctx, object) : error_set(err, -ENOMEM, "out of memory");
		json_decref(object);
		if (r) {
			query_end(&query);
			return r;
		}
	}
	return r ? error_prefix(err, r, "%s", reader->path) : 0;
}

int reader_check(struct reader *reader, void (*problem)(void *ctx, const char *text), void *ctx, struct error *err,
		 size_t *ret_n)
{
	int r = begin(reader, err);

	return r ? r : end(reader, check_all(&reader->sql, problem, ctx, err, ret_n), err);
}
