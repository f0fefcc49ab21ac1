/* Products against plain loops over odd sizes and leading dimensions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/gemm.h"
#include "support/rng.h"

enum { SIDE = 40 };

static float a32[SIDE * SIDE], b32[SIDE * SIDE], c32[SIDE * SIDE], start32[SIDE * SIDE];
static double a64[SIDE * SIDE], b64[SIDE * SIDE], c64[SIDE * SIDE];

static void fill(uint32_t sub)
{
	struct rng rng = rng_make(1, 0, RNG_TEST, sub);

	rng_fill_normal(&rng, 0, SIDE * SIDE, a32);
	rng_fill_normal(&rng, SIDE * SIDE, SIDE * SIDE, b32);
	rng_fill_normal(&rng, 2 * SIDE * SIDE, SIDE * SIDE, start32);
	memcpy(c32, start32, sizeof c32);
	for (int i = 0; i < SIDE * SIDE; i++) {
		a64[i] = (double)a32[i];
		b64[i] = (double)b32[i];
		c64[i] = (double)c32[i];
	}
}

static double at(const double *a, enum gemm_transpose t, size_t lda, size_t row, size_t column)
{
	return t == GEMM_TRANSPOSED ? a[column * lda + row] : a[row * lda + column];
}

/* Entry [i, j] of 0.5 op(a) op(b) + beta c. */
static double expected(enum gemm_transpose ta, enum gemm_transpose tb, size_t lda, size_t ldb, size_t ldc, size_t k,
		       double beta, size_t i, size_t j)
{
	double sum = 0;

	for (size_t l = 0; l < k; l++)
		sum += at(a64, ta, lda, i, l) * at(b64, tb, ldb, l, j);
	return 0.5 * sum + beta * (double)start32[i * ldc + j];
}

static void products_are_right(void **state)
{
	static const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 33, 9}, {31, 2, 37}, {1, 33, 5}};

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		size_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], ld = 38;

		for (int t = 0; t < 4; t++) {
			enum gemm_transpose ta = t & 1 ? GEMM_TRANSPOSED : GEMM_PLAIN;
			enum gemm_transpose tb = t & 2 ? GEMM_TRANSPOSED : GEMM_PLAIN;
			double beta = t == 3 ? 0 : -1;

			fill((uint32_t)s);
			gemm_f32(ta, tb, m, n, k, 0.5f, a32, ld, b32, ld, (float)beta, c32, ld);
			gemm_f64(ta, tb, m, n, k, 0.5, a64, ld, b64, ld, beta, c64, ld);
			for (size_t i = 0; i < m; i++) {
				for (size_t j = 0; j < n; j++) {
					double e = expected(ta, tb, ld, ld, ld, k, beta, i, j);

					assert_true(fabs((double)c32[i * ld + j] - e) < 1e-4);
					assert_true(fabs(c64[i * ld + j] - e) < 1e-12);
				}
			}
			assert_true(c32[m * ld] == start32[m * ld]);
			assert_true(c32[n] == start32[n]);
		}
	}
}

static void symmetric_products_are_right(void **state)
{
	const size_t n = 13, k = 21, ld = 39;

	(void)state;
	for (int t = 0; t < 2; t++) {
		enum gemm_transpose ta = t ? GEMM_TRANSPOSED : GEMM_PLAIN;
		enum gemm_transpose tb = t ? GEMM_PLAIN : GEMM_TRANSPOSED;

		fill(7);
		memcpy(b64, a64, sizeof b64);
		gemm_syrk_f32(ta, n, k, 0.5f, a32, ld, 1, c32, ld);
		gemm_syrk_f64(ta, n, k, 0.5, a64, ld, 1, c64, ld);
		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < n; j++) {
				double e = expected(ta, tb, ld, ld, ld, k, 1, i, j);

				if (j > i)
					e = (double)start32[i * ld + j];
				assert_true(fabs((double)c32[i * ld + j] - e) < 1e-4);
				assert_true(fabs(c64[i * ld + j] - e) < 1e-12);
			}
		}
	}
}

static void vector_products_are_right(void **state)
{
	const size_t m = 11, n = 23, ld = 37;

	(void)state;
	fill(8);
	gemm_gemv_f32(GEMM_PLAIN, m, n, 0.5f, a32, ld, b32, 1, c32);
	gemm_gemv_f64(GEMM_TRANSPOSED, m, n, 0.5, a64, ld, b64, 0, c64);
	for (size_t i = 0; i < m; i++)
		assert_true(fabs((double)c32[i] - expected(GEMM_PLAIN, GEMM_PLAIN, ld, 1, 1, n, 1, i, 0)) < 1e-4);
	for (size_t i = 0; i < n; i++)
		assert_true(fabs(c64[i] - expected(GEMM_TRANSPOSED, GEMM_PLAIN, ld, 1, 1, m, 0, i, 0)) < 1e-12);
}

/* In a child, whose limit of addresses is just above what it has: the reservation must fail and say so, not hang. */
static void reservation_under_a_limit(void **state)
{
	int status;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its own tables take terabytes of addresses */
#endif
	assert_int_equal(gemm_reserve(2, NULL), 0);
	assert_int_equal(gemm_reserve(0, NULL), -EINVAL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		/* Less than the tests' own program has: no further mapping succeeds. */
		const struct rlimit limit = {1 << 20, 1 << 20};
		struct error err = {0};

		alarm(5);
		setrlimit(RLIMIT_AS, &limit);
		_exit(gemm_reserve(4, &err) == -ENOMEM && strstr(err.text, "512 MiB") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_are_right),
		cmocka_unit_test(symmetric_products_are_right),
		cmocka_unit_test(vector_products_are_right),
		cmocka_unit_test(reservation_under_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
