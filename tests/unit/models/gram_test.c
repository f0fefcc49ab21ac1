/* The Gram matrix against plain double sums, over sizes around a tile, and its bits over threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/gram.h"
#include "support/rng.h"

static float *make_rows(size_t n_rows, size_t n_columns)
{
	struct rng rng = rng_make(31, 0, RNG_TEST, 0);
	float *rows = aligned_alloc(64, (gram_padded(n_rows) * n_columns * sizeof *rows + 63) / 64 * 64);

	assert_non_null(rows);
	memset(rows, 0, gram_padded(n_rows) * n_columns * sizeof *rows);
	rng_fill_normal(&rng, 0, n_rows * n_columns, rows);
	return rows;
}

static double *compute(const float *rows, size_t n_rows, size_t n_columns, unsigned n_threads)
{
	double *gram = malloc(n_rows * n_rows * sizeof *gram);
	struct thread_pool *pool;

	assert_non_null(gram);
	assert_int_equal(thread_pool_create(n_threads, NULL, &pool), 0);
	assert_int_equal(gram_compute(rows, n_rows, n_columns, pool, NULL, gram), 0);
	thread_pool_destroy(pool);
	return gram;
}

static void test_products_are_those_of_plain_sums(void **state)
{
	const size_t sizes[][2] = {{1, 1}, {5, 3}, {127, 40}, {128, 1024}, {129, 1025}, {300, 70}};
	(void)state;

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		const size_t n = sizes[s][0], k = sizes[s][1];
		float *rows = make_rows(n, k);
		double *gram = compute(rows, n, k, 2);
		for (size_t i = 0; i < n; i += 7) {
			for (size_t j = 0; j < n; j += 3) {
				double sum = 0.0;
				for (size_t c = 0; c < k; c++)
					sum += (double)rows[i * k + c] * rows[j * k + c];
				assert_true(fabs(gram[i * n + j] - sum) < 1e-5 * sqrt((double)k) + 1e-6 * fabs(sum));
				assert_true(gram[i * n + j] == gram[j * n + i]);
			}
		}
		free(rows);
		free(gram);
	}
}

static void test_threads_do_not_change_bits(void **state)
{
	enum { ROWS = 400, COLUMNS = 50 };
	float *rows = make_rows(ROWS, COLUMNS);
	double *one = compute(rows, ROWS, COLUMNS, 1), *three = compute(rows, ROWS, COLUMNS, 3);
	(void)state;

	assert_memory_equal(one, three, ROWS * ROWS * sizeof *one);
	free(rows);
	free(one);
	free(three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_products_are_those_of_plain_sums),
		cmocka_unit_test(test_threads_do_not_change_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
