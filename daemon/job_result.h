/* What the worker made, turned into the operation that writes it down. Nothing that a worker says is trusted: offsets,
 * hashes and shapes are checked, and an error names the field. */
#ifndef EVOKED_DAEMON_JOB_RESULT_H
#define EVOKED_DAEMON_JOB_RESULT_H

#include "daemon/batch.h"
#include "daemon/store/store.h"
#include "protocol/message.h"
#include "support/error.h"

/* Fills the operation from a result: outcome and its hash, units, images (with their bytes), slots, scores, model hash.
 * The operation's decision.kind must be set. -EPROTO, -ENOMEM. */
int job_result_store(const struct message *result, uint32_t width_px, uint32_t height_px, struct store_op *op,
		     struct error *err);
/* The batch of an operation so filled, with the bytes of the images that are new in it. -ENOMEM. */
int job_result_batch(const struct store_op *op, struct batch **ret_batch);
/* The medians of the tier that is shown; all NaN when there is none. */
void job_result_score(const struct store_op *op, struct batch_score *ret_score);

#endif
