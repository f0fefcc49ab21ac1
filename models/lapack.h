/* Cholesky and symmetric eigenproblems in double, by the LAPACK inside OpenBLAS. Matrices are row-major [n, n].
 *
 * One thread each; the same input gives the same bits. Thread: any. */
#ifndef EVOKED_MODELS_LAPACK_H
#define EVOKED_MODELS_LAPACK_H

#include <stddef.h>

#include "support/error.h"

/* The workspace of lapack_eigen(), 2 n^2 + 6 n + 1 doubles, is counted in an int. */
enum { LAPACK_ORDER_MAX = 32000 };

/* In place: the lower triangle of a becomes L with a = L L^T; the upper triangle is neither read nor written. -EDOM:
 * not positive definite (the error names the order of the leading minor); a is then spoilt. */
int lapack_cholesky(size_t n, double *a, struct error *err);

/* Solves (L L^T) x = b in place for n_rhs right-hand sides, one a row: b [n_rhs, n]. l as lapack_cholesky() leaves it.
 */
void lapack_cholesky_solve(size_t n, const double *l, size_t n_rhs, double *b);

/* Solves L x = b (or L^T x = b) in place; b [n_rhs, n]. Half of the solve: |x|^2 is b^T a^-1 b. */
void lapack_forward_solve(size_t n, const double *l, size_t n_rhs, double *b);
void lapack_backward_solve(size_t n, const double *l, size_t n_rhs, double *b);

/* Eigenvalues in rising order, ret_values [n]; row i of a becomes eigenvector i (unit length; its sign is LAPACK's).
 * The lower triangle of a is read. -EDOM: no convergence; -ENOMEM; -EINVAL: n above LAPACK_ORDER_MAX. */
int lapack_eigen(size_t n, double *a, struct error *err, double *ret_values);

#endif
