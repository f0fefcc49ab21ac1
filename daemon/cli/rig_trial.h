/* What happens in one trial of the simulated rig, drawn by seed: how many images, which of them fail and how. Pure. */
#ifndef EVOKED_DAEMON_CLI_RIG_TRIAL_H
#define EVOKED_DAEMON_CLI_RIG_TRIAL_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/presentation.h"

/* method.md §1: 6-8 images a fixation, each 100 ms on and 100 ms off, counts from 50 to 150 ms after the onset. */
enum { RIG_TRIAL_MIN = 6, RIG_TRIAL_MAX = 8, RIG_ON_MS = 100, RIG_OFF_MS = 100 };
enum { RIG_WINDOW_FROM_MS = 50, RIG_WINDOW_TO_MS = 150 };

struct rig_trial_odds {
	double p_break; /* of a trial: the animal looks away in the middle of one of its images */
	double p_drop;	/* of a presentation: the display missed a frame */
};

struct rig_trial {
	size_t n_images;
	enum presentation_outcome outcomes[RIG_TRIAL_MAX];
};

/* The trial with the given number; at most n_max >= 1 images. After a broken fixation the rest is not shown. */
void rig_trial_draw(uint64_t seed, uint64_t trial, const struct rig_trial_odds *odds, size_t n_max,
		    struct rig_trial *ret_trial);

/* When things happen in a trial of n_images at `rate_hz` presentations a second on average: from one onset to the
 * next, and from the trial's begin to the next one's. Up to 5 Hz the images keep their real 200 ms and the pause
 * between trials takes the rest; beyond, everything is quicker in proportion. All 0 at rate 0: as fast as possible. */
struct rig_pace {
	int64_t onset_ns, trial_ns;
};
struct rig_pace rig_pace_at(double rate_hz, size_t n_images);

#endif
