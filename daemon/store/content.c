/* Bytes are laid out here and nowhere else; see content.h. */
#include "daemon/store/content.h"

#include <errno.h>
#include <string.h>

#include "protocol/fields.h"

static void add_int(struct hash_state *state, int64_t value)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
	hash_update(state, bytes, sizeof bytes);
}

static void add_bytes(struct hash_state *state, const void *data, size_t size)
{
	add_int(state, (int64_t)size);
	if (size)
		hash_update(state, data, size);
}

size_t content_mask_size(const struct presentation *presentation)
{
	if (presentation->mask)
		for (size_t i = 0; i < presentation->mask_size; i++)
			if (presentation->mask[i])
				return presentation->mask_size;
	return 0;
}

void content_hash(const struct presentation *presentation, struct hash *ret_hash)
{
	static const uint8_t none[HASH_SIZE];
	const char *source = onset_source_name(presentation->onset_source);
	const char *outcome = presentation_outcome_name(presentation->outcome);
	struct hash_state state;

	hash_begin(&state);
	add_int(&state, presentation->trial);
	add_int(&state, presentation->position);
	add_int(&state, presentation->batch);
	add_int(&state, presentation->batch ? presentation->slot : -1);
	hash_update(&state, presentation->batch ? none : presentation->image, HASH_SIZE);
	add_int(&state, presentation->commanded_us);
	add_int(&state, presentation->onset_us);
	hash_update(&state, source, strlen(source) + 1);
	hash_update(&state, outcome, strlen(outcome) + 1);
	add_bytes(&state, presentation->responses, presentation->responses_size);
	add_bytes(&state, presentation->mask, content_mask_size(presentation));
	hash_end(&state, ret_hash);
}

int content_fields(const struct presentation *presentation, struct error *err, char **ret_text)
{
	json_t *fields =
		json_pack("{s:I, s:I, s:I, s:I, s:s, s:s}", FIELD_TRIAL, (json_int_t)presentation->trial,
			  FIELD_POSITION, (json_int_t)presentation->position, FIELD_COMMANDED_US,
			  (json_int_t)presentation->commanded_us, FIELD_ONSET_US, (json_int_t)presentation->onset_us,
			  FIELD_ONSET_SOURCE, onset_source_name(presentation->onset_source), FIELD_OUTCOME,
			  presentation_outcome_name(presentation->outcome));
	char *text = NULL;
	struct hash image;
	char hex[HASH_HEX_SIZE];
	int failed = !fields;

	if (!failed && presentation->batch) {
		failed |= json_object_set_new(fields, FIELD_BATCH, json_integer(presentation->batch));
		failed |= json_object_set_new(fields, FIELD_SLOT, json_integer(presentation->slot));
	}
	if (!failed && presentation->has_image) {
		memcpy(image.bytes, presentation->image, HASH_SIZE);
		hash_to_hex(&image, hex);
		failed |= json_object_set_new(fields, FIELD_IMAGE, json_string(hex));
	}
	if (!failed)
		text = json_dumps(fields, JSON_COMPACT);
	json_decref(fields);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	*ret_text = text;
	return 0;
}
