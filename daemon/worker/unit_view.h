/* A model seen with some of its units only: images are chosen for those that are not excluded. */
#ifndef EVOKED_DAEMON_WORKER_UNIT_VIEW_H
#define EVOKED_DAEMON_WORKER_UNIT_VIEW_H

#include <stdint.h>

#include "models/response_model.h"
#include "support/error.h"

/* `units` [n_units] are rising places among the units of `model`, copied. Borrows the model, which must outlive the
 * view. */
int unit_view_create(struct response_model *model, const uint32_t *units, uint32_t n_units, struct error *err,
		     struct response_model **ret_view);

#endif
