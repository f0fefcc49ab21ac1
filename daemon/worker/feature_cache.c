/* A ring of rows: row i % n_rows holds the i-th image that was kept, and `place` tells the row of a pool image. Taking
 * a row from its former image is all that eviction is. Failure modes: a pool image that cannot be read any more, no
 * memory. */
#include "daemon/worker/feature_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/float_rows.h"

#define NOT_KEPT UINT32_MAX

struct feature_cache {
	struct pool *pool;
	struct backbone *backbone;
	size_t n_rows_max, n_computed;
	struct float_rows rows;
	uint32_t *place; /* [pool images] -> row */
	uint32_t *owner; /* [n_rows_max] -> pool image */
	float *pixels;	 /* [FEATURE_CACHE_CHUNK_IMAGES, height, width, 3] */
	float *computed; /* [FEATURE_CACHE_CHUNK_IMAGES, n_features] */
};

static float *allocate_rows(size_t n, size_t width)
{
	return aligned_alloc(64, (n * width * sizeof(float) + 63) / 64 * 64);
}

int feature_cache_create(size_t bytes_max, struct pool *pool, struct backbone *backbone, struct error *err,
			 struct feature_cache **ret_cache)
{
	struct feature_cache *cache = calloc(1, sizeof *cache);
	size_t n_features = backbone_n_features(backbone), n_images = pool_n_images(pool);

	if (!cache)
		return error_set(err, -ENOMEM, "features: out of memory");
	cache->pool = pool;
	cache->backbone = backbone;
	cache->n_rows_max = bytes_max / (n_features * sizeof(float));
	if (cache->n_rows_max < FEATURE_CACHE_CHUNK_IMAGES)
		cache->n_rows_max = FEATURE_CACHE_CHUNK_IMAGES;
	if (cache->n_rows_max > n_images)
		cache->n_rows_max = n_images;
	float_rows_init(&cache->rows, n_features);
	cache->place = malloc(n_images * sizeof *cache->place);
	cache->owner = malloc(cache->n_rows_max * sizeof *cache->owner);
	cache->pixels = allocate_rows(FEATURE_CACHE_CHUNK_IMAGES, (size_t)backbone->width_px * backbone->height_px * 3);
	cache->computed = allocate_rows(FEATURE_CACHE_CHUNK_IMAGES, n_features);
	if (!cache->place || !cache->owner || !cache->pixels || !cache->computed) {
		feature_cache_destroy(cache);
		return error_set(err, -ENOMEM, "features: out of memory");
	}
	memset(cache->place, 0xff, n_images * sizeof *cache->place);
	memset(cache->owner, 0xff, cache->n_rows_max * sizeof *cache->owner);
	*ret_cache = cache;
	return 0;
}

void feature_cache_destroy(struct feature_cache *cache)
{
	if (!cache)
		return;
	float_rows_done(&cache->rows);
	free(cache->place);
	free(cache->owner);
	free(cache->pixels);
	free(cache->computed);
	free(cache);
}

static void keep(struct feature_cache *cache, uint32_t pool_image, const float *features)
{
	size_t row = cache->n_computed++ % cache->n_rows_max;

	/* Without memory it is not kept: it will be computed again. */
	if (row >= cache->rows.n && float_rows_resize(&cache->rows, row + 1))
		return;
	if (cache->owner[row] != NOT_KEPT)
		cache->place[cache->owner[row]] = NOT_KEPT;
	cache->owner[row] = pool_image;
	cache->place[pool_image] = (uint32_t)row;
	memcpy(cache->rows.data + row * cache->rows.width, features, cache->rows.width * sizeof *features);
}

static int read_pixels(struct feature_cache *cache, uint32_t pool_image, struct error *err, float *ret_pixels)
{
	struct image image;
	int r = pool_read(cache->pool, pool_image, err, &image);

	if (r)
		return r;
	image_to_float(&image, ret_pixels);
	image_done(&image);
	return 0;
}

int feature_cache_get(struct feature_cache *cache, struct thread_pool *threads, const uint32_t *pool_images, size_t n,
		      struct error *err, float *ret_features)
{
	size_t n_pixels = (size_t)cache->backbone->width_px * cache->backbone->height_px * 3;
	size_t width = cache->rows.width, n_missing = 0;
	uint32_t missing[FEATURE_CACHE_CHUNK_IMAGES];
	int r;

	for (size_t i = 0; i < n; i++) {
		uint32_t row = cache->place[pool_images[i]];

		if (row != NOT_KEPT) {
			memcpy(ret_features + i * width, cache->rows.data + row * width, width * sizeof *ret_features);
			continue;
		}
		r = read_pixels(cache, pool_images[i], err, cache->pixels + n_missing * n_pixels);
		if (r)
			return r;
		missing[n_missing++] = (uint32_t)i;
	}
	if (!n_missing)
		return 0;
	r = cache->backbone->ops->features(cache->backbone, threads, cache->pixels, n_missing, err, cache->computed);
	if (r)
		return r;
	for (size_t k = 0; k < n_missing; k++) {
		const float *features = cache->computed + k * width;

		memcpy(ret_features + missing[k] * width, features, width * sizeof *ret_features);
		keep(cache, pool_images[missing[k]], features);
	}
	return 0;
}

size_t feature_cache_n_kept(const struct feature_cache *cache)
{
	return cache->rows.n;
}

size_t feature_cache_n_computed(const struct feature_cache *cache)
{
	return cache->n_computed;
}
