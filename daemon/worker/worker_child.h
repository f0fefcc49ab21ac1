/* One worker process on the loop: its pipe of frames, its log lines, its end. The supervisor's tool. Loop thread only.
 */
#ifndef EVOKED_DAEMON_WORKER_WORKER_CHILD_H
#define EVOKED_DAEMON_WORKER_WORKER_CHILD_H

#include <stdint.h>

#include "daemon/worker/frame.h"
#include "protocol/message.h"
#include "support/error.h"

enum {
	WORKER_CHILD_QUEUE_BYTES_MAX = 64 << 20, /* frames not yet taken by the worker */
	WORKER_CHILD_LINE_MAX = 1024,		 /* bytes of a log line; a longer one is cut into several */
	WORKER_CHILD_LINES_MAX = 1000,		 /* of one worker's life; what comes after is dropped, said once */
	WORKER_CHILD_GRACE_MS = 1000,		 /* from EOF to SIGKILL */
	WORKER_CHILD_LINGER_MS = 500,		 /* from the process's end to the end of its pipes */
};

struct uv_loop_s;
struct worker_child;

struct worker_child_callbacks {
	/* A whole frame; the message is borrowed. */
	void (*frame)(void *ctx, enum frame_type type, uint64_t job, const struct message *message);
	/* Everything queued has been written. */
	void (*written)(void *ctx);
	/* A line of its stdout or stderr. */
	void (*line)(void *ctx, const char *text);
	/* The process has ended and all that it wrote has been passed on; `reason` says how ("killed by signal 9").
	 * The child is freed after this returns. */
	void (*gone)(void *ctx, const char *reason);
};

/* -ENOENT and the like when the program cannot be started; then no callback comes. */
int worker_child_spawn(struct uv_loop_s *loop, const char *program, uint64_t memory_max,
		       const struct worker_child_callbacks *callbacks, void *ctx, struct error *err,
		       struct worker_child **ret_child);

/* Queues a frame. -ENOBUFS over WORKER_CHILD_QUEUE_BYTES_MAX, -EPIPE when the pipe is closed, and what frame_encode
 * gives. */
int worker_child_send(struct worker_child *child, enum frame_type type, uint64_t job, const struct message *message,
		      struct error *err);

int worker_child_pid(const struct worker_child *child);

/* Closes the pipe, which a worker takes as the end, and kills after WORKER_CHILD_GRACE_MS. */
void worker_child_end(struct worker_child *child);
/* SIGKILL; `reason` is what `gone` will say. */
void worker_child_kill(struct worker_child *child, const char *reason);

#endif
