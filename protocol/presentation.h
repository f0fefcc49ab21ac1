/* One presentation as it travels and as it is stored: the unit of data. */
#ifndef EVOKED_PROTOCOL_PRESENTATION_H
#define EVOKED_PROTOCOL_PRESENTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/message.h"
#include "protocol/session_spec.h"
#include "support/error.h"

enum { RUN_SIZE = 16, PRESENTATION_NO_ONSET = -1 };

enum presentation_outcome {
	OUTCOME_COMPLETE,
	OUTCOME_BROKEN_FIXATION,
	OUTCOME_DROPPED_FRAME,
	OUTCOME_ARTIFACT,
	OUTCOME_NOT_SHOWN,
};
enum onset_source { ONSET_PHOTODIODE, ONSET_TTL, ONSET_SOFTWARE };

/* Names as on the wire and in the session file; NULL / -EINVAL for what is not one. */
const char *presentation_outcome_name(enum presentation_outcome outcome);
int presentation_outcome_from_name(const char *name, enum presentation_outcome *ret_outcome);
const char *onset_source_name(enum onset_source source);
int onset_source_from_name(const char *name, enum onset_source *ret_source);

struct presentation {
	int64_t number; /* within the run, from 1 */
	int64_t trial;
	int64_t position;  /* in the trial, from 0 */
	int64_t batch;	   /* 0: the rig's own image, then `image` names it */
	int64_t slot;	   /* -1 with batch 0 */
	uint8_t image[32]; /* hash; all zero when batch and slot name it */
	bool has_image;
	int64_t commanded_us; /* rig's clock */
	int64_t onset_us;     /* measured, rig's clock; PRESENTATION_NO_ONSET: not shown, and the rig gave none */
	enum onset_source onset_source;
	enum presentation_outcome outcome;
	const void *responses; /* [n_units, n_bins] u16 or f32, borrowed from the message */
	const uint8_t *mask;   /* [n_units, n_bins] 1 = missing; NULL: none missing */
	size_t responses_size, mask_size;
};

/* One refusal inside a block: the others of the block are taken. */
struct presentation_refusal {
	int64_t number; /* -1 when not even the number could be read: then nothing was settled by it */
	struct error error;
};

/* Takes a `presentations` message apart. The whole is refused (negative errno: -EPROTO, -ERANGE, -E2BIG, -EINVAL) when
 * run, frames or shapes are wrong, when the units change inside the block, or when a number is there twice, as then no
 * row can be trusted; single bad entries (a count over LIMIT_COUNT, NaN, an unknown outcome, ...) become refusals.
 * Whether run, batch, slot and image exist is for the caller to say. Values under the mask are not looked at.
 * ret_presentations and ret_refusals hold LIMIT_PRESENTATIONS each; responses and mask are borrowed and may lie at any
 * address (message_read_u16). */
int presentation_parse_block(const struct message *message, const struct session_spec *spec, struct error *err,
			     uint8_t ret_run[RUN_SIZE], struct presentation *ret_presentations, size_t *ret_n,
			     struct presentation_refusal *ret_refusals, size_t *ret_n_refusals);

/* The inverse: a `presentations` message from n presentations of which the units are the same (client side). Arrays are
 * gathered into the message's own buffer. -E2BIG over LIMIT_PRESENTATIONS, -EINVAL responses of another size. */
int presentation_encode_block(const uint8_t run[RUN_SIZE], const struct presentation *presentations, size_t n,
			      const struct session_spec *spec, int64_t id, struct error *err,
			      struct message *ret_message);

#endif
