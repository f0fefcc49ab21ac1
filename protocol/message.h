/* One message: a JSON header and raw frames that it describes. The codec of the sockets and of the worker's pipe.
 *
 * Frame 0 is a JSON object: "v" (version), "type", "id" (chosen by the asker, echoed in the answer), the fields of
 * the type, and "frames": [{"name", "dtype", "shape"}, ...], one entry per further frame. dtypes: "u8", "u16", "u32",
 * "i64", "f32", "f64" (little-endian, C order) and "bytes" (shape [n]). No I/O here. Thread: one at a time. */
#ifndef EVOKED_PROTOCOL_MESSAGE_H
#define EVOKED_PROTOCOL_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/limits.h"
#include "support/error.h"

enum message_dtype { MESSAGE_U8, MESSAGE_U16, MESSAGE_U32, MESSAGE_I64, MESSAGE_F32, MESSAGE_F64, MESSAGE_BYTES };
enum { MESSAGE_DIMS_MAX = 4, MESSAGE_ARRAYS_MAX = LIMIT_FRAMES - 1 };

struct message_array {
	char name[32];
	enum message_dtype dtype;
	uint32_t n_dims;
	uint64_t dims[MESSAGE_DIMS_MAX];
	const void *data; /* borrowed from whoever gave it, or from the message's buffer */
	size_t size;	  /* bytes */
};

struct message {
	json_t *header; /* owned */
	size_t n_arrays;
	struct message_array arrays[MESSAGE_ARRAYS_MAX];
	void *buffer; /* owned memory behind borrowed arrays, or NULL */
};

/* "u8", "u16", ... */
const char *message_dtype_name(enum message_dtype dtype);

/* A new message with "v" and "type" set, and "id" if id >= 0. -ENOMEM. */
int message_init(const char *type, int64_t id, struct message *ret_message);
void message_done(struct message *message);

/* Describes and appends an array; `data` is borrowed and must live until the message is sent. -E2BIG over the limit. */
int message_add_array(struct message *message, const char *name, enum message_dtype dtype, uint32_t n_dims,
		      const uint64_t *dims, const void *data, struct error *err);

/* Frame 0 as bytes, malloc'ed (compact, keys in insertion order). */
int message_encode_header(const struct message *message, struct error *err, char **ret_text, size_t *ret_size);

/* Parses frames[0..n): checks version, type, limits, and each array's size against dtype and shape. The message
 * borrows the frames. On failure `err` names the field, and *ret_id (or -1) is what could be read of "id", so that
 * the refusal reaches the asker. -EPROTO malformed,
 * -ERANGE a value out of range, -ENOTSUP version, -E2BIG limit. Frames
 * may lie at any address: read elements with message_read_u16() and its like. */
int message_parse(const void *const *frames, const size_t *sizes, size_t n_frames, struct error *err,
		  struct message *ret_message, int64_t *ret_id);

/* The same within other bounds than those of the sockets (the worker's pipe). */
struct message_limits {
	size_t header_bytes, message_bytes, header_values;
};
extern const struct message_limits message_limits_wire;
int message_parse_within(const struct message_limits *limits, const void *const *frames, const size_t *sizes,
			 size_t n_frames, struct error *err, struct message *ret_message, int64_t *ret_id);

const char *message_type(const struct message *message);
int64_t message_id(const struct message *message); /* -1 when there is none */

/* The array of that name; NULL when absent. */
const struct message_array *message_find_array(const struct message *message, const char *name);

/* Element i of an array at any address. */
static inline uint16_t message_read_u16(const void *data, size_t i)
{
	uint16_t value;

	memcpy(&value, (const unsigned char *)data + i * sizeof value, sizeof value);
	return value;
}

static inline float message_read_f32(const void *data, size_t i)
{
	float value;

	memcpy(&value, (const unsigned char *)data + i * sizeof value, sizeof value);
	return value;
}

/* The code of fields.h that an `error` answer carries for a negative errno of this folder. */
const char *message_error_code(int status);

/* An `error` answer: the cause's sentence, and as "field" the path with which it begins, if it does. -ENOMEM. */
int message_init_error(int64_t id, const char *code, const struct error *cause, struct message *ret_message);

/* Typed field access with errors that name the path ("presentations[3].trial: integer expected, found string").
 * `path` is what stands before the key in the sentence ("" or "presentations[3]"). -EPROTO missing or of another type,
 * -ERANGE outside [min, max], -E2BIG longer than the limit. Values are borrowed from the object. */
int message_get_int(const json_t *object, const char *path, const char *key, int64_t min, int64_t max,
		    struct error *err, int64_t *ret_value);
int message_get_string(const json_t *object, const char *path, const char *key, size_t max_bytes, struct error *err,
		       const char **ret_value);
/* An integer is taken too. */
int message_get_double(const json_t *object, const char *path, const char *key, double min, double max,
		       struct error *err, double *ret_value);
int message_get_bool(const json_t *object, const char *path, const char *key, struct error *err, bool *ret_value);
int message_get_array(const json_t *object, const char *path, const char *key, size_t min, size_t max,
		      struct error *err, const json_t **ret_array);
int message_get_object(const json_t *object, const char *path, const char *key, struct error *err,
		       const json_t **ret_object);
/* Exactly 2 * size hex digits. */
int message_get_hex(const json_t *object, const char *path, const char *key, size_t size, struct error *err,
		    uint8_t *ret_bytes);

/* There and not null: optional fields may be left out or null. */
bool message_has(const json_t *object, const char *key);

/* "object", "string", ...; "nothing" for NULL. */
const char *message_json_type(const json_t *value);

/* 2 * size lower-case hex digits and a NUL. */
void message_hex(const uint8_t *bytes, size_t size, char *ret_text);

#endif
