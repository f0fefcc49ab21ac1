/* A blocking end of the worker's pipe: the worker's own, and that of a client without a loop. One thread. */
#ifndef EVOKED_DAEMON_WORKER_FRAME_PIPE_H
#define EVOKED_DAEMON_WORKER_FRAME_PIPE_H

#include <stdint.h>

#include "daemon/worker/frame.h"
#include "protocol/message.h"
#include "support/error.h"

enum { FRAME_PIPE_FOREVER = -1 };

struct frame_pipe {
	int fd; /* the caller's */
	struct frame_reader *reader;
};

/* `fd`: a stream socket; it stays the caller's. -ENOMEM. */
int frame_pipe_init(struct frame_pipe *pipe, int fd);
void frame_pipe_done(struct frame_pipe *pipe);

/* Writes a whole frame. -EPIPE when the other side is gone, other -errno, and what frame_encode gives. */
int frame_pipe_send(struct frame_pipe *pipe, enum frame_type type, uint64_t job, const struct message *message,
		    struct error *err);

/* 1 and the next frame (the message owns its memory); 0 when none came within timeout_ms (0: what is there already;
 * FRAME_PIPE_FOREVER); -EPIPE at the end of the pipe; -EPROTO for what is no frame; other -errno. */
int frame_pipe_receive(struct frame_pipe *pipe, int timeout_ms, struct error *err, enum frame_type *ret_type,
		       uint64_t *ret_job, struct message *ret_message);

#endif
