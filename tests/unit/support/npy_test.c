/* Files as NumPy writes them, made by hand; and files that lie about themselves. */
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

#include "support/npy.h"

struct file {
	uint8_t bytes[1024];
	size_t size;
};

static struct file make(const char *header, const void *values, size_t size)
{
	struct file file = {.bytes = "\x93NUMPY\x01"};
	size_t length = strlen(header);

	file.bytes[8] = (uint8_t)(length & 0xff);
	file.bytes[9] = (uint8_t)(length >> 8);
	memcpy(file.bytes + 10, header, length);
	memcpy(file.bytes + 10 + length, values, size);
	file.size = 10 + length + size;
	return file;
}

static void refuse(const struct file *file, const char *part)
{
	struct npy npy = {.n_dims = 77};
	struct error err = {0};

	assert_int_equal(npy_parse(file->bytes, file->size, &err, &npy), -EINVAL);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not named in: %s", part, err.text);
	assert_int_equal(npy.n_dims, 77);
}

static void types_as_they_are(void **state)
{
	static const double f64[] = {1.5, -2.25};
	static const uint8_t u8[] = {3, 255};
	static const uint16_t u16[] = {3, 65535};
	static const int64_t i64[] = {-7, 1 << 30};
	struct file files[] = {
		make("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", f64, sizeof f64),
		make("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n", u8, sizeof u8),
		make("{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }\n", u16, sizeof u16),
		make("{'shape': (2, 1), 'fortran_order': False, 'descr': '<i8'}\n", i64, sizeof i64),
	};
	static const double expected[][2] = {{1.5, -2.25}, {3, 255}, {3, 65535}, {-7, 1 << 30}};

	(void)state;
	for (size_t f = 0; f < 4; f++) {
		struct npy npy;

		assert_int_equal(npy_parse(files[f].bytes, files[f].size, NULL, &npy), 0);
		assert_int_equal(npy.n_values, 2);
		assert_int_equal((uintptr_t)npy.values % 64, 0);
		for (uint64_t i = 0; i < 2; i++)
			assert_true(npy_value(&npy, i) == expected[f][i]);
		npy_done(&npy);
	}
}

static void fortran_order_is_turned(void **state)
{
	static const float values[] = {0, 3, 1, 4, 2, 5}; /* [2, 3], columns first */
	struct file file = make("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", values, sizeof values);
	struct npy npy;

	(void)state;
	assert_int_equal(npy_parse(file.bytes, file.size, NULL, &npy), 0);
	for (uint64_t i = 0; i < 6; i++)
		assert_true(npy_value(&npy, i) == (double)i);
	npy_done(&npy);
}

static void scalar_and_empty(void **state)
{
	static const float value = 2.5f;
	struct file scalar = make("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", &value, sizeof value);
	struct file empty = make("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }\n", &value, 0);
	struct npy npy;

	(void)state;
	assert_int_equal(npy_parse(scalar.bytes, scalar.size, NULL, &npy), 0);
	assert_int_equal(npy.n_dims, 0);
	assert_true(npy_value(&npy, 0) == 2.5);
	npy_done(&npy);
	assert_int_equal(npy_parse(empty.bytes, empty.size, NULL, &npy), 0);
	assert_int_equal(npy.n_values, 0);
	npy_done(&npy);
}

static void hostile(void **state)
{
	static const float values[4] = {0};
	struct file file;

	(void)state;
	file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }\n", values, 16);
	refuse(&file, "values");
	file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", values, 16);
	refuse(&file, "values");
	file = make("{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }\n", values, 16);
	refuse(&file, "descr");
	file = make("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }\n", values, 16);
	refuse(&file, "descr");
	file = make("{'descr': '<f4', 'shape': (4,), }\n", values, 16);
	refuse(&file, "fortran_order");
	file = make("{'descr': '<f4', 'fortran_order': False}\n", values, 16);
	refuse(&file, "shape");
	file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }\n", values, 16);
	refuse(&file, "shape[0]");
	file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (4", values, 16);
	refuse(&file, "shape");
	file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2), }", values, 16);
	refuse(&file, "shape[1]");
	file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", values, 16);
	refuse(&file, "shape[0]");
	file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,4), }", values, 16);
	refuse(&file, "dimensions");
	file.bytes[8] = file.bytes[9] = 0xff;
	refuse(&file, "header");
	file.bytes[6] = 9;
	refuse(&file, "version");
	file.bytes[0] = 'x';
	refuse(&file, "NUMPY");
	file.size = 3;
	refuse(&file, "NUMPY");
}

static void every_truncation_is_refused(void **state)
{
	static const float values[4] = {0};
	struct file file = make("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", values, 16);

	(void)state;
	for (size_t size = 0; size < file.size; size++) {
		/* A copy of the exact size, so that a sanitizer sees a read past the end. */
		uint8_t *copy = malloc(size + !size);
		struct npy npy;

		assert_non_null(copy);
		memcpy(copy, file.bytes, size);
		assert_int_equal(npy_parse(copy, size, NULL, &npy), -EINVAL);
		free(copy);
	}
}

static void written_is_read(void **state)
{
	static const float values[6] = {1, 2, 3, 4, 5, 6.5f};
	static const uint64_t dims[] = {2, 3};
	char folder[] = "/tmp/npy_test.XXXXXX", path[64];
	struct npy npy;
	struct error err = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/a.npy", folder);
	assert_int_equal(npy_write_f32(path, 2, dims, values, &err), 0);
	assert_int_equal(npy_read(path, &err, &npy), 0);
	assert_int_equal(npy.n_dims, 2);
	assert_int_equal(npy.dims[0], 2);
	assert_int_equal(npy.dims[1], 3);
	assert_memory_equal(npy.values, values, sizeof values);
	npy_done(&npy);
	unlink(path);
	assert_int_equal(npy_read(path, &err, &npy), -ENOENT);
	assert_non_null(strstr(err.text, path));
	rmdir(folder);
	assert_int_equal(npy_write_f32(path, 2, dims, values, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_as_they_are),
		cmocka_unit_test(fortran_order_is_turned),
		cmocka_unit_test(scalar_and_empty),
		cmocka_unit_test(hostile),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
