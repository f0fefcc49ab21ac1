/* What the simulated rig declares at `open`: one array over V4, a unit for each of the subject's, one bin of 100 ms. */
#ifndef EVOKED_DAEMON_CLI_RIG_SPEC_H
#define EVOKED_DAEMON_CLI_RIG_SPEC_H

#include "protocol/session_spec.h"
#include "stimuli/subject.h"
#include "support/error.h"

/* The first n_units of the subject, with ids from 1. -EINVAL: the name is too long; -ENOMEM. The caller ends the
 * declaration with session_spec_done. */
int rig_spec_make(const struct subject *subject, uint32_t n_units, const char *session_name, struct error *err,
		  struct session_spec *ret_spec);

#endif
