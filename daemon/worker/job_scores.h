/* Scores of a model as a fit and an evaluation report them. */
#ifndef EVOKED_DAEMON_WORKER_JOB_SCORES_H
#define EVOKED_DAEMON_WORKER_JOB_SCORES_H

#include <stdint.h>

#include "daemon/worker/job.h"
#include "models/metrics.h"
#include "models/session_model.h"

/* "ridge", "ensemble" */
const char *job_tier_name(enum session_model_tier tier);

/* scores [n_tiers, n_units] -> result->scores [n_tiers, 1 + n_units, SCORE_COLUMNS] and the fields best, tiers,
 * unit_ids, r2, n_images, n_presentations of result->outcome, which is made if it is not there. */
int job_scores_report(const struct workbench *bench, const struct session_model *model, const struct session_data *data,
		      const struct metrics_score *scores, struct error *err, struct job_result *result);

/* SHA-256 over the bytes of result->scores. */
void job_scores_hash(const struct job_result *result, struct hash *ret_hash);

/* Tiers that a model has: the ensemble only with members. */
uint32_t job_scores_n_tiers(const struct session_model *model);

#endif
