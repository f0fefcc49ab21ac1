/* Inner products of all pairs of rows, over the pool; float32 products, summed over blocks of columns in double. */
#ifndef EVOKED_MODELS_GRAM_H
#define EVOKED_MODELS_GRAM_H

#include <stddef.h>

#include "support/error.h"
#include "support/thread_pool.h"

enum { GRAM_TILE = 128 }; /* rows: buffers hold a multiple of it, so that every product has one shape */

/* Rows rounded up to whole tiles. */
static inline size_t gram_padded(size_t n_rows)
{
	return (n_rows + GRAM_TILE - 1) / GRAM_TILE * GRAM_TILE;
}

/* rows [gram_padded(n_rows), n_columns] (the rows beyond n_rows zero) -> ret_gram [n_rows, n_rows], both halves.
 * The same bits for any number of threads. -ENOMEM. */
int gram_compute(const float *rows, size_t n_rows, size_t n_columns, struct thread_pool *pool, struct error *err,
		 double *ret_gram);

#endif
