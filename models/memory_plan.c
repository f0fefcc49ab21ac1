/* First fit in the order given: each span goes to the lowest place that is free for as long as it lives. Quadratic or
 * worse in the number of spans, which is the number of layers. Nothing fails. */
#include "models/memory_plan.h"

#include <stdbool.h>

#include "models/tensor.h"

static bool share_a_step(const struct memory_span *a, const struct memory_span *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* The end of a placed span that stands in the way of `span` at its offset, or its offset when nothing does. */
static size_t end_of_obstacle(const struct memory_span *spans, size_t n_placed, const struct memory_span *span)
{
	for (size_t i = 0; i < n_placed; i++) {
		const struct memory_span *other = &spans[i];
		size_t end = other->offset + tensor_aligned(other->n_values);

		if (other->n_values && share_a_step(other, span) && span->offset < end &&
		    other->offset < span->offset + tensor_aligned(span->n_values))
			return end;
	}
	return span->offset;
}

size_t memory_plan(struct memory_span *spans, size_t n_spans)
{
	size_t total = 0;

	for (size_t i = 0; i < n_spans; i++) {
		struct memory_span *span = &spans[i];

		span->offset = 0;
		if (!span->n_values)
			continue;
		/* Moving up past one obstacle at a time visits every lowest free place. */
		for (size_t end; (end = end_of_obstacle(spans, i, span)) != span->offset;)
			span->offset = end;
		if (span->offset + tensor_aligned(span->n_values) > total)
			total = span->offset + tensor_aligned(span->n_values);
	}
	return total;
}
