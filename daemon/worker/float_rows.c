/* An anonymous mapping, grown by a quarter beyond what is asked so that growing is rare. Failure mode: no memory (or
 * over RLIMIT_AS), with everything as before. */
#include "daemon/worker/float_rows.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

void float_rows_init(struct float_rows *rows, size_t width)
{
	*rows = (struct float_rows){.width = width};
}

void float_rows_done(struct float_rows *rows)
{
	if (rows->data)
		munmap(rows->data, rows->bytes);
	*rows = (struct float_rows){.width = rows->width};
}

int float_rows_resize(struct float_rows *rows, size_t n)
{
	size_t row_bytes = rows->width * sizeof(float), bytes = rows->bytes;
	void *data = rows->data;

	if (n > SIZE_MAX / 4 / row_bytes)
		return -ENOMEM;
	if (n * row_bytes > bytes) {
		bytes = n * row_bytes + n * row_bytes / 4;
		if (data)
			data = mremap(data, rows->bytes, bytes, MREMAP_MAYMOVE);
		else
			data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (data == MAP_FAILED)
			return -ENOMEM;
	}
	rows->data = data;
	rows->bytes = bytes;
	rows->n = n;
	return 0;
}
