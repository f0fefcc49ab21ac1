/* Places buffers that live at different times in one block of memory. */
#ifndef EVOKED_MODELS_MEMORY_PLAN_H
#define EVOKED_MODELS_MEMORY_PLAN_H

#include <stddef.h>
#include <stdint.h>

struct memory_span {
	size_t n_values;      /* 0: needs no place */
	uint32_t first, last; /* steps in which it is used, both included */
	size_t offset;	      /* set by memory_plan(), in values, aligned as tensors are */
};

/* Sets the offsets: spans that share a step do not overlap. Returns the values needed in all. Same spans, same plan. */
size_t memory_plan(struct memory_span *spans, size_t n_spans);

#endif
