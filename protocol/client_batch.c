/* A batch out of its message: the PNG bytes are copied once, slots point into the copy.
 *
 * Failure modes: fields missing or of another type, a slot whose image is not among the images, bytes that lie outside
 * of the array: -EPROTO and the like, nothing handed out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/client.h"
#include "protocol/client_internal.h"
#include "protocol/fields.h"

enum { PATH_MAX_BYTES = 48 };

struct png {
	uint8_t image[32];
	const unsigned char *data;
	size_t size;
};

static int parse_image(const json_t *entry, size_t i, const unsigned char *bytes, size_t n_bytes, struct png *png,
		       struct error *err)
{
	char path[PATH_MAX_BYTES];
	int64_t offset, size;
	int rc;

	snprintf(path, sizeof path, FIELD_IMAGES "[%zu]", i);
	rc = message_get_hex(entry, path, FIELD_IMAGE, sizeof png->image, err, png->image);
	if (rc)
		return rc;
	rc = message_get_int(entry, path, FIELD_OFFSET, 0, (int64_t)n_bytes, err, &offset);
	if (rc)
		return rc;
	rc = message_get_int(entry, path, FIELD_SIZE, 1, (int64_t)n_bytes - offset, err, &size);
	if (rc)
		return rc;
	png->data = bytes + offset;
	png->size = (size_t)size;
	return 0;
}

static int parse_slot(const json_t *entry, size_t i, const struct png *pngs, size_t n_pngs, struct client_slot *slot,
		      struct error *err)
{
	char path[PATH_MAX_BYTES];
	const char *kind;
	size_t j = 0;
	int rc;

	snprintf(path, sizeof path, FIELD_SLOTS "[%zu]", i);
	rc = message_get_int(entry, path, FIELD_SLOT, 0, LIMIT_BATCH_SLOTS - 1, err, &slot->slot);
	if (!rc)
		rc = message_get_hex(entry, path, FIELD_IMAGE, sizeof slot->image, err, slot->image);
	if (!rc)
		rc = message_get_string(entry, path, FIELD_KIND, sizeof slot->kind - 1, err, &kind);
	if (!rc)
		rc = message_get_int(entry, path, FIELD_REPEAT, 0, LIMIT_INTEGER - 1, err, &slot->repeat);
	if (rc)
		return rc;
	while (j < n_pngs && memcmp(pngs[j].image, slot->image, sizeof slot->image) != 0)
		j++;
	if (j == n_pngs)
		return error_set(err, -EPROTO, "%s." FIELD_IMAGE ": it is not among the images", path);
	strcpy(slot->kind, kind);
	slot->png = pngs[j].data;
	slot->png_size = pngs[j].size;
	return 0;
}

static int parse_images(const json_t *header, const unsigned char *bytes, size_t n_bytes, struct error *err,
			struct png **ret_pngs, size_t *ret_n)
{
	const json_t *images, *entry;
	struct png *pngs;
	size_t i;
	int rc = message_get_array(header, "", FIELD_IMAGES, 0, LIMIT_BATCH_SLOTS, err, &images);

	if (rc)
		return rc;
	pngs = calloc(json_array_size(images) + 1, sizeof *pngs);
	if (!pngs)
		return error_set(err, -ENOMEM, FIELD_IMAGES ": out of memory");
	json_array_foreach(images, i, entry)
	{
		rc = parse_image(entry, i, bytes, n_bytes, &pngs[i], err);
		if (rc) {
			free(pngs);
			return rc;
		}
	}
	*ret_pngs = pngs;
	*ret_n = json_array_size(images);
	return 0;
}

/* One allocation: the slots, and behind them the bytes. */
static int parse_slots(const json_t *header, const struct message_array *array, struct error *err,
		       struct client_batch *batch)
{
	const json_t *slots, *entry;
	unsigned char *bytes;
	struct png *pngs = NULL;
	size_t i, n_pngs = 0;
	int rc = message_get_array(header, "", FIELD_SLOTS, 1, LIMIT_BATCH_SLOTS, err, &slots);

	if (rc)
		return rc;
	batch->n_slots = json_array_size(slots);
	batch->memory = calloc(1, batch->n_slots * sizeof *batch->slots + array->size);
	if (!batch->memory)
		return error_set(err, -ENOMEM, FIELD_SLOTS ": out of memory");
	batch->slots = batch->memory;
	bytes = (unsigned char *)(batch->slots + batch->n_slots);
	memcpy(bytes, array->data, array->size);
	rc = parse_images(header, bytes, array->size, err, &pngs, &n_pngs);
	if (rc)
		return rc;
	json_array_foreach(slots, i, entry)
	{
		rc = parse_slot(entry, i, pngs, n_pngs, &batch->slots[i], err);
		if (rc)
			break;
	}
	free(pngs);
	return rc;
}

int client_batch_parse(const struct message *message, struct error *err, struct client_batch *ret_batch)
{
	const struct message_array *array = message_find_array(message, ARRAY_PNG);
	struct client_batch batch = {0};
	const char *origin;
	int rc = message_get_int(message->header, "", FIELD_BATCH, 1, LIMIT_INTEGER - 1, err, &batch.batch);

	if (!rc)
		rc = message_get_string(message->header, "", FIELD_ORIGIN, sizeof batch.origin - 1, err, &origin);
	if (!rc && !array)
		rc = error_set(err, -EPROTO, ARRAY_PNG ": an array of that name expected, found nothing");
	if (rc)
		return rc;
	strcpy(batch.origin, origin);
	rc = parse_slots(message->header, array, err, &batch);
	if (rc) {
		client_batch_done(&batch);
		return rc;
	}
	*ret_batch = batch;
	return 0;
}

void client_batch_done(struct client_batch *batch)
{
	if (!batch)
		return;
	free(batch->memory);
	*batch = (struct client_batch){0};
}
