/* What synthesis drives: a number from the responses of the members to one image, and its derivative.
 *
 * The members are split by seed (RNG_MEMBER_CHOICE): one half is optimised on, the other scores. Where a half would be
 * too few - under 2 members, or under 4 for disagreement, which needs 2 in each half - all serve both. */
#ifndef EVOKED_STIMULI_SYNTHESIS_OBJECTIVE_H
#define EVOKED_STIMULI_SYNTHESIS_OBJECTIVE_H

#include <stdint.h>

#include "stimuli/synthesis.h"
#include "support/error.h"

enum { SYNTHESIS_MEMBERS_MAX = 256 };

enum synthesis_half { SYNTHESIS_OPTIMISED = 0, SYNTHESIS_HELD_OUT = 1 };

struct synthesis_objective {
	enum synthesis_goal goal;
	uint32_t unit;
	double response_cap;
	const float *weight;
	uint32_t n_members, n_units;
	struct {
		const uint32_t *members;
		uint32_t n;
	} halves[2];
	uint32_t order[SYNTHESIS_MEMBERS_MAX];
};

/* -EINVAL: unit out of range, too many members, disagreement of fewer than two, a negative weight. Borrows
 * settings->weight. The struct may not be moved afterwards. */
int synthesis_objective_init(const struct synthesis_settings *settings, uint32_t n_members, uint32_t n_units,
			     struct error *err, struct synthesis_objective *ret_objective);

/* responses [n_members, n_units] -> the value over that half of the members, as a person reads it (minimizing: low is
 * good). If not NULL, ret_cotangent [n_members, n_units]: derivative of what is to be raised (minimizing: of -value).
 *
 *   maximize, minimize:  mean over the units meant of r_u = mean over members; r_u counts at most response_cap
 *   informative:         mean over units of the variance over members; nothing from units with r_u over the cap */
double synthesis_objective_value(const struct synthesis_objective *objective, enum synthesis_half half,
				 const float *responses, float *ret_cotangent);

/* Whether value a is better than b. */
bool synthesis_objective_is_better(const struct synthesis_objective *objective, double a, double b);

#endif
