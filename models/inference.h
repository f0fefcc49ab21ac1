/* Runs a network with fixed weights on images, one at a time on each thread: the same image gives the same bits
 * whatever the batch, its place in it and the number of threads. Also the gradient with respect to the input. */
#ifndef EVOKED_MODELS_INFERENCE_H
#define EVOKED_MODELS_INFERENCE_H

#include <stddef.h>

#include "models/network.h"
#include "support/thread_pool.h"

struct inference;

/* Takes a folded copy of the network: later changes of its weights do not reach it. */
int inference_create(const struct network *network, struct error *err, struct inference **ret_inference);
void inference_destroy(struct inference *inference);

/* The folded network that runs. */
const struct network *inference_network(const struct inference *inference);

/* inputs [n, in.height, in.width, in.channels] to ret_outputs [n, out values]. Memory for each thread is made at the
 * first use. pool NULL: the caller alone. -ENOMEM. */
int inference_forward(struct inference *inference, struct thread_pool *pool, const float *inputs, size_t n,
		      struct error *err, float *ret_outputs);

/* Called once for each input i, from any thread, with its outputs; writes the derivative of the objective with respect
 * to them (same shape). */
typedef void inference_cotangent(void *ctx, size_t i, unsigned thread, const float *outputs, float *ret_cotangent);

/* Both passes. ret_gradients [n, input values]. */
int inference_gradient(struct inference *inference, struct thread_pool *pool, const float *inputs, size_t n,
		       inference_cotangent *cotangent, void *ctx, struct error *err, float *ret_gradients);

#endif
