/* A block is judged in two steps. The whole: run, number of entries, arrays against the units of these numbers; when
 * one of them is wrong no row can be assigned, and the block is refused. Then each entry with its row: a wrong one
 * becomes a refusal, the others are taken.
 *
 * Failure modes: as message_get_*(); -EINVAL for arrays that do not fit the session or a number that is there twice. */
#include "protocol/presentation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/fields.h"

enum { PATH_MAX_BYTES = 48 };

static const char *const outcomes[] = {
	[OUTCOME_COMPLETE] = "complete",	   [OUTCOME_BROKEN_FIXATION] = "broken_fixation",
	[OUTCOME_DROPPED_FRAME] = "dropped_frame", [OUTCOME_ARTIFACT] = "artifact",
	[OUTCOME_NOT_SHOWN] = "not_shown",
};
static const char *const onset_sources[] = {
	[ONSET_PHOTODIODE] = "photodiode",
	[ONSET_TTL] = "ttl",
	[ONSET_SOFTWARE] = "software",
};
enum {
	N_OUTCOMES = sizeof outcomes / sizeof outcomes[0],
	N_ONSET_SOURCES = sizeof onset_sources / sizeof onset_sources[0]
};

/* Index of the name, or -EINVAL. */
static int find_name(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	return -EINVAL;
}

const char *presentation_outcome_name(enum presentation_outcome outcome)
{
	return (unsigned)outcome < N_OUTCOMES ? outcomes[outcome] : NULL;
}

int presentation_outcome_from_name(const char *name, enum presentation_outcome *ret_outcome)
{
	int i = find_name(outcomes, N_OUTCOMES, name);

	if (i < 0)
		return i;
	*ret_outcome = (enum presentation_outcome)i;
	return 0;
}

const char *onset_source_name(enum onset_source source)
{
	return (unsigned)source < N_ONSET_SOURCES ? onset_sources[source] : NULL;
}

int onset_source_from_name(const char *name, enum onset_source *ret_source)
{
	int i = find_name(onset_sources, N_ONSET_SOURCES, name);

	if (i < 0)
		return i;
	*ret_source = (enum onset_source)i;
	return 0;
}

static size_t response_size(const struct session_spec *spec)
{
	return spec->response_type == RESPONSE_COUNTS ? sizeof(uint16_t) : sizeof(float);
}

static enum message_dtype response_dtype(const struct session_spec *spec)
{
	return spec->response_type == RESPONSE_COUNTS ? MESSAGE_U16 : MESSAGE_F32;
}

/* What the arrays of a block have in common. */
struct block {
	uint8_t run[RUN_SIZE];
	const struct session_spec *spec;
	const json_t *entries;
	uint32_t n_units;
	uint32_t units[LIMIT_UNITS];	       /* index into spec->units */
	const struct message_array *responses; /* [n, n_units, n_bins] */
	const struct message_array *mask;      /* the same, or NULL */
};

/* The numbers that can be read: from first through last. {1, 1} when there is none. */
static void number_range(const json_t *entries, int64_t *ret_first, int64_t *ret_last)
{
	int64_t first = INT64_MAX, last = 0;
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		json_int_t number = json_integer_value(json_object_get(entry, FIELD_NUMBER));

		if (number < 1 || number >= LIMIT_INTEGER)
			continue;
		first = number < first ? number : first;
		last = number > last ? number : last;
	}
	*ret_first = last ? first : 1;
	*ret_last = last ? last : 1;
}

static int check_array(const struct block *block, const struct message_array *array, enum message_dtype dtype,
		       int64_t first, struct error *err)
{
	const uint64_t expected[3] = {json_array_size(block->entries), block->n_units, block->spec->n_bins};
	char found[96] = "";
	size_t at = 0;

	if (array->dtype != dtype)
		return error_set(err, -EINVAL, "%s: dtype %s expected, found %s", array->name,
				 message_dtype_name(dtype), message_dtype_name(array->dtype));
	if (array->n_dims == 3 && !memcmp(array->dims, expected, sizeof expected))
		return 0;
	for (uint32_t i = 0; i < array->n_dims; i++)
		at += (size_t)snprintf(found + at, sizeof found - at, "%s%llu", i ? ", " : "",
				       (unsigned long long)array->dims[i]);
	return error_set(
		err, -EINVAL,
		"%s: shape [%llu, %u, %u] expected (presentations, units at presentation %lld, bins), found [%s]",
		array->name, (unsigned long long)expected[0], block->n_units, block->spec->n_bins, (long long)first,
		found);
}

/* The units must be the same ones for the whole block: one array holds it. */
static int find_units(struct block *block, int64_t first, int64_t last, struct error *err)
{
	const struct session_spec *spec = block->spec;
	uint32_t at_last[LIMIT_UNITS];

	block->n_units = session_spec_units_at(spec, first, block->units);
	if (first != last && (session_spec_units_at(spec, last, at_last) != block->n_units ||
			      memcmp(at_last, block->units, block->n_units * sizeof *at_last) != 0))
		return error_set(err, -EINVAL,
				 FIELD_PRESENTATIONS ": the units change between presentations %lld and %lld: "
						     "send a block of its own for each",
				 (long long)first, (long long)last);
	return 0;
}

static int parse_whole(const struct message *message, struct block *block, struct error *err)
{
	int64_t first, last;
	int rc = message_get_hex(message->header, "", FIELD_RUN, RUN_SIZE, err, block->run);

	if (rc)
		return rc;
	rc = message_get_array(message->header, "", FIELD_PRESENTATIONS, 1, LIMIT_PRESENTATIONS, err, &block->entries);
	if (rc)
		return rc;
	number_range(block->entries, &first, &last);
	rc = find_units(block, first, last, err);
	if (rc)
		return rc;
	block->responses = message_find_array(message, ARRAY_RESPONSES);
	if (!block->responses)
		return error_set(err, -EPROTO, ARRAY_RESPONSES ": an array of that name expected, found nothing");
	rc = check_array(block, block->responses, response_dtype(block->spec), first, err);
	if (rc)
		return rc;
	block->mask = message_find_array(message, ARRAY_MASK);
	if (block->mask) {
		rc = check_array(block, block->mask, MESSAGE_U8, first, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* Either a slot of a batch or an image of the rig's own. */
static int parse_what(const json_t *entry, const char *path, struct presentation *p, struct error *err)
{
	int rc;

	p->slot = -1;
	if (message_has(entry, FIELD_BATCH)) {
		rc = message_get_int(entry, path, FIELD_BATCH, 0, LIMIT_INTEGER - 1, err, &p->batch);
		if (rc)
			return rc;
	}
	p->has_image = message_has(entry, FIELD_IMAGE);
	if (p->batch == 0)
		return message_get_hex(entry, path, FIELD_IMAGE, sizeof p->image, err, p->image);
	if (p->has_image)
		return error_set(err, -EINVAL,
				 "%s." FIELD_IMAGE ": either batch and slot or an image of the rig's own, found both",
				 path);
	return message_get_int(entry, path, FIELD_SLOT, 0, LIMIT_BATCH_SLOTS - 1, err, &p->slot);
}

static int parse_name_of(const json_t *entry, const char *path, const char *key, const char *const *names, int n,
			 struct error *err, int *ret_index)
{
	const char *name;
	int rc = message_get_string(entry, path, key, LIMIT_LABEL_BYTES, err, &name);
	int i;

	if (rc)
		return rc;
	i = find_name(names, n, name);
	if (i < 0)
		return error_set(err, -EINVAL, "%s.%s: unknown value \"%s\"", path, key, name);
	*ret_index = i;
	return 0;
}

/* Without a showing there is no onset; it may then be left out. */
static int parse_times(const json_t *entry, const char *path, struct presentation *p, struct error *err)
{
	int source = ONSET_SOFTWARE;
	int rc = message_get_int(entry, path, FIELD_COMMANDED_US, 0, LIMIT_INTEGER - 1, err, &p->commanded_us);

	if (rc)
		return rc;
	p->onset_us = PRESENTATION_NO_ONSET;
	p->onset_source = ONSET_SOFTWARE;
	if (p->outcome == OUTCOME_NOT_SHOWN && !message_has(entry, FIELD_ONSET_US))
		return 0;
	rc = message_get_int(entry, path, FIELD_ONSET_US, 0, LIMIT_INTEGER - 1, err, &p->onset_us);
	if (rc)
		return rc;
	rc = parse_name_of(entry, path, FIELD_ONSET_SOURCE, onset_sources, N_ONSET_SOURCES, err, &source);
	if (rc)
		return rc;
	p->onset_source = (enum onset_source)source;
	return 0;
}

static int parse_entry(const json_t *entry, const char *path, struct presentation *p, struct error *err)
{
	int outcome;
	int rc;

	rc = message_get_int(entry, path, FIELD_TRIAL, 0, LIMIT_INTEGER - 1, err, &p->trial);
	if (rc)
		return rc;
	rc = message_get_int(entry, path, FIELD_POSITION, 0, LIMIT_INTEGER - 1, err, &p->position);
	if (rc)
		return rc;
	rc = parse_name_of(entry, path, FIELD_OUTCOME, outcomes, N_OUTCOMES, err, &outcome);
	if (rc)
		return rc;
	p->outcome = (enum presentation_outcome)outcome;
	rc = parse_what(entry, path, p, err);
	if (rc)
		return rc;
	return parse_times(entry, path, p, err);
}

/* The refusal of value i of a row, which names its unit and bin. */
static int bad_value(const struct block *block, const char *path, const char *array, size_t i, const char *expected,
		     double found, struct error *err)
{
	const uint32_t unit = block->spec->units[block->units[i / block->spec->n_bins]].id;

	return error_set(err, -ERANGE, "%s.%s: unit %u, bin %zu: %s expected, found %g", path, array, unit,
			 i % block->spec->n_bins, expected, found);
}

static int check_values(const struct block *block, const struct presentation *p, size_t n, const char *path,
			struct error *err)
{
	const bool counts = block->spec->response_type == RESPONSE_COUNTS;
	char at_most[48];

	snprintf(at_most, sizeof at_most, "a count of at most %d", LIMIT_COUNT);
	for (size_t i = 0; i < n; i++) {
		if (p->mask && p->mask[i] > 1)
			return bad_value(block, path, ARRAY_MASK, i, "0 or 1", p->mask[i], err);
		if (p->mask && p->mask[i])
			continue;
		if (counts && message_read_u16(p->responses, i) > LIMIT_COUNT)
			return bad_value(block, path, ARRAY_RESPONSES, i, at_most, message_read_u16(p->responses, i),
					 err);
		if (!counts && !isfinite(message_read_f32(p->responses, i)))
			return bad_value(block, path, ARRAY_RESPONSES, i, "a finite number, or a mark in mask,",
					 (double)message_read_f32(p->responses, i), err);
	}
	return 0;
}

/* The row of entry i: borrowed, and every value looked at. */
static int take_row(const struct block *block, size_t i, const char *path, struct presentation *p, struct error *err)
{
	const size_t n = (size_t)block->n_units * block->spec->n_bins;

	p->responses_size = n * response_size(block->spec);
	p->responses = (const char *)block->responses->data + i * p->responses_size;
	if (block->mask) {
		p->mask_size = n;
		p->mask = (const uint8_t *)block->mask->data + i * n;
	}
	return check_values(block, p, n, path, err);
}

static int parse_one(const struct block *block, size_t i, struct presentation *p, struct error *err)
{
	const json_t *entry = json_array_get(block->entries, i);
	char path[PATH_MAX_BYTES];
	int rc;

	*p = (struct presentation){.number = -1};
	snprintf(path, sizeof path, FIELD_PRESENTATIONS "[%zu]", i);
	if (!json_is_object(entry))
		return error_set(err, -EPROTO, "%s: object expected, found %s", path, message_json_type(entry));
	rc = message_get_int(entry, path, FIELD_NUMBER, 1, LIMIT_INTEGER - 1, err, &p->number);
	if (rc)
		return rc;
	rc = parse_entry(entry, path, p, err);
	if (rc)
		return rc;
	return take_row(block, i, path, p, err);
}

/* Which of two rows is meant by a number that is there twice nobody knows. */
static int check_twice(const json_t *entries, struct error *err)
{
	int64_t last = 0;
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		json_int_t number = json_integer_value(json_object_get(entry, FIELD_NUMBER));

		if (number > last) { /* the usual case: rising */
			last = number;
			continue;
		}
		for (size_t j = 0; number > 0 && j < i; j++) {
			if (json_integer_value(json_object_get(json_array_get(entries, j), FIELD_NUMBER)) == number)
				return error_set(err, -EINVAL,
						 FIELD_PRESENTATIONS "[%zu]." FIELD_NUMBER
								     ": %lld is in this message twice",
						 i, (long long)number);
		}
	}
	return 0;
}

int presentation_parse_block(const struct message *message, const struct session_spec *spec, struct error *err,
			     uint8_t ret_run[RUN_SIZE], struct presentation *ret_presentations, size_t *ret_n,
			     struct presentation_refusal *ret_refusals, size_t *ret_n_refusals)
{
	struct block block = {.spec = spec};
	size_t n = 0, n_refusals = 0;
	int rc = parse_whole(message, &block, err);

	if (rc)
		return rc;
	rc = check_twice(block.entries, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < json_array_size(block.entries); i++) {
		struct presentation_refusal *refusal = &ret_refusals[n_refusals];
		struct presentation p;

		if (parse_one(&block, i, &p, &refusal->error)) {
			refusal->number = p.number;
			n_refusals++;
		} else {
			ret_presentations[n++] = p;
		}
	}
	memcpy(ret_run, block.run, RUN_SIZE);
	*ret_n = n;
	*ret_n_refusals = n_refusals;
	return 0;
}

static json_t *encode_entry(const struct presentation *p)
{
	char image[2 * sizeof p->image + 1];
	json_t *entry = json_pack("{s:I, s:I, s:I, s:I, s:s}", FIELD_NUMBER, (json_int_t)p->number, FIELD_TRIAL,
				  (json_int_t)p->trial, FIELD_POSITION, (json_int_t)p->position, FIELD_COMMANDED_US,
				  (json_int_t)p->commanded_us, FIELD_OUTCOME, outcomes[p->outcome]);
	int rc = entry ? 0 : -1;

	if (!rc && p->batch > 0) {
		rc |= json_object_set_new(entry, FIELD_BATCH, json_integer(p->batch));
		rc |= json_object_set_new(entry, FIELD_SLOT, json_integer(p->slot));
	} else if (!rc) {
		message_hex(p->image, sizeof p->image, image);
		rc |= json_object_set_new(entry, FIELD_IMAGE, json_string(image));
	}
	if (!rc && p->onset_us != PRESENTATION_NO_ONSET) {
		rc |= json_object_set_new(entry, FIELD_ONSET_US, json_integer(p->onset_us));
		rc |= json_object_set_new(entry, FIELD_ONSET_SOURCE, json_string(onset_sources[p->onset_source]));
	}
	if (rc) {
		json_decref(entry);
		return NULL;
	}
	return entry;
}

static int encode_header(const uint8_t run[RUN_SIZE], const struct presentation *presentations, size_t n,
			 struct message *message)
{
	json_t *entries = json_array();
	char hex[2 * RUN_SIZE + 1];
	int rc;

	message_hex(run, RUN_SIZE, hex);
	rc = json_object_set_new(message->header, FIELD_RUN, json_string(hex));
	rc |= json_object_set_new(message->header, FIELD_PRESENTATIONS, entries);
	for (size_t i = 0; !rc && i < n; i++)
		rc = json_array_append_new(entries, encode_entry(&presentations[i]));
	return rc;
}

/* Rows one after another, responses first, then the mask if any has one. */
static int encode_arrays(const struct presentation *presentations, size_t n, const struct session_spec *spec,
			 struct message *message, struct error *err)
{
	uint32_t units[LIMIT_UNITS];
	const uint32_t n_units = session_spec_units_at(spec, presentations[0].number, units);
	const size_t n_values = (size_t)n_units * spec->n_bins, row = n_values * response_size(spec);
	const uint64_t dims[3] = {n, n_units, spec->n_bins};
	unsigned char *responses, *mask;
	bool any_mask = false;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct presentation *p = &presentations[i];

		if (p->responses_size != row || (p->mask && p->mask_size != n_values))
			return error_set(err, -EINVAL,
					 ARRAY_RESPONSES ": presentation %lld: %zu bytes expected (%u units, %u bins), "
							 "found %zu",
					 (long long)p->number, row, n_units, spec->n_bins, p->responses_size);
		any_mask = any_mask || p->mask;
	}
	responses = calloc(n, row + n_values + 1);
	if (!responses)
		return error_set(err, -ENOMEM, ARRAY_RESPONSES ": out of memory");
	message->buffer = responses;
	mask = responses + n * row;
	for (size_t i = 0; i < n; i++) {
		memcpy(responses + i * row, presentations[i].responses, row);
		if (presentations[i].mask)
			memcpy(mask + i * n_values, presentations[i].mask, n_values);
	}
	rc = message_add_array(message, ARRAY_RESPONSES, response_dtype(spec), 3, dims, responses, err);
	if (!rc && any_mask)
		rc = message_add_array(message, ARRAY_MASK, MESSAGE_U8, 3, dims, mask, err);
	return rc;
}

int presentation_encode_block(const uint8_t run[RUN_SIZE], const struct presentation *presentations, size_t n,
			      const struct session_spec *spec, int64_t id, struct error *err,
			      struct message *ret_message)
{
	struct message message;
	int rc;

	if (n < 1 || n > LIMIT_PRESENTATIONS)
		return error_set(err, -E2BIG, FIELD_PRESENTATIONS ": 1 to %d in one message, found %zu",
				 LIMIT_PRESENTATIONS, n);
	rc = message_init(TYPE_PRESENTATIONS, id, &message);
	if (rc)
		return error_set(err, rc, FIELD_PRESENTATIONS ": out of memory");
	if (encode_header(run, presentations, n, &message)) {
		rc = error_set(err, -ENOMEM, FIELD_PRESENTATIONS ": out of memory");
		goto out_message;
	}
	rc = encode_arrays(presentations, n, spec, &message, err);
	if (rc)
		goto out_message;
	*ret_message = message;
	return 0;

out_message:
	message_done(&message);
	return rc;
}
