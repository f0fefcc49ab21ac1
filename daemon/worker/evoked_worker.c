/* evoked-worker: the numerics of a session, on an inherited socket (README.md). Started by the daemon or by `evoke
 * replay`.
 *
 * Flow: limits and priority, hello, then frames one after another until the pipe ends. A bad message or a failing job
 * is an `error` frame with one sentence; rows that contradict each other are remembered and refuse every later job.
 * Exit status: 0 at the end of the pipe, 1 when the pipe brings what is no frame, 2 when it was not started as it must
 * be. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/worker/frame_pipe.h"
#include "daemon/worker/job.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/worker_program.h"
#include "models/gemm.h"
#include "support/atomic_file.h"
#include "support/hash.h"

enum { NICE = 19, PROGRAM_MAX = 256 << 20 };

struct worker {
	struct frame_pipe pipe;
	struct workbench bench;
	struct error rows_error; /* "" while all rows were taken */
};

static int send_error(struct worker *w, uint64_t job, int status, const struct error *cause)
{
	struct message message;
	int r = message_init(WORKER_TYPE_ERROR, -1, &message);

	if (r)
		return r;
	r = json_object_set_new(message.header, ERROR_CODE, json_string(message_error_code(status)));
	/* A sentence that quotes a file name need not be UTF-8. */
	if (json_object_set_new(message.header, ERROR_TEXT, json_string(cause->text)))
		r |= json_object_set_new(message.header, ERROR_TEXT, json_string("an error whose text is not UTF-8"));
	if (!r)
		r = frame_pipe_send(&w->pipe, FRAME_ERROR, job, &message, NULL);
	message_done(&message);
	return r;
}

/* "" when the program cannot be read: then nobody knows which it was. */
static void hash_program(char ret_hex[HASH_HEX_SIZE])
{
	struct hash hash;
	void *data;
	size_t size;

	ret_hex[0] = '\0';
	if (atomic_file_read("/proc/self/exe", PROGRAM_MAX, NULL, &data, &size))
		return;
	hash_bytes(data, size, &hash);
	hash_to_hex(&hash, ret_hex);
	free(data);
}

static int send_hello(struct worker *w)
{
	char build[HASH_HEX_SIZE];
	struct message message;
	int r = message_init(WORKER_TYPE_HELLO, -1, &message);

	if (r)
		return r;
	hash_program(build);
	r = json_object_set_new(message.header, HELLO_PID, json_integer(getpid()));
	r |= json_object_set_new(message.header, HELLO_VERSION, json_string(EVOKED_VERSION));
	r |= json_object_set_new(message.header, HELLO_BUILD, json_string(build));
	r |= json_object_set_new(message.header, HELLO_CPU_KERNEL, json_string(gemm_kernel_name()));
	r |= json_object_set_new(
		message.header, HELLO_LIBRARIES,
		json_pack("{s:s, s:s}", "openblas", gemm_library_version(), "jansson", JANSSON_VERSION));
	if (!r)
		r = frame_pipe_send(&w->pipe, FRAME_HELLO, 0, &message, NULL);
	message_done(&message);
	return r;
}

static int answer_setup(struct worker *w, const struct message *request)
{
	struct message message;
	struct error err = {""};
	int r = workbench_set_up(&w->bench, request->header, &err);

	if (r)
		return send_error(w, 0, r, &err);
	r = message_init(WORKER_TYPE_RESULT, -1, &message);
	if (r)
		return r;
	r = json_object_set_new(message.header, RESULT_OUTCOME, workbench_describe(&w->bench));
	if (!r)
		r = frame_pipe_send(&w->pipe, FRAME_RESULT, 0, &message, NULL);
	message_done(&message);
	return r;
}

static void take_data(struct worker *w, const struct message *message)
{
	struct error err = {""};

	if (w->rows_error.text[0])
		return;
	if (!w->bench.setup)
		error_set(&w->rows_error, 0, "data: a setup is expected first");
	else if (workbench_take_data(&w->bench, message, &err))
		w->rows_error = err;
}

static int do_job(struct worker *w, const struct message *request, struct job_work *work, struct error *err,
		  struct job_result *ret_result)
{
	struct job job;
	int r = job_parse(request->header, err, &job);

	if (r)
		return r;
	if (w->rows_error.text[0])
		return error_set(err, -EPROTO, "%s", w->rows_error.text);
	work->stop_after = job.stop_after;
	work->stopped = job.stop_after == 0;
	return job_run(&w->bench, &job, work, err, ret_result);
}

static int answer_job(struct worker *w, uint64_t id, const struct message *request)
{
	struct job_work work;
	struct job_result result;
	struct message message;
	struct error err = {""};
	int r;

	job_work_init(&work, &w->pipe, id, JOB_WORK_NO_STOP);
	r = do_job(w, request, &work, &err, &result);
	if (work.pipe_status) {
		if (!r)
			job_result_done(&result);
		return work.pipe_status;
	}
	if (r)
		return send_error(w, id, r, &err);
	r = job_result_message(&result, &err, &message);
	if (r) {
		job_result_done(&result);
		return send_error(w, id, r, &err);
	}
	r = frame_pipe_send(&w->pipe, FRAME_RESULT, id, &message, &err);
	if (r == -E2BIG)
		r = send_error(w, id, r, &err);
	message_done(&message);
	job_result_done(&result);
	return r;
}

static int serve_frame(struct worker *w, enum frame_type type, uint64_t job, const struct message *message)
{
	struct error err;

	switch (type) {
	case FRAME_SETUP:
		return answer_setup(w, message);
	case FRAME_DATA:
		take_data(w, message);
		return 0;
	case FRAME_JOB:
		return answer_job(w, job, message);
	case FRAME_CANCEL: /* of a job that has ended meanwhile */
		return 0;
	case FRAME_HELLO:
	case FRAME_PROGRESS:
	case FRAME_RESULT:
	case FRAME_ERROR:
		break;
	}
	error_set(&err, 0, "%s: only a worker sends this", frame_type_name(type));
	return send_error(w, job, -EPROTO, &err);
}

static int serve(struct worker *w, struct error *err)
{
	int r = send_hello(w);

	while (!r) {
		struct message message;
		enum frame_type type;
		uint64_t job;

		r = frame_pipe_receive(&w->pipe, FRAME_PIPE_FOREVER, err, &type, &job, &message);
		if (r != 1)
			break;
		r = serve_frame(w, type, job, &message);
		message_done(&message);
	}
	return r;
}

/* Ends with its parent, and gives way to everything that is in a hurry. What is refused here is not needed. */
static void be_humble(void)
{
	struct sched_param param = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Ctrl-C in the daemon's terminal is the daemon's: it closes the pipe when it is done. */
	signal(SIGINT, SIG_IGN);
	(void)!nice(NICE);
	(void)sched_setscheduler(0, SCHED_IDLE, &param);
}

static int parse_arguments(int argc, char **argv, uint64_t *ret_memory_max)
{
	size_t n = strlen(WORKER_MEMORY_MAX);
	char *end;

	*ret_memory_max = 0;
	if (argc == 1)
		return 0;
	if (argc != 2 || strncmp(argv[1], WORKER_MEMORY_MAX, n))
		return -EINVAL;
	errno = 0;
	*ret_memory_max = strtoull(argv[1] + n, &end, 10);
	return errno || *end || end == argv[1] + n ? -EINVAL : 0;
}

/* AddressSanitizer maps terabytes of shadow: a limit on the address space would be its end. */
#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

int main(int argc, char **argv)
{
	struct worker w = {0};
	struct error err = {""};
	struct stat stat;
	uint64_t memory_max;
	int r;

	if (parse_arguments(argc, argv, &memory_max) || fstat(WORKER_PIPE_FD, &stat) || !S_ISSOCK(stat.st_mode)) {
		fprintf(stderr, "evoked-worker %s is started by evoked, with a socket on descriptor %d\n",
			EVOKED_VERSION, WORKER_PIPE_FD);
		return 2;
	}
	/* The converter child must not hold the pipe open. */
	fcntl(WORKER_PIPE_FD, F_SETFD, FD_CLOEXEC);
	be_humble();
	if (memory_max && !SANITIZED) {
		struct rlimit limit = {.rlim_cur = memory_max, .rlim_max = memory_max};

		if (setrlimit(RLIMIT_AS, &limit))
			fprintf(stderr, "worker.memory_mib: %s\n", strerror(errno));
	}
	r = frame_pipe_init(&w.pipe, WORKER_PIPE_FD);
	if (!r)
		r = serve(&w, &err);
	if (r != -EPIPE && r)
		fprintf(stderr, "evoked-worker: %s\n", err.text[0] ? err.text : strerror(-r));
	workbench_done(&w.bench);
	frame_pipe_done(&w.pipe);
	return r == -EPIPE ? 0 : 1;
}
