/* For the tests of layers: a network's outputs against the plain reference, its gradients against finite differences.
 */
#ifndef EVOKED_TESTS_NETWORK_CHECK_H
#define EVOKED_TESTS_NETWORK_CHECK_H

#include "models/network.h"

/* A complete network of the input and one layer. */
struct network *network_check_one_layer(struct shape input, const struct layer *layer);

/* Adds a layer, failing the test with the error's sentence. */
uint32_t network_check_add(struct network *network, const struct layer *layer);

/* Fills all weights (moving statistics too) and n images by the seed, then checks inference and its input gradient,
 * training forward and all its gradients. Fails the test at the first difference, naming the case. */
void network_check(struct network *network, size_t n, uint64_t seed, const char *name);

#endif
