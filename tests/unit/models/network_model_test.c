/* Networks as response models, alone and joined: answers, gradients, and the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/network_model.h"
#include "network_check.h"

enum { SIDE = 6, N_IN = SIDE * SIDE * 3, N = 5 };

static struct response_model *make(uint32_t side, uint32_t n_units, uint64_t seed)
{
	struct network *network;
	struct rng rng = rng_make(seed, 0, RNG_TEST, 0);
	struct response_model *model;
	const struct layer conv = {.kind = LAYER_CONVOLUTION,
				   .name = "c",
				   .kernel_height = 3,
				   .kernel_width = 3,
				   .n_channels = 4,
				   .relu = true};

	assert_int_equal(network_create((struct shape){side, side, 3}, NULL, &network), 0);
	network_check_add(network, &conv);
	network_check_add(network,
			  &(struct layer){.kind = LAYER_DENSE, .name = "d", .inputs = {1}, .n_channels = n_units});
	assert_int_equal(network_complete(network, NULL), 0);
	network_randomize(network, &rng);
	assert_int_equal(network_model_create(network, NULL, &model), 0);
	network_destroy(network); /* a copy was taken */
	return model;
}

static void fill(float *images)
{
	struct rng rng = rng_make(9, 0, RNG_TEST, 0);

	rng_fill_normal(&rng, 0, N * N_IN, images);
}

/* value = sum of (u + 1) r_u^2; image i also checks its number. */
static void objective(void *ctx, size_t i, const float *responses, double *ret_value, float *ret_cotangent)
{
	const size_t n_units = *(const size_t *)ctx;

	assert_true(i < N);
	*ret_value = 0;
	for (size_t u = 0; u < n_units; u++) {
		*ret_value += (double)(u + 1) * (double)responses[u] * (double)responses[u];
		ret_cotangent[u] = 2.0f * (float)(u + 1) * responses[u];
	}
}

/* The gradient along single pixels against central differences of predict(). */
static void check_gradient(struct response_model *model, struct thread_pool *pool)
{
	size_t n_units = model->n_units;
	float images[N * N_IN], gradients[N * N_IN];
	float *responses = calloc(N * n_units, sizeof *responses), *again = calloc(N * n_units, sizeof *again);
	double values[N];

	assert_true(responses && again);
	fill(images);
	assert_int_equal(
		model->ops->gradient(model, pool, images, N, objective, &n_units, NULL, values, gradients, responses),
		0);
	assert_int_equal(model->ops->predict(model, pool, images, N, NULL, again), 0);
	assert_memory_equal(responses, again, N * n_units * sizeof *responses);
	for (size_t k = 0; k < N * N_IN; k += 37) {
		double side[2], expected;
		float cotangent[16], pixel = images[k];

		for (int s = 0; s < 2; s++) {
			images[k] = pixel + (s ? -0.01f : 0.01f);
			assert_int_equal(model->ops->predict(model, pool, images, N, NULL, again), 0);
			objective(&n_units, k / N_IN, again + k / N_IN * n_units, &side[s], cotangent);
		}
		images[k] = pixel;
		expected = (side[0] - side[1]) / 0.02;
		if (fabs(expected - (double)gradients[k]) > 0.02 * (1 + fabs(expected)))
			fail_msg("pixel %zu: %g, finite differences give %g", k, (double)gradients[k], expected);
	}
	free(again);
	free(responses);
}

static void one_network(void **state)
{
	struct response_model *model = make(SIDE, 3, 1);
	struct network *gray;

	(void)state;
	assert_int_equal(model->n_members, 1);
	assert_int_equal(model->n_units, 3);
	assert_int_equal(model->width_px, SIDE);
	check_gradient(model, NULL);
	response_model_destroy(model);
	assert_int_equal(network_create((struct shape){SIDE, SIDE, 1}, NULL, &gray), 0);
	assert_int_equal(network_complete(gray, NULL), 0);
	assert_int_equal(network_model_create(gray, NULL, &model), -EINVAL);
	network_destroy(gray);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
