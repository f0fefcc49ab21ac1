/* For tests: a zip of stored (uncompressed) entries, made byte by byte so that a test can break it where it likes. */
#ifndef EVOKED_TESTS_ZIP_WRITER_H
#define EVOKED_TESTS_ZIP_WRITER_H

#include <stddef.h>
#include <stdint.h>

enum { ZIP_WRITER_MAX = 1 << 18, ZIP_WRITER_DIRECTORY_MAX = 2048 };

/* Zero it to begin. */
struct zip_writer {
	uint8_t bytes[ZIP_WRITER_MAX], directory[ZIP_WRITER_DIRECTORY_MAX];
	size_t size, directory_size;
	unsigned n_entries;
};

void zip_writer_add(struct zip_writer *zip, const char *name, const void *data, size_t size);
void zip_writer_write(struct zip_writer *zip, const char *path);

#endif
