/* Rows of floats in one growing piece of memory, 64-byte aligned at its start: the features of all images shown so far,
 * which a fit takes as one matrix. Growing does not copy (mremap). */
#ifndef EVOKED_DAEMON_WORKER_FLOAT_ROWS_H
#define EVOKED_DAEMON_WORKER_FLOAT_ROWS_H

#include <stddef.h>

struct float_rows {
	size_t width; /* floats in a row */
	size_t n;     /* rows in use */
	size_t bytes; /* mapped */
	float *data;  /* [n, width]; moves when rows are added */
};

/* `width` >= 1. Nothing is mapped yet. */
void float_rows_init(struct float_rows *rows, size_t width);
void float_rows_done(struct float_rows *rows);
/* Room for n rows in all (rows->n becomes n); new ones are zero. -ENOMEM: as before. */
int float_rows_resize(struct float_rows *rows, size_t n);

#endif
