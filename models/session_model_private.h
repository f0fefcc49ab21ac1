/* What a session model is made of; for its own source files only. */
#ifndef EVOKED_MODELS_SESSION_MODEL_PRIVATE_H
#define EVOKED_MODELS_SESSION_MODEL_PRIVATE_H

#include "models/ensemble.h"
#include "models/ridge.h"
#include "models/safetensors.h"
#include "models/session_model.h"

struct session_model {
	struct hash backbone;	      /* whose features it was fitted on */
	uint32_t height_px, width_px; /* of its images */
	struct ridge ridge;
	struct ensemble ensemble; /* n_members 0: the fast tier alone */
	enum session_model_tier best;
	uint64_t seed; /* of the fit: key of the scores' bootstrap too */
	uint32_t decision;
};

/* The image size in a file's metadata; 1 when the file is not a session model. */
int session_model_image_size(const struct safetensors *file, struct error *err, uint32_t *ret_height_px,
			     uint32_t *ret_width_px);

#endif
