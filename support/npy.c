/* Reads the magic, the version, the header (a Python dict literal: three keys, in any order) and then the values, whose
 * number must fit the file exactly. Every failure says which part of the file is wrong. Fortran order is turned to C.
 */
#include "support/npy.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/atomic_file.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the values are read as they lie in the file");

static const struct {
	const char *descr;
	size_t size;
} types[] = {
	[NPY_F32] = {"<f4", 4}, [NPY_F64] = {"<f8", 8}, [NPY_U8] = {"|u1", 1},
	[NPY_U16] = {"<u2", 2}, [NPY_I64] = {"<i8", 8},
};

/* The text after "'key':" and blanks, or NULL. */
static const char *find_key(const char *header, const char *key)
{
	char quoted[32];

	for (const char *quote = "'\""; *quote; quote++) {
		snprintf(quoted, sizeof quoted, "%c%s%c", *quote, key, *quote);
		const char *at = strstr(header, quoted);

		if (!at)
			continue;
		at += strlen(quoted);
		at += strspn(at, " ");
		if (*at != ':')
			continue;
		return at + 1 + strspn(at + 1, " ");
	}
	return NULL;
}

static int parse_type(const char *header, struct error *err, struct npy *npy)
{
	const char *at = find_key(header, "descr");

	if (!at || (*at != '\'' && *at != '"'))
		return error_set(err, -EINVAL, "npy header: descr is missing or not a plain type");
	size_t length = strcspn(at + 1, "'\"");
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (length == strlen(types[i].descr) && !strncmp(at + 1, types[i].descr, length)) {
			npy->type = (enum npy_type)i;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "npy header: descr is '%.*s', one of <f4 <f8 |u1 <u2 <i8 was expected",
			 (int)(length > 32 ? 32 : length), at + 1);
}

static int parse_order(const char *header, struct error *err, bool *ret_fortran)
{
	const char *at = find_key(header, "fortran_order");

	if (at && !strncmp(at, "True", 4))
		*ret_fortran = true;
	else if (at && !strncmp(at, "False", 5))
		*ret_fortran = false;
	else
		return error_set(err, -EINVAL, "npy header: fortran_order is missing or neither True nor False");
	return 0;
}

static int parse_shape(const char *header, struct error *err, struct npy *npy)
{
	const char *at = find_key(header, "shape");
	uint64_t n_values = 1;

	if (!at || *at != '(')
		return error_set(err, -EINVAL, "npy header: shape is missing or not a tuple");
	at++;
	npy->n_dims = 0;
	for (;;) {
		char *end;

		at += strspn(at, " ");
		if (*at == ')')
			break;
		if (!isdigit((unsigned char)*at))
			return error_set(err, -EINVAL, "npy header: shape[%u] is not a number", npy->n_dims);
		if (npy->n_dims == NPY_DIMS_MAX)
			return error_set(err, -EINVAL, "npy header: shape has more than %d dimensions", NPY_DIMS_MAX);
		errno = 0;
		uint64_t dim = strtoumax(at, &end, 10);
		if (errno || __builtin_mul_overflow(n_values, dim, &n_values) || n_values > NPY_BYTES_MAX)
			return error_set(err, -EINVAL, "npy header: shape[%u] makes the array larger than %" PRIu64,
					 npy->n_dims, NPY_BYTES_MAX);
		npy->dims[npy->n_dims++] = dim;
		at = end + strspn(end, " ");
		if (*at == ',')
			at++;
		else if (*at != ')')
			return error_set(err, -EINVAL, "npy header: shape is not closed");
	}
	npy->n_values = n_values;
	return 0;
}

/* Values of a Fortran-ordered file into C order: a walk over the C order that keeps the index of each dimension. */
static void turn_order(const struct npy *npy, const uint8_t *from, uint8_t *to)
{
	size_t size = types[npy->type].size;
	uint64_t index[NPY_DIMS_MAX] = {0};

	for (uint64_t i = 0; i < npy->n_values; i++) {
		uint64_t at = 0;

		for (uint32_t d = npy->n_dims; d-- > 0;)
			at = at * npy->dims[d] + index[d];
		memcpy(to + i * size, from + at * size, size);
		for (uint32_t d = npy->n_dims; d-- > 0 && ++index[d] == npy->dims[d];)
			index[d] = 0;
	}
}

/* Splits the file into header text (a copy with a NUL) and values. */
static int split(const uint8_t *bytes, size_t size, struct error *err, char **ret_header, size_t *ret_offset)
{
	if (size < 10 || memcmp(bytes, "\x93NUMPY", 6))
		return error_set(err, -EINVAL, "not an npy file: it does not begin with \\x93NUMPY");
	if (bytes[6] < 1 || bytes[6] > 3)
		return error_set(err, -EINVAL, "npy version %u.%u, 1 to 3 are known", bytes[6], bytes[7]);
	size_t start = bytes[6] == 1 ? 10 : 12;
	if (size < start)
		return error_set(err, -EINVAL, "npy header: the file ends after %zu bytes", size);
	size_t length = bytes[8] | (size_t)bytes[9] << 8;
	if (bytes[6] > 1)
		length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
	if (length > NPY_HEADER_MAX)
		return error_set(err, -EINVAL, "npy header: %zu bytes, at most %d", length, NPY_HEADER_MAX);
	if (length > size - start)
		return error_set(err, -EINVAL, "npy header: %zu bytes, the file has %zu", length, size - start);
	char *header = strndup((const char *)bytes + start, length);
	if (!header)
		return error_set(err, -ENOMEM, "npy header: out of memory");
	*ret_header = header;
	*ret_offset = start + length;
	return 0;
}

static int parse_values(const uint8_t *bytes, size_t size, bool fortran, struct error *err, struct npy *npy)
{
	uint64_t expected = npy->n_values * types[npy->type].size;

	if (size != expected)
		return error_set(err, -EINVAL, "npy values: %zu bytes, the shape needs %" PRIu64, size, expected);
	npy->values = aligned_alloc(64, (expected + 64) / 64 * 64);
	if (!npy->values)
		return error_set(err, -ENOMEM, "npy values: no memory for %" PRIu64 " bytes", expected);
	if (fortran && npy->n_dims > 1)
		turn_order(npy, bytes, npy->values);
	else
		memcpy(npy->values, bytes, size);
	return 0;
}

int npy_parse(const void *data, size_t size, struct error *err, struct npy *ret_npy)
{
	struct npy npy = {0};
	char *header = NULL;
	size_t offset = 0;
	bool fortran = false;

	int r = split(data, size, err, &header, &offset);
	if (r)
		return r;
	r = parse_type(header, err, &npy);
	if (!r)
		r = parse_order(header, err, &fortran);
	if (!r)
		r = parse_shape(header, err, &npy);
	if (!r)
		r = parse_values((const uint8_t *)data + offset, size - offset, fortran, err, &npy);
	free(header);
	if (!r)
		*ret_npy = npy;
	return r;
}

int npy_read(const char *path, struct error *err, struct npy *ret_npy)
{
	void *data;
	size_t size;

	int r = atomic_file_read(path, NPY_BYTES_MAX, err, &data, &size);
	if (r)
		return r;
	r = npy_parse(data, size, err, ret_npy);
	if (r)
		error_prefix(err, r, "%s", path);
	free(data);
	return r;
}

void npy_done(struct npy *npy)
{
	free(npy->values);
	*npy = (struct npy){0};
}

double npy_value(const struct npy *npy, uint64_t i)
{
	switch (npy->type) {
	case NPY_F32:
		return ((const float *)npy->values)[i];
	case NPY_F64:
		return ((const double *)npy->values)[i];
	case NPY_U8:
		return ((const uint8_t *)npy->values)[i];
	case NPY_U16:
		return ((const uint16_t *)npy->values)[i];
	case NPY_I64:
		return (double)((const int64_t *)npy->values)[i];
	}
	return 0.0;
}

int npy_write_f32(const char *path, uint32_t n_dims, const uint64_t *dims, const float *values, struct error *err)
{
	char header[512] = "\x93NUMPY\x01";
	char shape[NPY_DIMS_MAX * 22 + 1] = "";
	uint64_t n_values = 1;
	size_t at = 0;

	if (n_dims > NPY_DIMS_MAX)
		return error_set(err, -EINVAL, "%s: %u dimensions, at most %d", path, n_dims, NPY_DIMS_MAX);
	for (uint32_t d = 0; d < n_dims; d++) {
		if (__builtin_mul_overflow(n_values, dims[d], &n_values) || n_values > NPY_BYTES_MAX / sizeof *values)
			return error_set(err, -EINVAL, "%s: more than %" PRIu64 " bytes", path, NPY_BYTES_MAX);
		at += (size_t)snprintf(shape + at, sizeof shape - at, "%" PRIu64 ", ", dims[d]);
	}
	int length = snprintf(header + 10, sizeof header - 10,
			      "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
	/* Padded with blanks and a newline so that the values begin at a multiple of 64. */
	size_t total = (10 + (size_t)length + 1 + 63) / 64 * 64;
	memset(header + 10 + length, ' ', total - 10 - (size_t)length);
	header[total - 1] = '\n';
	header[8] = (char)((total - 10) & 0xff);
	header[9] = (char)((total - 10) >> 8);

	union {
		const void *in;
		void *out;
	} base = {.in = values};
	struct iovec parts[] = {
		{.iov_base = header, .iov_len = total},
		{.iov_base = base.out, .iov_len = n_values * sizeof *values},
	};
	return atomic_file_write_parts(path, parts, 2, err);
}
