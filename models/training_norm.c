/* Forward: mean, then squares about it (two passes: no cancellation), then the map. Backward: two sums for each
 *channel, then with N rows, xc = x - mean, i = inverse: d beta = sum dy, d gamma = i sum dy xc, dx = gamma i (dy - sum
 *dy / N - xc i^2 sum(dy xc) / N). */
#include "models/training_norm.h"

#include <math.h>

#include "models/batch_norm.h"

struct pass {
	struct training_norm *norm;
	const float *scale, *shift;
	const float *dy;
	float *dx;
};

static size_t n_chunks(const struct training_norm *norm)
{
	return (norm->n_images + norm->chunk - 1) / norm->chunk;
}

static size_t chunk_end(const struct training_norm *norm, size_t chunk)
{
	size_t end = (chunk + 1) * norm->chunk;

	return end < norm->n_images ? end : norm->n_images;
}

static double *sums_of(const struct training_norm *norm, size_t chunk)
{
	return norm->sums + chunk * 2 * norm->layer->out.channels;
}

static void sum_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct training_norm *norm = ((struct pass *)ctx)->norm;
	const size_t c = norm->layer->out.channels;
	double *sums = sums_of(norm, chunk);

	(void)thread;
	for (size_t i = 0; i < 2 * c; i++)
		sums[i] = 0.0;
	for (size_t image = chunk * norm->chunk; image < chunk_end(norm, chunk); image++)
		batch_norm_add_sums(norm->x + image * norm->x_stride, norm->n_rows, c, sums);
}

static void square_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct training_norm *norm = ((struct pass *)ctx)->norm;
	const size_t c = norm->layer->out.channels;
	double *sums = sums_of(norm, chunk);

	(void)thread;
	for (size_t i = 0; i < 2 * c; i++)
		sums[i] = 0.0;
	for (size_t image = chunk * norm->chunk; image < chunk_end(norm, chunk); image++)
		batch_norm_add_squares(norm->x + image * norm->x_stride, norm->n_rows, c, norm->mean, sums);
}

static void apply_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct pass *pass = ctx;
	const struct training_norm *norm = pass->norm;

	(void)thread;
	for (size_t image = chunk * norm->chunk; image < chunk_end(norm, chunk); image++)
		batch_norm_apply(norm->x + image * norm->x_stride, norm->n_rows, norm->layer->out.channels, pass->scale,
				 pass->shift, norm->layer->relu, norm->y + image * norm->y_stride);
}

static void gradient_sum_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct pass *pass = ctx;
	const struct training_norm *norm = pass->norm;
	const size_t c = norm->layer->out.channels;
	double *sums = sums_of(norm, chunk);

	(void)thread;
	for (size_t i = 0; i < 2 * c; i++)
		sums[i] = 0.0;
	for (size_t image = chunk * norm->chunk; image < chunk_end(norm, chunk); image++)
		batch_norm_add_gradient_sums(norm->x + image * norm->x_stride, pass->dy + image * norm->y_stride,
					     norm->n_rows, c, norm->mean, sums, sums + c);
}

static void gradient_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct pass *pass = ctx;
	const struct training_norm *norm = pass->norm;
	const size_t c = norm->layer->out.channels;
	const float *a = norm->coefficients;

	(void)thread;
	for (size_t image = chunk * norm->chunk; image < chunk_end(norm, chunk); image++)
		batch_norm_input_gradient(norm->x + image * norm->x_stride, pass->dy + image * norm->y_stride,
					  norm->n_rows, c, norm->mean, a, a + c, a + 2 * c,
					  pass->dx + image * norm->x_stride);
}

/* Sums over the chunks in order, into the first. */
static const double *total_sums(const struct training_norm *norm)
{
	const size_t n = 2 * norm->layer->out.channels;

	for (size_t chunk = 1; chunk < n_chunks(norm); chunk++) {
		for (size_t i = 0; i < n; i++)
			norm->sums[i] += norm->sums[chunk * n + i];
	}
	return norm->sums;
}

static void move_towards(float *moving, double value, float momentum)
{
	*moving = (float)((double)*moving * (double)momentum + value * (1.0 - (double)momentum));
}

void training_norm_forward(struct training_norm *norm, struct thread_pool *pool, float *weights)
{
	const struct layer *layer = norm->layer;
	const size_t c = layer->out.channels;
	const double n = (double)(norm->n_images * norm->n_rows);
	const float *gamma = weights + layer->tensors[0].offset, *beta = weights + layer->tensors[1].offset;
	float *moving_mean = weights + layer->tensors[2].offset, *moving_variance = weights + layer->tensors[3].offset;
	float *scale = norm->coefficients, *shift = norm->coefficients + c;
	struct pass pass = {.norm = norm, .scale = scale, .shift = shift};

	thread_pool_run(pool, n_chunks(norm), sum_task, &pass);
	const double *sums = total_sums(norm);
	for (size_t i = 0; i < c; i++) {
		norm->mean[i] = (float)(sums[i] / n);
		move_towards(&moving_mean[i], sums[i] / n, layer->momentum);
	}
	thread_pool_run(pool, n_chunks(norm), square_task, &pass);
	sums = total_sums(norm);
	for (size_t i = 0; i < c; i++) {
		double variance = sums[i] / n, inverse = 1.0 / sqrt(variance + (double)layer->epsilon);

		norm->inverse[i] = (float)inverse;
		scale[i] = (float)((double)gamma[i] * inverse);
		shift[i] = (float)((double)beta[i] - (double)norm->mean[i] * (double)gamma[i] * inverse);
		move_towards(&moving_variance[i], variance, layer->momentum);
	}
	thread_pool_run(pool, n_chunks(norm), apply_task, &pass);
}

void training_norm_backward(struct training_norm *norm, struct thread_pool *pool, const float *weights, const float *dy,
			    float *dx, float *gradients)
{
	const struct layer *layer = norm->layer;
	const size_t c = layer->out.channels;
	const double n = (double)(norm->n_images * norm->n_rows);
	const float *gamma = weights + layer->tensors[0].offset;
	float *a = norm->coefficients, *b = a + c, *k = b + c;
	struct pass pass = {.norm = norm, .dy = dy, .dx = dx};

	thread_pool_run(pool, n_chunks(norm), gradient_sum_task, &pass);
	const double *sum_dy = total_sums(norm), *sum_dy_x = sum_dy + c;
	for (size_t i = 0; i < c; i++) {
		double inverse = (double)norm->inverse[i], scale = (double)gamma[i] * inverse;

		gradients[layer->tensors[0].offset + i] = (float)(sum_dy_x[i] * inverse);
		gradients[layer->tensors[1].offset + i] = (float)sum_dy[i];
		a[i] = (float)scale;
		b[i] = (float)(-scale * inverse * inverse * sum_dy_x[i] / n);
		k[i] = (float)(-scale * sum_dy[i] / n);
	}
	if (dx)
		thread_pool_run(pool, n_chunks(norm), gradient_task, &pass);
}
