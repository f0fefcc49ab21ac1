/* Datasets by group and number; damaged and misleading files name the dataset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keras_writer.h"
#include "models/converter/keras_weights.h"

static const struct keras_writer_set sets[] = {
	{.path = "/layers/dense/vars/0", .n_dims = 2, .dims = {2, 3}},
	{.path = "/layers/dense_1/vars/0", .n_dims = 1, .dims = {4}, .type = KERAS_WRITER_DOUBLE},
	{.path = "/layers/dense_2/vars/0", .n_dims = 1, .dims = {4}, .type = KERAS_WRITER_INT},
};

static void datasets_are_read(void **state)
{
	struct keras_weights *weights;
	struct error err = {0};
	size_t size;
	void *bytes = keras_writer_weights(sets, 3, &size);
	float values[6];

	(void)state;
	assert_int_equal(keras_weights_open(bytes, size, &err, &weights), 0);
	free(bytes); /* was copied */
	assert_int_equal(keras_weights_read(weights, "dense", 0, 6, &err, values), 0);
	for (int i = 0; i < 6; i++)
		assert_true(values[i] == (float)i);
	assert_int_equal(keras_weights_read(weights, "dense_1", 0, 4, &err, values), 0);
	assert_true(values[3] == 3.0f);
	assert_int_equal(keras_weights_read(weights, "dense", 0, 5, &err, values), -EINVAL);
	assert_non_null(strstr(err.text, "/layers/dense/vars/0: 6 values"));
	assert_int_equal(keras_weights_read(weights, "dense", 1, 6, &err, values), -ENOENT);
	assert_non_null(strstr(err.text, "/layers/dense/vars/1"));
	assert_int_equal(keras_weights_read(weights, "dense_2", 0, 4, &err, values), -EINVAL);
	assert_non_null(strstr(err.text, "floating-point"));
	keras_weights_close(weights);
}

static void damaged_files_are_refused(void **state)
{
	struct keras_weights *weights = NULL;
	struct error err = {0};
	size_t size;
	uint8_t *bytes = keras_writer_weights(sets, 3, &size);

	(void)state;
	assert_int_equal(keras_weights_open("nothing of the sort", 19, &err, &weights), -EINVAL);
	assert_non_null(strstr(err.text, "HDF5"));
	assert_int_equal(keras_weights_open(bytes, size / 2, &err, &weights), -EINVAL);
	memset(bytes, 0, 16);
	assert_int_equal(keras_weights_open(bytes, size, &err, &weights), -EINVAL);
	assert_null(weights);
	keras_weights_close(NULL);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datasets_are_read),
		cmocka_unit_test(damaged_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
