/* Five handles: the process, the pipe of frames, stdout, stderr, a timer. They are closed together when the process has
 * ended and its pipes have reached their end, or WORKER_CHILD_LINGER_MS after it (something else may hold a
 * pipe open); the last one closed reports `gone` and frees the child. A pipe that ends, fails or brings what is no
 * frame while the process lives costs the process its life: without a pipe it is of no use. */
#include "daemon/worker/worker_child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon/worker/worker_program.h"

enum { READ_SIZE = 256 << 10, N_STREAMS = 3, REASON_SIZE = 256 };

struct stream {
	uv_pipe_t pipe; /* first: a handle's address is its stream's */
	bool open, ended;
	char line[WORKER_CHILD_LINE_MAX + 1];
	size_t n_line;
};

struct worker_child {
	uv_process_t process;
	uv_timer_t timer;
	struct stream frames, out, err;
	struct frame_reader *reader;
	const struct worker_child_callbacks *callbacks;
	void *ctx;
	size_t n_handles; /* open ones; the child is freed at 0 */
	size_t n_queued;  /* bytes */
	size_t n_lines;
	bool exited, closing;
	char reason[REASON_SIZE];
	char read_buffer[READ_SIZE];
};

struct write_request {
	uv_write_t request;
	struct worker_child *child;
	void *data;
	size_t size;
};

static void report_line(struct worker_child *child, const char *text)
{
	if (child->n_lines > WORKER_CHILD_LINES_MAX)
		return;
	if (child->n_lines++ == WORKER_CHILD_LINES_MAX)
		text = "further lines of this worker are dropped";
	child->callbacks->line(child->ctx, text);
}

static void flush_line(struct worker_child *child, struct stream *stream)
{
	if (!stream->n_line)
		return;
	stream->line[stream->n_line] = '\0';
	stream->n_line = 0;
	report_line(child, stream->line);
}

static void take_lines(struct worker_child *child, struct stream *stream, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n' || stream->n_line == WORKER_CHILD_LINE_MAX)
			flush_line(child, stream);
		if (data[i] != '\n' && data[i] != '\0')
			stream->line[stream->n_line++] = data[i];
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct worker_child *child = handle->data;

	if (--child->n_handles)
		return;
	child->callbacks->gone(child->ctx, child->reason);
	frame_reader_destroy(child->reader);
	free(child);
}

static void close_all(struct worker_child *child)
{
	struct stream *streams[N_STREAMS] = {&child->frames, &child->out, &child->err};

	if (child->closing)
		return;
	child->closing = true;
	flush_line(child, &child->out);
	flush_line(child, &child->err);
	uv_close((uv_handle_t *)&child->process, on_closed);
	uv_close((uv_handle_t *)&child->timer, on_closed);
	for (int i = 0; i < N_STREAMS; i++) {
		if (streams[i]->open)
			uv_close((uv_handle_t *)&streams[i]->pipe, on_closed);
		streams[i]->open = false;
	}
}

static void close_if_over(struct worker_child *child)
{
	if (child->exited && child->frames.ended && child->out.ended && child->err.ended)
		close_all(child);
}

static void on_linger(uv_timer_t *timer)
{
	close_all(timer->data);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
	struct worker_child *child = process->data;

	child->exited = true;
	if (!child->reason[0] && signal)
		snprintf(child->reason, sizeof child->reason, "killed by signal %d (%s)", signal, strsignal(signal));
	else if (!child->reason[0])
		snprintf(child->reason, sizeof child->reason, "ended with status %lld", (long long)status);
	uv_timer_start(&child->timer, on_linger, WORKER_CHILD_LINGER_MS, 0);
	close_if_over(child);
}

static void on_grace_over(uv_timer_t *timer)
{
	worker_child_kill(timer->data, "killed because it did not end by itself");
}

void worker_child_kill(struct worker_child *child, const char *reason)
{
	if (child->exited)
		return;
	if (!child->reason[0])
		snprintf(child->reason, sizeof child->reason, "%s", reason);
	uv_process_kill(&child->process, SIGKILL);
}

static void take_frames(struct worker_child *child, const char *data, size_t size)
{
	struct error err = {""};
	struct message message;
	enum frame_type type;
	uint64_t job;
	int r = frame_reader_feed(child->reader, data, size, &err);

	while (!r && (r = frame_reader_next(child->reader, &err, &type, &job, &message)) == 1) {
		child->callbacks->frame(child->ctx, type, job, &message);
		message_done(&message);
		r = 0;
	}
	if (r < 0) {
		error_prefix(&err, r, "killed because of what it sent");
		worker_child_kill(child, err.text);
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	struct worker_child *child = handle->data;

	(void)suggested;
	*ret_buffer = uv_buf_init(child->read_buffer, READ_SIZE);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buffer)
{
	struct worker_child *child = handle->data;
	struct stream *stream = (struct stream *)handle;

	if (n > 0 && stream == &child->frames) {
		take_frames(child, buffer->base, (size_t)n);
	} else if (n > 0) {
		take_lines(child, stream, buffer->base, (size_t)n);
	} else if (n < 0) {
		uv_read_stop(handle);
		stream->ended = true;
		close_if_over(child);
		if (stream == &child->frames && !child->exited && !uv_is_active((uv_handle_t *)&child->timer))
			uv_timer_start(&child->timer, on_grace_over, WORKER_CHILD_GRACE_MS, 0);
	}
}

static int open_stream(uv_loop_t *loop, struct worker_child *child, struct stream *stream)
{
	int r = uv_pipe_init(loop, &stream->pipe, 0);

	if (r)
		return r;
	stream->pipe.data = child;
	stream->open = true;
	child->n_handles++;
	return 0;
}

/* Nothing has been started: the handles made so far are closed, then the memory goes without a word. */
static void on_unused_closed(uv_handle_t *handle)
{
	struct worker_child *child = handle->data;

	if (--child->n_handles)
		return;
	frame_reader_destroy(child->reader);
	free(child);
}

static int start_process(uv_loop_t *loop, struct worker_child *child, const char *program, uint64_t memory_max)
{
	char argument[WORKER_ARGUMENT_SIZE];
	char *args[] = {(char *)program, argument, NULL};
	uv_stdio_container_t stdio[] = {
		{.flags = UV_IGNORE},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->out.pipe},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->err.pipe},
		[WORKER_PIPE_FD] = {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
				    .data.stream = (uv_stream_t *)&child->frames.pipe},
	};
	uv_process_options_t options = {
		.file = program,
		.args = args,
		.exit_cb = on_exit_status,
		.stdio = stdio,
		.stdio_count = sizeof stdio / sizeof stdio[0],
	};

	int r = worker_program_environment(&options.env);

	worker_program_argument(memory_max, argument);
	if (!r)
		r = uv_spawn(loop, &child->process, &options);
	free(options.env);
	return r;
}

int worker_child_spawn(struct uv_loop_s *loop, const char *program, uint64_t memory_max,
		       const struct worker_child_callbacks *callbacks, void *ctx, struct error *err,
		       struct worker_child **ret_child)
{
	struct worker_child *child = calloc(1, sizeof *child);
	struct stream *streams[N_STREAMS];
	int r;

	if (!child || frame_reader_create(&child->reader)) {
		free(child);
		return error_set(err, -ENOMEM, "worker: out of memory");
	}
	child->callbacks = callbacks;
	child->ctx = ctx;
	child->process.data = child->timer.data = child;
	streams[0] = &child->frames;
	streams[1] = &child->out;
	streams[2] = &child->err;
	uv_timer_init(loop, &child->timer);
	child->n_handles = 1;
	r = 0;
	for (int i = 0; i < N_STREAMS && !r; i++)
		r = open_stream(loop, child, streams[i]);
	if (r)
		goto out_handles;
	r = start_process(loop, child, program, memory_max);
	child->n_handles++; /* uv_spawn initializes the handle even when it fails */
	if (r) {
		uv_close((uv_handle_t *)&child->process, on_unused_closed);
		goto out_handles;
	}
	for (int i = 0; i < N_STREAMS; i++) {
		if (uv_read_start((uv_stream_t *)&streams[i]->pipe, on_alloc, on_read))
			streams[i]->ended = true;
	}
	*ret_child = child;
	return 0;

out_handles:
	error_set(err, r, "worker: cannot start %s: %s", program, uv_strerror(r));
	for (int i = 0; i < N_STREAMS; i++) {
		if (streams[i]->open)
			uv_close((uv_handle_t *)&streams[i]->pipe, on_unused_closed);
	}
	uv_close((uv_handle_t *)&child->timer, on_unused_closed);
	return r;
}

static void on_written(uv_write_t *request, int status)
{
	struct write_request *write = (struct write_request *)request;
	struct worker_child *child = write->child;

	child->n_queued -= write->size;
	free(write->data);
	free(write);
	/* A failed write needs nothing here: the end of the pipe is seen by the reader. */
	if (!status && !child->n_queued && !child->closing)
		child->callbacks->written(child->ctx);
}

int worker_child_send(struct worker_child *child, enum frame_type type, uint64_t job, const struct message *message,
		      struct error *err)
{
	struct write_request *write;
	int r;

	if (!child->frames.open || child->frames.ended)
		return error_set(err, -EPIPE, "worker: its pipe is closed");
	write = calloc(1, sizeof *write);
	if (!write)
		return error_set(err, -ENOMEM, "worker: out of memory");
	write->child = child;
	r = frame_encode(type, job, message, err, &write->data, &write->size);
	if (r)
		goto out_write;
	if (write->size > WORKER_CHILD_QUEUE_BYTES_MAX - child->n_queued) {
		r = error_set(err, -ENOBUFS, "worker: at most %d bytes may wait for it, %zu do",
			      WORKER_CHILD_QUEUE_BYTES_MAX, child->n_queued);
		goto out_write;
	}
	uv_buf_t buffer = uv_buf_init(write->data, (unsigned)write->size);
	r = uv_write(&write->request, (uv_stream_t *)&child->frames.pipe, &buffer, 1, on_written);
	if (r) {
		error_set(err, r, "worker: its pipe: %s", uv_strerror(r));
		goto out_write;
	}
	child->n_queued += write->size;
	return 0;

out_write:
	free(write->data);
	free(write);
	return r;
}

int worker_child_pid(const struct worker_child *child)
{
	return uv_process_get_pid(&child->process);
}

void worker_child_end(struct worker_child *child)
{
	if (child->exited || !child->frames.open)
		return;
	child->frames.open = false;
	child->frames.ended = true;
	uv_close((uv_handle_t *)&child->frames.pipe, on_closed);
	uv_timer_start(&child->timer, on_grace_over, WORKER_CHILD_GRACE_MS, 0);
}
