/* Features of pool images that were candidates, kept because candidates come back. Bounded: the oldest go first. */
#ifndef EVOKED_DAEMON_WORKER_FEATURE_CACHE_H
#define EVOKED_DAEMON_WORKER_FEATURE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "models/backbone.h"
#include "stimuli/pool.h"
#include "support/error.h"
#include "support/thread_pool.h"

#define FEATURE_CACHE_BYTES_MAX ((size_t)256 << 20)
enum { FEATURE_CACHE_CHUNK_IMAGES = 32 };

struct feature_cache;

int feature_cache_create(size_t bytes_max, struct pool *pool, struct backbone *backbone, struct error *err,
			 struct feature_cache **ret_cache);
void feature_cache_destroy(struct feature_cache *cache);

/* Features of n pool images (at most FEATURE_CACHE_CHUNK_IMAGES): ret_features [n, backbone_n_features]. What is not
 * kept is computed and kept. A kept feature has the bits of a computed one (backbone.h). */
int feature_cache_get(struct feature_cache *cache, struct thread_pool *threads, const uint32_t *pool_images, size_t n,
		      struct error *err, float *ret_features);

/* For tests: how many images are kept, and how many were ever computed. */
size_t feature_cache_n_kept(const struct feature_cache *cache);
size_t feature_cache_n_computed(const struct feature_cache *cache);

#endif
