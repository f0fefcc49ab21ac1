/* A worker without a loop: started, asked one job after another, and waited for. For `evoke replay` and tests. One
 * thread. */
#ifndef EVOKED_DAEMON_WORKER_PIPE_CLIENT_H
#define EVOKED_DAEMON_WORKER_PIPE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/store/store.h"
#include "protocol/message.h"
#include "support/error.h"

enum { PIPE_CLIENT_WAIT_MS = 200 };

struct pipe_client;

struct pipe_client_watch {
	/* May be NULL. Called for each progress, and with what "" while nothing comes, about every PIPE_CLIENT_WAIT_MS.
	 * True: cancel the job (once); a setup is given up (-EINTR). */
	bool (*progress)(void *ctx, int64_t done, int64_t planned, const char *what);
	void *ctx;
};

/* Starts a worker and waits for its hello. Its stdout and stderr are the caller's. `program` as in supervisor_options.
 * -errno of the start, -EPIPE when it ends before its hello. */
int pipe_client_start(const char *program, uint64_t memory_max, struct error *err, struct pipe_client **ret_client);
/* The hello; borrowed. */
const json_t *pipe_client_hello(const struct pipe_client *client);
pid_t pipe_client_pid(const struct pipe_client *client);

/* Sends the setup and waits for the answer: 0 with the result (the caller's), -EINVAL refused (err has the worker's
 * sentence), -EPIPE the worker is gone. */
int pipe_client_setup(struct pipe_client *client, json_t *setup, const struct pipe_client_watch *watch,
		      struct error *err, struct message *ret_result);
/* Sends a page of rows. */
int pipe_client_rows(struct pipe_client *client, const struct store_page *page, struct error *err);
/* Sends a job and waits for its end; errors as of pipe_client_setup. */
int pipe_client_job(struct pipe_client *client, uint64_t job, json_t *spec, const struct pipe_client_watch *watch,
		    struct error *err, struct message *ret_result);

/* Closes the pipe and waits for the worker's end, for three seconds; then it is killed. NULL is fine. */
void pipe_client_stop(struct pipe_client *client);

#endif
