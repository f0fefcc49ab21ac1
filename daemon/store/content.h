/* What a presentation says, as one hash: the same resent gives the same, and a row can be checked against itself. */
#ifndef EVOKED_DAEMON_STORE_CONTENT_H
#define EVOKED_DAEMON_STORE_CONTENT_H

#include "protocol/presentation.h"
#include "support/error.h"
#include "support/hash.h"

/* SHA-256 over trial, position, batch, slot, image (zeros when batch and slot name it), commanded_us, onset_us (i64le
 * each, the image 32 bytes), the names of onset source and outcome with their NUL, then responses and mask, each after
 * its size (i64le). A mask that hides nothing is none. Run and number are not in it. */
void content_hash(const struct presentation *presentation, struct hash *ret_hash);

/* The mask's bytes that count: 0 when it hides nothing. */
size_t content_mask_size(const struct presentation *presentation);

/* The fields but responses and mask as JSON text with the protocol's names, malloc'ed; for what is kept aside. */
int content_fields(const struct presentation *presentation, struct error *err, char **ret_text);

#endif
