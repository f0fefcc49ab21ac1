/* Pool images that a batch may choose from, with what the model says of them. */
#ifndef EVOKED_DAEMON_WORKER_CANDIDATES_H
#define EVOKED_DAEMON_WORKER_CANDIDATES_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/worker/compose.h"
#include "daemon/worker/job_work.h"
#include "models/session_model.h"
#include "support/error.h"

struct candidates {
	size_t n;	       /* scored ones: fewer when the job was stopped */
	uint32_t n_units;      /* of the model */
	uint32_t *pool_images; /* [n] */
	float *mean;	       /* [n, n_units] predicted responses */
	double *disagreement;  /* [n]: mean over the chosen units of the variance that the model claims */
};

/* Draws up to n_wanted, at least `at_least` of them while the pool lasts (compose_candidates), and scores them chunk by
 * chunk, one unit of work each. The variance is that of the members, or without two of them the ridge's posterior
 * (method.md §5, disagreement). `units` [n_units]: places of the units that are not excluded. */
int candidates_init(const struct compose *compose, const struct session_model *model, const uint32_t *units,
		    uint32_t n_units, size_t n_wanted, size_t at_least, struct job_work *work, struct error *err,
		    struct candidates *ret_candidates);
void candidates_done(struct candidates *candidates);

/* All of them, the largest value first (ties: the one drawn first); ret_order [n]. `sign` -1: the smallest first.
 * -ENOMEM. */
int candidates_order_by_mean(const struct candidates *candidates, uint32_t unit, int sign, struct error *err,
			     uint32_t *ret_order);
void candidates_order_by_disagreement(const struct candidates *candidates, uint32_t *ret_order);

#endif
