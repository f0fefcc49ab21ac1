/* Frames on the worker's pipe: a message of protocol/message.h behind a fixed binary prefix (README.md). */
#ifndef EVOKED_DAEMON_WORKER_FRAME_H
#define EVOKED_DAEMON_WORKER_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/message.h"
#include "support/error.h"

enum { FRAME_HEADER_MAX = 16 << 20, FRAME_BYTES_MAX = 256 << 20, FRAME_VERSION = 1 };

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_SETUP,
	FRAME_DATA,
	FRAME_JOB,
	FRAME_PROGRESS,
	FRAME_CANCEL,
	FRAME_RESULT,
	FRAME_ERROR,
};

/* The name of a type, as in the header. */
const char *frame_type_name(enum frame_type type);

/* The bytes of a frame, malloc'ed in one piece. */
int frame_encode(enum frame_type type, uint64_t job, const struct message *message, struct error *err, void **ret_data,
		 size_t *ret_size);

/* A decoder that is fed with whatever arrived; bounded by FRAME_BYTES_MAX. */
struct frame_reader;
int frame_reader_create(struct frame_reader **ret_reader);
void frame_reader_destroy(struct frame_reader *reader);
/* Takes all bytes. -EPROTO for what is not a frame: the pipe is then of no more use. */
int frame_reader_feed(struct frame_reader *reader, const void *data, size_t size, struct error *err);
/* 1 and the next whole frame (the message owns its memory), 0 when there is none, or -EPROTO. */
int frame_reader_next(struct frame_reader *reader, struct error *err, enum frame_type *ret_type, uint64_t *ret_job,
		      struct message *ret_message);

#endif
