/* Specifications of jobs, exactly as the worker gets them and as the decision keeps them (daemon/worker/README.md).
 * Each returns a new object, or NULL when there is no memory. Pure. */
#ifndef EVOKED_DAEMON_JOB_SPEC_H
#define EVOKED_DAEMON_JOB_SPEC_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/batch_plan.h"
#include "daemon/config.h"

/* What every specification has. */
struct job_base {
	int64_t decision, saw_seq;
	const char *seed_hex;
	const struct config *config;
};

json_t *job_spec_prepare(const struct job_base *base);
/* `pending`: taken. */
json_t *job_spec_draw(const struct job_base *base, const struct batch_recipe *recipe, json_t *pending);
/* `budget` scales the steps (1: all; at least one step is left). */
json_t *job_spec_fit(const struct job_base *base, const char *parent, uint32_t n_units, double budget);
/* `pending` and `requeue`: taken; `exclude`: copied. */
json_t *job_spec_batch(const struct job_base *base, const char *model, const struct batch_recipe *recipe,
		       json_t *pending, json_t *requeue, json_t *exclude, double budget);
json_t *job_spec_evaluate(const struct job_base *base, const char *model, const char *set, uint32_t n_units);

#endif
