/* What a session model is made of; for its own source files only. */
#ifndef EVOKED_MODELS_SESSION_MODEL_PRIVATE_H
#define EVOKED_MODELS_SESSION_MODEL_PRIVATE_H

#include "models/ensemble.h"
#include "models/ridge.h"
#include "models/session_model.h"

struct session_model {
	struct hash backbone; /* whose features it was fitted on */
	struct ridge ridge;
	struct ensemble ensemble; /* n_members 0: the fast tier alone */
	enum session_model_tier best;
	uint64_t seed; /* of the fit: key of the scores' bootstrap too */
	uint32_t decision;
};

#endif
