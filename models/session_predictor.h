/* A session's model file, opened for use outside the session: `evoke predict`, `evoke synthesize`, a simulated rig. */
#ifndef EVOKED_MODELS_SESSION_PREDICTOR_H
#define EVOKED_MODELS_SESSION_PREDICTOR_H

#include "models/response_model.h"
#include "support/error.h"

/* Opens the safetensors file of a session model (session_model.h) with the backbone that it was fitted on: `backbone`
 * and `cut_layer` as for backbone_open(), NULL for the built-in front end. The model answers with the tier that was the
 * better one on the monitor images when it was saved: the ridge (one member) or the ensemble's members. It owns all
 * that it needs. 1 when there is no such file, or it is not a session model; -EINVAL when the backbone is another
 * one: the sentence has both hashes. */
int session_predictor_open(const char *path, const char *backbone, const char *cut_layer, struct error *err,
			   struct response_model **ret_model);

#endif
