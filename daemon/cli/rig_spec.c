/* The window of the counts is the published one (method.md §1); display and receptive field are unknown, as there is
 * none. */
#include "daemon/cli/rig_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/rig_trial.h"

int rig_spec_make(const struct subject *subject, uint32_t n_units, const char *session_name, struct error *err,
		  struct session_spec *ret_spec)
{
	struct session_spec spec = {
		.response_type = RESPONSE_COUNTS,
		.n_arrays = 1,
		.arrays = {{.name = "simulated", .area = "V4"}},
		.n_units = n_units,
		.n_bins = 1,
		.bins = {{RIG_WINDOW_FROM_MS, RIG_WINDOW_TO_MS}},
		.target_n_bins = 1,
		.background = {128, 128, 128},
	};

	if (strlen(session_name) > LIMIT_LABEL_BYTES)
		return error_set(err, -EINVAL, "session name: at most %d bytes expected, found %zu", LIMIT_LABEL_BYTES,
				 strlen(session_name));
	strcpy(spec.name, session_name);
	spec.units = calloc(n_units, sizeof(*spec.units));
	if (!spec.units)
		return error_set(err, -ENOMEM, "out of memory for %u units", n_units);
	for (uint32_t i = 0; i < n_units; i++) {
		spec.units[i] = (struct session_unit){.id = i + 1, .from_number = 1, .until_number = INT64_MAX};
		snprintf(spec.units[i].label, sizeof(spec.units[i].label), "%s", subject_unit_label(subject, i));
	}
	*ret_spec = spec;
	return 0;
}
