/* LAPACK is column-major: a row-major lower triangle is its upper one, and a column of it is a row of ours. */
#include "models/lapack.h"

#include <errno.h>
#include <stdlib.h>

#include "models/gemm.h"

/* OpenBLAS ships no header for these; the Fortran interface is fixed (LAPACK's reference documentation). */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dtrtrs_(const char *uplo, const char *trans, const char *diag, const int *n, const int *nrhs, const double *a,
	     const int *lda, double *b, const int *ldb, int *info);
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
	     const int *lwork, int *iwork, const int *liwork, int *info);

int lapack_cholesky(size_t n, double *a, struct error *err)
{
	const int order = (int)n;
	int info;

	gemm_use_one_thread();
	dpotrf_("U", &order, a, &order, &info);
	if (info > 0)
		return error_set(err, -EDOM, "Cholesky: the leading minor of order %d of %zu is not positive", info, n);
	return 0;
}

static void solve_triangle(const char *transpose, size_t n, const double *l, size_t n_rhs, double *b)
{
	const int order = (int)n, n_columns = (int)n_rhs;
	int info;

	gemm_use_one_thread();
	dtrtrs_("U", transpose, "N", &order, &n_columns, l, &order, b, &order, &info);
}

void lapack_forward_solve(size_t n, const double *l, size_t n_rhs, double *b)
{
	solve_triangle("T", n, l, n_rhs, b);
}

void lapack_backward_solve(size_t n, const double *l, size_t n_rhs, double *b)
{
	solve_triangle("N", n, l, n_rhs, b);
}

void lapack_cholesky_solve(size_t n, const double *l, size_t n_rhs, double *b)
{
	lapack_forward_solve(n, l, n_rhs, b);
	lapack_backward_solve(n, l, n_rhs, b);
}

int lapack_eigen(size_t n, double *a, struct error *err, double *ret_values)
{
	int order = (int)n, info = 0, n_integers = 3 + 5 * order, r = 0;

	if (n > LAPACK_ORDER_MAX)
		return error_set(err, -EINVAL, "eigenvalues: order %zu, at most %d", n, LAPACK_ORDER_MAX);
	int n_doubles = 1 + 6 * order + 2 * order * order;
	double *work = malloc((size_t)n_doubles * sizeof *work);
	int *integers = malloc((size_t)n_integers * sizeof *integers);
	if (!work || !integers) {
		r = error_set(err, -ENOMEM, "eigenvalues: no memory for order %zu", n);
		goto out_free;
	}
	gemm_use_one_thread();
	dsyevd_("V", "U", &order, a, &order, ret_values, work, &n_doubles, integers, &n_integers, &info);
	if (info)
		r = error_set(err, -EDOM, "eigenvalues: no convergence at order %zu (code %d)", n, info);
out_free:
	free(integers);
	free(work);
	return r;
}
