/* What fixture.h says. */
#include "tests/unit/daemon/store/fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static void fixture_wake(void *ctx)
{
	sem_post(&((struct fixture *)ctx)->woken);
}

void fixture_start(struct fixture *f)
{
	struct error err = {""};

	if (store_start(f->store, fixture_wake, f, &err))
		fail_msg("%s", err.text);
}

static void fixture_make_spec(struct fixture *f)
{
	memset(&f->spec, 0, sizeof f->spec);
	strcpy(f->spec.name, "test");
	f->spec.response_type = RESPONSE_COUNTS;
	f->spec.n_arrays = 1;
	strcpy(f->spec.arrays[0].name, "array_1");
	strcpy(f->spec.arrays[0].area, "V4");
	f->spec.n_units = FIXTURE_UNITS;
	f->spec.units = f->units;
	for (uint32_t i = 0; i < FIXTURE_UNITS; i++) {
		f->units[i] = (struct session_unit){
			.id = i + 1, .from_number = 1, .until_number = INT64_MAX, .until_run = UINT32_MAX};
		snprintf(f->units[i].label, sizeof f->units[i].label, "ünit %u", i + 1);
	}
	f->spec.n_bins = 1;
	f->spec.bins[0] = (struct session_bin){50, 150};
	f->spec.target_n_bins = 1;
}

void fixture_create(struct fixture *f)
{
	struct store_session session = {.seed = 0xfedcba9876543210u,
					.spec = &f->spec,
					.config_text = "batch:\n  size: 5\n",
					.width_px = 112,
					.height_px = 104};
	struct error err = {""};

	memset(session.session, 0xab, sizeof session.session);
	hash_bytes("config", 6, &session.config_hash);
	if (store_create(f->path, &session, &err, &f->store))
		fail_msg("%s", err.text);
}

void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	strcpy(f->dir, "/tmp/evoked_store_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/süd.db", f->dir);
	sem_init(&f->woken, 0, 0);
	memset(f->run, 0x11, sizeof f->run);
	fixture_make_spec(f);
	fixture_create(f);
}

void fixture_done(struct fixture *f)
{
	char command[128];

	store_close(f->store);
	sem_destroy(&f->woken);
	snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
}

void fixture_reopen(struct fixture *f)
{
	struct error err = {""};

	store_close(f->store);
	f->store = NULL;
	if (store_open(f->path, &err, &f->store))
		fail_msg("%s", err.text);
}

static void fixture_take_answer(struct store_op *op, void *ctx)
{
	struct fixture *f = ctx;
	struct fixture_answer *answer = &f->answer;

	memset(answer, 0, sizeof *answer);
	answer->status = op->status;
	answer->error = op->error;
	answer->seq = op->seq;
	answer->committed_us = op->committed_us;
	f->n_done++;
	if (op->status)
		return;
	if (op->results)
		memcpy(answer->results, op->results, op->n_presentations * sizeof *op->results);
	answer->n_refusals = op->n_refusals;
	if (op->n_refusals)
		memcpy(answer->refusals, op->refusals, op->n_refusals * sizeof *op->refusals);
	answer->n_rows = op->page.n_rows;
	answer->more = op->page.more;
	answer->through_seq = op->page.through_seq;
	assert_true(op->page.n_rows <= 256);
	if (op->page.n_rows)
		memcpy(answer->rows, op->page.rows, op->page.n_rows * sizeof *op->page.rows);
	if (op->page.n_rows && op->page.rows[0].png)
		snprintf(answer->first_png, sizeof answer->first_png, "%.*s", (int)op->page.rows[0].png_size,
			 (const char *)op->page.rows[0].png);
	answer->read_size = op->read_size;
	if (op->read_data)
		snprintf(answer->read_data, sizeof answer->read_data, "%.*s", (int)op->read_size,
			 (const char *)op->read_data);
}

void fixture_submit(struct fixture *f, struct store_op *op)
{
	op->done = fixture_take_answer;
	op->ctx = f;
	assert_int_equal(store_submit(f->store, op), 0);
}

const struct fixture_answer *fixture_run(struct fixture *f, struct store_op *op)
{
	size_t n = f->n_done;

	fixture_submit(f, op);
	while (f->n_done == n) {
		sem_wait(&f->woken);
		store_drain(f->store);
	}
	return &f->answer;
}

void fixture_ok(struct fixture *f, struct store_op *op)
{
	const struct fixture_answer *answer = fixture_run(f, op);

	if (answer->status)
		fail_msg("%d: %s", answer->status, answer->error.text);
}

struct hash fixture_hash(const char *name)
{
	struct hash hash;

	hash_bytes(name, strlen(name), &hash);
	return hash;
}

struct store_op *fixture_op(struct fixture *f, enum store_op_kind kind)
{
	struct store_op *op = store_op_create(kind);

	assert_non_null(op);
	memcpy(op->run, f->run, RUN_SIZE);
	op->received_us = 1700000000000000;
	op->received_ns = 5;
	return op;
}

void fixture_hello(struct fixture *f)
{
	fixture_ok(f, fixture_op(f, STORE_OP_RUN));
}

void fixture_add_images(struct store_op *op, const char *const *names, size_t n, const char *kind, const char *role)
{
	op->n_images = n;
	op->images = store_op_alloc(op, n * sizeof *op->images);
	for (size_t i = 0; i < n; i++)
		op->images[i] = (struct store_image){.hash = fixture_hash(names[i]),
						     .width_px = 112,
						     .height_px = 104,
						     .kind = kind,
						     .role = role,
						     .png = names[i],
						     .png_size = strlen(names[i]),
						     .provenance = json_pack("{s:s}", "name", names[i])};
}

void fixture_images(struct fixture *f, const char *const *names, size_t n)
{
	struct store_op *op = fixture_op(f, STORE_OP_IMAGES);

	fixture_add_images(op, names, n, "rig", "");
	fixture_ok(f, op);
}

struct store_op *fixture_decision(struct fixture *f, int64_t decision, const char *kind)
{
	struct store_op *op = fixture_op(f, STORE_OP_DECISION);

	op->decision =
		(struct store_decision){.decision = decision,
					.kind = kind,
					.cause = "planned",
					.saw_seq = 1,
					.spec = json_pack("{s:s, s:I}", "kind", kind, "decision", (json_int_t)decision),
					.outcome = json_pack("{s:i}", "n_slots", 3),
					.started_us = 1000000,
					.finished_us = 3500000};
	return op;
}

struct store_op *fixture_slots(struct fixture *f, int64_t decision, int64_t batch, const char *origin,
			       const char *const *names, size_t n)
{
	struct store_op *op = fixture_decision(f, decision, batch ? "batch" : "draw");

	fixture_add_images(op, names, n, "natural", "");
	op->batch.batch = batch;
	snprintf(op->batch.origin, sizeof op->batch.origin, "%s", origin);
	op->batch.decision = decision;
	op->batch.saw_seq = 1;
	op->batch.n_slots = n;
	op->batch.slots = store_op_alloc(op, n * sizeof *op->batch.slots);
	for (size_t i = 0; i < n; i++) {
		op->batch.slots[i] = (struct store_slot){
			.slot = (int64_t)i, .image = fixture_hash(names[i]), .repeat = 2, .requeued = 1};
		strcpy(op->batch.slots[i].kind, "gaudy");
	}
	return op;
}

struct store_op *fixture_number(struct fixture *f, int64_t batch, const char *origin, int64_t decision)
{
	struct store_op *op = fixture_op(f, STORE_OP_BATCH);

	op->batch.batch = batch;
	snprintf(op->batch.origin, sizeof op->batch.origin, "%s", origin);
	op->batch.decision = decision;
	op->batch.saw_seq = 7;
	return op;
}

struct store_op *fixture_handover(struct fixture *f, int64_t batch, const char *origin)
{
	struct store_op *op = fixture_op(f, STORE_OP_HANDOVER);

	op->number = batch;
	op->text = store_op_string(op, origin);
	return op;
}

void fixture_batch(struct fixture *f, int64_t decision, int64_t batch, const char *const *names, size_t n)
{
	fixture_ok(f, fixture_slots(f, decision, batch, "chosen", names, n));
	fixture_ok(f, fixture_handover(f, batch, "chosen"));
}

struct store_op *fixture_presentations(struct fixture *f, int64_t number, size_t n, int64_t batch)
{
	struct store_op *op = fixture_op(f, STORE_OP_PRESENTATIONS);

	op->n_presentations = n;
	op->presentations = store_op_alloc(op, n * sizeof *op->presentations);
	for (size_t i = 0; i < n; i++) {
		int64_t k = number + (int64_t)i;
		uint16_t counts[FIXTURE_UNITS] = {(uint16_t)k, (uint16_t)(k + 1), (uint16_t)(k + 2)};

		op->presentations[i] = (struct presentation){
			.number = k,
			.trial = k / 4,
			.position = k % 4,
			.batch = batch,
			.slot = (int64_t)i % 3,
			.commanded_us = 1000 * k,
			.onset_us = 1000 * k + 13,
			.onset_source = ONSET_PHOTODIODE,
			.outcome = OUTCOME_COMPLETE,
			.responses = store_op_copy(op, counts, sizeof counts),
			.responses_size = sizeof counts,
		};
	}
	return op;
}

struct store_op *fixture_page(struct fixture *f, int64_t from, int64_t through, int64_t max_bytes)
{
	struct store_op *op = fixture_op(f, STORE_OP_PAGE);

	op->from_seq = from;
	op->through_seq = through;
	op->max_bytes = max_bytes;
	return op;
}

struct store_op *fixture_amend(struct fixture *f, int64_t number, const char *outcome)
{
	struct store_op *op = fixture_op(f, STORE_OP_AMEND);

	op->number = number;
	op->object = json_pack("{s:s}", "outcome", outcome);
	op->detail = "saw it on video";
	return op;
}

int64_t fixture_read(struct fixture *f, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t value;

	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, text, -1, &statement, NULL))
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}
