/* Thin: each call makes sure once that OpenBLAS uses one thread, then hands over. Only gemm_reserve() fails. */
#include "models/gemm.h"

#include <cblas.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "support/thread_pool.h"

/* OpenBLAS exports these without a header: one piece of its working memory, and back to its own list. */
void *blas_memory_alloc(int procpos);
void blas_memory_free(void *memory);

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

int gemm_reserve(unsigned n_threads, struct error *err)
{
	const size_t size = n_threads * GEMM_THREAD_BYTES;
	void *taken[THREAD_POOL_THREADS_MAX];

	if (n_threads < 1 || n_threads > THREAD_POOL_THREADS_MAX)
		return error_set(err, -EINVAL, "OpenBLAS: %u threads, 1 to %d are possible", n_threads,
				 THREAD_POOL_THREADS_MAX);
	gemm_use_one_thread();
	/* Its own failure would not come back: whether there is room is tried before. */
	void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return error_set(err, -ENOMEM,
				 "OpenBLAS needs %zu MiB of addresses for %u threads: the limit of memory is too low",
				 size >> 20, n_threads);
	munmap(room, size);
	for (unsigned i = 0; i < n_threads; i++)
		taken[i] = blas_memory_alloc(0);
	for (unsigned i = 0; i < n_threads; i++)
		blas_memory_free(taken[i]);
	return 0;
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
