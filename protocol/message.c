/* Header first, frames second. Parsing goes: number of frames, size of the header, a scan of its bytes for depth and
 * number of values (so that a hostile header costs no more memory than its bytes allow), JSON, id, version, type, the
 * size of the whole, and at last each frame against its entry. The id is read as early as it can be, so that a
 * refusal of what comes later still reaches the question it belongs to.
 *
 * Failure modes: malformed (-EPROTO), version (-ENOTSUP), over a limit (-E2BIG), out of memory (-ENOMEM). */
#include "protocol/message.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/fields.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays travel little-endian and are used as they come");
_Static_assert(sizeof(json_int_t) == sizeof(int64_t), "ids and times need 53 bits");

static const struct dtype {
	const char *name;
	size_t size;
} dtypes[] = {
	[MESSAGE_U8] = {"u8", 1},	[MESSAGE_U16] = {"u16", 2}, [MESSAGE_U32] = {"u32", 4},
	[MESSAGE_I64] = {"i64", 8},	[MESSAGE_F32] = {"f32", 4}, [MESSAGE_F64] = {"f64", 8},
	[MESSAGE_BYTES] = {"bytes", 1},
};
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

const struct message_limits message_limits_wire = {
	.header_bytes = LIMIT_HEADER_BYTES,
	.message_bytes = LIMIT_MESSAGE_BYTES,
	.header_values = LIMIT_HEADER_VALUES,
};

const char *message_dtype_name(enum message_dtype dtype)
{
	return dtypes[dtype].name;
}

int message_init(const char *type, int64_t id, struct message *ret_message)
{
	json_t *header = json_object();
	int rc;

	if (!header)
		return -ENOMEM;
	rc = json_object_set_new(header, FIELD_V, json_integer(PROTOCOL_VERSION));
	rc |= json_object_set_new(header, FIELD_TYPE, json_string(type));
	if (id >= 0)
		rc |= json_object_set_new(header, FIELD_ID, json_integer(id));
	if (rc) {
		json_decref(header);
		return -ENOMEM;
	}
	*ret_message = (struct message){.header = header};
	return 0;
}

void message_done(struct message *message)
{
	if (!message)
		return;
	json_decref(message->header);
	free(message->buffer);
	*message = (struct message){0};
}

/* Elements times their size; false when that overflows. */
static bool array_bytes(enum message_dtype dtype, uint32_t n_dims, const uint64_t *dims, uint64_t *ret_bytes)
{
	uint64_t n = dtypes[dtype].size;

	for (uint32_t i = 0; i < n_dims; i++) {
		if (__builtin_mul_overflow(n, dims[i], &n))
			return false;
	}
	*ret_bytes = n;
	return true;
}

static json_t *shape_json(uint32_t n_dims, const uint64_t *dims)
{
	json_t *shape = json_array();

	for (uint32_t i = 0; shape && i < n_dims; i++) {
		if (json_array_append_new(shape, json_integer((json_int_t)dims[i]))) {
			json_decref(shape);
			return NULL;
		}
	}
	return shape;
}

int message_add_array(struct message *message, const char *name, enum message_dtype dtype, uint32_t n_dims,
		      const uint64_t *dims, const void *data, struct error *err)
{
	struct message_array *array = &message->arrays[message->n_arrays];
	json_t *frames, *entry, *shape;
	uint64_t bytes;

	if (message->n_arrays == MESSAGE_ARRAYS_MAX)
		return error_set(err, -E2BIG, "%s: at most %d arrays in one message", name, MESSAGE_ARRAYS_MAX);
	if (n_dims > MESSAGE_DIMS_MAX)
		return error_set(err, -E2BIG, "%s: at most %d dimensions, found %u", name, MESSAGE_DIMS_MAX, n_dims);
	if (strlen(name) >= sizeof array->name)
		return error_set(err, -E2BIG, "%s: a name of at most %zu bytes expected", name, sizeof array->name - 1);
	if (!array_bytes(dtype, n_dims, dims, &bytes) || bytes > SIZE_MAX)
		return error_set(err, -E2BIG, "%s: more bytes than memory can have", name);

	frames = json_object_get(message->header, FIELD_FRAMES);
	if (!frames) {
		frames = json_array();
		if (json_object_set_new(message->header, FIELD_FRAMES, frames))
			return error_set(err, -ENOMEM, "%s: out of memory", name);
	}
	shape = shape_json(n_dims, dims);
	entry = json_pack("{s:s, s:s, s:o}", FIELD_NAME, name, FIELD_DTYPE, dtypes[dtype].name, FIELD_SHAPE, shape);
	if (json_array_append_new(frames, entry))
		return error_set(err, -ENOMEM, "%s: out of memory", name);

	*array = (struct message_array){.dtype = dtype, .n_dims = n_dims, .data = data, .size = (size_t)bytes};
	strcpy(array->name, name);
	memcpy(array->dims, dims, n_dims * sizeof *dims);
	message->n_arrays++;
	return 0;
}

int message_encode_header(const struct message *message, struct error *err, char **ret_text, size_t *ret_size)
{
	char *text = json_dumps(message->header, JSON_COMPACT);

	if (!text)
		return error_set(err, -ENOMEM, "header: it cannot be written as JSON, or out of memory");
	*ret_text = text;
	*ret_size = strlen(text);
	return 0;
}

/* Depth and number of values, without parsing: brackets and commas outside strings. */
static int scan_header(const char *text, size_t size, const struct message_limits *limits, struct error *err)
{
	size_t depth = 0, n_values = 1;
	bool in_string = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			n_values++;
			if (++depth > LIMIT_HEADER_DEPTH)
				return error_set(err, -E2BIG,
						 "header: at most %d levels of nesting (byte %zu is deeper)",
						 LIMIT_HEADER_DEPTH, i);
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
		} else if (c == ',') {
			n_values++;
		}
	}
	if (n_values > limits->header_values)
		return error_set(err, -E2BIG, "header: at most %zu values, found about %zu", limits->header_values,
				 n_values);
	return 0;
}

static int parse_header(const void *data, size_t size, const struct message_limits *limits, struct error *err,
			json_t **ret_header)
{
	json_error_t json_err;
	json_t *header;
	int rc;

	if (size > limits->header_bytes)
		return error_set(err, -E2BIG, "header: at most %zu bytes, found %zu", limits->header_bytes, size);
	rc = scan_header(data, size, limits, err);
	if (rc)
		return rc;
	header = json_loadb(data, size, JSON_REJECT_DUPLICATES, &json_err);
	if (!header && json_error_code(&json_err) == json_error_out_of_memory)
		return error_set(err, -ENOMEM, "header: out of memory");
	if (!header)
		return error_set(err, -EPROTO, "header: not JSON: %s (byte %d)", json_err.text, json_err.position);
	if (!json_is_object(header)) {
		rc = error_set(err, -EPROTO, "header: JSON object expected, found %s", message_json_type(header));
		json_decref(header);
		return rc;
	}
	*ret_header = header;
	return 0;
}

static int check_version_and_type(const json_t *header, struct error *err)
{
	const char *type;
	int64_t version;
	int rc = message_get_int(header, "", FIELD_V, 0, LIMIT_INTEGER - 1, err, &version);

	if (rc)
		return rc;
	if (version != PROTOCOL_VERSION)
		return error_set(err, -ENOTSUP, FIELD_V ": version %d expected, found %lld", PROTOCOL_VERSION,
				 (long long)version);
	return message_get_string(header, "", FIELD_TYPE, LIMIT_LABEL_BYTES, err, &type);
}

static int parse_dtype(const json_t *entry, const char *path, struct error *err, enum message_dtype *ret_dtype)
{
	const char *name;
	int rc = message_get_string(entry, path, FIELD_DTYPE, LIMIT_LABEL_BYTES, err, &name);

	if (rc)
		return rc;
	for (unsigned i = 0; i < N_DTYPES; i++) {
		if (!strcmp(name, dtypes[i].name)) {
			*ret_dtype = (enum message_dtype)i;
			return 0;
		}
	}
	return error_set(err, -EPROTO,
			 "%s." FIELD_DTYPE ": one of u8, u16, u32, i64, f32, f64, bytes expected, found \"%s\"", path,
			 name);
}

static int parse_shape(const json_t *entry, const char *path, struct message_array *array, struct error *err)
{
	const json_t *shape = json_object_get(entry, FIELD_SHAPE), *dim;
	size_t n_dims = json_array_size(shape), i;

	if (!json_is_array(shape))
		return error_set(err, -EPROTO, "%s." FIELD_SHAPE ": array expected, found %s", path,
				 message_json_type(shape));
	if (n_dims > MESSAGE_DIMS_MAX)
		return error_set(err, -E2BIG, "%s." FIELD_SHAPE ": at most %d dimensions, found %zu", path,
				 MESSAGE_DIMS_MAX, n_dims);
	if (array->dtype == MESSAGE_BYTES && n_dims != 1)
		return error_set(err, -EPROTO, "%s." FIELD_SHAPE ": bytes have 1 dimension, found %zu", path, n_dims);
	json_array_foreach(shape, i, dim)
	{
		if (!json_is_integer(dim) || json_integer_value(dim) < 0 || json_integer_value(dim) >= LIMIT_INTEGER)
			return error_set(err, -EPROTO, "%s." FIELD_SHAPE "[%zu]: integer from 0 to 2^53 - 1 expected",
					 path, i);
		array->dims[i] = (uint64_t)json_integer_value(dim);
	}
	array->n_dims = (uint32_t)n_dims;
	return 0;
}

static int parse_array(struct message *message, const json_t *entry, const void *data, size_t size, struct error *err)
{
	struct message_array *array = &message->arrays[message->n_arrays];
	const char *name;
	uint64_t bytes;
	char path[32];
	int rc;

	snprintf(path, sizeof path, FIELD_FRAMES "[%zu]", message->n_arrays);
	if (!json_is_object(entry))
		return error_set(err, -EPROTO, "%s: object expected, found %s", path, message_json_type(entry));
	rc = message_get_string(entry, path, FIELD_NAME, sizeof array->name - 1, err, &name);
	if (rc)
		return rc;
	if (message_find_array(message, name))
		return error_set(err, -EPROTO, "%s." FIELD_NAME ": \"%s\" is there twice", path, name);
	*array = (struct message_array){.data = data, .size = size};
	strcpy(array->name, name);
	rc = parse_dtype(entry, path, err, &array->dtype);
	if (rc)
		return rc;
	rc = parse_shape(entry, path, array, err);
	if (rc)
		return rc;
	if (!array_bytes(array->dtype, array->n_dims, array->dims, &bytes))
		return error_set(err, -E2BIG, "%s." FIELD_SHAPE ": more bytes than memory can have", path);
	if (bytes != size)
		return error_set(err, -EPROTO, "%s (%s): %llu bytes expected from dtype and shape, found %zu", path,
				 name, (unsigned long long)bytes, size);
	message->n_arrays++;
	return 0;
}

static int parse_arrays(struct message *message, const void *const *frames, const size_t *sizes, size_t n_frames,
			struct error *err)
{
	const json_t *entries = json_object_get(message->header, FIELD_FRAMES);
	size_t n = json_array_size(entries);

	if (entries && !json_is_array(entries))
		return error_set(err, -EPROTO, FIELD_FRAMES ": array expected, found %s", message_json_type(entries));
	if (n != n_frames - 1)
		return error_set(err, -EPROTO,
				 FIELD_FRAMES ": it describes %zu frames, the message has %zu behind the header", n,
				 n_frames - 1);
	for (size_t i = 0; i < n; i++) {
		int rc = parse_array(message, json_array_get(entries, i), frames[i + 1], sizes[i + 1], err);

		if (rc)
			return rc;
	}
	return 0;
}

static int check_size(const size_t *sizes, size_t n_frames, const struct message_limits *limits, struct error *err)
{
	size_t total = 0;

	for (size_t i = 0; i < n_frames; i++) {
		if (__builtin_add_overflow(total, sizes[i], &total))
			total = SIZE_MAX;
	}
	if (total > limits->message_bytes)
		return error_set(err, -E2BIG, "message: at most %zu bytes, found %zu", limits->message_bytes, total);
	return 0;
}

int message_parse_within(const struct message_limits *limits, const void *const *frames, const size_t *sizes,
			 size_t n_frames, struct error *err, struct message *ret_message, int64_t *ret_id)
{
	struct message message = {0};
	int64_t id = -1;
	int rc;

	*ret_id = -1;
	if (n_frames < 1)
		return error_set(err, -EPROTO, "message: a header frame expected, found no frame");
	rc = parse_header(frames[0], sizes[0], limits, err, &message.header);
	if (rc)
		return rc;
	if (json_object_get(message.header, FIELD_ID)) {
		rc = message_get_int(message.header, "", FIELD_ID, 0, LIMIT_INTEGER - 1, err, &id);
		if (rc)
			goto out_message;
		*ret_id = id;
	}
	rc = check_version_and_type(message.header, err);
	if (rc)
		goto out_message;
	if (n_frames > LIMIT_FRAMES) {
		rc = error_set(err, -E2BIG, "message: at most %d frames, found %zu", LIMIT_FRAMES, n_frames);
		goto out_message;
	}
	rc = check_size(sizes, n_frames, limits, err);
	if (rc)
		goto out_message;
	rc = parse_arrays(&message, frames, sizes, n_frames, err);
	if (rc)
		goto out_message;
	*ret_message = message;
	return 0;

out_message:
	message_done(&message);
	return rc;
}

int message_parse(const void *const *frames, const size_t *sizes, size_t n_frames, struct error *err,
		  struct message *ret_message, int64_t *ret_id)
{
	return message_parse_within(&message_limits_wire, frames, sizes, n_frames, err, ret_message, ret_id);
}

const char *message_type(const struct message *message)
{
	return json_string_value(json_object_get(message->header, FIELD_TYPE));
}

int64_t message_id(const struct message *message)
{
	const json_t *id = json_object_get(message->header, FIELD_ID);

	return json_is_integer(id) ? json_integer_value(id) : -1;
}

const struct message_array *message_find_array(const struct message *message, const char *name)
{
	for (size_t i = 0; i < message->n_arrays; i++) {
		if (!strcmp(message->arrays[i].name, name))
			return &message->arrays[i];
	}
	return NULL;
}

const char *message_error_code(int status)
{
	switch (status) {
	case -EPROTO:
		return CODE_MALFORMED;
	case -ENOTSUP:
		return CODE_VERSION;
	case -E2BIG:
		return CODE_TOO_LARGE;
	case -EIO:
	case -ENOSPC:
	case -ENOMEM:
		return CODE_STORAGE;
	}
	return CODE_INVALID;
}

/* Length of the path with which a sentence begins ("presentations[3].trial: ..."), or 0. */
static size_t field_length(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789.[]");

	return text[n] == ':' || (text[n] == ' ' && text[n + 1] == '(') ? n : 0;
}

/* A sentence that was cut in the middle of a character is no UTF-8 any more: then only its ASCII is kept. */
static json_t *text_json(const char *text)
{
	char ascii[ERROR_TEXT_MAX];
	json_t *string = json_string(text);

	if (string)
		return string;
	for (size_t i = 0; i < sizeof ascii; i++)
		ascii[i] = text[i] < 0 ? '?' : text[i];
	return json_string(ascii);
}

int message_init_error(int64_t id, const char *code, const struct error *cause, struct message *ret_message)
{
	size_t n = field_length(cause->text);
	struct message message;
	int rc = message_init(TYPE_ERROR, id, &message);

	if (rc)
		return rc;
	rc = json_object_set_new(message.header, FIELD_CODE, json_string(code));
	if (n > 0)
		rc |= json_object_set_new(message.header, FIELD_FIELD, json_stringn(cause->text, n));
	rc |= json_object_set_new(message.header, FIELD_TEXT, text_json(cause->text));
	if (rc) {
		message_done(&message);
		return -ENOMEM;
	}
	*ret_message = message;
	return 0;
}
