/* One ensemble member: a small network from a backbone's feature map to the z-scored responses of all units.
 *
 * The map averaged to at most MEMBER_SIDE × MEMBER_SIDE positions, 1×1 convolution to `mixing_channels`, batch norm,
 * ReLU, then the factorized readout: a 1×1 convolution to one map a unit and a spatial pool of its own for each
 * (method.md §2). */
#ifndef EVOKED_MODELS_MEMBER_H
#define EVOKED_MODELS_MEMBER_H

#include "models/network.h"
#include "models/window.h"
#include "support/error.h"
#include "support/rng.h"

#define MEMBER_COARSE "coarse"
#define MEMBER_MIX    "mix"
#define MEMBER_MAPS   "maps"
#define MEMBER_POOL   "pool"
#define MEMBER_KERNEL "kernel"
#define MEMBER_BIAS   "bias"

enum { MEMBER_SIDE = 7 }; /* positions along a side of the readout, as in the paper's */

/* With random mixing weights, readouts that look everywhere alike and answers near zero. rng: RNG_WEIGHT_INIT of this
 * member. The caller owns the network. */
int member_create(struct shape map, uint32_t mixing_channels, uint32_t n_units, const struct rng *rng,
		  struct error *err, struct network **ret_network);

/* Points each unit's spatial pool to where its linear weights are, summed over the readout's positions: the spatial
 * part of the best rank-1 approximation of weights [n_units, height, width, channels] (the first singular vector, its
 * largest part positive). -ENOMEM. */
int member_aim(struct network *network, const float *weights, uint32_t n_units, struct error *err);

/* Multiplies unit u's answers by factor[u] and adds offset[u], exactly, by its readout: when counts are z-scored anew.
 */
void member_rescale(struct network *network, uint32_t n_units, const float *factor, const float *offset);

#endif
