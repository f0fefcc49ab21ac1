/* poll() and recv() into the frame reader; send() until a frame is out. MSG_NOSIGNAL: a closed pipe is an error code,
 * not a signal. Failure modes: the other side gone (-EPIPE), no frame (-EPROTO), the system's. */
#include "daemon/worker/frame_pipe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { CHUNK_SIZE = 64 << 10 };

int frame_pipe_init(struct frame_pipe *pipe, int fd)
{
	pipe->fd = fd;
	pipe->reader = NULL;
	return frame_reader_create(&pipe->reader);
}

void frame_pipe_done(struct frame_pipe *pipe)
{
	frame_reader_destroy(pipe->reader);
	pipe->reader = NULL;
}

static int system_error(int code, struct error *err)
{
	if (code == EPIPE || code == ECONNRESET)
		return error_set(err, -EPIPE, "pipe: the other side is gone");
	return error_set(err, -code, "pipe: %s", strerror(code));
}

static int send_all(int fd, const uint8_t *data, size_t size, struct error *err)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return system_error(errno, err);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int frame_pipe_send(struct frame_pipe *pipe, enum frame_type type, uint64_t job, const struct message *message,
		    struct error *err)
{
	void *data;
	size_t size;
	int r = frame_encode(type, job, message, err, &data, &size);

	if (r)
		return r;
	r = send_all(pipe->fd, data, size, err);
	free(data);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One chunk into the reader: 1, 0 at the deadline (-1: none), or a negative errno. */
static int read_chunk(struct frame_pipe *pipe, int64_t deadline_ms, struct error *err)
{
	uint8_t chunk[CHUNK_SIZE];
	struct pollfd p = {.fd = pipe->fd, .events = POLLIN};
	int64_t left = deadline_ms < 0 ? -1 : deadline_ms - now_ms();

	if (deadline_ms >= 0 && left < 0)
		left = 0;
	int n_ready = poll(&p, 1, (int)left);
	if (n_ready < 0)
		return errno == EINTR ? 1 : system_error(errno, err);
	if (!n_ready)
		return 0;
	ssize_t n = recv(pipe->fd, chunk, sizeof chunk, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : system_error(errno, err);
	if (!n)
		return system_error(EPIPE, err);
	int r = frame_reader_feed(pipe->reader, chunk, (size_t)n, err);
	return r ? r : 1;
}

int frame_pipe_receive(struct frame_pipe *pipe, int timeout_ms, struct error *err, enum frame_type *ret_type,
		       uint64_t *ret_job, struct message *ret_message)
{
	int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;

	for (;;) {
		int r = frame_reader_next(pipe->reader, err, ret_type, ret_job, ret_message);

		if (!r) {
			r = read_chunk(pipe, deadline_ms, err);
			if (r == 1)
				continue;
		}
		return r;
	}
}
