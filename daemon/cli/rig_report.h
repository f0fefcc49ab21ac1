/* What a run of the simulated rig came to. */
#ifndef EVOKED_DAEMON_CLI_RIG_REPORT_H
#define EVOKED_DAEMON_CLI_RIG_REPORT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/histogram.h"
#include "protocol/presentation.h"

enum { RIG_REFUSALS_NAMED_MAX = 8, RIG_REFUSAL_TEXT_MAX = 200 };

struct rig_report {
	int64_t n_shown;			   /* presentations that were shown, whatever became of them */
	int64_t n_outcomes[OUTCOME_NOT_SHOWN + 1]; /* by outcome */
	int64_t n_trials, n_batches, n_fallbacks, n_runs;
	int64_t n_acknowledged; /* settled by the daemon, refused and conflicting ones included */
	int64_t n_refused, n_conflicts, n_resent, n_busy;
	int64_t n_unsettled;		  /* pushed and never answered */
	int64_t n_outbox_full;		  /* times that the rig had to wait for room in its outbox */
	struct histogram wait;		  /* for a batch when it was needed; the first batch of a run is not counted */
	struct histogram acknowledgement; /* from the first sending to `settled` */
	struct histogram round_trip;	  /* of a hello */
	double first_wait_s;		  /* for the first batch: the daemon prepares */
	double seconds;			  /* from the first image to the last */
	size_t n_refusals;
	char refusals[RIG_REFUSALS_NAMED_MAX][RIG_REFUSAL_TEXT_MAX]; /* the first ones, with their reasons */
};

/* Whether all that was shown has been taken: nothing refused, conflicting or unsettled. */
bool rig_report_is_clean(const struct rig_report *report);

/* A new JSON object; NULL when there is no memory. */
json_t *rig_report_json(const struct rig_report *report);
void rig_report_print(const struct rig_report *report, FILE *out);

#endif
