/* A network with fixed weights as a response model: one member, a unit for each value of its output. */
#ifndef EVOKED_MODELS_NETWORK_MODEL_H
#define EVOKED_MODELS_NETWORK_MODEL_H

#include "models/network.h"
#include "models/response_model.h"

/* Copies what it needs: the network stays the caller's. -EINVAL: its input has not three channels; -ENOMEM. */
int network_model_create(const struct network *network, struct error *err, struct response_model **ret_model);

#endif
