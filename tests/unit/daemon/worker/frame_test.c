/* Frames there and back, in any pieces; and what is no frame: refused, named, and nothing after it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/frame.h"
#include "daemon/worker/pipe_fields.h"

/* Places in the prefix. */
enum { AT_VERSION = 4, AT_TYPE = 6, AT_HEADER_BYTES = 16, AT_N_ARRAYS = 20, AT_ARRAY_BYTES = 24 };

static const uint8_t bytes[5] = {1, 2, 3, 4, 5};
static const double numbers[2] = {0.5, -1e300};

/* A result with an odd number of bytes before its f64 array: alignment must be made, not found. */
static void encode_sample(void **ret_data, size_t *ret_size)
{
	struct message message;

	assert_int_equal(message_init(WORKER_TYPE_RESULT, -1, &message), 0);
	json_object_set_new(message.header, RESULT_UNITS_DONE, json_integer(7));
	assert_int_equal(message_add_array(&message, "png", MESSAGE_BYTES, 1, (uint64_t[]){5}, bytes, NULL), 0);
	assert_int_equal(message_add_array(&message, "scores", MESSAGE_F64, 1, (uint64_t[]){2}, numbers, NULL), 0);
	assert_int_equal(frame_encode(FRAME_RESULT, 42, &message, NULL, ret_data, ret_size), 0);
	message_done(&message);
}

static void assert_sample(struct frame_reader *reader)
{
	struct message message;
	struct error err;
	enum frame_type type;
	uint64_t job;

	assert_int_equal(frame_reader_next(reader, &err, &type, &job, &message), 1);
	assert_int_equal(type, FRAME_RESULT);
	assert_int_equal(job, 42);
	assert_int_equal(json_integer_value(json_object_get(message.header, RESULT_UNITS_DONE)), 7);
	assert_int_equal(message.n_arrays, 2);
	assert_int_equal(message.arrays[0].size, 5);
	assert_memory_equal(message.arrays[0].data, bytes, 5);
	assert_int_equal((uintptr_t)message.arrays[1].data % sizeof(double), 0);
	assert_memory_equal(message.arrays[1].data, numbers, sizeof numbers);
	message_done(&message);
}

static void assert_empty(struct frame_reader *reader)
{
	struct message message;
	enum frame_type type;
	uint64_t job;

	assert_int_equal(frame_reader_next(reader, NULL, &type, &job, &message), 0);
}

static struct frame_reader *make_reader(void)
{
	struct frame_reader *reader;

	assert_int_equal(frame_reader_create(&reader), 0);
	return reader;
}

static void there_and_back_at_once(void **state)
{
	struct frame_reader *reader = make_reader();
	void *data;
	size_t size;

	(void)state;
	encode_sample(&data, &size);
	assert_empty(reader);
	for (int i = 0; i < 3; i++)
		assert_int_equal(frame_reader_feed(reader, data, size, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_sample(reader);
	assert_empty(reader);
	free(data);
	frame_reader_destroy(reader);
}

static void trickled_byte_by_byte(void **state)
{
	struct frame_reader *reader = make_reader();
	uint8_t *data;
	size_t size;

	(void)state;
	encode_sample((void **)&data, &size);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < size; i++) {
			assert_empty(reader);
			assert_int_equal(frame_reader_feed(reader, data + i, 1, NULL), 0);
		}
		assert_sample(reader);
	}
	free(data);
	frame_reader_destroy(reader);
}

/* Every cut of a frame is "not yet", never an error and never half a frame. */
static void truncated_is_not_yet(void **state)
{
	uint8_t *data;
	size_t size;

	(void)state;
	encode_sample((void **)&data, &size);
	for (size_t n = 0; n < size; n++) {
		struct frame_reader *reader = make_reader();

		assert_int_equal(frame_reader_feed(reader, data, n, NULL), 0);
		assert_empty(reader);
		frame_reader_destroy(reader);
	}
	free(data);
}

/* One field of the prefix set to `value`: -EPROTO with a sentence that holds `word`, then for ever. */
static void assert_refused(size_t at, uint64_t value, size_t n, const char *word)
{
	struct frame_reader *reader = make_reader();
	struct message message;
	struct error err;
	enum frame_type type;
	uint64_t job;
	uint8_t *data;
	size_t size;

	encode_sample((void **)&data, &size);
	memcpy(data + at, &value, n);
	int r = frame_reader_feed(reader, data, size, &err);
	if (!r)
		r = frame_reader_next(reader, &err, &type, &job, &message);
	assert_int_equal(r, -EPROTO);
	assert_non_null(strstr(err.text, word));
	free(data);

	encode_sample((void **)&data, &size);
	assert_int_equal(frame_reader_feed(reader, data, size, &err), -EPROTO);
	assert_int_equal(frame_reader_next(reader, NULL, &type, &job, &message), -EPROTO);
	assert_non_null(strstr(err.text, word));
	free(data);
	frame_reader_destroy(reader);
}

static void hostile_prefixes(void **state)
{
	(void)state;
	assert_refused(0, 0x57, 1, "magic");
	assert_refused(3, 0x77, 1, "magic");
	assert_refused(AT_VERSION, 2, 2, "version 1 expected, found 2");
	assert_refused(AT_TYPE, 0, 2, "type");
	assert_refused(AT_TYPE, 9, 2, "type");
	assert_refused(AT_TYPE, FRAME_ERROR, 2, "its header says result");
	assert_refused(AT_HEADER_BYTES, FRAME_HEADER_MAX + 1, 4, "header of at most");
	assert_refused(AT_HEADER_BYTES, UINT32_MAX, 4, "header of at most");
	assert_refused(AT_HEADER_BYTES, 3, 4, "header");
	assert_refused(AT_N_ARRAYS, MESSAGE_ARRAYS_MAX + 1, 4, "at most 15 arrays");
	assert_refused(AT_N_ARRAYS, UINT32_MAX, 4, "at most 15 arrays");
	assert_refused(AT_ARRAY_BYTES, UINT64_MAX, 8, "in array 0");
	assert_refused(AT_ARRAY_BYTES + 8, (uint64_t)FRAME_BYTES_MAX, 8, "in array 1");
	/* A size that is not what dtype and shape say. */
	assert_refused(AT_ARRAY_BYTES, 4, 1, "png");
}

/* A large announced length takes no memory before its bytes are there. */
static void announced_length_is_not_allocated(void **state)
{
	struct frame_reader *reader = make_reader();
	uint8_t *data;
	size_t size;
	uint64_t huge = FRAME_BYTES_MAX / 2;

	(void)state;
	encode_sample((void **)&data, &size);
	memcpy(data + AT_ARRAY_BYTES, &huge, sizeof huge);
	assert_int_equal(frame_reader_feed(reader, data, size, NULL), 0);
	assert_empty(reader);
	free(data);
	frame_reader_destroy(reader);
}

static void too_large_to_encode(void **state)
{
	struct message message;
	struct error err;
	uint64_t size = FRAME_BYTES_MAX;
	void *data = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(message_init(WORKER_TYPE_DATA, -1, &message), 0);
	assert_int_equal(message_add_array(&message, "bytes", MESSAGE_BYTES, 1, &size, bytes, NULL), 0);
	assert_int_equal(frame_encode(FRAME_DATA, 0, &message, &err, &data, &n), -E2BIG);
	assert_non_null(strstr(err.text, "bytes"));
	assert_null(data);
	message_done(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back_at_once),
		cmocka_unit_test(trickled_byte_by_byte),
		cmocka_unit_test(truncated_is_not_yet),
		cmocka_unit_test(hostile_prefixes),
		cmocka_unit_test(announced_length_is_not_allocated),
		cmocka_unit_test(too_large_to_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
