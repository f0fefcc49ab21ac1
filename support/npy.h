/* NumPy .npy files: float32, float64, uint8, uint16, int64 read as they are; float32 written. Little-endian, C order.
 */
#ifndef EVOKED_SUPPORT_NPY_H
#define EVOKED_SUPPORT_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"

enum { NPY_DIMS_MAX = 8, NPY_HEADER_MAX = 65536 };
#define NPY_BYTES_MAX ((uint64_t)1 << 33)

enum npy_type { NPY_F32, NPY_F64, NPY_U8, NPY_U16, NPY_I64 };

struct npy {
	enum npy_type type;
	uint32_t n_dims;
	uint64_t dims[NPY_DIMS_MAX];
	uint64_t n_values;
	void *values; /* owned; 64-byte aligned */
};

/* -EINVAL (what is wrong and where), -ENOENT, -EIO, -ENOMEM. Fortran order is turned. */
int npy_read(const char *path, struct error *err, struct npy *ret_npy);
int npy_parse(const void *data, size_t size, struct error *err, struct npy *ret_npy);
void npy_done(struct npy *npy);

/* Value i as double, whatever the type. */
double npy_value(const struct npy *npy, uint64_t i);

/* Writes float32 [dims...] atomically (temporary file, fsync, rename). */
int npy_write_f32(const char *path, uint32_t n_dims, const uint64_t *dims, const float *values, struct error *err);

#endif
