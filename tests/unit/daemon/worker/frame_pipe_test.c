/* Whole frames over a socket, time limits, and the end of the other side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/worker/frame_pipe.h"

enum { LARGE = 5 << 20 };

struct fixture {
	int fds[2];
	struct frame_pipe a, b;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->fds), 0);
	assert_int_equal(frame_pipe_init(&f->a, f->fds[0]), 0);
	assert_int_equal(frame_pipe_init(&f->b, f->fds[1]), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	frame_pipe_done(&f->a);
	frame_pipe_done(&f->b);
	close(f->fds[0]);
	close(f->fds[1]);
	free(f);
	return 0;
}

static int send_large(struct frame_pipe *pipe, const uint8_t *data)
{
	struct message message;
	uint64_t size = LARGE;
	int r = message_init("data", -1, &message);

	if (!r)
		r = message_add_array(&message, "bytes", MESSAGE_BYTES, 1, &size, data, NULL);
	if (!r)
		r = frame_pipe_send(pipe, FRAME_DATA, 3, &message, NULL);
	message_done(&message);
	return r;
}

struct sender {
	struct frame_pipe *pipe;
	const uint8_t *data;
	int status;
};

static void *send_from_thread(void *arg)
{
	struct sender *sender = arg;

	sender->status = send_large(sender->pipe, sender->data);
	return NULL;
}

/* More than the socket's buffer holds: comes whole. */
static void large_frame(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = malloc(LARGE);
	struct sender sender = {.pipe = &f->a, .data = data};
	struct message message;
	enum frame_type type;
	uint64_t job;
	pthread_t thread;

	for (size_t i = 0; i < LARGE; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(pthread_create(&thread, NULL, send_from_thread, &sender), 0);
	assert_int_equal(frame_pipe_receive(&f->b, FRAME_PIPE_FOREVER, NULL, &type, &job, &message), 1);
	pthread_join(thread, NULL);
	assert_int_equal(sender.status, 0);
	assert_int_equal(type, FRAME_DATA);
	assert_int_equal(job, 3);
	assert_memory_equal(message.arrays[0].data, data, LARGE);
	message_done(&message);
	free(data);
}

static void nothing_there(void **state)
{
	struct fixture *f = *state;
	struct message message;
	enum frame_type type;
	uint64_t job;

	assert_int_equal(frame_pipe_receive(&f->b, 0, NULL, &type, &job, &message), 0);
	assert_int_equal(frame_pipe_receive(&f->b, 5, NULL, &type, &job, &message), 0);
	/* Half a frame is nothing yet. */
	assert_int_equal(write(f->fds[0], "EVKW\1\0", 6), 6);
	assert_int_equal(frame_pipe_receive(&f->b, 5, NULL, &type, &job, &message), 0);
}

static void other_side_gone(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = calloc(1, LARGE);
	struct message message;
	struct error err;
	enum frame_type type;
	uint64_t job;

	shutdown(f->fds[0], SHUT_RDWR);
	assert_int_equal(frame_pipe_receive(&f->b, FRAME_PIPE_FOREVER, &err, &type, &job, &message), -EPIPE);
	assert_non_null(strstr(err.text, "gone"));
	assert_int_equal(send_large(&f->b, data), -EPIPE);
	free(data);
}

static void garbage(void **state)
{
	struct fixture *f = *state;
	struct message message;
	enum frame_type type;
	uint64_t job;

	assert_int_equal(write(f->fds[0], "HTTP/1.1", 8), 8);
	assert_int_equal(frame_pipe_receive(&f->b, FRAME_PIPE_FOREVER, NULL, &type, &job, &message), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(large_frame, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_side_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(garbage, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
