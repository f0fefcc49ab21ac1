/* One trial worked out ahead, in a thread of its own: its images decoded and answered by the subject.
 *
 * So the rig's own thread keeps time and talks to the daemon, as a rig does whose animal answers by itself. A subject
 * belongs to one preparation at a time: the next is started when the one before has been finished.
 * Thread: all calls from the rig's. */
#ifndef EVOKED_DAEMON_CLI_RIG_PREPARATION_H
#define EVOKED_DAEMON_CLI_RIG_PREPARATION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/cli/rig_trial.h"
#include "protocol/client.h"
#include "stimuli/subject.h"
#include "support/error.h"

struct rig_preparation {
	struct rig_trial trial;
	const struct client_slot *slots; /* [trial.n_images]: borrowed until finished */
	uint64_t n_shown;		 /* presentations shown before this trial: numbers the draws of spikes */
	uint16_t *counts;		 /* [RIG_TRIAL_MAX, units of the subject], owned; zero for what is not shown */

	struct subject *subject;
	pthread_t thread;
	bool running;
	atomic_bool worked_out;
	int status;
	struct error error;
};

int rig_preparation_init(struct subject *subject, struct error *err, struct rig_preparation *ret_preparation);
/* Waits for the thread. Fine for one that was only zeroed. */
void rig_preparation_done(struct rig_preparation *preparation);

/* Begins to work out `trial`, the images of which are slots[0..]. -EAGAIN: no thread to be had. */
int rig_preparation_start(struct rig_preparation *preparation, const struct rig_trial *trial,
			  const struct client_slot *slots, uint64_t n_shown, struct error *err);
/* Whether finishing it would not wait. */
bool rig_preparation_is_ready(const struct rig_preparation *preparation);
/* Waits for it; then trial and counts stand. -EINVAL: an image that cannot be decoded or answered, with its slot. */
int rig_preparation_finish(struct rig_preparation *preparation, struct error *err);

#endif
