/* Factors multiply back to the matrix, solutions solve, and what is not positive definite is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/lapack.h"
#include "support/rng.h"

enum { N = 37, N_RHS = 3 };

static double matrix[N * N], factor[N * N], rhs[N_RHS * N], solution[N_RHS * N];

/* A positive definite matrix and right-hand sides. */
static int fill(void **state)
{
	struct rng rng = rng_make(3, 0, RNG_TEST, 0);
	double root[N * N];

	(void)state;
	for (size_t i = 0; i < N * N; i++)
		root[i] = rng_normal(&rng, i);
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++) {
			double sum = i == j;

			for (size_t k = 0; k < N; k++)
				sum += root[i * N + k] * root[j * N + k];
			matrix[i * N + j] = sum;
		}
	}
	for (size_t i = 0; i < N_RHS * N; i++)
		rhs[i] = rng_normal(&rng, N * N + i);
	memcpy(factor, matrix, sizeof factor);
	memcpy(solution, rhs, sizeof solution);
	return 0;
}

static void cholesky_and_solves(void **state)
{
	(void)state;
	assert_int_equal(lapack_cholesky(N, factor, NULL), 0);
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j <= i; j++) {
			double sum = 0;

			for (size_t k = 0; k <= j; k++)
				sum += factor[i * N + k] * factor[j * N + k];
			assert_true(fabs(sum - matrix[i * N + j]) < 1e-10);
		}
		for (size_t j = i + 1; j < N; j++)
			assert_true(factor[i * N + j] == matrix[i * N + j]);
	}
	lapack_cholesky_solve(N, factor, N_RHS, solution);
	for (size_t r = 0; r < N_RHS; r++) {
		for (size_t i = 0; i < N; i++) {
			double sum = 0;

			for (size_t j = 0; j < N; j++)
				sum += matrix[i * N + j] * solution[r * N + j];
			assert_true(fabs(sum - rhs[r * N + i]) < 1e-9);
		}
	}
	/* |L^-1 b|^2 = b^T a^-1 b */
	double norm = 0, product = 0;
	for (size_t i = 0; i < N; i++)
		product += rhs[i] * solution[i];
	lapack_forward_solve(N, factor, N_RHS, rhs);
	for (size_t i = 0; i < N; i++)
		norm += rhs[i] * rhs[i];
	assert_true(fabs(norm - product) < 1e-9);
}

static void not_positive_definite(void **state)
{
	struct error err = {0};

	(void)state;
	factor[5 * N + 5] = -1;
	assert_int_equal(lapack_cholesky(N, factor, &err), -EDOM);
	assert_non_null(strstr(err.text, "order 6"));
}

static void eigenvectors_are_rows(void **state)
{
	double values[N];

	(void)state;
	assert_int_equal(lapack_eigen(N, factor, NULL, values), 0);
	for (size_t e = 0; e < N; e++) {
		const double *v = factor + e * N;
		double norm = 0;

		assert_true(e == 0 || values[e] >= values[e - 1]);
		for (size_t i = 0; i < N; i++) {
			double sum = 0;

			for (size_t j = 0; j < N; j++)
				sum += matrix[i * N + j] * v[j];
			assert_true(fabs(sum - values[e] * v[i]) < 1e-9);
			norm += v[i] * v[i];
		}
		assert_true(fabs(norm - 1) < 1e-12);
	}
	assert_int_equal(lapack_eigen(LAPACK_ORDER_MAX + 1, factor, NULL, values), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cholesky_and_solves, fill),
		cmocka_unit_test_setup(not_positive_definite, fill),
		cmocka_unit_test_setup(eigenvectors_are_rows, fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
