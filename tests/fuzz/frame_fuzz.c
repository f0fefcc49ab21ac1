/* Bytes from the worker's pipe: cut in two at a place the input itself names, fed, and read as frames and rows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/worker/data_frame.h"
#include "daemon/worker/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct frame_reader *reader)
{
	struct message message;
	enum frame_type type;
	uint64_t job;

	while (frame_reader_next(reader, NULL, &type, &job, &message) == 1) {
		struct store_row *rows;
		int64_t through_seq;
		size_t n;

		if (type == FRAME_DATA && !data_frame_rows(&message, NULL, &through_seq, &n, &rows))
			free(rows);
		message_done(&message);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader *reader;

	if (!size || frame_reader_create(&reader))
		return 0;
	size_t cut = data[size - 1] % size;

	if (!frame_reader_feed(reader, data, cut, NULL)) {
		read_all(reader);
		if (!frame_reader_feed(reader, data + cut, size - cut, NULL))
			read_all(reader);
	}
	frame_reader_destroy(reader);
	return 0;
}
