/* Encoding: the prefix, the header's JSON and the arrays copied into one block.
 *
 * Reading: bytes are gathered in one buffer that grows with what has arrived, never with what a length announces. The
 * prefix is checked as soon as it is there; a whole frame is copied out, each array at an aligned place, and the rest
 * moves to the front. Failure modes: what is no frame (-EPROTO) breaks the reader for good, since nothing tells
 * where the next frame would begin; out of memory (-ENOMEM) does so too. */
#include "daemon/worker/frame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"

static const char magic[4] = {'E', 'V', 'K', 'W'};

enum {
	PREFIX_SIZE = 24, /* without the lengths of the arrays */
	PREFIX_MAX = PREFIX_SIZE + 8 * MESSAGE_ARRAYS_MAX,
	ARRAY_ALIGNMENT = 64, /* in the memory of a decoded message */
	BUFFER_FIRST = 64 << 10,
	BUFFER_MAX =
		FRAME_BYTES_MAX + PREFIX_MAX + (16 << 20), /* a whole frame and what was read together with its end */
	HEADER_VALUES_MAX = 1 << 20,
};

static const struct message_limits limits = {
	.header_bytes = FRAME_HEADER_MAX,
	.message_bytes = FRAME_BYTES_MAX,
	.header_values = HEADER_VALUES_MAX,
};

static const char *const type_names[] = {
	[FRAME_HELLO] = WORKER_TYPE_HELLO,	 [FRAME_SETUP] = WORKER_TYPE_SETUP,
	[FRAME_DATA] = WORKER_TYPE_DATA,	 [FRAME_JOB] = WORKER_TYPE_JOB,
	[FRAME_PROGRESS] = WORKER_TYPE_PROGRESS, [FRAME_CANCEL] = WORKER_TYPE_CANCEL,
	[FRAME_RESULT] = WORKER_TYPE_RESULT,	 [FRAME_ERROR] = WORKER_TYPE_ERROR,
};
enum { N_TYPES = sizeof type_names / sizeof type_names[0] };

const char *frame_type_name(enum frame_type type)
{
	return type_names[type];
}

static uint8_t *put(uint8_t *at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> (8 * i));
	return at + size;
}

static uint64_t get(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static int check_bytes(size_t header, const struct message *message, struct error *err, size_t *ret_body)
{
	size_t body = header;

	if (header > FRAME_HEADER_MAX)
		return error_set(err, -E2BIG, "frame: a header of at most %d bytes, found %zu", FRAME_HEADER_MAX,
				 header);
	for (size_t i = 0; i < message->n_arrays; i++) {
		if (message->arrays[i].size > FRAME_BYTES_MAX - body)
			return error_set(err, -E2BIG, "frame: at most %d bytes; with %s it has more", FRAME_BYTES_MAX,
					 message->arrays[i].name);
		body += message->arrays[i].size;
	}
	*ret_body = body;
	return 0;
}

int frame_encode(enum frame_type type, uint64_t job, const struct message *message, struct error *err, void **ret_data,
		 size_t *ret_size)
{
	char *header;
	size_t header_size, body = 0;
	uint8_t *data, *at;
	int r = message_encode_header(message, err, &header, &header_size);

	if (r)
		return r;
	r = check_bytes(header_size, message, err, &body);
	if (r)
		goto out_header;
	size_t size = PREFIX_SIZE + 8 * message->n_arrays + body;
	data = malloc(size);
	if (!data) {
		r = error_set(err, -ENOMEM, "frame: out of memory (%zu bytes)", size);
		goto out_header;
	}
	memcpy(data, magic, sizeof magic);
	at = put(data + sizeof magic, FRAME_VERSION, 2);
	at = put(at, type, 2);
	at = put(at, job, 8);
	at = put(at, header_size, 4);
	at = put(at, message->n_arrays, 4);
	for (size_t i = 0; i < message->n_arrays; i++)
		at = put(at, message->arrays[i].size, 8);
	memcpy(at, header, header_size);
	at += header_size;
	for (size_t i = 0; i < message->n_arrays; i++) {
		if (message->arrays[i].size)
			memcpy(at, message->arrays[i].data, message->arrays[i].size);
		at += message->arrays[i].size;
	}
	*ret_data = data;
	*ret_size = size;
out_header:
	free(header);
	return r;
}

struct frame_reader {
	uint8_t *data;
	size_t size, capacity;
	struct error broken; /* why nothing more can be read; "" while all is well */
	int status;
};

/* A prefix, taken apart. */
struct prefix {
	enum frame_type type;
	uint64_t job;
	size_t size; /* of the prefix itself */
	size_t n_arrays, header_size, array_size[MESSAGE_ARRAYS_MAX];
	size_t body; /* header and arrays */
};

int frame_reader_create(struct frame_reader **ret_reader)
{
	struct frame_reader *reader = calloc(1, sizeof *reader);

	if (!reader)
		return -ENOMEM;
	*ret_reader = reader;
	return 0;
}

void frame_reader_destroy(struct frame_reader *reader)
{
	if (!reader)
		return;
	free(reader->data);
	free(reader);
}

/* Remembers the failure: whoever asks again gets the same answer. */
static int break_off(struct frame_reader *reader, int status, const struct error *cause, struct error *err)
{
	reader->status = status;
	reader->broken = *cause;
	return error_set(err, status, "%s", cause->text);
}

/* 1 with the prefix, 0 when more bytes are needed, or -EPROTO. */
static int parse_prefix(const uint8_t *data, size_t size, struct error *err, struct prefix *ret_prefix)
{
	struct prefix p;
	size_t n_magic = size < sizeof magic ? size : sizeof magic;

	if (n_magic && memcmp(data, magic, n_magic))
		return error_set(err, -EPROTO, "frame: magic \"EVKW\" expected, found 0x%08llx",
				 (unsigned long long)get(data, n_magic));
	if (size < PREFIX_SIZE)
		return 0;
	unsigned version = (unsigned)get(data + 4, 2), type = (unsigned)get(data + 6, 2);
	if (version != FRAME_VERSION)
		return error_set(err, -EPROTO, "frame: version %d expected, found %u", FRAME_VERSION, version);
	if (type >= N_TYPES || !type_names[type])
		return error_set(err, -EPROTO, "frame: type 1 to %d expected, found %u", N_TYPES - 1, type);
	p.type = (enum frame_type)type;
	p.job = get(data + 8, 8);
	p.header_size = get(data + 16, 4);
	p.n_arrays = get(data + 20, 4);
	if (p.header_size > FRAME_HEADER_MAX)
		return error_set(err, -EPROTO, "frame: a header of at most %d bytes, found %zu", FRAME_HEADER_MAX,
				 p.header_size);
	if (p.n_arrays > MESSAGE_ARRAYS_MAX)
		return error_set(err, -EPROTO, "frame: at most %d arrays, found %zu", MESSAGE_ARRAYS_MAX, p.n_arrays);
	p.size = PREFIX_SIZE + 8 * p.n_arrays;
	if (size < p.size)
		return 0;
	p.body = p.header_size;
	for (size_t i = 0; i < p.n_arrays; i++) {
		uint64_t n = get(data + PREFIX_SIZE + 8 * i, 8);

		if (n > FRAME_BYTES_MAX - p.body)
			return error_set(err, -EPROTO, "frame: at most %d bytes, found %llu in array %zu alone",
					 FRAME_BYTES_MAX, (unsigned long long)n, i);
		p.array_size[i] = n;
		p.body += n;
	}
	*ret_prefix = p;
	return 1;
}

static int reserve(struct frame_reader *reader, size_t size)
{
	size_t capacity = reader->capacity ? reader->capacity : BUFFER_FIRST;

	if (size <= reader->capacity)
		return 0;
	while (capacity < size)
		capacity *= 2;
	uint8_t *data = realloc(reader->data, capacity);
	if (!data)
		return -ENOMEM;
	reader->data = data;
	reader->capacity = capacity;
	return 0;
}

int frame_reader_feed(struct frame_reader *reader, const void *data, size_t size, struct error *err)
{
	struct error cause;
	struct prefix prefix;

	if (reader->status)
		return error_set(err, reader->status, "%s", reader->broken.text);
	if (size > BUFFER_MAX - reader->size) {
		error_set(&cause, 0, "frame: more than %d bytes are waiting to be taken", BUFFER_MAX);
		return break_off(reader, -EPROTO, &cause, err);
	}
	if (reserve(reader, reader->size + size)) {
		error_set(&cause, 0, "frame: out of memory (%zu bytes)", reader->size + size);
		return break_off(reader, -ENOMEM, &cause, err);
	}
	if (size)
		memcpy(reader->data + reader->size, data, size);
	reader->size += size;
	int r = parse_prefix(reader->data, reader->size, &cause, &prefix);
	return r < 0 ? break_off(reader, r, &cause, err) : 0;
}

static size_t aligned(size_t size)
{
	return (size + ARRAY_ALIGNMENT - 1) / ARRAY_ALIGNMENT * ARRAY_ALIGNMENT;
}

/* Copies header and arrays to aligned places and parses them there. */
static int parse_body(const struct prefix *prefix, const uint8_t *body, struct error *err, struct message *ret_message)
{
	const void *frames[LIMIT_FRAMES];
	size_t sizes[LIMIT_FRAMES], total = aligned(prefix->header_size) + ARRAY_ALIGNMENT;
	int64_t id;

	for (size_t i = 0; i < prefix->n_arrays; i++)
		total += aligned(prefix->array_size[i]);
	uint8_t *buffer = aligned_alloc(ARRAY_ALIGNMENT, total);
	if (!buffer)
		return error_set(err, -ENOMEM, "frame: out of memory (%zu bytes)", total);

	uint8_t *at = buffer;
	for (size_t i = 0; i <= prefix->n_arrays; i++) {
		frames[i] = at;
		sizes[i] = i ? prefix->array_size[i - 1] : prefix->header_size;
		memcpy(at, body, sizes[i]);
		at += aligned(sizes[i]);
		body += sizes[i];
	}
	struct message message;
	int r = message_parse_within(&limits, frames, sizes, prefix->n_arrays + 1, err, &message, &id);
	if (r) {
		free(buffer);
		return error_prefix(err, r == -ENOMEM ? r : -EPROTO, "frame");
	}
	message.buffer = buffer;
	if (strcmp(message_type(&message), type_names[prefix->type])) {
		error_set(err, 0, "frame: of type %s, its header says %s", type_names[prefix->type],
			  message_type(&message));
		message_done(&message);
		return -EPROTO;
	}
	*ret_message = message;
	return 0;
}

/* The buffer of one large frame is not kept for ever. */
static void drop_front(struct frame_reader *reader, size_t size)
{
	reader->size -= size;
	if (reader->size) {
		memmove(reader->data, reader->data + size, reader->size);
	} else {
		free(reader->data);
		reader->data = NULL;
		reader->capacity = 0;
	}
}

int frame_reader_next(struct frame_reader *reader, struct error *err, enum frame_type *ret_type, uint64_t *ret_job,
		      struct message *ret_message)
{
	struct prefix prefix;
	struct error cause;

	if (reader->status)
		return error_set(err, reader->status, "%s", reader->broken.text);
	int r = parse_prefix(reader->data, reader->size, &cause, &prefix);
	if (r < 0)
		return break_off(reader, r, &cause, err);
	if (!r || reader->size - prefix.size < prefix.body)
		return 0;
	r = parse_body(&prefix, reader->data + prefix.size, &cause, ret_message);
	if (r)
		return break_off(reader, r, &cause, err);
	*ret_type = prefix.type;
	*ret_job = prefix.job;
	drop_front(reader, prefix.size + prefix.body);
	return 1;
}
