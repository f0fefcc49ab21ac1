/* A minibatch goes through the network a layer at a time; the images of a layer are spread over the pool in chunks.
 * Every layer's map of every image is kept for the way back; derivatives share memory by plan. A weight gradient is
 * summed within a chunk in image order into the chunk's own piece, then over the chunks in order. Only creation fails.
 */
#include "models/training.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "models/layer_pass.h"
#include "models/memory_plan.h"
#include "models/tensor.h"
#include "models/training_norm.h"

enum { REDUCE_VALUES = 4096 };

struct training {
	struct network *network;
	size_t n_max, n; /* images at most; in the present minibatch */
	const float *inputs;
	float *input_gradients; /* of the present backward pass, or NULL */
	struct place {
		struct memory_span map, gradient; /* of all images */
		size_t stride;			  /* floats between images */
		size_t statistics;		  /* of a batch norm: offset of its mean and inverse */
		bool has_trainable;		  /* it or a layer before it has */
		bool is_begun;			  /* its derivative holds something in this backward pass */
	} * places;				  /* [n_layers]; the input's map is the caller's */
	struct sizes {
		size_t maps, gradients, statistics;
		size_t scratch;	 /* the largest that a layer's kernels ask for */
		size_t partial;	 /* the largest span of one layer's weights */
		size_t channels; /* of the widest batch norm */
	} sizes;
	float *maps, *gradients, *statistics;
	float *scratch;	     /* [threads, sizes.scratch] */
	float *partials;     /* [chunks, sizes.partial]: one layer's weight gradient, a chunk at a time */
	float *coefficients; /* [3, sizes.channels] */
	double *sums;	     /* [chunks, 2, sizes.channels] */
};

static size_t chunks_of(size_t n)
{
	return (n + TRAINING_CHUNK - 1) / TRAINING_CHUNK;
}

static bool is_trainable(const struct layer *layer)
{
	return layer->n_tensors && layer->tensors[0].trainable;
}

/* The part of the weights that belongs to a layer. */
static size_t weights_first(const struct layer *layer)
{
	return layer->tensors[0].offset;
}

static size_t weights_count(const struct layer *layer)
{
	const struct layer_tensor *last = &layer->tensors[layer->n_tensors - 1];

	return last->offset + last->n_values - layer->tensors[0].offset;
}

static void raise_to(size_t *largest, size_t value)
{
	if (value > *largest)
		*largest = value;
}

/* Derivatives are numbered by the steps of the way back: layer i at n_layers - i. */
static void plan(const struct network *network, size_t n_max, struct memory_span *gradients, struct place *places,
		 struct sizes *ret_sizes)
{
	struct sizes sizes = {0};
	const uint32_t n = network->n_layers;

	for (uint32_t i = 0; i < n; i++) {
		const struct layer *layer = &network->layers[i];
		struct place *place = &places[i];

		place->stride = i ? tensor_aligned(shape_n_values(layer->out)) : shape_n_values(layer->out);
		place->map.offset = sizes.maps;
		place->has_trainable = is_trainable(layer);
		for (uint32_t k = 0; k < layer->n_inputs; k++) {
			place->has_trainable |= places[layer->inputs[k]].has_trainable;
			gradients[layer->inputs[k]].first = n - i; /* the last reader begins it */
		}
		gradients[i] = (struct memory_span){place->stride * n_max * (i > 0), n - i, n - i, 0};
		sizes.maps += place->stride * n_max * (i > 0);
		raise_to(&sizes.scratch, tensor_aligned(layer_pass_scratch(layer)));
		if (is_trainable(layer))
			raise_to(&sizes.partial, tensor_aligned(weights_count(layer)));
		if (layer->kind == LAYER_BATCH_NORM) {
			place->statistics = sizes.statistics;
			sizes.statistics += 2 * tensor_aligned(layer->out.channels);
			raise_to(&sizes.channels, tensor_aligned(layer->out.channels));
		}
	}
	sizes.gradients = memory_plan(gradients, n);
	for (uint32_t i = 0; i < n; i++)
		places[i].gradient = gradients[i];
	*ret_sizes = sizes;
}

static int make_plan(const struct network *network, size_t n_max, struct error *err, struct place **ret_places,
		     struct sizes *ret_sizes)
{
	struct place *places = calloc(network->n_layers, sizeof *places);
	struct memory_span *gradients = calloc(network->n_layers, sizeof *gradients);

	if (!places || !gradients) {
		free(gradients);
		free(places);
		return error_set(err, -ENOMEM, "training: out of memory");
	}
	plan(network, n_max, gradients, places, ret_sizes);
	free(gradients);
	*ret_places = places;
	return 0;
}

int training_bytes(const struct network *network, size_t n_max, struct error *err, size_t *ret_bytes)
{
	struct place *places;
	struct sizes sizes;

	int r = make_plan(network, n_max, err, &places, &sizes);
	if (r)
		return r;
	free(places);
	*ret_bytes = sizeof(float) * (sizes.maps + sizes.gradients + sizes.statistics + 3 * sizes.channels +
				      THREAD_POOL_THREADS_MAX * sizes.scratch + chunks_of(n_max) * sizes.partial) +
		     sizeof(double) * 2 * chunks_of(n_max) * sizes.channels;
	return 0;
}

int training_create(struct network *network, size_t n_max, struct error *err, struct training **ret_training)
{
	if (!network->weights || !n_max)
		return error_set(err, -EINVAL, "training: the network is not complete, or no images");
	struct training *t = calloc(1, sizeof *t);
	if (!t)
		return error_set(err, -ENOMEM, "training: out of memory");
	t->network = network;
	t->n_max = n_max;
	int r = make_plan(network, n_max, err, &t->places, &t->sizes);
	if (r)
		goto out_destroy;
	const struct {
		const char *what;
		size_t n;
		float **values;
	} parts[] = {
		{"training: maps", t->sizes.maps, &t->maps},
		{"training: gradients", t->sizes.gradients, &t->gradients},
		{"training: statistics", t->sizes.statistics, &t->statistics},
		{"training: scratch", THREAD_POOL_THREADS_MAX * t->sizes.scratch, &t->scratch},
		{"training: weight gradients", chunks_of(n_max) * t->sizes.partial, &t->partials},
		{"training: batch norm", 3 * t->sizes.channels, &t->coefficients},
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts && !r; i++)
		r = tensor_alloc(parts[i].n, parts[i].what, err, parts[i].values);
	if (r)
		goto out_destroy;
	t->sums = calloc(2 * chunks_of(n_max) * t->sizes.channels + 1, sizeof *t->sums);
	if (!t->sums) {
		r = error_set(err, -ENOMEM, "training: out of memory");
		goto out_destroy;
	}
	*ret_training = t;
	return 0;
out_destroy:
	training_destroy(t);
	return r;
}

void training_destroy(struct training *t)
{
	if (!t)
		return;
	free(t->sums);
	free(t->coefficients);
	free(t->partials);
	free(t->scratch);
	free(t->statistics);
	free(t->gradients);
	free(t->maps);
	free(t->places);
	free(t);
}

/* One layer in one direction. */
struct pass {
	struct training *training;
	uint32_t layer;
	float *gradients;		  /* of the weights */
	bool is_first[LAYER_INPUTS_MAX];  /* the input's derivative begins here */
	bool is_wanted[LAYER_INPUTS_MAX]; /* somebody needs the input's derivative */
};

static const float *map_of(const struct training *t, uint32_t layer, size_t image)
{
	return (layer ? t->maps + t->places[layer].map.offset : t->inputs) + image * t->places[layer].stride;
}

static float *gradient_of(const struct training *t, uint32_t layer, size_t image)
{
	float *first = layer ? t->gradients + t->places[layer].gradient.offset : t->input_gradients;

	return first + image * t->places[layer].stride;
}

static size_t chunk_end(const struct training *t, size_t chunk)
{
	size_t end = (chunk + 1) * TRAINING_CHUNK;

	return end < t->n ? end : t->n;
}

static void gather(const struct training *t, const struct layer *layer, size_t image,
		   const float *ret_in[LAYER_INPUTS_MAX])
{
	for (uint32_t k = 0; k < layer->n_inputs; k++)
		ret_in[k] = map_of(t, layer->inputs[k], image);
}

static void forward_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct pass *pass = ctx;
	struct training *t = pass->training;
	const struct layer *layer = &t->network->layers[pass->layer];
	const struct place *place = &t->places[pass->layer];

	for (size_t image = chunk * TRAINING_CHUNK; image < chunk_end(t, chunk); image++) {
		const float *in[LAYER_INPUTS_MAX];

		gather(t, layer, image, in);
		layer_pass_forward(layer, t->network->weights, in, t->scratch + thread * t->sizes.scratch,
				   t->maps + place->map.offset + image * place->stride);
	}
}

static struct training_norm norm_of(struct training *t, uint32_t layer)
{
	const struct layer *l = &t->network->layers[layer];
	const struct place *place = &t->places[layer];

	return (struct training_norm){
		.layer = l,
		.n_images = t->n,
		.chunk = TRAINING_CHUNK,
		.n_rows = (size_t)l->out.height * l->out.width,
		.x_stride = t->places[l->inputs[0]].stride,
		.y_stride = place->stride,
		.x = map_of(t, l->inputs[0], 0),
		.y = t->maps + place->map.offset,
		.sums = t->sums,
		.mean = t->statistics + place->statistics,
		.inverse = t->statistics + place->statistics + tensor_aligned(l->out.channels),
		.coefficients = t->coefficients,
	};
}

void training_forward(struct training *t, struct thread_pool *pool, const float *inputs, size_t n, float *ret_outputs)
{
	const struct network *network = t->network;
	const uint32_t last = network->n_layers - 1;
	const size_t n_out = shape_n_values(network_output(network));

	t->inputs = inputs;
	t->n = n;
	for (uint32_t i = 1; i <= last; i++) {
		struct pass pass = {.training = t, .layer = i};

		if (network->layers[i].kind == LAYER_BATCH_NORM) {
			struct training_norm norm = norm_of(t, i);

			training_norm_forward(&norm, pool, network->weights);
		} else {
			thread_pool_run(pool, chunks_of(n), forward_task, &pass);
		}
	}
	for (size_t image = 0; image < n; image++)
		memcpy(ret_outputs + image * n_out, map_of(t, last, image), n_out * sizeof *ret_outputs);
}

static void undo_relu_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct pass *pass = ctx;
	struct training *t = pass->training;

	(void)thread;
	for (size_t image = chunk * TRAINING_CHUNK; image < chunk_end(t, chunk); image++)
		layer_pass_undo_relu(&t->network->layers[pass->layer], map_of(t, pass->layer, image),
				     gradient_of(t, pass->layer, image));
}

static void clear_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct pass *pass = ctx;
	struct training *t = pass->training;
	const struct layer *layer = &t->network->layers[pass->layer];

	(void)thread;
	for (uint32_t k = 0; k < layer->n_inputs; k++) {
		for (size_t image = chunk * TRAINING_CHUNK; pass->is_first[k] && image < chunk_end(t, chunk); image++)
			memset(gradient_of(t, layer->inputs[k], image), 0, shape_n_values(layer->in) * sizeof(float));
	}
}

static void backward_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct pass *pass = ctx;
	struct training *t = pass->training;
	const struct layer *layer = &t->network->layers[pass->layer];
	float *scratch = t->scratch + thread * t->sizes.scratch, *partial = NULL;

	if (is_trainable(layer)) {
		partial = t->partials + chunk * t->sizes.partial;
		memset(partial, 0, weights_count(layer) * sizeof *partial);
	}
	for (size_t image = chunk * TRAINING_CHUNK; image < chunk_end(t, chunk); image++) {
		const float *in[LAYER_INPUTS_MAX], *out_gradient = gradient_of(t, pass->layer, image);
		float *to[LAYER_INPUTS_MAX] = {NULL};

		gather(t, layer, image, in);
		for (uint32_t k = 0; k < layer->n_inputs; k++)
			to[k] = pass->is_wanted[k] ? gradient_of(t, layer->inputs[k], image) : NULL;
		if (partial)
			layer_pass_weight_gradient(layer, in, out_gradient, scratch, partial);
		layer_pass_input_gradient(layer, t->network->weights, in, out_gradient, scratch, to);
	}
}

static void reduce_task(void *ctx, size_t block, unsigned thread)
{
	const struct pass *pass = ctx;
	const struct training *t = pass->training;
	const struct layer *layer = &t->network->layers[pass->layer];
	const size_t first = block * REDUCE_VALUES, rest = weights_count(layer) - first;
	const size_t n = rest < REDUCE_VALUES ? rest : REDUCE_VALUES;
	float *to = pass->gradients + weights_first(layer) + first;

	(void)thread;
	memcpy(to, t->partials + first, n * sizeof *to);
	for (size_t chunk = 1; chunk < chunks_of(t->n); chunk++)
		tensor_add(to, t->partials + chunk * t->sizes.partial + first, n);
}

static void norm_backward(struct pass *pass, struct thread_pool *pool)
{
	struct training *t = pass->training;
	struct training_norm norm = norm_of(t, pass->layer);
	float *dx = pass->is_wanted[0] ? gradient_of(t, norm.layer->inputs[0], 0) : NULL;

	training_norm_backward(&norm, pool, t->network->weights, gradient_of(t, pass->layer, 0), dx, pass->gradients);
}

static void layer_backward(struct pass *pass, struct thread_pool *pool)
{
	struct training *t = pass->training;
	const struct layer *layer = &t->network->layers[pass->layer];

	for (uint32_t k = 0; k < layer->n_inputs; k++) {
		uint32_t from = layer->inputs[k];

		pass->is_wanted[k] = t->places[from].has_trainable || t->input_gradients;
		pass->is_first[k] = pass->is_wanted[k] && !t->places[from].is_begun;
		t->places[from].is_begun = true;
	}
	if (layer->relu)
		thread_pool_run(pool, chunks_of(t->n), undo_relu_task, pass);
	thread_pool_run(pool, chunks_of(t->n), clear_task, pass);
	if (layer->kind == LAYER_BATCH_NORM) {
		norm_backward(pass, pool);
		return;
	}
	thread_pool_run(pool, chunks_of(t->n), backward_task, pass);
	if (is_trainable(layer))
		thread_pool_run(pool, (weights_count(layer) + REDUCE_VALUES - 1) / REDUCE_VALUES, reduce_task, pass);
}

void training_backward(struct training *t, struct thread_pool *pool, const float *cotangents, float *ret_gradients,
		       float *ret_input_gradients)
{
	const struct network *network = t->network;
	const uint32_t last = network->n_layers - 1;
	const size_t n_out = shape_n_values(network_output(network));

	t->input_gradients = ret_input_gradients;
	memset(ret_gradients, 0, network->n_weights * sizeof *ret_gradients);
	for (uint32_t i = 0; i <= last; i++)
		t->places[i].is_begun = i == last;
	for (size_t image = 0; image < t->n; image++)
		memcpy(gradient_of(t, last, image), cotangents + image * n_out, n_out * sizeof *cotangents);
	for (uint32_t i = last; i > 0; i--) {
		struct pass pass = {.training = t, .layer = i, .gradients = ret_gradients};

		/* Nobody asked for it: no reader of this layer is wanted further up. */
		if (t->places[i].is_begun && (t->places[i].has_trainable || ret_input_gradients))
			layer_backward(&pass, pool);
	}
}
