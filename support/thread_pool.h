/* A pool of threads that runs numbered tasks; the caller waits. Results may not depend on which thread ran what.
 *
 * The calling thread takes part, so a pool of 1 has no other thread. Tasks are claimed dynamically; each must
 * write only what belongs to its number. Sums over tasks are the caller's, in task order (design: "The same bits"). */
#ifndef EVOKED_SUPPORT_THREAD_POOL_H
#define EVOKED_SUPPORT_THREAD_POOL_H

#include <stddef.h>

#include "support/error.h"

enum { THREAD_POOL_THREADS_MAX = 64 };

struct thread_pool;

/* n_threads 1..THREAD_POOL_THREADS_MAX; 0 means the processors this process may use. */
int thread_pool_create(unsigned n_threads, struct error *err, struct thread_pool **ret_pool);
void thread_pool_destroy(struct thread_pool *pool);

unsigned thread_pool_size(const struct thread_pool *pool);

/* pool NULL: the caller alone, here and in thread_pool_size().
 * Runs task(ctx, i, thread) for i in [0, n_tasks) and returns when all have ended; `thread` < thread_pool_size()
 * picks scratch memory. Not reentrant; one caller at a time. */
void thread_pool_run(struct thread_pool *pool, size_t n_tasks, void (*task)(void *ctx, size_t i, unsigned thread),
		     void *ctx);

#endif
