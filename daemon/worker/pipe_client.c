/* posix_spawn with the worker's end of a socket pair on WORKER_PIPE_FD. Both ends are close-on-exec: the spawn's dup2
 * makes the only copy that a child keeps. Failure modes: the program cannot be started, the worker dies (-EPIPE:
 * whoever asks next is told the same), it refuses (-EINVAL). */
#include "daemon/worker/pipe_client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/worker/data_frame.h"
#include "daemon/worker/frame_pipe.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/worker_program.h"

enum { HELLO_WAIT_MS = 30000, END_WAIT_MS = 3000, END_LOOK_MS = 5 };

struct pipe_client {
	struct frame_pipe pipe;
	pid_t pid;
	json_t *hello;
};

static int spawn(const char *path, uint64_t memory_max, int fd, pid_t *ret_pid)
{
	char argument[WORKER_ARGUMENT_SIZE];
	char *argv[] = {(char *)path, argument, NULL};
	posix_spawn_file_actions_t actions;
	char **environment;
	int r = worker_program_environment(&environment);

	if (r)
		return r;
	r = posix_spawn_file_actions_init(&actions);
	if (r) {
		free(environment);
		return -r;
	}
	worker_program_argument(memory_max, argument);
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, fd, WORKER_PIPE_FD);
	if (!r)
		r = posix_spawn(ret_pid, path, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	free(environment);
	return -r;
}

static int wait_for_hello(struct pipe_client *client, struct error *err)
{
	struct message message;
	enum frame_type type;
	uint64_t job;
	int r = frame_pipe_receive(&client->pipe, HELLO_WAIT_MS, err, &type, &job, &message);

	if (r == 1 && type != FRAME_HELLO) {
		message_done(&message);
		return error_set(err, -EPROTO, "worker: hello expected, found %s", frame_type_name(type));
	}
	if (r != 1)
		return r ? error_prefix(err, r, "worker") : error_set(err, -ETIMEDOUT, "worker: it said no hello");
	client->hello = json_incref(message.header);
	message_done(&message);
	return 0;
}

int pipe_client_start(const char *program, uint64_t memory_max, struct error *err, struct pipe_client **ret_client)
{
	struct pipe_client *client = calloc(1, sizeof *client);
	char path[4096];
	int fds[2], r;

	if (!client)
		return error_set(err, -ENOMEM, "worker: out of memory");
	client->pipe.fd = -1;
	r = worker_program_path(program, err, path, sizeof path);
	if (r)
		goto out_client;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) {
		r = error_set(err, -errno, "worker: %s", strerror(errno));
		goto out_client;
	}
	r = frame_pipe_init(&client->pipe, fds[0]);
	if (r)
		error_set(err, r, "worker: out of memory");
	else if ((r = spawn(path, memory_max, fds[1], &client->pid)))
		error_set(err, r, "worker: cannot start %s: %s", path, strerror(-r));
	close(fds[1]);
	if (!r)
		r = wait_for_hello(client, err);
	if (r)
		goto out_client;
	*ret_client = client;
	return 0;

out_client:
	pipe_client_stop(client);
	return r;
}

const json_t *pipe_client_hello(const struct pipe_client *client)
{
	return client->hello;
}

pid_t pipe_client_pid(const struct pipe_client *client)
{
	return client->pid;
}

static int send_object(struct pipe_client *client, enum frame_type type, uint64_t job, json_t *object,
		       struct error *err)
{
	struct message message;
	int r = message_init(frame_type_name(type), -1, &message);

	if (!r && object && json_object_update_missing(message.header, object))
		r = -ENOMEM;
	if (r)
		error_set(err, r, "worker: out of memory");
	else
		r = frame_pipe_send(&client->pipe, type, job, &message, err);
	message_done(&message);
	return r;
}

static int refusal(const struct message *message, struct error *err)
{
	const char *text = json_string_value(json_object_get(message->header, ERROR_TEXT));

	return error_set(err, -EINVAL, "%s", text ? text : "refused without a reason");
}

static bool ask_watch(const struct pipe_client_watch *watch, const struct message *progress)
{
	const json_t *header = progress ? progress->header : NULL;
	const char *what = json_string_value(json_object_get(header, PROGRESS_WHAT));

	return watch && watch->progress &&
	       watch->progress(watch->ctx, json_integer_value(json_object_get(header, PROGRESS_DONE)),
			       json_integer_value(json_object_get(header, PROGRESS_PLANNED)), what ? what : "");
}

/* Until the result or error of `job`. */
static int wait_for_end(struct pipe_client *client, uint64_t job, const struct pipe_client_watch *watch,
			struct error *err, struct message *ret_result)
{
	bool cancelled = false, cancel;

	for (;;) {
		struct message message;
		enum frame_type type;
		uint64_t of_job;
		int r = frame_pipe_receive(&client->pipe, PIPE_CLIENT_WAIT_MS, err, &type, &of_job, &message);

		if (r < 0)
			return error_prefix(err, r, "worker");
		if (r == 1 && of_job == job && type == FRAME_RESULT) {
			*ret_result = message;
			return 0;
		}
		if (r == 1 && of_job == job && type == FRAME_ERROR) {
			r = refusal(&message, err);
			message_done(&message);
			return r;
		}
		cancel = ask_watch(watch, r == 1 && type == FRAME_PROGRESS ? &message : NULL);
		if (r == 1)
			message_done(&message);
		if (cancel && !job)
			return error_set(err, -EINTR, "interrupted");
		if (cancel && !cancelled) {
			cancelled = true;
			r = send_object(client, FRAME_CANCEL, job, NULL, err);
			if (r)
				return r;
		}
	}
}

int pipe_client_setup(struct pipe_client *client, json_t *setup, const struct pipe_client_watch *watch,
		      struct error *err, struct message *ret_result)
{
	int r = send_object(client, FRAME_SETUP, 0, setup, err);

	return r ? r : wait_for_end(client, 0, watch, err, ret_result);
}

int pipe_client_rows(struct pipe_client *client, const struct store_page *page, struct error *err)
{
	struct message message;
	int r = data_frame_make(page, err, &message);

	if (r)
		return r;
	r = frame_pipe_send(&client->pipe, FRAME_DATA, 0, &message, err);
	message_done(&message);
	return r;
}

int pipe_client_job(struct pipe_client *client, uint64_t job, json_t *spec, const struct pipe_client_watch *watch,
		    struct error *err, struct message *ret_result)
{
	int r = send_object(client, FRAME_JOB, job, spec, err);

	return r ? r : wait_for_end(client, job, watch, err, ret_result);
}

/* A worker that is at work sees the end of its pipe at the next unit boundary; nobody waits long for that. */
static void wait_for_exit(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = END_LOOK_MS * 1000000L};

	for (int waited_ms = 0; waited_ms < END_WAIT_MS; waited_ms += END_LOOK_MS) {
		if (waitpid(pid, NULL, WNOHANG))
			return;
		nanosleep(&pause, NULL);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void pipe_client_stop(struct pipe_client *client)
{
	if (!client)
		return;
	frame_pipe_done(&client->pipe);
	if (client->pipe.fd >= 0)
		close(client->pipe.fd);
	if (client->pid > 0)
		wait_for_exit(client->pid);
	json_decref(client->hello);
	free(client);
}
