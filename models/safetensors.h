/* safetensors: u64le header length, JSON header (name -> dtype, shape, data_offsets; "__metadata__": text -> text),
 * then data.
 *
 * The reader trusts nothing: lengths, offsets, overlaps, gaps, shapes against sizes, dtypes, JSON depth and duplicate
 * names are checked before anything is used. The writer's bytes depend on its arguments only: their hash can name a
 * model. */
#ifndef EVOKED_MODELS_SAFETENSORS_H
#define EVOKED_MODELS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"

enum {
	SAFETENSORS_DIMS_MAX = 8,
	SAFETENSORS_TENSORS_MAX = 16384,
	SAFETENSORS_NAME_MAX = 256, /* with its NUL */
	SAFETENSORS_HEADER_MAX = 16 << 20,
};
#define SAFETENSORS_BYTES_MAX ((uint64_t)1 << 32)

enum safetensors_type { SAFETENSORS_F32, SAFETENSORS_F64, SAFETENSORS_I64, SAFETENSORS_I32, SAFETENSORS_U8 };

struct safetensors_tensor {
	const char *name;
	enum safetensors_type type;
	uint32_t n_dims;
	uint64_t dims[SAFETENSORS_DIMS_MAX];
	uint64_t n_values;
	const void *data; /* little-endian, C order; from a file it may not be aligned: copy it out with memcpy */
};

struct safetensors_metadata {
	const char *key, *value;
};

/* Writes tensors and metadata in the order given; n_values and sizes follow from dims. The bytes are malloc'ed. -EINVAL
 * names the tensor: a duplicate or overlong name, more than SAFETENSORS_BYTES_MAX. */
int safetensors_encode(const struct safetensors_tensor *tensors, size_t n_tensors,
		       const struct safetensors_metadata *metadata, size_t n_metadata, struct error *err,
		       void **ret_data, size_t *ret_size);

struct safetensors;

/* Borrows `data`, which must outlive the result. -EINVAL names the tensor and the field. */
int safetensors_decode(const void *data, size_t size, struct error *err, struct safetensors **ret_file);

/* The same from a file; the result owns the bytes. Errors name the file. */
int safetensors_read(const char *path, struct error *err, struct safetensors **ret_file);
void safetensors_destroy(struct safetensors *file);

size_t safetensors_n_tensors(const struct safetensors *file);
const struct safetensors_tensor *safetensors_at(const struct safetensors *file, size_t i);
const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name); /* or NULL */
const char *safetensors_metadata(const struct safetensors *file, const char *key);		     /* or NULL */

/* Copies a tensor of that name, float32, of exactly those dims. -ENOENT, -EINVAL name it and say what was found. */
int safetensors_copy_f32(const struct safetensors *file, const char *name, uint32_t n_dims, const uint64_t *dims,
			 struct error *err, float *ret_values);

#endif
