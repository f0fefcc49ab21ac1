/* Whole files or nothing: temporary file in the same folder, fsync, rename, fsync of the folder. */
#ifndef EVOKED_SUPPORT_ATOMIC_FILE_H
#define EVOKED_SUPPORT_ATOMIC_FILE_H

#include <stddef.h>

#include "support/error.h"

int atomic_file_write(const char *path, const void *data, size_t size, struct error *err);

/* Reads a whole file of at most `max` bytes; *ret_data is malloc'ed, the caller frees it. -EFBIG over the limit. */
int atomic_file_read(const char *path, size_t max, struct error *err, void **ret_data, size_t *ret_size);

#endif
