/* Reading: the header's length, then its JSON, then each tensor's fields against the file, then all tensors in the
 * order of their offsets, which must follow each other without gap or overlap to the end. Nothing of a file is used
 * before it passed. Every failure names the tensor and the field. Writing: the JSON header padded so that the data
 * begin at a multiple of 64. */
#include "models/safetensors.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "support/atomic_file.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are read and written as they lie in memory");

/* The format's words. */
#define KEY_DTYPE    "dtype"
#define KEY_SHAPE    "shape"
#define KEY_OFFSETS  "data_offsets"
#define KEY_METADATA "__metadata__"

enum { LENGTH_SIZE = 8, DATA_ALIGN = 64 };

static const struct {
	const char *name;
	size_t size;
} types[] = {
	[SAFETENSORS_F32] = {"F32", 4}, [SAFETENSORS_F64] = {"F64", 8}, [SAFETENSORS_I64] = {"I64", 8},
	[SAFETENSORS_I32] = {"I32", 4}, [SAFETENSORS_U8] = {"U8", 1},
};
enum { N_TYPES = sizeof types / sizeof *types };

struct safetensors {
	void *owned; /* the file's bytes when they are ours */
	json_t *header;
	struct safetensors_tensor *tensors; /* in the order of their data */
	size_t n_tensors;
};

/* The product of the dims, or -EOVERFLOW. */
static int count_values(uint32_t n_dims, const uint64_t *dims, uint64_t *ret_n)
{
	uint64_t n = 1;

	for (uint32_t i = 0; i < n_dims; i++) {
		if (__builtin_mul_overflow(n, dims[i], &n) || n > SAFETENSORS_BYTES_MAX)
			return -EOVERFLOW;
	}
	*ret_n = n;
	return 0;
}

static int parse_type(const char *name, const json_t *fields, struct error *err, enum safetensors_type *ret_type)
{
	const char *text = json_string_value(json_object_get(fields, KEY_DTYPE));

	if (!text)
		return error_set(err, -EINVAL, "tensor %s: " KEY_DTYPE " is missing or not text", name);
	for (size_t i = 0; i < N_TYPES; i++) {
		if (!strcmp(text, types[i].name)) {
			*ret_type = (enum safetensors_type)i;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "tensor %s: " KEY_DTYPE " is %.16s, one of F32 F64 I64 I32 U8 was expected",
			 name, text);
}

static int parse_shape(const char *name, const json_t *fields, struct error *err, struct safetensors_tensor *tensor)
{
	const json_t *shape = json_object_get(fields, KEY_SHAPE);

	if (!json_is_array(shape))
		return error_set(err, -EINVAL, "tensor %s: " KEY_SHAPE " is missing or not a list", name);
	if (json_array_size(shape) > SAFETENSORS_DIMS_MAX)
		return error_set(err, -EINVAL, "tensor %s: " KEY_SHAPE " has %zu dimensions, at most %d", name,
				 json_array_size(shape), SAFETENSORS_DIMS_MAX);
	tensor->n_dims = (uint32_t)json_array_size(shape);
	for (uint32_t i = 0; i < tensor->n_dims; i++) {
		const json_t *dim = json_array_get(shape, i);

		if (!json_is_integer(dim) || json_integer_value(dim) < 0)
			return error_set(err, -EINVAL, "tensor %s: " KEY_SHAPE "[%u] is not a whole number from 0",
					 name, i);
		tensor->dims[i] = (uint64_t)json_integer_value(dim);
	}
	if (count_values(tensor->n_dims, tensor->dims, &tensor->n_values))
		return error_set(err, -EINVAL, "tensor %s: " KEY_SHAPE " makes more than %" PRIu64 " values", name,
				 SAFETENSORS_BYTES_MAX);
	return 0;
}

static int parse_data(const char *name, const json_t *fields, const uint8_t *data, size_t size, struct error *err,
		      struct safetensors_tensor *tensor)
{
	const json_t *offsets = json_object_get(fields, KEY_OFFSETS);
	const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);

	if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
		return error_set(err, -EINVAL, "tensor %s: " KEY_OFFSETS " is not a pair of whole numbers", name);
	json_int_t from = json_integer_value(begin), to = json_integer_value(end);
	if (from < 0 || to < from || (uint64_t)to > size)
		return error_set(err, -EINVAL,
				 "tensor %s: " KEY_OFFSETS " [%" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
				 "] do not lie in the file's %zu bytes of data",
				 name, from, to, size);
	uint64_t expected = tensor->n_values * types[tensor->type].size;
	if ((uint64_t)(to - from) != expected)
		return error_set(err, -EINVAL,
				 "tensor %s: " KEY_OFFSETS " span %" JSON_INTEGER_FORMAT
				 " bytes, its shape and type need %" PRIu64,
				 name, to - from, expected);
	tensor->data = data + from;
	return 0;
}

static int parse_tensor(const char *name, const json_t *fields, const uint8_t *data, size_t size, struct error *err,
			struct safetensors_tensor *tensor)
{
	if (strlen(name) >= SAFETENSORS_NAME_MAX)
		return error_set(err, -EINVAL, "tensor %.32s...: its name has %zu bytes, at most %d", name,
				 strlen(name), SAFETENSORS_NAME_MAX - 1);
	if (!json_is_object(fields))
		return error_set(err, -EINVAL, "tensor %s: its entry is not an object", name);
	tensor->name = name;
	int r = parse_type(name, fields, err, &tensor->type);
	if (!r)
		r = parse_shape(name, fields, err, tensor);
	if (!r)
		r = parse_data(name, fields, data, size, err, tensor);
	return r;
}

static int check_metadata(json_t *metadata, struct error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(metadata))
		return error_set(err, -EINVAL, KEY_METADATA " is not an object");
	json_object_foreach(metadata, key, value)
	{
		if (!json_is_string(value))
			return error_set(err, -EINVAL, KEY_METADATA ".%.64s is not text", key);
	}
	return 0;
}

static size_t bytes_of(const struct safetensors_tensor *tensor)
{
	return (size_t)tensor->n_values * types[tensor->type].size;
}

/* By place; an empty tensor before another at the same place. */
static int by_place(const void *a, const void *b)
{
	const struct safetensors_tensor *x = a, *y = b;

	if (x->data != y->data)
		return (const uint8_t *)x->data < (const uint8_t *)y->data ? -1 : 1;
	return (x->n_values > 0) - (y->n_values > 0);
}

static int check_places(struct safetensors *file, const uint8_t *data, size_t size, struct error *err)
{
	size_t at = 0;

	if (file->n_tensors)
		qsort(file->tensors, file->n_tensors, sizeof *file->tensors, by_place);
	for (size_t i = 0; i < file->n_tensors; i++) {
		const struct safetensors_tensor *tensor = &file->tensors[i];
		size_t begin = (size_t)((const uint8_t *)tensor->data - data);

		if (begin != at)
			return error_set(err, -EINVAL,
					 "tensor %s: its data begin at byte %zu, %s the %zu of the tensors before",
					 tensor->name, begin, begin < at ? "inside" : "with a gap after", at);
		at += bytes_of(tensor);
	}
	if (at != size)
		return error_set(err, -EINVAL, "the tensors end at byte %zu of %zu bytes of data", at, size);
	return 0;
}

static int parse_header(struct safetensors *file, const uint8_t *data, size_t size, struct error *err)
{
	const char *name;
	json_t *value;
	size_t n = json_object_size(file->header);

	if (n > SAFETENSORS_TENSORS_MAX)
		return error_set(err, -EINVAL, "%zu tensors, at most %d", n, SAFETENSORS_TENSORS_MAX);
	file->tensors = calloc(n + 1, sizeof *file->tensors);
	if (!file->tensors)
		return error_set(err, -ENOMEM, "no memory for %zu tensors", n);
	json_object_foreach(file->header, name, value)
	{
		int r = strcmp(name, KEY_METADATA) != 0
				? parse_tensor(name, value, data, size, err, &file->tensors[file->n_tensors++])
				: check_metadata(value, err);

		if (r)
			return r;
	}
	return check_places(file, data, size, err);
}

int safetensors_decode(const void *data, size_t size, struct error *err, struct safetensors **ret_file)
{
	const uint8_t *bytes = data;
	uint64_t length = 0;
	json_error_t json_error;

	if (size < LENGTH_SIZE)
		return error_set(err, -EINVAL, "safetensors: %zu bytes, the header's length alone has %d", size,
				 LENGTH_SIZE);
	for (int i = 0; i < LENGTH_SIZE; i++)
		length |= (uint64_t)bytes[i] << (8 * i);
	if (length > SAFETENSORS_HEADER_MAX || length > size - LENGTH_SIZE)
		return error_set(err, -EINVAL,
				 "safetensors: header of %" PRIu64 " bytes in a file of %zu; at most %d are possible",
				 length, size, SAFETENSORS_HEADER_MAX);
	struct safetensors *file = calloc(1, sizeof *file);
	if (!file)
		return error_set(err, -ENOMEM, "safetensors: out of memory");
	int r;
	file->header =
		json_loadb((const char *)bytes + LENGTH_SIZE, (size_t)length, JSON_REJECT_DUPLICATES, &json_error);
	if (!json_is_object(file->header)) {
		r = error_set(err, -EINVAL, "safetensors: header: %s (line %d, column %d)",
			      file->header ? "not an object" : json_error.text, json_error.line, json_error.column);
		goto out_destroy;
	}
	r = parse_header(file, bytes + LENGTH_SIZE + length, size - LENGTH_SIZE - (size_t)length, err);
	if (r) {
		error_prefix(err, r, "safetensors");
		goto out_destroy;
	}
	*ret_file = file;
	return 0;
out_destroy:
	safetensors_destroy(file);
	return r;
}

int safetensors_read(const char *path, struct error *err, struct safetensors **ret_file)
{
	void *data;
	size_t size;
	struct safetensors *file;

	int r = atomic_file_read(path, SAFETENSORS_BYTES_MAX, err, &data, &size);
	if (r)
		return r;
	r = safetensors_decode(data, size, err, &file);
	if (r) {
		free(data);
		return error_prefix(err, r, "%s", path);
	}
	file->owned = data;
	*ret_file = file;
	return 0;
}

void safetensors_destroy(struct safetensors *file)
{
	if (!file)
		return;
	json_decref(file->header);
	free(file->tensors);
	free(file->owned);
	free(file);
}

size_t safetensors_n_tensors(const struct safetensors *file)
{
	return file->n_tensors;
}

const struct safetensors_tensor *safetensors_at(const struct safetensors *file, size_t i)
{
	return &file->tensors[i];
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name)
{
	for (size_t i = 0; i < file->n_tensors; i++) {
		if (!strcmp(file->tensors[i].name, name))
			return &file->tensors[i];
	}
	return NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
	return json_string_value(json_object_get(json_object_get(file->header, KEY_METADATA), key));
}

int safetensors_copy_f32(const struct safetensors *file, const char *name, uint32_t n_dims, const uint64_t *dims,
			 struct error *err, float *ret_values)
{
	const struct safetensors_tensor *tensor = safetensors_find(file, name);

	if (!tensor)
		return error_set(err, -ENOENT, "tensor %s is missing", name);
	if (tensor->type != SAFETENSORS_F32)
		return error_set(err, -EINVAL, "tensor %s: " KEY_DTYPE " is %s, F32 was expected", name,
				 types[tensor->type].name);
	if (tensor->n_dims != n_dims)
		return error_set(err, -EINVAL, "tensor %s: %u dimensions, %u were expected", name, tensor->n_dims,
				 n_dims);
	for (uint32_t i = 0; i < n_dims; i++) {
		if (tensor->dims[i] != dims[i])
			return error_set(err, -EINVAL,
					 "tensor %s: " KEY_SHAPE "[%u] is %" PRIu64 ", %" PRIu64 " was expected", name,
					 i, tensor->dims[i], dims[i]);
	}
	memcpy(ret_values, tensor->data, bytes_of(tensor));
	return 0;
}

/* Adds one tensor's entry; *at is where its data begin, moved to where they end. */
static int add_entry(json_t *header, const struct safetensors_tensor *tensor, uint64_t *at, struct error *err)
{
	uint64_t n;

	if (!*tensor->name || strlen(tensor->name) >= SAFETENSORS_NAME_MAX || !strcmp(tensor->name, KEY_METADATA))
		return error_set(err, -EINVAL,
				 "tensor %.32s: its name must have 1 to %d bytes and not be " KEY_METADATA,
				 tensor->name, SAFETENSORS_NAME_MAX - 1);
	if (json_object_get(header, tensor->name))
		return error_set(err, -EINVAL, "tensor %s: another one has this name", tensor->name);
	if (tensor->n_dims > SAFETENSORS_DIMS_MAX || (unsigned)tensor->type >= N_TYPES)
		return error_set(err, -EINVAL, "tensor %s: %u dimensions of type %d", tensor->name, tensor->n_dims,
				 (int)tensor->type);
	if (count_values(tensor->n_dims, tensor->dims, &n) ||
	    *at + n * types[tensor->type].size > SAFETENSORS_BYTES_MAX - SAFETENSORS_HEADER_MAX)
		return error_set(err, -EINVAL, "tensor %s: more than %" PRIu64 " bytes in all", tensor->name,
				 SAFETENSORS_BYTES_MAX);
	json_t *shape = json_array();
	for (uint32_t i = 0; i < tensor->n_dims; i++)
		json_array_append_new(shape, json_integer((json_int_t)tensor->dims[i]));
	uint64_t end = *at + n * types[tensor->type].size;
	json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", KEY_DTYPE, types[tensor->type].name, KEY_SHAPE, shape,
				  KEY_OFFSETS, (json_int_t)*at, (json_int_t)end);
	if (json_object_set_new(header, tensor->name, entry))
		return error_set(err, -EINVAL, "tensor %s: its name is not UTF-8, or no memory", tensor->name);
	*at = end;
	return 0;
}

static int add_metadata(json_t *header, const struct safetensors_metadata *metadata, size_t n, struct error *err)
{
	json_t *object = json_object();

	if (!n) {
		json_decref(object);
		return 0;
	}
	if (json_object_set_new(header, KEY_METADATA, object))
		return error_set(err, -ENOMEM, "safetensors: out of memory");
	for (size_t i = 0; i < n; i++) {
		if (json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)))
			return error_set(err, -EINVAL, KEY_METADATA ".%s: not UTF-8, or no memory", metadata[i].key);
	}
	return 0;
}

static int join(const char *header, const struct safetensors_tensor *tensors, size_t n_tensors, uint64_t data_size,
		struct error *err, void **ret_data, size_t *ret_size)
{
	size_t length = strlen(header);
	size_t begin = (LENGTH_SIZE + length + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;

	if (begin - LENGTH_SIZE > SAFETENSORS_HEADER_MAX)
		return error_set(err, -EINVAL, "safetensors: header of %zu bytes, at most %d", length,
				 SAFETENSORS_HEADER_MAX);
	uint8_t *bytes = malloc(begin + (size_t)data_size);
	if (!bytes)
		return error_set(err, -ENOMEM, "safetensors: no memory for %" PRIu64 " bytes", begin + data_size);
	for (int i = 0; i < LENGTH_SIZE; i++)
		bytes[i] = (uint8_t)((uint64_t)(begin - LENGTH_SIZE) >> (8 * i));
	memcpy(bytes + LENGTH_SIZE, header, length);
	memset(bytes + LENGTH_SIZE + length, ' ', begin - LENGTH_SIZE - length);
	size_t at = begin;
	for (size_t i = 0; i < n_tensors; i++) {
		uint64_t n = 1;

		count_values(tensors[i].n_dims, tensors[i].dims, &n);
		size_t size = (size_t)n * types[tensors[i].type].size;
		if (size)
			memcpy(bytes + at, tensors[i].data, size);
		at += size;
	}
	*ret_data = bytes;
	*ret_size = at;
	return 0;
}

int safetensors_encode(const struct safetensors_tensor *tensors, size_t n_tensors,
		       const struct safetensors_metadata *metadata, size_t n_metadata, struct error *err,
		       void **ret_data, size_t *ret_size)
{
	uint64_t data_size = 0;
	char *text = NULL;

	if (n_tensors > SAFETENSORS_TENSORS_MAX)
		return error_set(err, -EINVAL, "safetensors: %zu tensors, at most %d", n_tensors,
				 SAFETENSORS_TENSORS_MAX);
	json_t *header = json_object();
	int r = add_metadata(header, metadata, n_metadata, err);
	for (size_t i = 0; i < n_tensors && !r; i++)
		r = add_entry(header, &tensors[i], &data_size, err);
	if (r)
		goto out_free;
	text = json_dumps(header, JSON_COMPACT);
	r = text ? join(text, tensors, n_tensors, data_size, err, ret_data, ret_size)
		 : error_set(err, -ENOMEM, "safetensors: out of memory");
out_free:
	free(text);
	json_decref(header);
	return r;
}
