/* A worker for the supervisor's test: does what a job's kind says, without any numerics.
 *
 * echo: result with the rows seen so far; refuse: error; crash: abort; garbage: bytes that are no frame; hang: no
 * answer until `cancel`; talk: lines on stdout and stderr, the last without an end. A setup whose pool is "none" is
 * refused, "crash" ends the process, "linger" makes it stay when its pipe is closed. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/worker/data_frame.h"
#include "daemon/worker/frame_pipe.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/worker_program.h"

static struct frame_pipe frames;
static json_int_t n_rows, through;
static bool lingers;

static void send(enum frame_type type, uint64_t job, json_t *fields)
{
	struct message message;

	if (message_init(frame_type_name(type), -1, &message) || json_object_update_new(message.header, fields) ||
	    frame_pipe_send(&frames, type, job, &message, NULL))
		exit(3);
	message_done(&message);
}

static void take_data(const struct message *message)
{
	struct store_row *rows;
	int64_t through_seq;
	size_t n;

	if (data_frame_rows(message, NULL, &through_seq, &n, &rows))
		exit(4);
	n_rows += (json_int_t)n;
	through = through_seq;
	free(rows);
}

static void wait_for_cancel(uint64_t job)
{
	struct message message;
	enum frame_type type;
	uint64_t id;

	send(FRAME_PROGRESS, job,
	     json_pack("{s:i, s:i, s:s}", PROGRESS_DONE, 1, PROGRESS_PLANNED, 9, PROGRESS_WHAT, "hang"));
	while (frame_pipe_receive(&frames, FRAME_PIPE_FOREVER, NULL, &type, &id, &message) == 1) {
		message_done(&message);
		if (type == FRAME_CANCEL && id == job)
			return;
	}
	exit(5);
}

static void do_job(uint64_t job, const struct message *message)
{
	const char *kind = json_string_value(json_object_get(message->header, JOB_KIND));

	if (!strcmp(kind, "crash"))
		abort();
	if (!strcmp(kind, "garbage")) {
		if (write(WORKER_PIPE_FD, "no frame at all", 15) != 15)
			exit(6);
		return;
	}
	if (!strcmp(kind, "refuse")) {
		send(FRAME_ERROR, job,
		     json_pack("{s:s, s:s}", ERROR_CODE, "invalid", ERROR_TEXT, "job.kind: not this one"));
		return;
	}
	if (!strcmp(kind, "hang"))
		wait_for_cancel(job);
	if (!strcmp(kind, "talk")) {
		printf("one\ntwo\n");
		fflush(stdout);
		fprintf(stderr, "three");
	}
	send(FRAME_RESULT, job, json_pack("{s:{s:I, s:I}}", RESULT_OUTCOME, "rows", n_rows, "through", through));
}

static void do_setup(const struct message *message)
{
	const char *pool = json_string_value(json_object_get(message->header, SETUP_POOL));

	lingers = !strcmp(pool, "linger");
	if (!strcmp(pool, "crash"))
		_exit(7);
	if (!strcmp(pool, "none"))
		send(FRAME_ERROR, 0,
		     json_pack("{s:s, s:s}", ERROR_CODE, "io", ERROR_TEXT, "images.pool: none is not there"));
	else
		send(FRAME_RESULT, 0, json_pack("{s:{s:s}}", RESULT_OUTCOME, OUTCOME_POOL, pool));
}

int main(int argc, char **argv)
{
	struct message message;
	enum frame_type type;
	uint64_t job;

	if (argc != 2 || strncmp(argv[1], WORKER_MEMORY_MAX, strlen(WORKER_MEMORY_MAX)) ||
	    frame_pipe_init(&frames, WORKER_PIPE_FD))
		return 2;
	send(FRAME_HELLO, 0, json_pack("{s:i}", HELLO_PID, (int)getpid()));
	while (frame_pipe_receive(&frames, FRAME_PIPE_FOREVER, NULL, &type, &job, &message) == 1) {
		if (type == FRAME_SETUP)
			do_setup(&message);
		else if (type == FRAME_DATA)
			take_data(&message);
		else if (type == FRAME_JOB)
			do_job(job, &message);
		message_done(&message);
	}
	while (lingers)
		pause();
	frame_pipe_done(&frames);
	return 0;
}
