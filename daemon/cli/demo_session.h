/* One session of the demo: a daemon and a rig as processes of their own, from an empty folder to a closed session file.
 */
#ifndef EVOKED_DAEMON_CLI_DEMO_SESSION_H
#define EVOKED_DAEMON_CLI_DEMO_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/cli/batch_table.h"
#include "daemon/cli/options.h"
#include "daemon/cli/path.h"
#include "daemon/cli/terminal.h"
#include "support/error.h"

enum demo_arm {
	DEMO_LOOP,   /* images chosen and made by the loop, as configured by default */
	DEMO_RANDOM, /* natural images drawn at random, as a control: everything else is the same */
};

struct demo_settings {
	const char *dir; /* absolute; is there */
	const char *pool;
	int64_t n_batches, batch_size, n_builtin;
	double rate_hz;
	uint64_t seed;
	const struct options_list *neurons; /* published models as the subject, in place of the built-in neurons */
	bool quick;			    /* smaller models: for tests */
	struct terminal_progress *progress;
};

struct demo_result {
	char file[PATH_TEXT_MAX]; /* the session file */
	struct batch_table table;
	json_t *rig; /* the rig's report, owned */
	double seconds;
};

/* "loop", "random": also the names of the session and of its folder. */
const char *demo_arm_name(enum demo_arm arm);

/* Runs it to the end. Whatever happens, no process is left; their logs stay in the folder. -EINTR after Ctrl-C, -EEXIST
 * when the folder holds such a session already, -ECHILD when a program ended before its time. */
int demo_session_run(const struct demo_settings *settings, enum demo_arm arm, struct error *err,
		     struct demo_result *ret_result);
void demo_result_done(struct demo_result *result);

#endif
