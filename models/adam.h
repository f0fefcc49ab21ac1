/* The Adam optimizer (Kingma & Ba 2015) with decoupled weight decay, for one array of weights. */
#ifndef EVOKED_MODELS_ADAM_H
#define EVOKED_MODELS_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"

struct adam {
	size_t n;
	uint32_t n_steps; /* taken */
	float *mean;	  /* [n]: running mean of the gradient */
	float *square;	  /* [n]: running mean of its square */
};

int adam_init(size_t n, struct error *err, struct adam *ret_adam); /* -ENOMEM */
void adam_done(struct adam *adam);

/* weights [n] -= learning_rate (step + weight_decay · weights). Weights whose gradient has always been zero move by the
 * decay alone. */
void adam_step(struct adam *adam, const float *gradients, double learning_rate, double weight_decay, float *weights);

#endif
