/* A timerfd watched by the loop. The due times are counted from its start, so that a late wake-up never moves the next.
 */
#include "daemon/lateness.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/clock.h"

enum { WINDOW_SAMPLES = (int)((int64_t)LATENESS_WINDOW_S * 1000000000 / LATENESS_PERIOD_NS) };

struct lateness {
	uv_poll_t poll;
	int fd;
	int64_t due_ns; /* of the next sample */
	bool have_full;
	struct histogram full, running;
};

static void closed(uv_handle_t *handle)
{
	struct lateness *lateness = handle->data;

	close(lateness->fd);
	free(lateness);
}

static void due(uv_poll_t *poll, int status, int events)
{
	struct lateness *lateness = poll->data;
	uint64_t n_due;

	(void)events;
	if (status < 0 || read(lateness->fd, &n_due, sizeof n_due) != sizeof n_due)
		return;
	int64_t now_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < n_due && i < WINDOW_SAMPLES; i++) {
		histogram_add(&lateness->running, now_ns - lateness->due_ns);
		lateness->due_ns += LATENESS_PERIOD_NS;
	}
	if (n_due > WINDOW_SAMPLES) /* a suspended machine: begin anew rather than count hours */
		lateness->due_ns = now_ns + LATENESS_PERIOD_NS;
	if (lateness->running.n >= WINDOW_SAMPLES) {
		lateness->full = lateness->running;
		lateness->have_full = true;
		histogram_reset(&lateness->running);
	}
}

int lateness_start(struct uv_loop_s *loop, struct error *err, struct lateness **ret_lateness)
{
	struct lateness *lateness = calloc(1, sizeof *lateness);
	int status;

	if (!lateness)
		return error_set(err, -ENOMEM, "lateness: out of memory");
	lateness->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (lateness->fd < 0) {
		status = error_set(err, -errno, "lateness: timerfd: %s", strerror(errno));
		goto out_free;
	}
	lateness->due_ns = clock_monotonic_ns() + LATENESS_PERIOD_NS;
	struct itimerspec timer = {
		.it_value = {.tv_sec = lateness->due_ns / 1000000000, .tv_nsec = lateness->due_ns % 1000000000},
		.it_interval = {.tv_nsec = LATENESS_PERIOD_NS},
	};
	if (timerfd_settime(lateness->fd, TFD_TIMER_ABSTIME, &timer, NULL) < 0) {
		status = error_set(err, -errno, "lateness: timerfd: %s", strerror(errno));
		goto out_close;
	}
	status = uv_poll_init(loop, &lateness->poll, lateness->fd);
	if (status < 0) {
		error_set(err, status, "lateness: %s", uv_strerror(status));
		goto out_close;
	}
	lateness->poll.data = lateness;
	uv_poll_start(&lateness->poll, UV_READABLE, due);
	uv_unref((uv_handle_t *)&lateness->poll);
	*ret_lateness = lateness;
	return 0;

out_close:
	close(lateness->fd);
out_free:
	free(lateness);
	return status;
}

void lateness_stop(struct lateness *lateness)
{
	if (lateness)
		uv_close((uv_handle_t *)&lateness->poll, closed);
}

const struct histogram *lateness_histogram(const struct lateness *lateness)
{
	return lateness->have_full ? &lateness->full : &lateness->running;
}
