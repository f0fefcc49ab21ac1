/* What session_spec.c and session_units.c share; not for others. */
#ifndef EVOKED_PROTOCOL_SESSION_SPEC_INTERNAL_H
#define EVOKED_PROTOCOL_SESSION_SPEC_INTERNAL_H

#include "protocol/session_spec.h"

/* Index of the unit with that id, or n. */
uint32_t session_spec_find_unit(const struct session_unit *units, uint32_t n, uint32_t id);

/* The same id, label and array, whatever their versions. */
bool session_spec_same_unit(const struct session_unit *a, const struct session_unit *b);

/* Appends a JSON list of units, `name` in errors, to units [*n..LIMIT_UNITS); refuses an id that is there twice. The
 * list is no longer than what fits. */
int session_spec_parse_units(const json_t *list, const char *name, uint32_t n_arrays, struct session_unit *units,
			     uint32_t *n, struct error *err);

#endif
