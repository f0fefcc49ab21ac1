/* Whole files or nothing: temporary file in the same folder, fsync, rename, fsync of the folder. */
#ifndef EVOKED_SUPPORT_ATOMIC_FILE_H
#define EVOKED_SUPPORT_ATOMIC_FILE_H

#include <stddef.h>
#include <sys/uio.h>

#include "support/error.h"

/* After success the new content is on disk under `path`; after a failure (negative errno; the error names the path and
 * the step) the old file is as it was and no temporary file is left. Symbolic links at `path` are replaced, not
 * followed. */
int atomic_file_write(const char *path, const void *data, size_t size, struct error *err);

/* The same from several pieces, one after another. */
int atomic_file_write_parts(const char *path, const struct iovec *parts, size_t n_parts, struct error *err);

/* Reads a whole regular file of at most `max` bytes. *ret_data is malloc'ed, with a NUL after its last byte that
 * *ret_size does not count; the caller frees it. -EFBIG over the limit, -ENOENT, -EIO. */
int atomic_file_read(const char *path, size_t max, struct error *err, void **ret_data, size_t *ret_size);

#endif
