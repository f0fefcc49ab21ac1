/* Local header, name and data of each entry; then the directory; then its end record (APPNOTE 4.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support/atomic_file.h"
#include "zip_writer.h"

static void put(uint8_t *bytes, size_t *at, uint64_t value, int n)
{
	for (int i = 0; i < n; i++)
		bytes[(*at)++] = (uint8_t)(value >> (8 * i));
}

static uint32_t crc_of(const uint8_t *data, size_t size)
{
	uint32_t crc = ~0u;

	for (size_t k = 0; k < size; k++) {
		crc ^= data[k];
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

void zip_writer_add(struct zip_writer *zip, const char *name, const void *data, size_t size)
{
	size_t n = strlen(name), start = zip->size;
	uint32_t crc = crc_of(data, size);

	assert_true(zip->size + size + n + 30 < ZIP_WRITER_MAX - ZIP_WRITER_DIRECTORY_MAX);
	assert_true(zip->directory_size + n + 46 < ZIP_WRITER_DIRECTORY_MAX);
	put(zip->bytes, &zip->size, 0x04034b50, 4);
	for (int directory = 0; directory < 2; directory++) {
		uint8_t *bytes = directory ? zip->directory : zip->bytes;
		size_t *at = directory ? &zip->directory_size : &zip->size;

		if (directory)
			put(bytes, at, 20ull << 32 | 0x02014b50, 6);
		put(bytes, at, 20, 2);
		put(bytes, at, 0, 8); /* flags, stored, time, date */
		put(bytes, at, crc, 4);
		put(bytes, at, size, 4);
		put(bytes, at, size, 4);
		put(bytes, at, n, 2);
		put(bytes, at, 0, 2); /* extra field */
		if (directory) {
			put(bytes, at, 0, 6); /* comment, disk, internal attributes */
			put(bytes, at, 0, 4);
			put(bytes, at, start, 4);
		}
		memcpy(bytes + *at, name, n);
		*at += n;
	}
	memcpy(zip->bytes + zip->size, data, size);
	zip->size += size;
	zip->n_entries++;
}

void zip_writer_write(struct zip_writer *zip, const char *path)
{
	size_t start = zip->size;

	memcpy(zip->bytes + zip->size, zip->directory, zip->directory_size);
	zip->size += zip->directory_size;
	put(zip->bytes, &zip->size, 0x06054b50, 8);
	put(zip->bytes, &zip->size, zip->n_entries, 2);
	put(zip->bytes, &zip->size, zip->n_entries, 2);
	put(zip->bytes, &zip->size, zip->directory_size, 4);
	put(zip->bytes, &zip->size, start, 4);
	put(zip->bytes, &zip->size, 0, 2);
	assert_int_equal(atomic_file_write(path, zip->bytes, zip->size, NULL), 0);
}
