/* Images are listed in the order in which slots name them first; a batch has at most LIMIT_BATCH_SLOTS of them, so they
 * are found by looking through the list. */
#include "daemon/batch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/fields.h"

void batch_score_init(struct batch_score *score)
{
	*score = (struct batch_score){.r2 = NAN, .r2_low = NAN, .r2_high = NAN, .r_mean = NAN, .ceiling = NAN};
}

static struct batch_image *find_image(const struct batch *batch, const struct hash *hash)
{
	for (size_t i = 0; i < batch->n_images; i++)
		if (hash_equal(&batch->images[i].hash, hash))
			return &batch->images[i];
	return NULL;
}

static struct batch *create(size_t n_slots)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (!batch)
		return NULL;
	batch->slots = calloc(n_slots + 1, sizeof *batch->slots);
	batch->images = calloc(n_slots + 1, sizeof *batch->images);
	if (!batch->slots || !batch->images) {
		batch_destroy(batch);
		return NULL;
	}
	batch->n_slots = n_slots;
	batch->cause = "planned";
	batch->n_seen = -1;
	batch->fit_seconds = batch->batch_seconds = NAN;
	batch_score_init(&batch->score);
	return batch;
}

static void list_images(struct batch *batch)
{
	for (size_t i = 0; i < batch->n_slots; i++)
		if (!find_image(batch, &batch->slots[i].image))
			batch->images[batch->n_images++].hash = batch->slots[i].image;
}

struct batch *batch_create(const struct store_batch *stored)
{
	struct batch *batch = create(stored->n_slots);

	if (!batch)
		return NULL;
	batch->number = stored->batch;
	batch->chosen = strcmp(stored->origin, ORIGIN_CHOSEN) == 0;
	batch->decision = stored->decision;
	batch->saw_seq = stored->saw_seq;
	for (size_t i = 0; i < stored->n_slots; i++) {
		batch->slots[i].image = stored->slots[i].image;
		memcpy(batch->slots[i].kind, stored->slots[i].kind, sizeof batch->slots[i].kind);
		batch->slots[i].repeat = stored->slots[i].repeat;
		batch->slots[i].requeued = stored->slots[i].requeued;
	}
	list_images(batch);
	return batch;
}

void batch_destroy(struct batch *batch)
{
	if (!batch)
		return;
	batch_drop_png(batch);
	free(batch->slots);
	free(batch->images);
	free(batch);
}

struct batch *batch_copy_slots(const struct batch *batch)
{
	struct batch *copy = create(batch->n_slots);

	if (!copy)
		return NULL;
	copy->decision = batch->decision;
	copy->saw_seq = batch->saw_seq;
	for (size_t i = 0; i < batch->n_slots; i++) {
		copy->slots[i] = batch->slots[i];
		copy->slots[i].settled = copy->slots[i].shown = false;
	}
	list_images(copy);
	return copy;
}

int batch_store(const struct batch *batch, struct store_op *op)
{
	struct store_slot *slots = store_op_alloc(op, batch->n_slots * sizeof *slots);

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < batch->n_slots; i++) {
		slots[i] = (struct store_slot){.slot = (int64_t)i,
					       .image = batch->slots[i].image,
					       .repeat = batch->slots[i].repeat,
					       .requeued = batch->slots[i].requeued};
		memcpy(slots[i].kind, batch->slots[i].kind, sizeof slots[i].kind);
	}
	op->batch = (struct store_batch){.batch = batch->number,
					 .decision = batch->decision,
					 .saw_seq = batch->saw_seq,
					 .n_slots = batch->n_slots,
					 .slots = slots};
	strcpy(op->batch.origin, batch->chosen ? ORIGIN_CHOSEN : ORIGIN_FALLBACK);
	return 0;
}

int batch_set_png(struct batch *batch, const struct hash *hash, const void *png, size_t size)
{
	struct batch_image *image = find_image(batch, hash);

	if (!image || image->png)
		return 0;
	image->png = malloc(size + 1);
	if (!image->png)
		return -ENOMEM;
	memcpy(image->png, png, size);
	image->png_size = size;
	return 0;
}

const struct hash *batch_unread(const struct batch *batch)
{
	for (size_t i = 0; i < batch->n_images; i++)
		if (!batch->images[i].png)
			return &batch->images[i].hash;
	return NULL;
}

void batch_drop_png(struct batch *batch)
{
	for (size_t i = 0; i < batch->n_images; i++) {
		free(batch->images[i].png);
		batch->images[i].png = NULL;
	}
}

bool batch_settle(struct batch *batch, int64_t slot, bool complete)
{
	if (slot < 0 || (size_t)slot >= batch->n_slots)
		return false;
	struct batch_slot *place = &batch->slots[slot];
	bool changed = !place->settled || (complete && !place->shown);
	place->settled = true;
	place->shown |= complete;
	return changed;
}

size_t batch_n_shown(const struct batch *batch)
{
	size_t n = 0;

	for (size_t i = 0; i < batch->n_slots; i++)
		n += batch->slots[i].shown;
	return n;
}

size_t batch_requeue(const struct batch *batch, uint32_t max_requeue, struct requeue *requeue)
{
	size_t n = 0;

	for (size_t i = 0; i < batch->n_slots; i++) {
		const struct batch_slot *slot = &batch->slots[i];
		n += !slot->shown && requeue_add(requeue, &slot->image, slot->kind, slot->requeued, max_requeue);
	}
	return n;
}

/* The header's slots and images; offsets into the bytes that follow. -ENOMEM. */
static int describe(const struct batch *batch, json_t *header)
{
	json_t *slots = json_array(), *images = json_array();
	size_t offset = 0;
	char hex[HASH_HEX_SIZE];
	int status = 0;

	for (size_t i = 0; i < batch->n_slots; i++) {
		const struct batch_slot *slot = &batch->slots[i];
		hash_to_hex(&slot->image, hex);
		status |= json_array_append_new(slots, json_pack("{s:I, s:s, s:s, s:I}", FIELD_SLOT, (json_int_t)i,
								 FIELD_IMAGE, hex, FIELD_KIND, slot->kind, FIELD_REPEAT,
								 (json_int_t)slot->repeat));
	}
	for (size_t i = 0; i < batch->n_images; i++) {
		const struct batch_image *image = &batch->images[i];
		hash_to_hex(&image->hash, hex);
		status |= json_array_append_new(images,
						json_pack("{s:s, s:I, s:I}", FIELD_IMAGE, hex, FIELD_OFFSET,
							  (json_int_t)offset, FIELD_SIZE, (json_int_t)image->png_size));
		offset += image->png_size;
	}
	status |= json_object_set_new(header, FIELD_BATCH, json_integer(batch->number));
	status |=
		json_object_set_new(header, FIELD_ORIGIN, json_string(batch->chosen ? ORIGIN_CHOSEN : ORIGIN_FALLBACK));
	status |= json_object_set_new(header, FIELD_SLOTS, slots);
	status |= json_object_set_new(header, FIELD_IMAGES, images);
	return status ? -ENOMEM : 0;
}

int batch_message(const struct batch *batch, int64_t id, struct error *err, struct message *ret_message)
{
	struct message message;
	uint64_t size = 0;
	uint8_t *bytes, *end;
	int status;

	for (size_t i = 0; i < batch->n_images; i++)
		size += batch->images[i].png_size;
	if (size > LIMIT_MESSAGE_BYTES)
		return error_set(err, -E2BIG, "batch: its images have %llu bytes, a message at most %d",
				 (unsigned long long)size, LIMIT_MESSAGE_BYTES);
	status = message_init(TYPE_BATCH, id, &message);
	if (status < 0)
		return error_set(err, status, "batch: out of memory");
	status = describe(batch, message.header);
	message.buffer = bytes = end = malloc(size + 1);
	if (status < 0 || !bytes) {
		status = error_set(err, -ENOMEM, "batch: out of memory");
		goto out_message;
	}
	for (size_t i = 0; i < batch->n_images; i++) {
		memcpy(end, batch->images[i].png, batch->images[i].png_size);
		end += batch->images[i].png_size;
	}
	status = message_add_array(&message, ARRAY_PNG, MESSAGE_BYTES, 1, &size, bytes, err);
	if (status < 0)
		goto out_message;
	*ret_message = message;
	return 0;

out_message:
	message_done(&message);
	return status;
}
