/* Threads sleep on one condition until a run begins, claim task numbers from one atomic counter, and the last to finish
 * wakes the caller. The caller claims tasks too. Failure: only creation can fail; threads made so far are then ended.
 */
#include "support/thread_pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct thread_pool {
	pthread_mutex_t lock;
	pthread_cond_t begun;
	pthread_cond_t ended;
	uint64_t run; /* number of the current run; a change wakes the threads */
	unsigned n_busy;
	bool stopping;
	void (*task)(void *ctx, size_t i, unsigned thread);
	void *ctx;
	size_t n_tasks;
	atomic_size_t next;
	unsigned n_started; /* threads beside the caller */
	struct worker {
		struct thread_pool *pool;
		pthread_t thread;
		unsigned number;
	} workers[THREAD_POOL_THREADS_MAX];
};

static void claim_tasks(struct thread_pool *pool, unsigned thread)
{
	for (;;) {
		size_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);

		if (i >= pool->n_tasks)
			return;
		pool->task(pool->ctx, i, thread);
	}
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct thread_pool *pool = worker->pool;
	uint64_t seen = 0;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->stopping && pool->run == seen)
			pthread_cond_wait(&pool->begun, &pool->lock);
		if (pool->stopping)
			break;
		seen = pool->run;
		pthread_mutex_unlock(&pool->lock);
		claim_tasks(pool, worker->number);
		pthread_mutex_lock(&pool->lock);
		if (--pool->n_busy == 0)
			pthread_cond_signal(&pool->ended);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static unsigned n_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) || CPU_COUNT(&set) < 1)
		return 1;
	unsigned n = (unsigned)CPU_COUNT(&set);
	return n > THREAD_POOL_THREADS_MAX ? THREAD_POOL_THREADS_MAX : n;
}

int thread_pool_create(unsigned n_threads, struct error *err, struct thread_pool **ret_pool)
{
	if (n_threads > THREAD_POOL_THREADS_MAX)
		return error_set(err, -EINVAL, "threads: %u, at most %d", n_threads, THREAD_POOL_THREADS_MAX);
	if (!n_threads)
		n_threads = n_processors();

	struct thread_pool *pool = calloc(1, sizeof *pool);
	if (!pool)
		return error_set(err, -ENOMEM, "threads: out of memory");
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->begun, NULL);
	pthread_cond_init(&pool->ended, NULL);
	while (pool->n_started + 1 < n_threads) {
		struct worker *worker = &pool->workers[pool->n_started];

		worker->pool = pool;
		worker->number = pool->n_started + 1;
		int r = pthread_create(&worker->thread, NULL, worker_main, worker);
		if (r) {
			error_set(err, -r, "threads: cannot start number %u of %u: %s", worker->number + 1, n_threads,
				  strerror(r));
			thread_pool_destroy(pool);
			return -r;
		}
		pool->n_started++;
	}
	*ret_pool = pool;
	return 0;
}

void thread_pool_destroy(struct thread_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->begun);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->n_started; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->ended);
	pthread_cond_destroy(&pool->begun);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

unsigned thread_pool_size(const struct thread_pool *pool)
{
	return pool ? pool->n_started + 1 : 1;
}

void thread_pool_run(struct thread_pool *pool, size_t n_tasks, void (*task)(void *ctx, size_t i, unsigned thread),
		     void *ctx)
{
	if (!pool || !pool->n_started || n_tasks < 2) {
		for (size_t i = 0; i < n_tasks; i++)
			task(ctx, i, 0);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->task = task;
	pool->ctx = ctx;
	pool->n_tasks = n_tasks;
	atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
	pool->n_busy = pool->n_started;
	pool->run++;
	pthread_cond_broadcast(&pool->begun);
	pthread_mutex_unlock(&pool->lock);

	claim_tasks(pool, 0);

	pthread_mutex_lock(&pool->lock);
	while (pool->n_busy)
		pthread_cond_wait(&pool->ended, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}
