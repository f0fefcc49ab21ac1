/* A frozen network that turns an image into a feature map: the built-in V1-like front end, or a core from a file.
 *
 * Features are float32 [height, width, channels] per image (NHWC), so that a readout can be factorized into channel
 * mixing and spatial pooling. Images as in response_model.h: float32 [n, height_px, width_px, 3], RGB, 0..255.
 * The same image gives the same bits whatever n and the number of threads. Thread: one caller at a time. */
#ifndef EVOKED_MODELS_BACKBONE_H
#define EVOKED_MODELS_BACKBONE_H

#include <stddef.h>
#include <stdint.h>

#include "models/window.h"
#include "support/error.h"
#include "support/hash.h"
#include "support/thread_pool.h"

struct backbone;

struct backbone_ops {
	/* ret_features [n, map_height, map_width, n_channels] */
	int (*features)(struct backbone *backbone, struct thread_pool *pool, const float *images, size_t n,
			struct error *err, float *ret_features);
	/* Both passes at once. `cotangent` is called once per image i from any thread of the pool with that image's
	 * features, and writes the derivative of the objective with respect to them (same shape);
	 * ret_gradients [n, height_px, width_px, 3]. */
	int (*gradient)(struct backbone *backbone, struct thread_pool *pool, const float *images, size_t n,
			void (*cotangent)(void *ctx, size_t i, unsigned thread, const float *features,
					  float *ret_cotangent),
			void *ctx, struct error *err, float *ret_gradients);
	void (*destroy)(struct backbone *backbone);
};

struct backbone {
	const struct backbone_ops *ops;
	uint32_t height_px, width_px;		    /* of the image */
	uint32_t map_height, map_width, n_channels; /* of the features */
	struct hash hash;			    /* of everything that decides the features' bits but the CPU */
};

static inline size_t backbone_n_features(const struct backbone *b)
{
	return (size_t)b->map_height * b->map_width * b->n_channels;
}

static inline struct shape backbone_shape(const struct backbone *b)
{
	return (struct shape){b->map_height, b->map_width, b->n_channels};
}

static inline void backbone_destroy(struct backbone *b)
{
	if (b)
		b->ops->destroy(b);
}

/* The built-in front end (front_end.h): name "front_end", or a model file (.keras or safetensors), of which the
 * layers up to and including `cut_layer` are used; NULL or "": the last layer before the published readout
 * (design: "without their last two layers"; for a dense readout, the map before the flatten). */
int backbone_open(const char *name_or_path, const char *cut_layer, uint32_t height_px, uint32_t width_px,
		  struct error *err, struct backbone **ret_backbone);

#endif
