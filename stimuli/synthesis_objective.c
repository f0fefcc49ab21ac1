/* Sums over units and members in their order, in double. Fails only at init. */
#include "stimuli/synthesis_objective.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "support/rng.h"

static int check(const struct synthesis_settings *settings, uint32_t n_members, uint32_t n_units, struct error *err)
{
	bool is_informative = settings->goal == SYNTHESIS_INFORMATIVE;
	double sum = 0;

	if (n_members > SYNTHESIS_MEMBERS_MAX)
		return error_set(err, -EINVAL, "model of %u members: at most %d", n_members, SYNTHESIS_MEMBERS_MAX);
	if (is_informative && n_members < 2)
		return error_set(err, -EINVAL, "one member cannot disagree: an informative image needs an ensemble");
	if (!is_informative && settings->unit != SYNTHESIS_POPULATION && settings->unit >= n_units)
		return error_set(err, -EINVAL, "unit %u: the model has %u", settings->unit, n_units);
	if (!(settings->response_cap >= 0))
		return error_set(err, -EINVAL, "response_cap %g: expected 0 (none) or more", settings->response_cap);
	for (uint32_t u = 0; u < n_units && settings->weight; u++) {
		if (!(settings->weight[u] >= 0) || !isfinite(settings->weight[u]))
			return error_set(err, -EINVAL, "weight of unit %u is %g: expected 0 or more", u,
					 settings->weight[u]);
		sum += settings->weight[u];
	}
	if (settings->weight && !(sum > 0))
		return error_set(err, -EINVAL, "all weights of units are 0");
	return 0;
}

int synthesis_objective_init(const struct synthesis_settings *settings, uint32_t n_members, uint32_t n_units,
			     struct error *err, struct synthesis_objective *ret_objective)
{
	struct rng rng = rng_make(settings->seed, settings->decision, RNG_MEMBER_CHOICE, 0);
	uint32_t n_needed = settings->goal == SYNTHESIS_INFORMATIVE ? 4 : 2;
	struct synthesis_objective *o = ret_objective;

	int rc = check(settings, n_members, n_units, err);
	if (rc < 0)
		return rc;
	*o = (struct synthesis_objective){
		.goal = settings->goal,
		.unit = settings->goal == SYNTHESIS_INFORMATIVE ? SYNTHESIS_POPULATION : settings->unit,
		.response_cap = settings->response_cap,
		.weight = settings->weight,
		.n_members = n_members,
		.n_units = n_units,
	};
	for (uint32_t m = 0; m < n_members; m++)
		o->order[m] = m;
	rng_shuffle(&rng, o->order, n_members);
	uint32_t n_optimised = n_members < n_needed ? n_members : (n_members + 1) / 2;
	o->halves[SYNTHESIS_OPTIMISED].members = o->order;
	o->halves[SYNTHESIS_OPTIMISED].n = n_optimised;
	o->halves[SYNTHESIS_HELD_OUT].members = n_members < n_needed ? o->order : o->order + n_optimised;
	o->halves[SYNTHESIS_HELD_OUT].n = n_members < n_needed ? n_members : n_members - n_optimised;
	return 0;
}

/* One unit's part of the value. If not NULL, adds scale × its derivative to ret_cotangent [n_members, n_units]. */
static double unit_value(const struct synthesis_objective *o, enum synthesis_half half, const float *responses,
			 uint32_t unit, double scale, float *ret_cotangent)
{
	const uint32_t *members = o->halves[half].members;
	uint32_t n = o->halves[half].n;
	double mean = 0, variance = 0;

	for (uint32_t k = 0; k < n; k++)
		mean += responses[(size_t)members[k] * o->n_units + unit];
	mean /= n;
	bool is_over = o->response_cap > 0 && mean > o->response_cap;
	if (o->goal == SYNTHESIS_INFORMATIVE) {
		if (is_over)
			return 0;
		for (uint32_t k = 0; k < n; k++) {
			double d = responses[(size_t)members[k] * o->n_units + unit] - mean;
			variance += d * d / n;
			if (ret_cotangent)
				ret_cotangent[(size_t)members[k] * o->n_units + unit] += (float)(scale * 2 * d / n);
		}
		return variance;
	}
	if (is_over && o->goal == SYNTHESIS_MAXIMIZE)
		return o->response_cap;
	for (uint32_t k = 0; k < n && ret_cotangent; k++)
		ret_cotangent[(size_t)members[k] * o->n_units + unit] += (float)(scale / n);
	return mean;
}

double synthesis_objective_value(const struct synthesis_objective *o, enum synthesis_half half, const float *responses,
				 float *ret_cotangent)
{
	double sign = o->goal == SYNTHESIS_MINIMIZE ? -1 : 1, sum = 0, sum_weight = 0;

	if (ret_cotangent)
		memset(ret_cotangent, 0, (size_t)o->n_members * o->n_units * sizeof *ret_cotangent);
	if (o->unit != SYNTHESIS_POPULATION)
		return unit_value(o, half, responses, o->unit, sign, ret_cotangent);
	for (uint32_t u = 0; u < o->n_units; u++)
		sum_weight += o->weight ? o->weight[u] : 1;
	for (uint32_t u = 0; u < o->n_units; u++) {
		double share = (o->weight ? o->weight[u] : 1) / sum_weight;
		if (share > 0)
			sum += share * unit_value(o, half, responses, u, sign * share, ret_cotangent);
	}
	return sum;
}

bool synthesis_objective_is_better(const struct synthesis_objective *o, double a, double b)
{
	return o->goal == SYNTHESIS_MINIMIZE ? a < b : a > b;
}
