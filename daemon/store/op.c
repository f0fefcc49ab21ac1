/* An operation and its arena are one allocation's worth of life: what it points to goes when it goes. */
#include <stdlib.h>

#include "daemon/store/arena.h"
#include "daemon/store/op.h"
#include "daemon/store/store.h"

struct arena *store_op_arena(struct store_op *op)
{
	return op->memory;
}

struct store_op *store_op_create(enum store_op_kind kind)
{
	struct store_op *op = calloc(1, sizeof *op);

	if (!op)
		return NULL;
	op->memory = calloc(1, sizeof(struct arena));
	if (!op->memory) {
		free(op);
		return NULL;
	}
	op->kind = kind;
	return op;
}

void store_op_destroy(struct store_op *op)
{
	if (!op)
		return;
	for (size_t i = 0; i < op->n_images; i++)
		json_decref(op->images[i].provenance);
	json_decref(op->decision.spec);
	json_decref(op->decision.outcome);
	json_decref(op->object);
	arena_done(op->memory);
	free(op->memory);
	free(op);
}

void *store_op_alloc(struct store_op *op, size_t size)
{
	return arena_alloc(op->memory, size);
}

void *store_op_copy(struct store_op *op, const void *data, size_t size)
{
	return arena_copy(op->memory, data, size);
}

char *store_op_string(struct store_op *op, const char *text)
{
	return arena_string(op->memory, text);
}
