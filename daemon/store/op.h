/* What the store itself asks of an operation; store.h has the rest. */
#ifndef EVOKED_DAEMON_STORE_OP_H
#define EVOKED_DAEMON_STORE_OP_H

struct arena;
struct store_op;

/* The memory behind the operation; its n_bytes is what the queue counts. */
struct arena *store_op_arena(struct store_op *op);

#endif
