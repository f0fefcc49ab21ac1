/* HDF5's core driver makes the weights file in memory; the zip is the tests' own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "keras_writer.h"
#include "zip_writer.h"

enum { VALUES_MAX = 4096 };

static void add_set(hid_t file, hid_t link, const struct keras_writer_set *set)
{
	hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I32LE};
	hsize_t dims[4] = {1, 1, 1, 1};
	float counting[VALUES_MAX];

	for (uint32_t i = 0; i < set->n_dims; i++)
		dims[i] = set->dims[i];
	assert_true(dims[0] * dims[1] * dims[2] * dims[3] <= VALUES_MAX);
	for (int i = 0; i < VALUES_MAX; i++)
		counting[i] = (float)i;
	hid_t space = H5Screate_simple((int)set->n_dims, dims, NULL);
	hid_t data = H5Dcreate2(file, set->path, types[set->type], space, link, H5P_DEFAULT, H5P_DEFAULT);
	assert_true(data >= 0);
	assert_true(H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT,
			     set->values ? set->values : counting) >= 0);
	H5Dclose(data);
	H5Sclose(space);
}

void *keras_writer_weights(const struct keras_writer_set *sets, size_t n_sets, size_t *ret_size)
{
	hid_t access = H5Pcreate(H5P_FILE_ACCESS), link = H5Pcreate(H5P_LINK_CREATE);

	H5Pset_fapl_core(access, 1 << 16, 0);
	H5Pset_create_intermediate_group(link, 1);
	hid_t file = H5Fcreate("weights", H5F_ACC_TRUNC, H5P_DEFAULT, access);
	assert_true(file >= 0);
	for (size_t i = 0; i < n_sets; i++)
		add_set(file, link, &sets[i]);
	H5Fflush(file, H5F_SCOPE_GLOBAL);
	ssize_t size = H5Fget_file_image(file, NULL, 0);
	assert_true(size > 0);
	void *bytes = malloc((size_t)size);
	assert_non_null(bytes);
	assert_true(H5Fget_file_image(file, bytes, (size_t)size) == size);
	H5Fclose(file);
	H5Pclose(link);
	H5Pclose(access);
	*ret_size = (size_t)size;
	return bytes;
}

void keras_writer_archive(const char *path, const char *config, const struct keras_writer_set *sets, size_t n_sets)
{
	struct zip_writer *zip = calloc(1, sizeof *zip);
	size_t size;
	void *weights = keras_writer_weights(sets, n_sets, &size);

	assert_non_null(zip);
	zip_writer_add(zip, "metadata.json", "{}", 2);
	if (config)
		zip_writer_add(zip, "config.json", config, strlen(config));
	zip_writer_add(zip, "model.weights.h5", weights, size);
	zip_writer_write(zip, path);
	free(weights);
	free(zip);
}

void keras_writer_small(const char *path)
{
	static const char config[] =
		"{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
		"{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"i\", \"batch_shape\": [null, 1, 1, 3]}},"
		"{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 1, \"activation\": \"linear\","
		" \"use_bias\": true}}]}}";
	static const struct keras_writer_set sets[] = {{.path = "/layers/dense/vars/0", .n_dims = 2, .dims = {3, 1}},
						       {.path = "/layers/dense/vars/1", .n_dims = 1, .dims = {1}}};

	keras_writer_archive(path, config, sets, 2);
}
