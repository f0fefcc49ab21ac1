/* Element by element, so that the bits do not depend on how it is compiled. Failure modes: memory at the start. */
#include "models/adam.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "models/simd.h"

#define MEAN_DECAY   0.9f
#define SQUARE_DECAY 0.999f
#define EPSILON	     1e-8f

int adam_init(size_t n, struct error *err, struct adam *ret_adam)
{
	struct adam adam = {.n = n, .mean = calloc(n, sizeof *adam.mean), .square = calloc(n, sizeof *adam.square)};

	if (!adam.mean || !adam.square) {
		adam_done(&adam);
		return error_set(err, -ENOMEM, "optimizer: no memory for %zu weights", n);
	}
	*ret_adam = adam;
	return 0;
}

void adam_done(struct adam *adam)
{
	if (!adam)
		return;
	free(adam->mean);
	free(adam->square);
	*adam = (struct adam){0};
}

SIMD_CLONES static void update(float *restrict mean, float *restrict square, const float *restrict gradients, size_t n,
			       float rate, float root_scale, float decay, float *restrict weights)
{
	for (size_t i = 0; i < n; i++) {
		float g = gradients[i];
		mean[i] = MEAN_DECAY * mean[i] + (1.0f - MEAN_DECAY) * g;
		square[i] = SQUARE_DECAY * square[i] + (1.0f - SQUARE_DECAY) * (g * g);
		weights[i] -= rate * mean[i] / (sqrtf(square[i]) * root_scale + EPSILON) + decay * weights[i];
	}
}

void adam_step(struct adam *adam, const float *gradients, double learning_rate, double weight_decay, float *weights)
{
	adam->n_steps++;
	const double mean_share = 1.0 - pow(MEAN_DECAY, adam->n_steps);
	const double square_share = 1.0 - pow(SQUARE_DECAY, adam->n_steps);
	update(adam->mean, adam->square, gradients, adam->n, (float)(learning_rate / mean_share),
	       (float)(1.0 / sqrt(square_share)), (float)(learning_rate * weight_decay), weights);
}
