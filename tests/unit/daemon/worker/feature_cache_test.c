/* Kept features are the computed ones; the bound holds; the oldest go first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/worker/feature_cache.h"
#include "samples.h"

enum { N_POOL = 80, N_KEPT = FEATURE_CACHE_CHUNK_IMAGES + 8 };

static struct pool *open_pool(void)
{
	struct pool *pool;

	assert_int_equal(pool_open("dead_leaves:80", SAMPLE_SIDE_PX, SAMPLE_SIDE_PX, false, 5, NULL, NULL, &pool), 0);
	assert_int_equal(pool_n_images(pool), N_POOL);
	return pool;
}

static void get(struct feature_cache *cache, uint32_t first, size_t n, float *ret_features)
{
	uint32_t images[FEATURE_CACHE_CHUNK_IMAGES];

	for (uint32_t i = 0; i < n; i++)
		images[i] = first + i;
	assert_int_equal(feature_cache_get(cache, NULL, images, n, NULL, ret_features), 0);
}

static void kept_and_computed_are_the_same(void **state)
{
	struct sample_backbone backbone;
	struct feature_cache *cache;
	struct pool *pool = open_pool();
	float first[FEATURE_CACHE_CHUNK_IMAGES * SAMPLE_FEATURES], again[FEATURE_CACHE_CHUNK_IMAGES * SAMPLE_FEATURES];
	struct image image;

	(void)state;
	sample_backbone_init(&backbone);
	assert_int_equal(feature_cache_create(1 << 20, pool, &backbone.base, NULL, &cache), 0);
	get(cache, 10, 20, first);
	assert_int_equal(feature_cache_n_computed(cache), 20);
	assert_int_equal(pool_read(pool, 13, NULL, &image), 0);
	assert_float_equal(first[3 * SAMPLE_FEATURES], (float)image.rgb[0], 0.0F);
	image_done(&image);
	get(cache, 10, 20, again);
	assert_memory_equal(first, again, 20 * SAMPLE_FEATURES * sizeof(float));
	/* Half kept, half not: in their places. */
	get(cache, 20, 20, again);
	assert_memory_equal(first + 10 * SAMPLE_FEATURES, again, 10 * SAMPLE_FEATURES * sizeof(float));
	assert_int_equal(feature_cache_n_computed(cache), 30);
	assert_int_equal(backbone.n_images, 30);
	feature_cache_destroy(cache);
	pool_close(pool);
}

static void bounded_oldest_first(void **state)
{
	struct sample_backbone backbone;
	struct feature_cache *cache;
	struct pool *pool = open_pool();
	float features[FEATURE_CACHE_CHUNK_IMAGES * SAMPLE_FEATURES];

	(void)state;
	sample_backbone_init(&backbone);
	assert_int_equal(
		feature_cache_create(N_KEPT * SAMPLE_FEATURES * sizeof(float), pool, &backbone.base, NULL, &cache), 0);
	for (uint32_t i = 0; i < N_POOL; i += 20)
		get(cache, i, 20, features);
	assert_int_equal(feature_cache_n_kept(cache), N_KEPT);
	get(cache, N_POOL - 20, 20, features);
	assert_int_equal(feature_cache_n_computed(cache), N_POOL);
	get(cache, 0, 20, features);
	assert_int_equal(feature_cache_n_computed(cache), N_POOL + 20);
	assert_int_equal(feature_cache_n_kept(cache), N_KEPT);
	feature_cache_destroy(cache);
	pool_close(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_and_computed_are_the_same),
		cmocka_unit_test(bounded_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
