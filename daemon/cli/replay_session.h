/* Makes the decisions of a session again, in order, with a worker of its own, and compares what comes out.
 *
 * Nothing of the session is written: models go to a temporary folder that is removed at the end. Causes and units of
 * work done are read from the record and never made again (design, rule 2). Thread: one at a time. */
#ifndef EVOKED_DAEMON_CLI_REPLAY_SESSION_H
#define EVOKED_DAEMON_CLI_REPLAY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/reader.h"
#include "support/error.h"
#include "support/hash.h"

enum { REPLAY_DETAIL_MAX = 512 };

enum replay_verdict {
	REPLAY_SAME,	/* the outcome's hash is the recorded one */
	REPLAY_DIFFERS, /* it is another; detail says what differs */
	REPLAY_FAILED,	/* the worker refused or died: detail says why */
	REPLAY_SKIPPED, /* nothing came of it in the session: detail says why */
};

struct replay_decision {
	const struct reader_decision *recorded; /* borrowed, for the callback's time */
	enum replay_verdict verdict;
	char made[HASH_HEX_SIZE]; /* outcome hash; "" without one */
	char detail[REPLAY_DETAIL_MAX];
	double seconds;
};

struct replay_options {
	const char *path;    /* the session file */
	const char *pool;    /* where the pool lies now; NULL: as configured */
	const char *program; /* evoked-worker; NULL: beside the running program */
	int64_t n_threads;   /* 0: all processors */
};

struct replay_callbacks {
	/* What is not as it was when the session was recorded (program, processor kernel, pool): before any decision.
	 */
	void (*difference)(void *ctx, const char *text);
	/* A decision is done. True: enough. */
	bool (*decided)(void *ctx, const struct replay_decision *decision);
	/* Called while one is at work, or the setup (decision NULL). True: give up (-EINTR). */
	bool (*progress)(void *ctx, const struct reader_decision *decision, int64_t done, int64_t planned);
};

/* -ENOENT, -EINVAL and the like when the session cannot be read or no worker starts; -EINTR. A decision that fails is
 * no error: it is reported as such. */
int replay_session_run(const struct replay_options *options, const struct replay_callbacks *callbacks, void *ctx,
		       struct error *err);

#endif
