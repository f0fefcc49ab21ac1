/* A task is a tile on or below the diagonal: products of GRAM_TILE rows over COLUMNS columns at a time are added up in
 * double, so that rounding does not grow with the number of features. Failure modes: memory for the threads' tiles. */
#include "models/gram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/gemm.h"

enum { COLUMNS = 1024, TILE_VALUES = GRAM_TILE * GRAM_TILE };

struct gram_tiles {
	float product[TILE_VALUES];
	double sum[TILE_VALUES];
};

struct gram_job {
	const float *rows;
	size_t n_rows, n_columns;
	double *gram;
	struct gram_tiles *tiles; /* [threads] */
};

/* Tile number -> (row, column) of tiles, row by row below the diagonal. */
static void tile_position(size_t number, size_t *ret_row, size_t *ret_column)
{
	size_t row = 0;

	while (number > row) {
		number -= row + 1;
		row++;
	}
	*ret_row = row;
	*ret_column = number;
}

static void gram_task(void *ctx, size_t number, unsigned thread)
{
	const struct gram_job *job = ctx;
	struct gram_tiles *t = &job->tiles[thread];
	size_t row, column;

	tile_position(number, &row, &column);
	const float *a = job->rows + row * GRAM_TILE * job->n_columns;
	const float *b = job->rows + column * GRAM_TILE * job->n_columns;
	memset(t->sum, 0, sizeof t->sum);
	for (size_t first = 0; first < job->n_columns; first += COLUMNS) {
		size_t k = job->n_columns - first < COLUMNS ? job->n_columns - first : COLUMNS;
		gemm_f32(GEMM_PLAIN, GEMM_TRANSPOSED, GRAM_TILE, GRAM_TILE, k, 1.0f, a + first, job->n_columns,
			 b + first, job->n_columns, 0.0f, t->product, GRAM_TILE);
		for (size_t i = 0; i < TILE_VALUES; i++)
			t->sum[i] += t->product[i];
	}
	for (size_t i = row * GRAM_TILE; i < (row + 1) * GRAM_TILE && i < job->n_rows; i++) {
		for (size_t j = column * GRAM_TILE; j < (column + 1) * GRAM_TILE && j <= i; j++) {
			double value = t->sum[i % GRAM_TILE * GRAM_TILE + j % GRAM_TILE];
			job->gram[i * job->n_rows + j] = value;
			job->gram[j * job->n_rows + i] = value;
		}
	}
}

int gram_compute(const float *rows, size_t n_rows, size_t n_columns, struct thread_pool *pool, struct error *err,
		 double *ret_gram)
{
	const size_t n_tiles = gram_padded(n_rows) / GRAM_TILE;
	struct gram_job job = {rows, n_rows, n_columns, ret_gram, NULL};

	job.tiles = aligned_alloc(64, thread_pool_size(pool) * sizeof *job.tiles);
	if (!job.tiles)
		return error_set(err, -ENOMEM, "fit: no memory for the tiles of the Gram matrix");
	thread_pool_run(pool, n_tiles * (n_tiles + 1) / 2, gram_task, &job);
	free(job.tiles);
	return 0;
}
