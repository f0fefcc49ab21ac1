/* Forward and backward over a minibatch, for fitting: batch norm by the minibatch's own statistics, gradients of all
 *weights.
 *
 * Sums over images run over fixed chunks of TRAINING_CHUNK images, then over the chunks in order: the same minibatch
 *gives the same bits for any number of threads. The optimizer is the caller's: it reads ret_gradients and writes
 *network->weights.
 *
 *	training_create(network, 64, NULL, &training);
 *	training_forward(training, pool, inputs, n, outputs);
 *	... cotangent = d loss / d outputs ...
 *	training_backward(training, pool, cotangent, gradients, NULL);
 *	... network->weights[i] -= rate * gradients[i] ...
 */
#ifndef EVOKED_MODELS_TRAINING_H
#define EVOKED_MODELS_TRAINING_H

#include <stddef.h>

#include "models/network.h"
#include "support/thread_pool.h"

enum { TRAINING_CHUNK = 4 };

struct training;

/* Memory for minibatches of up to n_max images, planned once: every layer's map for every image and what the gradients
 * need. Borrows the network, which must be complete. -ENOMEM says for what and how much; -EINVAL. */
int training_create(struct network *network, size_t n_max, struct error *err, struct training **ret_training);
void training_destroy(struct training *training);

/* Bytes that training_create() would allocate. -ENOMEM.
 */
int training_bytes(const struct network *network, size_t n_max, struct error *err, size_t *ret_bytes);

/* inputs [n, input values] are borrowed until training_backward(); ret_outputs [n, output values]. 1 <= n <= n_max.
 * Moves the moving statistics of the batch norms (network->weights). pool NULL: the caller alone. */
void training_forward(struct training *training, struct thread_pool *pool, const float *inputs, size_t n,
		      float *ret_outputs);

/* After training_forward(): cotangents [n, output values] to ret_gradients [network->n_weights], summed over the images
 * (0 for what is not trainable), and, if not NULL, ret_input_gradients [n, input values]. */
void training_backward(struct training *training, struct thread_pool *pool, const float *cotangents,
		       float *ret_gradients, float *ret_input_gradients);

#endif
