/* For tests: a Keras 3 archive made from a configuration's text and datasets. */
#ifndef EVOKED_TESTS_KERAS_WRITER_H
#define EVOKED_TESTS_KERAS_WRITER_H

#include <stddef.h>
#include <stdint.h>

enum { KERAS_WRITER_SETS_MAX = 32 };

struct keras_writer_set {
	const char *path; /* "/layers/conv2d/vars/0" */
	uint32_t n_dims;
	uint64_t dims[4];
	const float *values; /* NULL: counting up from 0 */
	enum { KERAS_WRITER_FLOAT, KERAS_WRITER_DOUBLE, KERAS_WRITER_INT } type;
};

/* The bytes of model.weights.h5, malloc'ed. */
void *keras_writer_weights(const struct keras_writer_set *sets, size_t n_sets, size_t *ret_size);

/* The whole archive at `path`. config NULL: without config.json. */
void keras_writer_archive(const char *path, const char *config, const struct keras_writer_set *sets, size_t n_sets);

/* A model of one dense layer named "d" on 1 x 1 x 3, kernel 0 1 2 and bias 0. */
void keras_writer_small(const char *path);

#endif
