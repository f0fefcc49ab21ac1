/* The codec there and back, and everything that a hostile peer may put into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/fields.h"
#include "protocol/message.h"

/* Parses a header alone, or with one frame of `size` bytes. Returns the code; the sentence and id stay here. */
static struct error last;
static int64_t last_id;

static int parse(const char *header, size_t frame_size, int has_frame)
{
	static const char zeros[4096];
	const void *frames[] = {header, zeros};
	const size_t sizes[] = {strlen(header), frame_size};
	struct message message;
	int rc;

	last.text[0] = '\0';
	rc = message_parse(frames, sizes, has_frame ? 2 : 1, &last, &message, &last_id);
	if (!rc)
		message_done(&message);
	return rc;
}

static void assert_refused(const char *header, int code, const char *sentence)
{
	assert_int_equal(parse(header, 0, 0), code);
	assert_non_null(strstr(last.text, sentence));
}

static void assert_frame_refused(const char *entry, size_t size, int code, const char *sentence)
{
	char header[512];

	snprintf(header, sizeof header, "{\"v\":1,\"type\":\"image\",\"id\":9,\"frames\":[%s]}", entry);
	assert_int_equal(parse(header, size, 1), code);
	assert_non_null(strstr(last.text, sentence));
	assert_int_equal(last_id, 9);
}

static void there_and_back(void **state)
{
	const uint16_t counts[2][3] = {{1, 2, 3}, {4, 5, 60000}};
	const uint64_t dims[] = {2, 3}, size = 5;
	struct message message, back;
	struct error err;
	const void *frames[3];
	size_t sizes[3];
	char *text;
	int64_t id;

	(void)state;
	assert_int_equal(message_init("presentations", 7, &message), 0);
	assert_int_equal(message_add_array(&message, "responses", MESSAGE_U16, 2, dims, counts, &err), 0);
	assert_int_equal(message_add_array(&message, "png", MESSAGE_BYTES, 1, &size, "bytes", &err), 0);
	assert_int_equal(message_encode_header(&message, &err, &text, &sizes[0]), 0);
	assert_string_equal(text, "{\"v\":1,\"type\":\"presentations\",\"id\":7,\"frames\":["
				  "{\"name\":\"responses\",\"dtype\":\"u16\",\"shape\":[2,3]},"
				  "{\"name\":\"png\",\"dtype\":\"bytes\",\"shape\":[5]}]}");
	frames[0] = text;
	for (size_t i = 0; i < 2; i++) {
		frames[i + 1] = message.arrays[i].data;
		sizes[i + 1] = message.arrays[i].size;
	}
	assert_int_equal(message_parse(frames, sizes, 3, &err, &back, &id), 0);
	assert_int_equal(id, 7);
	assert_int_equal(message_id(&back), 7);
	assert_string_equal(message_type(&back), "presentations");
	assert_null(message_find_array(&back, "mask"));

	const struct message_array *array = message_find_array(&back, "responses");
	assert_non_null(array);
	assert_int_equal(array->n_dims, 2);
	assert_int_equal(array->dims[1], 3);
	assert_int_equal(array->size, sizeof counts);
	assert_int_equal(message_read_u16(array->data, 5), 60000);
	message_done(&back);
	message_done(&message);
	free(text);
}

static void unaligned_elements(void **state)
{
	unsigned char bytes[16] = {0};
	const uint16_t count = 513;
	const float rate = 1.5f;

	(void)state;
	memcpy(bytes + 3, &count, sizeof count);
	assert_int_equal(message_read_u16(bytes + 1, 1), 513);
	memcpy(bytes + 5, &rate, sizeof rate);
	assert_true(message_read_f32(bytes + 1, 1) == rate);
}

static void headers_that_are_not(void **state)
{
	(void)state;
	assert_refused("", -EPROTO, "header: not JSON");
	assert_refused("[1,2]", -EPROTO, "header: JSON object expected, found array");
	assert_refused("{\"v\":1", -EPROTO, "header: not JSON");
	assert_refused("{\"v\":1,\"type\":\"hello\"} trailing", -EPROTO, "header: not JSON");
	assert_refused("{\"v\":1,\"v\":1,\"type\":\"hello\"}", -EPROTO, "header: not JSON: duplicate object key");
	assert_refused("{\"v\":1,\"type\":\"\xff\xfe\"}", -EPROTO, "header: not JSON");
	assert_refused("{\"v\":1,\"type\":\"a\\u0000b\"}", -EPROTO, "header: not JSON");
	assert_refused("{\"v\":1,\"type\":\"hello\",\"x\":1e999}", -EPROTO, "header: not JSON");
	assert_refused("{\"v\":1,\"type\":\"hello\",\"x\":99999999999999999999}", -EPROTO, "header: not JSON");
	assert_refused("{\"v\":1,\"type\":\"hello\",\"x\":NaN}", -EPROTO, "header: not JSON");
}

static void version_type_id(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"v\":1,\"type\":\"hello\"}", 0, 0), 0);
	assert_int_equal(last_id, -1);
	assert_refused("{\"type\":\"hello\"}", -EPROTO, "v: integer expected, found nothing");
	assert_refused("{\"v\":2,\"type\":\"hello\",\"id\":3}", -ENOTSUP, "v: version 1 expected, found 2");
	assert_int_equal(last_id, 3);
	assert_refused("{\"v\":\"1\",\"type\":\"hello\"}", -EPROTO, "v: integer expected, found string");
	assert_refused("{\"v\":1,\"id\":4}", -EPROTO, "type: string expected, found nothing");
	assert_int_equal(last_id, 4);
	assert_refused("{\"v\":1,\"type\":7}", -EPROTO, "type: string expected, found integer");
	assert_refused("{\"v\":1,\"type\":\"hello\",\"id\":-1}", -ERANGE, "id: integer from 0");
	assert_int_equal(last_id, -1);
	assert_refused("{\"v\":1,\"type\":\"hello\",\"id\":9007199254740992}", -ERANGE, "id: integer from 0");
	assert_refused("{\"v\":1,\"type\":\"hello\",\"id\":1.0}", -EPROTO, "id: integer expected, found real number");
}

static void depth_values_and_bytes(void **state)
{
	const size_t size = LIMIT_HEADER_BYTES + 1;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '[', 64);
	text[64] = '\0';
	assert_refused(text, -E2BIG, "header: at most 16 levels of nesting");
	assert_refused("{\"v\":1,\"type\":\"hello\",\"x\":\"[[[[[[[[[[[[[[[[[[[[[[[[ \\\" [[[\"", -EPROTO,
		       "header: not JSON");

	strcpy(text, "{\"v\":1,\"type\":\"hello\",\"x\":[");
	for (size_t i = strlen(text), n = 0; n < LIMIT_HEADER_VALUES; n++, i += 2)
		strcpy(text + i, "0,");
	strcat(text, "0]}");
	assert_refused(text, -E2BIG, "header: at most 65536 values");

	memset(text, ' ', size);
	text[size] = '\0';
	assert_refused(text, -E2BIG, "header: at most 1048576 bytes, found 1048577");
	free(text);
}

static void frames_and_their_entries(void **state)
{
	(void)state;
	assert_int_equal(
		parse("{\"v\":1,\"type\":\"image\",\"frames\":[{\"name\":\"x\",\"dtype\":\"f64\",\"shape\":[]}]}", 8,
		      1),
		0);
	assert_int_equal(parse("{\"v\":1,\"type\":\"image\"}", 3, 1), -EPROTO);
	assert_string_equal(last.text, "frames: it describes 0 frames, the message has 1 behind the header");
	assert_refused("{\"v\":1,\"type\":\"image\",\"frames\":[{}]}", -EPROTO,
		       "frames: it describes 1 frames, the message has 0");
	assert_refused("{\"v\":1,\"type\":\"image\",\"frames\":{}}", -EPROTO, "frames: array expected, found object");
	assert_frame_refused("7", 4, -EPROTO, "frames[0]: object expected, found integer");
	assert_frame_refused("{\"dtype\":\"u8\",\"shape\":[4]}", 4, -EPROTO, "frames[0].name: string expected");
	assert_frame_refused("{\"name\":\"a-name-of-more-than-thirty-one-bytes\",\"dtype\":\"u8\",\"shape\":[4]}", 4,
			     -E2BIG, "frames[0].name: at most 31 bytes");
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"u64\",\"shape\":[4]}", 32, -EPROTO,
			     "frames[0].dtype: one of u8");
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"u8\",\"shape\":4}", 4, -EPROTO,
			     "frames[0].shape: array expected");
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"u8\",\"shape\":[1,1,1,1,4]}", 4, -E2BIG,
			     "frames[0].shape: at most 4 dimensions, found 5");
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"u8\",\"shape\":[-4]}", 4, -EPROTO,
			     "frames[0].shape[0]: integer");
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"u8\",\"shape\":[4.0]}", 4, -EPROTO,
			     "frames[0].shape[0]: integer");
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"bytes\",\"shape\":[2,2]}", 4, -EPROTO,
			     "bytes have 1 dimension");
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"u16\",\"shape\":[3]}", 5, -EPROTO,
			     "frames[0] (x): 6 bytes expected from dtype and shape, found 5");
	/* 2^32 * 2^32 * 8 wraps to 0: it must not pass for an empty frame. */
	assert_frame_refused("{\"name\":\"x\",\"dtype\":\"f64\",\"shape\":[4294967296,4294967296]}", 0, -E2BIG,
			     "frames[0].shape: more bytes than memory can have");
}

static void same_name_twice(void **state)
{
	const char *header = "{\"v\":1,\"type\":\"image\",\"frames\":[{\"name\":\"x\",\"dtype\":\"u8\",\"shape\":[1]},"
			     "{\"name\":\"x\",\"dtype\":\"u8\",\"shape\":[1]}]}";
	const void *frames[] = {header, "a", "b"};
	const size_t sizes[] = {strlen(header), 1, 1};
	struct message message;

	(void)state;
	assert_int_equal(message_parse(frames, sizes, 3, &last, &message, &last_id), -EPROTO);
	assert_string_equal(last.text, "frames[1].name: \"x\" is there twice");
}

static void sizes_of_the_whole(void **state)
{
	const char *header = "{\"v\":1,\"type\":\"image\",\"id\":5}";
	const void *frames[LIMIT_FRAMES + 1] = {header};
	size_t sizes[LIMIT_FRAMES + 1] = {strlen(header)};
	struct message message;

	(void)state;
	assert_int_equal(message_parse(frames, sizes, 0, &last, &message, &last_id), -EPROTO);
	assert_int_equal(message_parse(frames, sizes, LIMIT_FRAMES + 1, &last, &message, &last_id), -E2BIG);
	assert_string_equal(last.text, "message: at most 16 frames, found 17");
	assert_int_equal(last_id, 5);
	/* The size is refused before the bytes are touched: there are none. */
	sizes[1] = LIMIT_MESSAGE_BYTES;
	assert_int_equal(message_parse(frames, sizes, 2, &last, &message, &last_id), -E2BIG);
	assert_non_null(strstr(last.text, "message: at most 8388608 bytes"));
	sizes[2] = SIZE_MAX;
	assert_int_equal(message_parse(frames, sizes, 3, &last, &message, &last_id), -E2BIG);
}

static void arrays_over_the_limit(void **state)
{
	const uint64_t one = 1, huge[] = {UINT64_MAX, 2};
	struct message message;
	char name[40];

	(void)state;
	assert_int_equal(message_init("image", -1, &message), 0);
	assert_int_equal(message_id(&message), -1);
	assert_int_equal(message_add_array(&message, "x", MESSAGE_U8, 2, huge, "a", &last), -E2BIG);
	assert_int_equal(message_add_array(&message, "x", MESSAGE_U8, 5, huge, "a", &last), -E2BIG);
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_int_equal(message_add_array(&message, name, MESSAGE_U8, 1, &one, "a", &last), -E2BIG);
	for (int i = 0; i < MESSAGE_ARRAYS_MAX; i++) {
		snprintf(name, sizeof name, "array %d", i);
		assert_int_equal(message_add_array(&message, name, MESSAGE_U8, 1, &one, "a", &last), 0);
	}
	assert_int_equal(message_add_array(&message, "x", MESSAGE_U8, 1, &one, "a", &last), -E2BIG);
	assert_string_equal(last.text, "x: at most 15 arrays in one message");
	message_done(&message);
	message_done(&message);
	message_done(NULL);
}

static void errors_name_their_field(void **state)
{
	const struct error cause = {"presentations[3].trial: integer expected, found string"};
	const struct error no_field = {"the session is closed"};
	struct error cut = {"name: \"caf\xc3"};
	struct message message;

	(void)state;
	assert_int_equal(message_init_error(4, message_error_code(-EPROTO), &cause, &message), 0);
	assert_string_equal(json_string_value(json_object_get(message.header, FIELD_CODE)), "malformed");
	assert_string_equal(json_string_value(json_object_get(message.header, FIELD_FIELD)), "presentations[3].trial");
	assert_string_equal(json_string_value(json_object_get(message.header, FIELD_TEXT)), cause.text);
	message_done(&message);
	assert_int_equal(message_init_error(-1, CODE_STATE, &no_field, &message), 0);
	assert_null(json_object_get(message.header, FIELD_FIELD));
	message_done(&message);
	assert_int_equal(message_init_error(-1, CODE_INVALID, &cut, &message), 0);
	assert_string_equal(json_string_value(json_object_get(message.header, FIELD_TEXT)), "name: \"caf?");
	message_done(&message);
	assert_string_equal(message_error_code(-E2BIG), "too_large");
	assert_string_equal(message_error_code(-ENOTSUP), "version");
	assert_string_equal(message_error_code(-ENOSPC), "storage");
	assert_string_equal(message_error_code(-ERANGE), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),	  cmocka_unit_test(unaligned_elements),
		cmocka_unit_test(headers_that_are_not),	  cmocka_unit_test(version_type_id),
		cmocka_unit_test(depth_values_and_bytes), cmocka_unit_test(frames_and_their_entries),
		cmocka_unit_test(same_name_twice),	  cmocka_unit_test(sizes_of_the_whole),
		cmocka_unit_test(arrays_over_the_limit),  cmocka_unit_test(errors_name_their_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
