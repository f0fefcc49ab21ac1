/* Small things that the worker's tests share: a session's declaration, images, a backbone that is easy to check. */
#ifndef EVOKED_TESTS_UNIT_DAEMON_WORKER_SAMPLES_H
#define EVOKED_TESTS_UNIT_DAEMON_WORKER_SAMPLES_H

#include <stdlib.h>
#include <string.h>

#include "models/backbone.h"
#include "protocol/session_spec.h"
#include "stimuli/image.h"

enum { SAMPLE_SIDE_PX = 32, SAMPLE_FEATURES = 3 };

static const char sample_spec_text[] =
	"{\"name\": \"sample\", \"response_type\": \"counts\", \"arrays\": [{\"name\": \"a\", \"area\": \"V4\"}],"
	" \"units\": [{\"id\": 7, \"label\": \"u7\", \"array\": 0}, {\"id\": 9, \"label\": \"u9\", \"array\": 0}],"
	" \"bins\": [{\"start_ms\": 0, \"end_ms\": 50}, {\"start_ms\": 50, \"end_ms\": 100},"
	" {\"start_ms\": 100, \"end_ms\": 150}],"
	" \"target\": {\"first_bin\": 1, \"n_bins\": 2}, \"display\": {\"background\": [128, 128, 128]}}";

static inline json_t *sample_spec_json(void)
{
	return json_loads(sample_spec_text, 0, NULL);
}

static inline int sample_spec(struct session_spec *ret_spec, struct error *err)
{
	json_t *object = sample_spec_json();
	int r = session_spec_parse(object, err, ret_spec);

	json_decref(object);
	return r;
}

/* A uniform image whose level is its number: PNG bytes (malloc'ed) and hash. */
static inline int sample_png(uint8_t level, void **ret_png, size_t *ret_size, struct hash *ret_hash)
{
	struct image image;
	int r = image_init(SAMPLE_SIDE_PX, SAMPLE_SIDE_PX, NULL, &image);

	if (r)
		return r;
	memset(image.rgb, level, (size_t)SAMPLE_SIDE_PX * SAMPLE_SIDE_PX * 3);
	image_hash(&image, ret_hash);
	r = image_encode_png(&image, NULL, ret_png, ret_size);
	image_done(&image);
	return r;
}

/* Features: the first pixel's three levels. Counts how many images it has seen. */
struct sample_backbone {
	struct backbone base;
	size_t n_images;
};

static inline int sample_features(struct backbone *backbone, struct thread_pool *pool, const float *images, size_t n,
				  struct error *err, float *ret_features)
{
	size_t n_pixels = (size_t)backbone->width_px * backbone->height_px * 3;

	(void)pool;
	(void)err;
	for (size_t i = 0; i < n; i++)
		memcpy(ret_features + i * SAMPLE_FEATURES, images + i * n_pixels, SAMPLE_FEATURES * sizeof(float));
	((struct sample_backbone *)backbone)->n_images += n;
	return 0;
}

static const struct backbone_ops sample_backbone_ops = {.features = sample_features};

static inline void sample_backbone_init(struct sample_backbone *ret_backbone)
{
	*ret_backbone = (struct sample_backbone){.base = {.ops = &sample_backbone_ops,
							  .height_px = SAMPLE_SIDE_PX,
							  .width_px = SAMPLE_SIDE_PX,
							  .map_height = 1,
							  .map_width = 1,
							  .n_channels = SAMPLE_FEATURES}};
}

#endif
