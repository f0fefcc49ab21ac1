/* What a fit does unless the configuration says otherwise. Chosen by cross-validation inside the first halves of
 * sessions 190923 and 210224 (models/README.md, "Members"), under the budget of a refit: some seconds on two shared
 * cores. daemon/config_keys.c has the same numbers as text; tests/unit/daemon/config_test.c holds the two equal. */
#ifndef EVOKED_MODELS_SESSION_MODEL_DEFAULTS_H
#define EVOKED_MODELS_SESSION_MODEL_DEFAULTS_H

#include "models/session_model.h"

/* n_members 4: the smallest number that leaves two to optimise an image on and two to judge it.
 * n_steps × batch_size: what the budget allows. */
#define SESSION_MODEL_DEFAULTS                                                                                         \
	{                                                                                                              \
		.n_members = 4, .mixing_channels = 64, .n_steps = 300, .batch_size = 64, .learning_rate = 3e-3,        \
		.weight_decay = 3.0                                                                                    \
	}

#endif
