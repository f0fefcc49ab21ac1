/* A bounded queue of a rig's presentations that the daemon has not settled yet. No I/O; used by client.c.
 *
 * States of an entry: waiting -> sent (in a block) -> settled, or back to waiting when the block has to go again.
 * Entries leave from the front; one that is settled out of order waits there for those before it. When the queue is
 * full nothing is taken. Thread: one. */
#ifndef EVOKED_PROTOCOL_OUTBOX_H
#define EVOKED_PROTOCOL_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/presentation.h"
#include "protocol/session_spec.h"
#include "support/error.h"

enum outbox_state { OUTBOX_WAITING, OUTBOX_SENT, OUTBOX_SETTLED };

struct outbox_entry {
	struct presentation presentation; /* responses and mask in `memory` */
	void *memory;			  /* owned */
	size_t size;			  /* of memory */
	enum outbox_state state;
	int64_t block;	       /* while sent */
	int64_t first_sent_ns; /* 0: never */
};

struct outbox {
	struct outbox_entry *entries; /* ring of max_n */
	size_t max_n, max_bytes;
	size_t head, n, n_unsettled, bytes;
	int64_t last_number; /* newest ever pushed */
	/* Called for each entry that becomes settled. */
	void (*settled)(void *ctx, const struct outbox_entry *entry);
	void *ctx;
};

int outbox_init(size_t max_n, size_t max_bytes, struct outbox *ret_outbox);
void outbox_done(struct outbox *outbox);

/* Copies. -EAGAIN full (over max_n or max_bytes), -EINVAL number not above the last, -ENOMEM. */
int outbox_push(struct outbox *outbox, const struct presentation *presentation, struct error *err);

/* The next presentations to send, oldest first: at most max_n of the same units and about max_bytes. They become sent
 * in `block`; their memory stays the outbox's. Returns how many; *ret_n_again of them had been sent before. */
size_t outbox_take_block(struct outbox *outbox, const struct session_spec *spec, int64_t block, int64_t now_ns,
			 size_t max_n, size_t max_bytes, struct presentation *ret_presentations, size_t *ret_n_again);

/* Sent ones of the block (or all of them) wait again. */
void outbox_return_block(struct outbox *outbox, int64_t block);
void outbox_return_all(struct outbox *outbox);

/* The daemon settled: everything through `number`; the sent ones of a block, but for those in missing [n_missing],
 * which wait again. */
void outbox_settle_through(struct outbox *outbox, int64_t number);
void outbox_settle_block(struct outbox *outbox, int64_t block, const int64_t *missing, size_t n_missing);

/* Entry i of n, oldest first. */
const struct outbox_entry *outbox_entry(const struct outbox *outbox, size_t i);

#endif
