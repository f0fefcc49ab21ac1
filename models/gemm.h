/* Matrix products on OpenBLAS, which has its one owner here. All matrices are row-major.
 *
 * OpenBLAS is held to one thread: parallelism is the caller's, over a thread pool. The same call with the same shapes,
 * leading dimensions and values gives the same bits; another m, n or k may give other bits for the rows that both have
 * (it chooses kernels by shape), so a caller that promises the same bits for any chunking pads its last chunk to the
 * shape of the others. Buffers are to be 64-byte aligned. Thread: any. Nothing fails; sizes stay below INT_MAX. */
#ifndef EVOKED_MODELS_GEMM_H
#define EVOKED_MODELS_GEMM_H

#include <stddef.h>

#include "support/error.h"

enum gemm_transpose { GEMM_PLAIN, GEMM_TRANSPOSED };

/* Holds OpenBLAS to one thread; every function here does it by itself, lapack.c asks for it. */
void gemm_use_one_thread(void);

/* The kernel that OpenBLAS chose for this processor ("Haswell"): other kernels give other bits. And its own version. */
const char *gemm_kernel_name(void);
const char *gemm_library_version(void);

/* Makes OpenBLAS take its working memory now, for that many threads at once (GEMM_THREAD_BYTES of addresses each).
 * Without, it takes it at the first products, and where addresses are limited (RLIMIT_AS) it then tries for ever: a
 * program with such a limit calls this first. -ENOMEM says how much was missing. */
#define GEMM_THREAD_BYTES ((size_t)128 << 20)
int gemm_reserve(unsigned n_threads, struct error *err);

/* c = alpha op(a) op(b) + beta c; op(a) [m, k], op(b) [k, n], c [m, n]. lda, ldb, ldc: floats between rows as stored.
 * beta 0 means that c is written without being read. */
void gemm_f32(enum gemm_transpose transpose_a, enum gemm_transpose transpose_b, size_t m, size_t n, size_t k,
	      float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);
void gemm_f64(enum gemm_transpose transpose_a, enum gemm_transpose transpose_b, size_t m, size_t n, size_t k,
	      double alpha, const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c,
	      size_t ldc);

/* c = alpha op(a) op(a)^T + beta c, only on and below the diagonal; op(a) [n, k], c [n, n]. */
void gemm_syrk_f32(enum gemm_transpose transpose_a, size_t n, size_t k, float alpha, const float *a, size_t lda,
		   float beta, float *c, size_t ldc);
void gemm_syrk_f64(enum gemm_transpose transpose_a, size_t n, size_t k, double alpha, const double *a, size_t lda,
		   double beta, double *c, size_t ldc);

/* y = alpha op(a) x + beta y; a [m, n] as stored. */
void gemm_gemv_f32(enum gemm_transpose transpose_a, size_t m, size_t n, float alpha, const float *a, size_t lda,
		   const float *x, float beta, float *y);
void gemm_gemv_f64(enum gemm_transpose transpose_a, size_t m, size_t n, double alpha, const double *a, size_t lda,
		   const double *x, double beta, double *y);

#endif
