/* What is written is read; and files that lie about themselves are refused, naming tensor and field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/safetensors.h"
#include "support/atomic_file.h"

/* A file of that header, and n_data bytes counting up; of the exact size, so that a sanitizer sees a read past the end.
 */
static uint8_t *make(const char *header, size_t n_data, size_t *ret_size)
{
	size_t length = strlen(header), size = 8 + length + n_data;
	uint8_t *bytes = malloc(size);

	assert_non_null(bytes);
	for (size_t i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(length >> (8 * i));
	memcpy(bytes + 8, header, length);
	for (size_t i = 0; i < n_data; i++)
		bytes[8 + length + i] = (uint8_t)i;
	*ret_size = size;
	return bytes;
}

static void refuse_bytes(const void *bytes, size_t size, const char *part)
{
	struct safetensors *file = NULL;
	struct error err = {0};

	assert_int_equal(safetensors_decode(bytes, size, &err, &file), -EINVAL);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not named in: %s", part, err.text);
	assert_null(file);
}

static void refuse(const char *header, size_t n_data, const char *part)
{
	size_t size;
	uint8_t *bytes = make(header, n_data, &size);

	refuse_bytes(bytes, size, part);
	free(bytes);
}

static void written_is_read(void **state)
{
	static const float a[6] = {1, 2, 3, 4, 5, 6.5f};
	static const uint8_t b[3] = {7, 8, 9};
	static const int64_t c[1] = {-5};
	const struct safetensors_tensor tensors[] = {
		{.name = "layer/kernel", .type = SAFETENSORS_F32, .n_dims = 2, .dims = {2, 3}, .data = a},
		{.name = "bytes", .type = SAFETENSORS_U8, .n_dims = 1, .dims = {3}, .data = b},
		{.name = "empty", .type = SAFETENSORS_F64, .n_dims = 2, .dims = {0, 4}},
		{.name = "scalar", .type = SAFETENSORS_I64, .n_dims = 0, .data = c},
	};
	const struct safetensors_metadata metadata[] = {{"graph", "{\"a\": \"quoted\"}"}, {"b", ""}};
	static const uint64_t dims[] = {2, 3}, turned[] = {3, 2};
	void *data, *again;
	size_t size, size_again;
	struct safetensors *file;
	struct error err = {0};
	float copy[6];

	(void)state;
	assert_int_equal(safetensors_encode(tensors, 4, metadata, 2, NULL, &data, &size), 0);
	assert_int_equal(safetensors_encode(tensors, 4, metadata, 2, NULL, &again, &size_again), 0);
	assert_int_equal(size, size_again);
	assert_memory_equal(data, again, size);
	assert_int_equal(safetensors_decode(data, size, &err, &file), 0);
	assert_int_equal(safetensors_n_tensors(file), 4);
	assert_string_equal(safetensors_metadata(file, "graph"), "{\"a\": \"quoted\"}");
	assert_null(safetensors_metadata(file, "c"));
	assert_int_equal(safetensors_copy_f32(file, "layer/kernel", 2, dims, &err, copy), 0);
	assert_memory_equal(copy, a, sizeof a);
	assert_int_equal(safetensors_find(file, "scalar")->n_values, 1);
	assert_memory_equal(safetensors_find(file, "scalar")->data, c, sizeof c);
	assert_int_equal(safetensors_find(file, "empty")->n_values, 0);
	assert_null(safetensors_find(file, "nothing"));

	assert_int_equal(safetensors_copy_f32(file, "nothing", 2, dims, &err, copy), -ENOENT);
	assert_int_equal(safetensors_copy_f32(file, "layer/kernel", 2, turned, &err, copy), -EINVAL);
	assert_non_null(strstr(err.text, "layer/kernel"));
	assert_int_equal(safetensors_copy_f32(file, "layer/kernel", 1, dims, &err, copy), -EINVAL);
	assert_int_equal(safetensors_copy_f32(file, "scalar", 0, dims, &err, copy), -EINVAL);
	assert_non_null(strstr(err.text, "I64"));
	safetensors_destroy(file);
	free(again);
	free(data);
}

static void file_by_name(void **state)
{
	char path[] = "/tmp/safetensors_test.XXXXXX";
	const struct safetensors_tensor tensor = {
		.name = "x", .type = SAFETENSORS_U8, .n_dims = 1, .dims = {1}, .data = "7"};
	struct safetensors *file;
	struct error err = {0};
	void *data;
	size_t size;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(safetensors_encode(&tensor, 1, NULL, 0, NULL, &data, &size), 0);
	assert_int_equal(atomic_file_write(path, data, size, NULL), 0);
	assert_int_equal(safetensors_read(path, &err, &file), 0);
	assert_memory_equal(safetensors_at(file, 0)->data, "7", 1);
	safetensors_destroy(file);
	assert_int_equal(atomic_file_write(path, data, size - 1, NULL), 0);
	assert_int_equal(safetensors_read(path, &err, &file), -EINVAL);
	assert_non_null(strstr(err.text, path));
	unlink(path);
	assert_int_equal(safetensors_read(path, &err, &file), -ENOENT);
	free(data);
}

static void sizes_and_offsets(void **state)
{
	(void)state;
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}", 8, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 8, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 8, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 8, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0.0,4.0]}}", 8, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9223372036854775800,9223372036854775804]}}",
	       8, "tensor a: data_offsets");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,8]}}", 8,
	       "tensor a: shape");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "tensor a: shape[0]");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "9 dimensions");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "tensor a: shape");
}

static void overlaps_and_gaps(void **state)
{
	(void)state;
	refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
	       "\"b\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[4,9]}}",
	       9, "tensor b: its data begin at byte 4, inside");
	refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[5,9]},"
	       "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
	       9, "tensor a: its data begin at byte 5, with a gap");
	refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 9, "end at byte 4 of 9");
	refuse("{}", 1, "end at byte 0 of 1");
}

static void types_and_entries(void **state)
{
	(void)state;
	refuse("{\"a\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, "tensor a: dtype is BF16");
	refuse("{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a: dtype");
	refuse("{\"a\":7}", 4, "tensor a");
	refuse("{\"__metadata__\":{\"k\":7}}", 0, "__metadata__.k");
	refuse("{\"__metadata__\":[]}", 0, "__metadata__");
}

static void headers(void **state)
{
	uint8_t bytes[16] = {0};
	char *deep = malloc(300001);

	(void)state;
	refuse_bytes(bytes, 7, "7 bytes");
	bytes[0] = 9;
	refuse_bytes(bytes, 16, "header of 9 bytes");
	memset(bytes, 0xff, 8);
	refuse_bytes(bytes, 16, "at most");
	refuse("[]", 0, "not an object");
	refuse("", 0, "header");
	refuse("{\"a\":", 0, "line 1");
	refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
	       "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
	       1, "duplicate");
	/* A nest deeper than any parser's stack should follow. */
	assert_non_null(deep);
	memset(deep, '[', 300000);
	deep[300000] = '\0';
	refuse(deep, 0, "depth");
	free(deep);
}

static void every_truncation_and_every_bit(void **state)
{
	static const float values[2] = {1, 2};
	const struct safetensors_tensor tensor = {
		.name = "a", .type = SAFETENSORS_F32, .n_dims = 1, .dims = {2}, .data = values};
	const struct safetensors_metadata metadata = {"k", "v"};
	void *data;
	size_t size;

	(void)state;
	assert_int_equal(safetensors_encode(&tensor, 1, &metadata, 1, NULL, &data, &size), 0);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *copy = malloc(cut + !cut);
		struct safetensors *file;

		assert_non_null(copy);
		memcpy(copy, data, cut);
		assert_int_equal(safetensors_decode(copy, cut, NULL, &file), -EINVAL);
		free(copy);
	}
	/* A flipped bit either is refused or leaves a file that can be read through; a sanitizer watches. */
	for (size_t bit = 0; bit < 8 * size; bit++) {
		uint8_t *bytes = data;
		struct safetensors *file;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (safetensors_decode(data, size, NULL, &file) == 0) {
			size_t n = safetensors_n_tensors(file);

			for (size_t i = 0; i < n; i++)
				assert_non_null(safetensors_at(file, i)->name);
			safetensors_destroy(file);
		}
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(data);
}

static void what_cannot_be_written(void **state)
{
	struct safetensors_tensor tensors[2] = {
		{.name = "a", .type = SAFETENSORS_U8, .n_dims = 1, .dims = {1}, .data = "1"},
		{.name = "a", .type = SAFETENSORS_U8, .n_dims = 1, .dims = {1}, .data = "1"},
	};
	char name[SAFETENSORS_NAME_MAX + 1];
	struct error err = {0};
	void *data = NULL;
	size_t size;

	(void)state;
	assert_int_equal(safetensors_encode(tensors, 2, NULL, 0, &err, &data, &size), -EINVAL);
	assert_non_null(strstr(err.text, "tensor a"));
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	tensors[1].name = name;
	assert_int_equal(safetensors_encode(tensors, 2, NULL, 0, &err, &data, &size), -EINVAL);
	tensors[1].name = "__metadata__";
	assert_int_equal(safetensors_encode(tensors, 2, NULL, 0, &err, &data, &size), -EINVAL);
	tensors[1].name = "b";
	tensors[1].dims[0] = UINT64_MAX;
	assert_int_equal(safetensors_encode(tensors, 2, NULL, 0, &err, &data, &size), -EINVAL);
	tensors[1].dims[0] = 1;
	tensors[1].name = "\xff";
	assert_int_equal(safetensors_encode(tensors, 2, NULL, 0, &err, &data, &size), -EINVAL);
	assert_null(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_is_read),
		cmocka_unit_test(file_by_name),
		cmocka_unit_test(sizes_and_offsets),
		cmocka_unit_test(overlaps_and_gaps),
		cmocka_unit_test(types_and_entries),
		cmocka_unit_test(headers),
		cmocka_unit_test(every_truncation_and_every_bit),
		cmocka_unit_test(what_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
