/* Thin: each call makes sure once that OpenBLAS uses one thread, then hands over. */
#include "models/gemm.h"

#include <cblas.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_one_thread(void)
{
	openblas_set_num_threads(1);
}

void gemm_use_one_thread(void)
{
	pthread_once(&once, set_one_thread);
}

const char *gemm_kernel_name(void)
{
	return openblas_get_corename();
}

const char *gemm_library_version(void)
{
	return openblas_get_config();
}

static CBLAS_TRANSPOSE to_cblas(enum gemm_transpose transpose)
{
	return transpose == GEMM_TRANSPOSED ? CblasTrans : CblasNoTrans;
}

void gemm_f32(enum gemm_transpose transpose_a, enum gemm_transpose transpose_b, size_t m, size_t n, size_t k,
	      float alpha, const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	gemm_use_one_thread();
	cblas_sgemm(CblasRowMajor, to_cblas(transpose_a), to_cblas(transpose_b), (blasint)m, (blasint)n, (blasint)k,
		    alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

void gemm_f64(enum gemm_transpose transpose_a, enum gemm_transpose transpose_b, size_t m, size_t n, size_t k,
	      double alpha, const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c,
	      size_t ldc)
{
	gemm_use_one_thread();
	cblas_dgemm(CblasRowMajor, to_cblas(transpose_a), to_cblas(transpose_b), (blasint)m, (blasint)n, (blasint)k,
		    alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

void gemm_syrk_f32(enum gemm_transpose transpose_a, size_t n, size_t k, float alpha, const float *a, size_t lda,
		   float beta, float *c, size_t ldc)
{
	gemm_use_one_thread();
	cblas_ssyrk(CblasRowMajor, CblasLower, to_cblas(transpose_a), (blasint)n, (blasint)k, alpha, a, (blasint)lda,
		    beta, c, (blasint)ldc);
}

void gemm_syrk_f64(enum gemm_transpose transpose_a, size_t n, size_t k, double alpha, const double *a, size_t lda,
		   double beta, double *c, size_t ldc)
{
	gemm_use_one_thread();
	cblas_dsyrk(CblasRowMajor, CblasLower, to_cblas(transpose_a), (blasint)n, (blasint)k, alpha, a, (blasint)lda,
		    beta, c, (blasint)ldc);
}

void gemm_gemv_f32(enum gemm_transpose transpose_a, size_t m, size_t n, float alpha, const float *a, size_t lda,
		   const float *x, float beta, float *y)
{
	gemm_use_one_thread();
	cblas_sgemv(CblasRowMajor, to_cblas(transpose_a), (blasint)m, (blasint)n, alpha, a, (blasint)lda, x, 1, beta, y,
		    1);
}

void gemm_gemv_f64(enum gemm_transpose transpose_a, size_t m, size_t n, double alpha, const double *a, size_t lda,
		   const double *x, double beta, double *y)
{
	gemm_use_one_thread();
	cblas_dgemv(CblasRowMajor, to_cblas(transpose_a), (blasint)m, (blasint)n, alpha, a, (blasint)lda, x, 1, beta, y,
		    1);
}
