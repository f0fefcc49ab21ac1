/* Everything is copied into the operation's memory: the result's own is gone when the callback returns. */
#include "daemon/job_result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"

enum { PATH_TEXT = 48 };

/* An array of objects at most `max` long; absent is empty. */
static int get_list(const json_t *header, const char *key, size_t max, struct error *err, json_t **ret_list,
		    size_t *ret_n)
{
	json_t *list = json_object_get(header, key);

	if (list && !json_is_array(list))
		return error_set(err, -EPROTO, "%s: array expected", key);
	if (json_array_size(list) > max)
		return error_set(err, -EPROTO, "%s: at most %zu expected, found %zu", key, max, json_array_size(list));
	*ret_list = list;
	*ret_n = json_array_size(list);
	return 0;
}

static int get_hash(const json_t *object, const char *path, const char *key, struct error *err, struct hash *ret_hash)
{
	return message_get_hex(object, path, key, HASH_SIZE, err, ret_hash->bytes);
}

static int take_images(const struct message *result, uint32_t width_px, uint32_t height_px, struct store_op *op,
		       struct error *err)
{
	const struct message_array *png = message_find_array(result, RESULT_PNG);
	json_t *list;
	size_t n;
	int status = get_list(result->header, RESULT_IMAGES, SIZE_MAX, err, &list, &n);

	if (status < 0 || n == 0)
		return status;
	if (!png)
		return error_set(err, -EPROTO, "%s: there are images, but no bytes", RESULT_PNG);
	const uint8_t *bytes = store_op_copy(op, png->data, png->size);
	op->images = store_op_alloc(op, n * sizeof *op->images);
	if (!bytes || !op->images)
		return error_set(err, -ENOMEM, "result: out of memory");
	for (size_t i = 0; i < n; i++) {
		const json_t *entry = json_array_get(list, i);
		struct store_image *image = &op->images[i];
		char path[PATH_TEXT];
		const char *kind, *role;
		int64_t offset, size;

		snprintf(path, sizeof path, "%s[%zu]", RESULT_IMAGES, i);
		if ((status = get_hash(entry, path, IMAGE_HASH, err, &image->hash)) < 0 ||
		    (status = message_get_string(entry, path, IMAGE_KIND, 31, err, &kind)) < 0 ||
		    (status = message_get_string(entry, path, IMAGE_ROLE, 15, err, &role)) < 0 ||
		    (status = message_get_int(entry, path, IMAGE_OFFSET, 0, (int64_t)png->size, err, &offset)) < 0 ||
		    (status = message_get_int(entry, path, IMAGE_SIZE, 1, (int64_t)png->size - offset, err, &size)) < 0)
			return status;
		image->width_px = width_px;
		image->height_px = height_px;
		image->kind = store_op_string(op, kind);
		image->role = store_op_string(op, role);
		image->png = bytes + offset;
		image->png_size = (size_t)size;
		image->provenance = json_incref(json_object_get(entry, IMAGE_PROVENANCE));
		op->n_images = i + 1; /* the operation owns the provenance of this one from here */
		if (!image->kind || !image->role)
			return error_set(err, -ENOMEM, "result: out of memory");
	}
	return 0;
}

static int take_slots(const struct message *result, struct store_op *op, struct error *err)
{
	json_t *list;
	size_t n;
	int status = get_list(result->header, RESULT_SLOTS, LIMIT_BATCH_SLOTS, err, &list, &n);

	if (status < 0 || n == 0)
		return status;
	op->batch.slots = store_op_alloc(op, n * sizeof *op->batch.slots);
	if (!op->batch.slots)
		return error_set(err, -ENOMEM, "result: out of memory");
	for (size_t i = 0; i < n; i++) {
		const json_t *entry = json_array_get(list, i);
		struct store_slot *slot = &op->batch.slots[i];
		char path[PATH_TEXT];
		const char *kind;

		*slot = (struct store_slot){.slot = (int64_t)i};
		snprintf(path, sizeof path, "%s[%zu]", RESULT_SLOTS, i);
		if ((status = get_hash(entry, path, SLOT_IMAGE, err, &slot->image)) < 0 ||
		    (status = message_get_string(entry, path, SLOT_KIND, sizeof slot->kind - 1, err, &kind)) < 0 ||
		    (status = message_get_int(entry, path, SLOT_REPEAT, 0, LIMIT_INTEGER - 1, err, &slot->repeat)) <
			    0 ||
		    (status = message_get_int(entry, path, SLOT_REQUEUED, 0, LIMIT_INTEGER - 1, err, &slot->requeued)) <
			    0)
			return status;
		strcpy(slot->kind, kind);
	}
	op->batch.n_slots = n;
	return 0;
}

static void take_score(const double *row, struct store_score *ret_score)
{
	ret_score->r2 = row[SCORE_R2];
	ret_score->r2_low = row[SCORE_R2_LOW];
	ret_score->r2_high = row[SCORE_R2_HIGH];
	ret_score->r_mean = row[SCORE_R_MEAN];
	ret_score->r_single = row[SCORE_R_SINGLE];
	ret_score->ceiling = row[SCORE_CEILING];
	ret_score->snr = row[SCORE_SNR];
	ret_score->n_images = isfinite(row[SCORE_N_IMAGES]) ? (int64_t)row[SCORE_N_IMAGES] : 0;
	ret_score->n_presentations = isfinite(row[SCORE_N_PRESENTATIONS]) ? (int64_t)row[SCORE_N_PRESENTATIONS] : 0;
}

/* scores f64 [tiers, 1 + n_units, SCORE_COLUMNS]; the first row of a tier is the medians. */
static int take_scores(const struct message *result, struct store_op *op, struct error *err)
{
	const struct message_array *scores = message_find_array(result, RESULT_SCORES);
	const json_t *outcome = json_object_get(result->header, RESULT_OUTCOME);
	const json_t *tiers = json_object_get(outcome, OUTCOME_TIERS);
	const json_t *units = json_object_get(outcome, OUTCOME_UNIT_IDS);
	const char *best, *set = ROLE_MONITOR;
	int status;

	if (!scores)
		return 0;
	size_t n_tiers = json_array_size(tiers), n_rows = 1 + json_array_size(units);
	if (scores->dtype != MESSAGE_F64 || scores->n_dims != 3 || scores->dims[0] != n_tiers ||
	    scores->dims[1] != n_rows || scores->dims[2] != SCORE_COLUMNS)
		return error_set(err, -EPROTO, "%s: f64 [%zu, %zu, %d] expected", RESULT_SCORES, n_tiers, n_rows,
				 SCORE_COLUMNS);
	status = message_get_string(outcome, RESULT_OUTCOME, OUTCOME_BEST, 31, err, &best);
	if (status < 0)
		return status;
	if (json_object_get(outcome, OUTCOME_SET))
		status = message_get_string(outcome, RESULT_OUTCOME, OUTCOME_SET, 15, err, &set);
	if (status < 0)
		return status;
	const double *values = store_op_copy(op, scores->data, scores->size);
	op->scores = store_op_alloc(op, n_tiers * n_rows * sizeof *op->scores);
	set = store_op_string(op, set);
	if (!values || !op->scores || !set)
		return error_set(err, -ENOMEM, "result: out of memory");
	for (size_t t = 0; t < n_tiers; t++) {
		const char *tier = json_string_value(json_array_get(tiers, t));
		tier = store_op_string(op, tier ? tier : "");
		for (size_t r = 0; tier && r < n_rows; r++) {
			struct store_score *score = &op->scores[op->n_scores++];
			*score = (struct store_score){.set = set, .tier = tier, .shown = strcmp(tier, best) == 0};
			score->unit = r == 0 ? -1 : json_integer_value(json_array_get(units, r - 1));
			take_score(values + (t * n_rows + r) * SCORE_COLUMNS, score);
		}
	}
	return 0;
}

int job_result_store(const struct message *result, uint32_t width_px, uint32_t height_px, struct store_op *op,
		     struct error *err)
{
	json_t *outcome = json_object_get(result->header, RESULT_OUTCOME);
	const char *hash, *model;
	int status;

	if (!json_is_object(outcome))
		return error_set(err, -EPROTO, "%s: object expected", RESULT_OUTCOME);
	if ((status = message_get_string(result->header, "", RESULT_HASH, HASH_HEX_SIZE - 1, err, &hash)) < 0 ||
	    (status = message_get_int(result->header, "", RESULT_UNITS_DONE, 0, LIMIT_INTEGER - 1, err,
				      &op->decision.units_done)) < 0 ||
	    (status = message_get_int(result->header, "", RESULT_UNITS_PLANNED, 0, LIMIT_INTEGER - 1, err,
				      &op->decision.units_planned)) < 0)
		return status;
	strcpy(op->decision.outcome_hash, hash);
	op->decision.outcome = json_incref(outcome);
	if (strcmp(op->decision.kind, JOB_KIND_FIT) == 0) {
		status = message_get_string(outcome, RESULT_OUTCOME, OUTCOME_MODEL, HASH_HEX_SIZE - 1, err, &model);
		if (status < 0)
			return status;
		strcpy(op->model_hash, model);
	}
	if ((status = take_images(result, width_px, height_px, op, err)) < 0 ||
	    (status = take_slots(result, op, err)) < 0)
		return status;
	return take_scores(result, op, err);
}

int job_result_batch(const struct store_op *op, struct batch **ret_batch)
{
	struct batch *batch = batch_create(&op->batch);

	if (!batch)
		return -ENOMEM;
	for (size_t i = 0; i < op->n_images; i++) {
		if (batch_set_png(batch, &op->images[i].hash, op->images[i].png, op->images[i].png_size) < 0) {
			batch_destroy(batch);
			return -ENOMEM;
		}
	}
	*ret_batch = batch;
	return 0;
}

void job_result_score(const struct store_op *op, struct batch_score *ret_score)
{
	batch_score_init(ret_score);
	for (size_t i = 0; i < op->n_scores; i++) {
		const struct store_score *score = &op->scores[i];
		if (!score->shown || score->unit != -1)
			continue;
		snprintf(ret_score->tier, sizeof ret_score->tier, "%s", score->tier);
		ret_score->r2 = score->r2;
		ret_score->r2_low = score->r2_low;
		ret_score->r2_high = score->r2_high;
		ret_score->r_mean = score->r_mean;
		ret_score->ceiling = score->ceiling;
	}
}
