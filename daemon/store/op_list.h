/* A first-in first-out list of operations, linked by their `next`. A zeroed struct is an empty list. */
#ifndef EVOKED_DAEMON_STORE_OP_LIST_H
#define EVOKED_DAEMON_STORE_OP_LIST_H

#include <stddef.h>

#include "daemon/store/store.h"

struct op_list {
	struct store_op *first, *last;
};

static inline void op_list_append(struct op_list *list, struct store_op *op)
{
	op->next = NULL;
	if (list->last)
		list->last->next = op;
	else
		list->first = op;
	list->last = op;
}

static inline struct store_op *op_list_take_first(struct op_list *list)
{
	struct store_op *op = list->first;

	if (op) {
		list->first = op->next;
		if (!list->first)
			list->last = NULL;
		op->next = NULL;
	}
	return op;
}

static inline struct op_list op_list_take_all(struct op_list *list)
{
	struct op_list all = *list;

	*list = (struct op_list){NULL, NULL};
	return all;
}

static inline void op_list_append_all(struct op_list *list, struct op_list *more)
{
	if (!more->first)
		return;
	if (list->last)
		list->last->next = more->first;
	else
		list->first = more->first;
	list->last = more->last;
	*more = (struct op_list){NULL, NULL};
}

#endif
