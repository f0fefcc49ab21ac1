/* A rig without an animal: shows each batch trial by trial and reports what a simulated subject answered.
 *
 * It behaves as a careful rig does: it asks for the next batch when the last trial of this one begins, sends after each
 * trial, never waits for an acknowledgement, and also has broken fixations, dropped frames and a restart in the middle.
 * All that it does follows from the seed and from what the daemon plans; only the run's id and the clock are new each
 * time. Thread: one. */
#ifndef EVOKED_DAEMON_CLI_SIMULATED_RIG_H
#define EVOKED_DAEMON_CLI_SIMULATED_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/cli/rig_report.h"
#include "daemon/cli/rig_trial.h"
#include "stimuli/subject.h"
#include "support/error.h"

struct simulated_rig;

struct simulated_rig_settings {
	const char *endpoint;
	const char *session_name; /* given at `open` */
	uint64_t seed;
	double rate_hz; /* 0: as fast as possible */
	struct rig_trial_odds odds;
	int64_t max_trials, max_presentations, max_batches; /* 0: no limit */
	int64_t restart_after; /* presentations shown before the rig starts again with a new run; 0: never */
	uint32_t max_units;    /* 0: all of the subject's */
	int timeout_ms;	       /* how long the daemon may take for a batch or an answer */
	bool close;	       /* end the session at the end */
	bool (*stop)(void);    /* asked between images; may be NULL */
	void (*progress)(void *ctx, const struct rig_report *report); /* after each trial; may be NULL */
	void *ctx;
};

/* Says hello and learns the size of the images. Strings are borrowed until destroy. -ETIMEDOUT without a daemon. */
int simulated_rig_create(const struct simulated_rig_settings *settings, struct error *err,
			 struct simulated_rig **ret_rig);
void simulated_rig_destroy(struct simulated_rig *rig);

uint32_t simulated_rig_width_px(const struct simulated_rig *rig);
uint32_t simulated_rig_height_px(const struct simulated_rig *rig);

/* Opens the session and shows batches until a limit or `stop`, then waits until all is settled. -EINVAL: an image that
 * the subject cannot answer; what the client library returns. The report is filled as far as it went. */
int simulated_rig_run(struct simulated_rig *rig, struct subject *subject, struct error *err);

const struct rig_report *simulated_rig_report(const struct simulated_rig *rig);

#endif
