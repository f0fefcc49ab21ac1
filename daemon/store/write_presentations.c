/* Presentations as they come: stored once, the same again known by its content, other content under a number that is
 * settled kept aside as a conflict, what names nothing that was shown refused. Amendments beside them.
 *
 * A number is settled by the first thing that is said about it: a row of `presentation` or of `refusal`. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/content.h"
#include "daemon/store/writer.h"
#include "protocol/fields.h"
#include "protocol/message.h"

/* What is known of one presentation on its way into the file. */
struct entry {
	const struct presentation *presentation;
	int64_t run;
	struct hash content;
	int64_t image; /* row of the image that was shown */
};

/* Whether the number has a row of `presentation`, and whether it says the same. */
static int find_settled(struct writer *writer, const struct entry *entry, struct error *err, bool *ret_found,
			bool *ret_same)
{
	struct query query = query_begin(&writer->sql, SQL_FIND_PRESENTATION);
	const void *content;
	size_t size;
	int r;

	query_int(&query, entry->run);
	query_int(&query, entry->presentation->number);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	*ret_found = r;
	if (r) {
		content = query_get_blob(&query, 0, &size);
		*ret_same = size == HASH_SIZE && !memcmp(content, entry->content.bytes, HASH_SIZE);
		query_end(&query);
	}
	return 0;
}

/* The reason for which the number was refused before; *ret_reason is left alone when it was not. */
static int find_refusal(struct writer *writer, int64_t run, int64_t number, struct error *err, struct error *ret_reason,
			bool *ret_found)
{
	struct query query = query_begin(&writer->sql, SQL_FIND_REFUSAL);
	int r;

	query_int(&query, run);
	query_int(&query, number);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	*ret_found = r;
	if (r) {
		error_set(ret_reason, 0, "%s", query_get_text(&query, 0));
		query_end(&query);
	}
	return 0;
}

/* The image in a slot of a batch that was handed over. -EINVAL with the reason when there is none. */
static int find_shown(struct writer *writer, const struct presentation *presentation, struct error *err,
		      struct error *reason, int64_t *ret_image)
{
	struct query query = query_begin(&writer->sql, SQL_FIND_SHOWN);
	struct hash named;
	char hex[HASH_HEX_SIZE];
	int r;

	query_int(&query, presentation->batch);
	query_int(&query, presentation->slot);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (!r)
		return error_set(reason, -EINVAL,
				 "batch, slot: one that was handed over expected, found batch %" PRId64
				 ", slot %" PRId64,
				 presentation->batch, presentation->slot);
	r = 0;
	if (presentation->has_image) {
		memcpy(named.bytes, presentation->image, HASH_SIZE);
		hash_to_hex(&named, hex);
		if (strcmp(hex, query_get_text(&query, 1)))
			r = error_set(reason, -EINVAL,
				      "image: %s of batch %" PRId64 ", slot %" PRId64 " expected, found %s",
				      query_get_text(&query, 1), presentation->batch, presentation->slot, hex);
	}
	if (!r)
		*ret_image = query_get_int(&query, 0);
	query_end(&query);
	return r;
}

/* The image that the rig brought itself. -EINVAL with the reason when it did not. */
static int find_own(struct writer *writer, const struct presentation *presentation, struct error *err,
		    struct error *reason, int64_t *ret_image)
{
	struct query query = query_begin(&writer->sql, SQL_FIND_IMAGE);
	struct hash named;
	char hex[HASH_HEX_SIZE];
	int r;

	memcpy(named.bytes, presentation->image, HASH_SIZE);
	hash_to_hex(&named, hex);
	query_text(&query, hex);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (!r)
		return error_set(reason, -EINVAL, "image: one of the session expected, found %s", hex);
	*ret_image = query_get_int(&query, 0);
	query_end(&query);
	return 0;
}

static int put_presentation(struct writer *writer, struct store_op *op, const struct entry *entry, struct error *err)
{
	const struct presentation *presentation = entry->presentation;
	struct query query;
	int r = writer_log(writer, ROW_PRESENTATION, err, &op->seq);

	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_PRESENTATION);
	query_int(&query, op->seq);
	query_int(&query, entry->run);
	query_int(&query, presentation->number);
	query_int(&query, presentation->trial);
	query_int(&query, presentation->position);
	query_int_or_null(&query, presentation->batch, !presentation->batch);
	query_int_or_null(&query, presentation->slot, !presentation->batch);
	query_int(&query, entry->image);
	query_int(&query, presentation->commanded_us);
	query_int(&query, presentation->onset_us);
	query_text(&query, onset_source_name(presentation->onset_source));
	query_text(&query, presentation_outcome_name(presentation->outcome));
	query_blob(&query, presentation->responses, presentation->responses_size);
	query_blob(&query, presentation->mask, content_mask_size(presentation));
	query_blob(&query, entry->content.bytes, HASH_SIZE);
	query_int(&query, op->received_us);
	query_int(&query, op->received_ns);
	return query_run(&query, err);
}

/* The same other content again is kept once. */
static int put_conflict(struct writer *writer, struct store_op *op, const struct entry *entry, struct error *err)
{
	const struct presentation *presentation = entry->presentation;
	struct query query = query_begin(&writer->sql, SQL_FIND_CONFLICT);
	char *fields = NULL;
	int r;

	query_int(&query, entry->run);
	query_int(&query, presentation->number);
	query_blob(&query, entry->content.bytes, HASH_SIZE);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (r) {
		query_end(&query);
		return 0;
	}
	r = content_fields(presentation, err, &fields);
	if (!r)
		r = writer_log(writer, ROW_CONFLICT, err, &op->seq);
	if (!r) {
		query = query_begin(&writer->sql, SQL_PUT_CONFLICT);
		query_int(&query, op->seq);
		query_int(&query, entry->run);
		query_int(&query, presentation->number);
		query_blob(&query, entry->content.bytes, HASH_SIZE);
		query_text(&query, fields);
		query_blob(&query, presentation->responses, presentation->responses_size);
		query_blob(&query, presentation->mask, content_mask_size(presentation));
		query_int(&query, op->received_us);
		r = query_run(&query, err);
	}
	free(fields);
	return r;
}

/* `presentation` is NULL when it could not be read; `number` -1 then when not even that could. */
static int put_refusal(struct writer *writer, struct store_op *op, int64_t run, int64_t number,
		       const struct presentation *presentation, const char *reason, struct error *err)
{
	struct query query;
	char *fields = NULL;
	int r = presentation ? content_fields(presentation, err, &fields) : 0;

	if (!r)
		r = writer_log(writer, ROW_REFUSAL, err, &op->seq);
	if (!r) {
		query = query_begin(&writer->sql, SQL_PUT_REFUSAL);
		query_int(&query, op->seq);
		query_int(&query, run);
		query_int_or_null(&query, number, number < 0);
		query_text(&query, reason);
		query_text(&query, fields);
		query_blob(&query, presentation ? presentation->responses : NULL,
			   presentation ? presentation->responses_size : 0);
		query_blob(&query, presentation ? presentation->mask : NULL,
			   presentation ? content_mask_size(presentation) : 0);
		query_int(&query, op->received_us);
		r = query_run(&query, err);
	}
	free(fields);
	return r;
}

/* A refusal that came with the block: kept once for each number. */
static int take_refusal(struct writer *writer, struct store_op *op, int64_t run, struct presentation_refusal *refusal,
			struct error *err)
{
	bool found = false;
	int r = 0;

	if (refusal->number >= 0)
		r = find_refusal(writer, run, refusal->number, err, &refusal->error, &found);
	if (r || found)
		return r;
	return put_refusal(writer, op, run, refusal->number, NULL, refusal->error.text, err);
}

/* Writes one presentation and says what became of it; `refusal` gets the reason of STORE_REFUSED. */
static int take_presentation(struct writer *writer, struct store_op *op, struct entry *entry, struct error *err,
			     enum store_result *ret_result, struct presentation_refusal *refusal)
{
	const struct presentation *presentation = entry->presentation;
	bool found, same = false;
	int r;

	content_hash(presentation, &entry->content);
	r = find_settled(writer, entry, err, &found, &same);
	if (r)
		return r;
	if (found) {
		*ret_result = same ? STORE_SAME : STORE_CONFLICT;
		return same ? 0 : put_conflict(writer, op, entry, err);
	}
	r = find_refusal(writer, entry->run, presentation->number, err, &refusal->error, &found);
	if (r)
		return r;
	refusal->number = presentation->number;
	*ret_result = STORE_REFUSED;
	if (found)
		return 0;
	if (presentation->batch)
		r = find_shown(writer, presentation, err, &refusal->error, &entry->image);
	else
		r = find_own(writer, presentation, err, &refusal->error, &entry->image);
	if (r == -EINVAL)
		return put_refusal(writer, op, entry->run, presentation->number, presentation, refusal->error.text,
				   err);
	if (r)
		return r;
	*ret_result = STORE_STORED;
	return put_presentation(writer, op, entry, err);
}

/* Behind those that came with the block. Most blocks have none, so the room is taken when the first one comes. */
static int append_refusal(struct store_op *op, const struct presentation_refusal *refusal, size_t *n_room,
			  struct error *err)
{
	if (op->n_refusals == *n_room) {
		struct presentation_refusal *refusals;

		*n_room = op->n_refusals + op->n_presentations;
		refusals = store_op_alloc(op, *n_room * sizeof *refusals);
		if (!refusals)
			return error_set(err, -ENOMEM, "out of memory");
		if (op->n_refusals)
			memcpy(refusals, op->refusals, op->n_refusals * sizeof *refusals);
		op->refusals = refusals;
	}
	op->refusals[op->n_refusals++] = *refusal;
	return 0;
}

int write_presentations(struct writer *writer, struct store_op *op, struct error *err)
{
	size_t n_sent = op->n_refusals, n_room = n_sent;
	struct presentation_refusal refusal;
	struct entry entry;
	int r = writer_find_run(writer, op->run, err, &entry.run);

	if (r)
		return r;
	op->results = store_op_alloc(op, op->n_presentations * sizeof *op->results);
	if (!op->results)
		return error_set(err, -ENOMEM, "out of memory");

	for (size_t i = 0; !r && i < n_sent; i++)
		r = take_refusal(writer, op, entry.run, &op->refusals[i], err);
	for (size_t i = 0; !r && i < op->n_presentations; i++) {
		entry.presentation = &op->presentations[i];
		r = take_presentation(writer, op, &entry, err, &op->results[i], &refusal);
		if (!r && op->results[i] == STORE_REFUSED)
			r = append_refusal(op, &refusal, &n_room, err);
	}
	return r;
}

/* The fields of an amendment; *ret_outcome is NULL and *ret_trial -1 when they are not amended. */
static int read_amendment(const struct store_op *op, struct error *err, const char **ret_outcome, int64_t *ret_trial)
{
	enum presentation_outcome outcome;
	int r = 0;

	*ret_outcome = NULL;
	*ret_trial = -1;
	if (json_object_get(op->object, FIELD_OUTCOME)) {
		r = message_get_string(op->object, "", FIELD_OUTCOME, LIMIT_LABEL_BYTES, err, ret_outcome);
		if (!r && presentation_outcome_from_name(*ret_outcome, &outcome))
			r = error_set(err, -EINVAL, FIELD_OUTCOME ": no such outcome, found \"%.64s\"", *ret_outcome);
	}
	if (!r && json_object_get(op->object, FIELD_TRIAL))
		r = message_get_int(op->object, "", FIELD_TRIAL, 0, LIMIT_INTEGER - 1, err, ret_trial);
	if (!r && !*ret_outcome && *ret_trial < 0)
		r = error_set(err, -EINVAL, "amend: " FIELD_OUTCOME " or " FIELD_TRIAL " expected, found neither");
	return r;
}

static void bind_amendment(struct query *query, const struct store_op *op, int64_t run, const char *outcome,
			   int64_t trial)
{
	query_int(query, run);
	query_int(query, op->number);
	query_text(query, outcome);
	query_int_or_null(query, trial, trial < 0);
	query_text_or_null(query, op->detail);
}

int write_amendment(struct writer *writer, struct store_op *op, struct error *err)
{
	struct entry entry = {.presentation = &(struct presentation){.number = op->number}};
	struct query query;
	const char *outcome;
	int64_t trial;
	bool found, same, again = false;
	int r = read_amendment(op, err, &outcome, &trial);

	if (!r)
		r = writer_find_run(writer, op->run, err, &entry.run);
	if (!r)
		r = find_settled(writer, &entry, err, &found, &same);
	if (!r && !found)
		r = error_set(err, -ENOENT, FIELD_NUMBER ": a stored presentation expected, found %" PRId64,
			      op->number);
	if (r)
		return r;
	/* A resend of the newest amendment. */
	query = query_begin(&writer->sql, SQL_LAST_AMENDMENT);
	bind_amendment(&query, op, entry.run, outcome, trial);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (r) {
		again = query_get_int(&query, 0);
		query_end(&query);
	}
	if (again)
		return 0;
	r = writer_log(writer, ROW_AMENDMENT, err, &op->seq);
	if (r)
		return r;
	query = query_begin(&writer->sql, SQL_PUT_AMENDMENT);
	query_int(&query, op->seq);
	bind_amendment(&query, op, entry.run, outcome, trial);
	return query_run(&query, err);
}
