/* HDF5 opens the image in memory with its core driver. Its own error printing is off: what failed is said with the
 * dataset's name. Numbers of any floating type are converted by HDF5. */
#include "models/converter/keras_weights.h"

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>

struct keras_weights {
	hid_t file;
};

int keras_weights_open(const void *data, size_t size, struct error *err, struct keras_weights **ret_weights)
{
	int r = 0;
	union {
		const void *in;
		void *out;
	} image = {.in = data}; /* HDF5 copies it, but its parameter is not const */

	struct keras_weights *weights = calloc(1, sizeof *weights);
	if (!weights)
		return error_set(err, -ENOMEM, "HDF5: out of memory");
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	if (access < 0 || H5Pset_fapl_core(access, 1 << 20, 0) < 0 || H5Pset_file_image(access, image.out, size) < 0) {
		r = error_set(err, -ENOMEM, "HDF5: no memory for %zu bytes", size);
		goto out_access;
	}
	weights->file = H5Fopen("model.weights.h5", H5F_ACC_RDONLY, access);
	if (weights->file < 0)
		r = error_set(err, -EINVAL, "not a whole HDF5 file (%zu bytes)", size);
out_access:
	if (access >= 0)
		H5Pclose(access);
	if (r)
		free(weights);
	else
		*ret_weights = weights;
	return r;
}

void keras_weights_close(struct keras_weights *weights)
{
	if (!weights)
		return;
	H5Fclose(weights->file);
	free(weights);
}

static int read_dataset(hid_t set, const char *path, size_t n_values, struct error *err, float *ret_values)
{
	hid_t space = H5Dget_space(set), type = H5Dget_type(set);
	hssize_t n = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
	int r = 0;

	if (type < 0 || H5Tget_class(type) != H5T_FLOAT)
		r = error_set(err, -EINVAL, "%s: not floating-point numbers", path);
	else if (n < 0 || (size_t)n != n_values)
		r = error_set(err, -EINVAL, "%s: %lld values, the layer has %zu", path, (long long)n, n_values);
	else if (H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, ret_values) < 0)
		r = error_set(err, -EINVAL, "%s: cannot be read, the file is damaged", path);
	if (type >= 0)
		H5Tclose(type);
	if (space >= 0)
		H5Sclose(space);
	return r;
}

int keras_weights_read(struct keras_weights *weights, const char *group, uint32_t index, size_t n_values,
		       struct error *err, float *ret_values)
{
	char path[256];

	snprintf(path, sizeof path, "/layers/%s/vars/%u", group, index);
	hid_t set = H5Dopen2(weights->file, path, H5P_DEFAULT);
	if (set < 0)
		return error_set(err, -ENOENT, "model.weights.h5 has no dataset %s", path);
	int r = read_dataset(set, path, n_values, err, ret_values);
	H5Dclose(set);
	return r;
}
