/* A network with fixed weights as a backbone: its output is the feature map. */
#ifndef EVOKED_MODELS_NETWORK_BACKBONE_H
#define EVOKED_MODELS_NETWORK_BACKBONE_H

#include "models/backbone.h"
#include "models/network.h"

/* The last layer before the readout: before a dense layer (and its flatten), or before a 1×1 convolution and the
 * depthwise layer that pools its whole map (and a flatten). -EINVAL: the network ends otherwise; a layer must be named.
 */
int network_backbone_find_cut(const struct network *network, struct error *err, uint32_t *ret_layer);

/* The network up to and including layer `last`. Copies what it needs. -EINVAL: not three channels; -ENOMEM. */
int network_backbone_create(const struct network *network, uint32_t last, struct error *err,
			    struct backbone **ret_backbone);

#endif
