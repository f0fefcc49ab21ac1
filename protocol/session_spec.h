/* What a rig declares at `open`: arrays, units, response bins, display. Checked once, then fixed but for unit versions.
 */
#ifndef EVOKED_PROTOCOL_SESSION_SPEC_H
#define EVOKED_PROTOCOL_SESSION_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/limits.h"
#include "support/error.h"

enum response_type { RESPONSE_COUNTS, RESPONSE_CONTINUOUS };

/* A unit is there from one presentation until before another. Numbers begin again with each run, so a place in the
 * session is (run, number); runs are counted in the order of their first `hello`, from 1. */
struct session_unit {
	uint32_t id; /* chosen by the rig, never reused */
	char label[LIMIT_LABEL_BYTES + 1];
	uint32_t array;		      /* index into arrays */
	uint32_t from_run, until_run; /* 0 at open; UINT32_MAX while active */
	int64_t from_number;	      /* first presentation with this unit (1 at open) */
	int64_t until_number;	      /* first without it; INT64_MAX while active */
};

struct session_array {
	char name[LIMIT_LABEL_BYTES + 1];
	char area[LIMIT_LABEL_BYTES + 1]; /* "V4" */
	bool rf_known;
	double rf_x_deg, rf_y_deg, rf_size_deg;
};

struct session_bin {
	double start_ms, end_ms; /* relative to the onset */
};

struct session_spec {
	char name[LIMIT_LABEL_BYTES + 1]; /* the session's, also of its file; letters, digits, "-_." */
	enum response_type response_type;
	uint32_t n_arrays;
	struct session_array arrays[LIMIT_ARRAYS];
	uint32_t n_units;	    /* all that ever were */
	struct session_unit *units; /* owned */
	uint32_t n_bins;
	struct session_bin bins[LIMIT_BINS];
	uint32_t target_first_bin, target_n_bins; /* the bins that are summed to the modelled response */
	double image_size_deg, image_x_deg, image_y_deg, pixels_per_deg, refresh_hz; /* display; 0: unknown */
	uint8_t background[3]; /* level of the gray between images */
	uint32_t run; /* the one that writes now, for session_spec_units_at(): set by whoever counts runs, else 0 */
};

/* From an `open` header (or the stored copy of one). -EPROTO missing or of another type, -ERANGE, -EINVAL
 * contradicting, -E2BIG over a limit: with the field named. */
int session_spec_parse(const json_t *header, struct error *err, struct session_spec *ret_spec);
/* Back to a JSON object with the same fields; new reference. */
int session_spec_encode(const struct session_spec *spec, struct error *err, json_t **ret_object);
void session_spec_done(struct session_spec *spec);

/* True when `asked` (from an `open` that came again) declares what `spec` was opened with, whatever became of its units
 * since. */
bool session_spec_same(const struct session_spec *spec, const struct session_spec *asked);

/* Applies a `units` message of the run spec->run: retires and adds at its from_number. The same message again changes
 * nothing. On failure nothing is changed: -EINVAL an id that was there before, -ENOENT retiring one that is not active,
 * -E2BIG more than LIMIT_UNITS in the session. */
int session_spec_change_units(struct session_spec *spec, const json_t *header, struct error *err);

/* The units of presentation `number` of run `run` (of the run spec->run), in the order in which their responses stand;
 * ret_index [LIMIT_UNITS] into spec->units. Returns how many. */
uint32_t session_spec_units_in(const struct session_spec *spec, uint32_t run, int64_t number, uint32_t *ret_index);
uint32_t session_spec_units_at(const struct session_spec *spec, int64_t number, uint32_t *ret_index);

#endif
