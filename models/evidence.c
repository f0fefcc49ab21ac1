/* A grid in log λ finds the right hill, golden sections its top. Failure modes: none; data without information give
 * the largest λ. */
#include "models/evidence.h"

#include <math.h>

enum { GRID = 37, GOLDEN_SECTIONS = 16 };

/* σ² that maximizes the evidence at this λ. */
static double noise_at(const struct evidence_data *data, double lambda)
{
	double sum = data->deviations;

	for (size_t k = 0; k < data->n; k++)
		sum += data->targets[k] * data->targets[k] * lambda / (lambda + data->values[k]);
	return sum / (data->n_targets + data->freedom);
}

/* -2 log evidence, up to a constant. */
static double surprise(const struct evidence_data *data, double log_lambda)
{
	const double lambda = exp(log_lambda);
	double log_determinant = 0.0, product = 1.0;

	/* Factors are gathered before each logarithm, which is what costs. */
	for (size_t k = 0; k < data->n; k++) {
		product *= 1.0 + data->values[k] / lambda;
		if (product > 1e200 || k + 1 == data->n) {
			log_determinant += log(product);
			product = 1.0;
		}
	}
	return (data->n_targets + data->freedom) * log(noise_at(data, lambda)) + log_determinant;
}

static double golden_section(const struct evidence_data *data, double low, double high)
{
	const double ratio = 0.6180339887498949;
	double a = high - ratio * (high - low), b = low + ratio * (high - low);
	double at_a = surprise(data, a), at_b = surprise(data, b);

	for (int i = 0; i < GOLDEN_SECTIONS; i++) {
		if (at_a < at_b) {
			high = b;
			b = a;
			at_b = at_a;
			a = high - ratio * (high - low);
			at_a = surprise(data, a);
		} else {
			low = a;
			a = b;
			at_a = at_b;
			b = low + ratio * (high - low);
			at_b = surprise(data, b);
		}
	}
	return 0.5 * (low + high);
}

void evidence_maximize(const struct evidence_data *data, struct evidence_result *ret_result)
{
	const double low = log(EVIDENCE_LAMBDA_MIN), high = log(EVIDENCE_LAMBDA_MAX), step = (high - low) / (GRID - 1);
	double noise = data->n_targets + data->freedom > 0.0 ? noise_at(data, EVIDENCE_LAMBDA_MAX) : 0.0;
	double log_lambda = high;

	if (data->n_targets >= 2.0 && noise > 0.0) {
		double best = INFINITY;
		for (int i = 0; i < GRID; i++) {
			double value = surprise(data, low + i * step);
			if (value < best) {
				best = value;
				log_lambda = low + i * step;
			}
		}
		log_lambda = golden_section(data, fmax(low, log_lambda - step), fmin(high, log_lambda + step));
		noise = noise_at(data, exp(log_lambda));
	}
	ret_result->lambda = exp(log_lambda);
	ret_result->noise = noise;
	ret_result->prior = noise / ret_result->lambda;
}
