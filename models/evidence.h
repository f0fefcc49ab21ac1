/* How strongly to shrink: the ratio of noise to prior variance that makes the recorded responses most probable.
 *
 * Model in an eigenbasis of the (weighted) Gram matrix: target_k ~ N(0, σ² (1 + value_k / λ)), and the repeats'
 * deviations about their means ~ σ² χ² with their degrees of freedom. σ² has a closed form given λ = σ² / τ²
 * (models/README.md, "Ridge"). */
#ifndef EVOKED_MODELS_EVIDENCE_H
#define EVOKED_MODELS_EVIDENCE_H

#include <stddef.h>

struct evidence_data {
	size_t n;	       /* eigenvalues */
	const double *values;  /* [n], >= 0 */
	const double *targets; /* [n]: responses in the eigenbasis */
	double n_targets;      /* dimensions that carry data (images - 1): fewer than n where images have no response */
	double deviations;     /* of repeats about their means: sum of squares */
	double freedom;	       /* ... and degrees of freedom */
};

struct evidence_result {
	double lambda; /* σ² / τ² */
	double noise;  /* σ² of a single presentation */
	double prior;  /* τ²: prior variance of the response to an image of average features */
};

/* Between EVIDENCE_LAMBDA_MIN and _MAX by a fixed grid and a fixed number of golden sections. Fewer than two dimensions
 * of data, or no variance: the largest λ (predict the mean). Thread: any. */
#define EVIDENCE_LAMBDA_MIN 1e-3
#define EVIDENCE_LAMBDA_MAX 1e6
void evidence_maximize(const struct evidence_data *data, struct evidence_result *ret_result);

#endif
