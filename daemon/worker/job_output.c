/* A result as it is gathered and sent: JSON entries beside one growing piece of PNG bytes. Failure modes: an image that
 * cannot be encoded, a message over its limit, no memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/job.h"
#include "daemon/worker/pipe_fields.h"

void job_result_done(struct job_result *result)
{
	json_decref(result->outcome);
	json_decref(result->images);
	json_decref(result->slots);
	free(result->png);
	free(result->scores);
	*result = (struct job_result){0};
}

int job_result_message(const struct job_result *result, struct error *err, struct message *ret_message)
{
	struct message message;
	char hex[HASH_HEX_SIZE];
	int r = message_init(WORKER_TYPE_RESULT, -1, &message);

	if (r)
		return error_set(err, r, "result: out of memory");
	hash_to_hex(&result->outcome_hash, hex);
	r = json_object_set(message.header, RESULT_OUTCOME, result->outcome);
	r |= json_object_set_new(message.header, RESULT_HASH, json_string(hex));
	r |= json_object_set_new(message.header, RESULT_UNITS_DONE, json_integer(result->units_done));
	r |= json_object_set_new(message.header, RESULT_UNITS_PLANNED, json_integer(result->units_planned));
	if (result->images)
		r |= json_object_set(message.header, RESULT_IMAGES, result->images);
	if (result->slots)
		r |= json_object_set(message.header, RESULT_SLOTS, result->slots);
	r = r ? error_set(err, -ENOMEM, "result: out of memory") : 0;
	if (!r && result->images)
		r = message_add_array(&message, RESULT_PNG, MESSAGE_BYTES, 1, (uint64_t[]){result->png_size},
				      result->png, err);
	if (!r && result->scores)
		r = message_add_array(&message, RESULT_SCORES, MESSAGE_F64, 3,
				      (uint64_t[]){result->n_tiers, result->n_score_rows, SCORE_COLUMNS},
				      result->scores, err);
	if (r) {
		message_done(&message);
		return r;
	}
	*ret_message = message;
	return 0;
}

static int append_png(struct job_result *result, const void *data, size_t size)
{
	if (result->png_size + size > result->png_capacity) {
		size_t capacity = 2 * (result->png_size + size);
		uint8_t *png = realloc(result->png, capacity);

		if (!png)
			return -ENOMEM;
		result->png = png;
		result->png_capacity = capacity;
	}
	memcpy(result->png + result->png_size, data, size);
	result->png_size += size;
	return 0;
}

int job_result_add_image(struct job_result *result, const struct image *image, const struct hash *hash, enum kind kind,
			 const char *role, json_t *provenance, struct error *err)
{
	char hex[HASH_HEX_SIZE];
	void *png;
	size_t size, offset = result->png_size;
	json_t *entry;
	int r = image_encode_png(image, err, &png, &size);

	if (r) {
		json_decref(provenance);
		return r;
	}
	hash_to_hex(hash, hex);
	if (!result->images)
		result->images = json_array();
	entry = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o?}", IMAGE_HASH, hex, IMAGE_KIND, kind_name(kind), IMAGE_ROLE,
			  role, IMAGE_OFFSET, (json_int_t)offset, IMAGE_SIZE, (json_int_t)size, IMAGE_PROVENANCE,
			  provenance);
	if (json_array_append_new(result->images, entry) || append_png(result, png, size))
		r = error_set(err, -ENOMEM, "image %s: out of memory", hex);
	free(png);
	return r;
}
