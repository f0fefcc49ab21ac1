/* Images, decisions with their slots, models and scores, and the life of a batch: slots, number, hand-over. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/writer.h"

/* The row of an image; -ENOENT when it is not in the session. */
static int find_image(struct writer *writer, const struct hash *hash, struct error *err, int64_t *ret_seq)
{
	struct query query = query_begin(&writer->sql, SQL_FIND_IMAGE);
	char hex[HASH_HEX_SIZE];
	int r;

	hash_to_hex(hash, hex);
	query_text(&query, hex);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (!r)
		return error_set(err, -ENOENT, "image: one of the session expected, found %s", hex);
	*ret_seq = query_get_int(&query, 0);
	query_end(&query);
	return 0;
}

/* An image that is there already stays as it is: it was first met under that kind and role. */
static int put_image(struct writer *writer, struct store_op *op, const struct store_image *image, struct error *err)
{
	struct query query;
	char hex[HASH_HEX_SIZE];
	char *provenance;
	int64_t seq;
	int r = find_image(writer, &image->hash, err, &seq);

	if (r != -ENOENT)
		return r;
	r = writer_json_text(image->provenance, err, &provenance);
	if (r)
		return r;
	r = writer_log(writer, ROW_IMAGE, err, &op->seq);
	if (!r) {
		hash_to_hex(&image->hash, hex);
		query = query_begin(&writer->sql, SQL_PUT_IMAGE);
		query_int(&query, op->seq);
		query_text(&query, hex);
		query_text(&query, image->kind);
		query_text(&query, image->role);
		query_int(&query, image->width_px);
		query_int(&query, image->height_px);
		query_blob(&query, image->png, image->png_size);
		query_text(&query, provenance);
		query_int_or_null(&query, op->decision.decision, op->kind != STORE_OP_DECISION);
		r = query_run(&query, err);
	}
	free(provenance);
	return r;
}

int write_images(struct writer *writer, struct store_op *op, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < op->n_images; i++)
		r = put_image(writer, op, &op->images[i], err);
	return r;
}

static int put_decision(struct writer *writer, struct store_op *op, const char *spec, const char *outcome,
			struct error *err)
{
	const struct store_decision *decision = &op->decision;
	struct query query;
	int r = writer_log(writer, ROW_DECISION, err, &op->seq);

	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_DECISION);
	query_int(&query, op->seq);
	query_int(&query, decision->decision);
	query_text(&query, decision->kind);
	query_text(&query, decision->cause);
	query_int(&query, decision->saw_seq);
	query_text_or_null(&query, decision->parent_model);
	query_text_or_null(&query, decision->pool_hash);
	query_int(&query, decision->units_planned);
	query_int(&query, decision->units_done);
	query_text(&query, spec);
	query_text(&query, outcome);
	query_text_or_null(&query, decision->outcome_hash);
	query_int(&query, decision->started_us);
	query_int(&query, decision->finished_us);
	return query_run(&query, err);
}

static int put_slots(struct writer *writer, const struct store_op *op, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < op->batch.n_slots; i++) {
		const struct store_slot *slot = &op->batch.slots[i];
		struct query query;
		int64_t image;

		r = find_image(writer, &slot->image, err, &image);
		if (r)
			return error_prefix(err, r, "slot %" PRId64, slot->slot);
		query = query_begin(&writer->sql, SQL_PUT_SLOT);
		query_int(&query, op->decision.decision);
		query_int(&query, slot->slot);
		query_int(&query, image);
		query_text(&query, slot->kind);
		query_int(&query, slot->repeat);
		query_int(&query, slot->requeued);
		r = query_run(&query, err);
	}
	return r;
}

static int put_batch(struct writer *writer, struct store_op *op, int64_t decision, struct error *err)
{
	struct query query;
	int r = writer_log(writer, ROW_BATCH, err, &op->seq);

	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_BATCH);
	query_int(&query, op->seq);
	query_int(&query, op->batch.batch);
	query_text(&query, op->batch.origin);
	query_int(&query, decision);
	query_int(&query, op->batch.saw_seq);
	return query_run(&query, err);
}

static int put_model(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query;
	int r = writer_log(writer, ROW_MODEL, err, &op->seq);

	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_MODEL);
	query_int(&query, op->seq);
	query_text(&query, op->model_hash);
	query_int(&query, op->decision.decision);
	return query_run(&query, err);
}

static int put_score(struct writer *writer, int64_t decision, const struct store_score *score, struct error *err)
{
	struct query query = query_begin(&writer->sql, SQL_PUT_SCORE);

	query_int(&query, decision);
	query_text(&query, score->set);
	query_text(&query, score->tier);
	query_int(&query, score->unit);
	query_int(&query, score->shown);
	query_real(&query, score->r2);
	query_real(&query, score->r2_low);
	query_real(&query, score->r2_high);
	query_real(&query, score->r_mean);
	query_real(&query, score->r_single);
	query_real(&query, score->ceiling);
	query_real(&query, score->snr);
	query_int(&query, score->n_images);
	query_int(&query, score->n_presentations);
	return query_run(&query, err);
}

int write_decision(struct writer *writer, struct store_op *op, struct error *err)
{
	char *spec = NULL, *outcome = NULL;
	int r = writer_json_text(op->decision.spec, err, &spec);

	if (!r)
		r = writer_json_text(op->decision.outcome, err, &outcome);
	if (!r)
		r = put_decision(writer, op, spec, outcome, err);
	if (!r)
		r = write_images(writer, op, err);
	if (!r)
		r = put_slots(writer, op, err);
	if (!r && op->batch.n_slots && op->batch.batch)
		r = put_batch(writer, op, op->decision.decision, err);
	if (!r && op->model_hash[0])
		r = put_model(writer, op, err);
	for (size_t i = 0; !r && i < op->n_scores; i++)
		r = put_score(writer, op->decision.decision, &op->scores[i], err);
	free(spec);
	free(outcome);
	return r;
}

/* The decision behind (batch, origin), 0 when there is none. */
static int find_batch(struct writer *writer, int64_t batch, const char *origin, struct error *err,
		      int64_t *ret_decision)
{
	struct query query = query_begin(&writer->sql, SQL_FIND_BATCH);
	int r;

	query_int(&query, batch);
	query_text(&query, origin);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	*ret_decision = r ? query_get_int(&query, 0) : 0;
	if (r)
		query_end(&query);
	return 0;
}

int write_batch(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query = query_begin(&writer->sql, SQL_COUNT_SLOTS);
	int64_t n_slots, decision;
	int r;

	query_int(&query, op->batch.decision);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	n_slots = query_get_int(&query, 0);
	query_end(&query);
	if (!n_slots)
		return error_set(err, -ENOENT, "batch %" PRId64 ": a decision with slots expected, found %" PRId64,
				 op->batch.batch, op->batch.decision);
	r = find_batch(writer, op->batch.batch, op->batch.origin, err, &decision);
	if (r)
		return r;
	if (decision && decision != op->batch.decision)
		return error_set(err, -EEXIST, "batch %" PRId64 " (%s): made by decision %" PRId64 " already",
				 op->batch.batch, op->batch.origin, decision);
	return decision ? 0 : put_batch(writer, op, op->batch.decision, err);
}

/* The origin that was handed over of a batch, "" when none was. */
static int find_handover(struct writer *writer, int64_t batch, struct error *err, char ret_origin[16])
{
	struct query query = query_begin(&writer->sql, SQL_FIND_HANDOVER);
	int r;

	query_int(&query, batch);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	snprintf(ret_origin, 16, "%s", r ? query_get_text(&query, 0) : "");
	if (r)
		query_end(&query);
	return 0;
}

int write_handover(struct writer *writer, struct store_op *op, struct error *err)
{
	struct query query;
	char origin[16];
	int64_t run = 0, decision;
	int r = find_handover(writer, op->number, err, origin);

	if (!r && origin[0])
		return !strcmp(origin, op->text)
			       ? 0
			       : error_set(err, -EEXIST, "batch %" PRId64 ": handed over as %s already", op->number,
					   origin);
	if (!r)
		r = find_batch(writer, op->number, op->text, err, &decision);
	if (!r && !decision)
		r = error_set(err, -ENOENT, "batch %" PRId64 " (%s): not in the session", op->number, op->text);
	if (!r)
		r = writer_find_run_if_any(writer, op->run, err, &run);
	if (!r)
		r = writer_log(writer, ROW_HANDOVER, err, &op->seq);
	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_HANDOVER);
	query_int(&query, op->seq);
	query_int(&query, op->number);
	query_text(&query, op->text);
	query_int_or_null(&query, run, !run);
	query_text_or_null(&query, op->detail);
	return query_run(&query, err);
}
