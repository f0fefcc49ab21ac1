/* A member's network: its start, its aim, exact rescaling, and its gradient against finite differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/inference.h"
#include "models/member.h"
#include "models/training.h"

enum { H = 4, W = 3, C = 5, MIXING = 6, UNITS = 2, IMAGES = 8, N_FEATURES = H * W * C };

static const struct shape map = {H, W, C};

static struct network *make_member(uint32_t sub)
{
	struct rng rng = rng_make(61, 0, RNG_WEIGHT_INIT, sub);
	struct network *network;

	assert_int_equal(member_create(map, MIXING, UNITS, &rng, NULL, &network), 0);
	assert_int_equal(shape_n_values(network_output(network)), UNITS);
	return network;
}

static void make_inputs(float *inputs)
{
	struct rng rng = rng_make(62, 0, RNG_TEST, 0);

	rng_fill_normal(&rng, 0, IMAGES * N_FEATURES, inputs);
}

static void infer(const struct network *network, const float *inputs, float *answers)
{
	struct inference *inference;

	assert_int_equal(inference_create(network, NULL, &inference), 0);
	assert_int_equal(inference_forward(inference, NULL, inputs, IMAGES, NULL, answers), 0);
	inference_destroy(inference);
}

static void test_members_differ_by_seed_and_start_near_zero(void **state)
{
	static float inputs[IMAGES * N_FEATURES];
	float a[IMAGES * UNITS], b[IMAGES * UNITS], again[IMAGES * UNITS];
	struct network *one = make_member(0), *other = make_member(1), *same = make_member(0);
	(void)state;

	make_inputs(inputs);
	infer(one, inputs, a);
	infer(other, inputs, b);
	infer(same, inputs, again);
	assert_memory_equal(a, again, sizeof a);
	assert_memory_not_equal(a, b, sizeof a);
	for (int i = 0; i < IMAGES * UNITS; i++)
		assert_true(fabsf(a[i]) < 2.0f);
	network_destroy(one);
	network_destroy(other);
	network_destroy(same);
}

static void test_aim_is_the_spatial_part_of_the_weights(void **state)
{
	struct rng rng = rng_make(63, 0, RNG_TEST, 0);
	float weights[UNITS * N_FEATURES], place[UNITS][H * W];
	struct network *network = make_member(0);
	(void)state;

	for (size_t u = 0; u < UNITS; u++) {
		double square = 0.0;
		for (size_t p = 0; p < H * W; p++) {
			place[u][p] = (float)exp(-0.5 * pow((double)p - 3.0 - 4.0 * (double)u, 2.0));
			square += place[u][p] * place[u][p];
		}
		for (size_t p = 0; p < H * W; p++) {
			for (size_t c = 0; c < C; c++)
				weights[u * N_FEATURES + p * C + c] =
					-place[u][p] * (float)rng_normal(&rng, u * 100 + c);
			place[u][p] /= (float)sqrt(square);
		}
	}
	assert_int_equal(member_aim(network, weights, UNITS, NULL), 0);
	const float *pool = network_tensor(network, (uint32_t)network_find(network, MEMBER_POOL), MEMBER_KERNEL);
	for (size_t u = 0; u < UNITS; u++)
		for (size_t p = 0; p < H * W; p++)
			assert_true(fabsf(pool[p * UNITS + u] - place[u][p]) < 1e-4f);
	network_destroy(network);
}

static void test_a_large_map_is_averaged_first(void **state)
{
	/* 15 × 9: by 3 and by 2, to 5 × 5. A constant map stays constant; weights at one place aim at its cell. */
	const struct shape large = {15, 9, 2};
	static float weights[15 * 9 * 2];
	struct rng rng = rng_make(65, 0, RNG_WEIGHT_INIT, 0);
	struct network *network;
	(void)state;

	assert_int_equal(member_create(large, MIXING, 1, &rng, NULL, &network), 0);
	const struct shape coarse = network->layers[network_find(network, MEMBER_COARSE)].out;
	assert_int_equal(coarse.height, 5);
	assert_int_equal(coarse.width, 5);
	weights[(7 * 9 + 3) * 2] = 1.0f;
	assert_int_equal(member_aim(network, weights, 1, NULL), 0);
	const float *pool = network_tensor(network, (uint32_t)network_find(network, MEMBER_POOL), MEMBER_KERNEL);
	assert_true(fabsf(pool[2 * 5 + 1] - 1.0f) < 1e-6f);
	network_destroy(network);
}

static void test_rescaling_is_exact(void **state)
{
	static float inputs[IMAGES * N_FEATURES];
	const float factor[UNITS] = {2.0f, -0.5f}, offset[UNITS] = {1.0f, 3.0f};
	float before[IMAGES * UNITS], after[IMAGES * UNITS];
	struct network *network = make_member(0);
	(void)state;

	make_inputs(inputs);
	infer(network, inputs, before);
	member_rescale(network, UNITS, factor, offset);
	infer(network, inputs, after);
	for (int i = 0; i < IMAGES * UNITS; i++)
		assert_true(fabsf(after[i] - (factor[i % UNITS] * before[i] + offset[i % UNITS])) < 1e-5f);
	network_destroy(network);
}

/* A fixed linear function of the answers to the minibatch, with its statistics. */
static double objective(struct training *training, const float *inputs, const float *direction)
{
	float answers[IMAGES * UNITS];
	double sum = 0.0;

	training_forward(training, NULL, inputs, IMAGES, answers);
	for (int i = 0; i < IMAGES * UNITS; i++)
		sum += (double)direction[i] * answers[i];
	return sum;
}

static void test_gradients_are_those_of_finite_differences(void **state)
{
	static float inputs[IMAGES * N_FEATURES];
	struct rng rng = rng_make(64, 0, RNG_TEST, 0);
	struct network *network = make_member(0);
	float direction[IMAGES * UNITS], answers[IMAGES * UNITS];
	float *gradients = aligned_alloc(64, (network->n_weights * sizeof(float) + 63) / 64 * 64);
	struct training *training;
	size_t n_checked = 0;
	(void)state;

	make_inputs(inputs);
	rng_fill_normal(&rng, 0, IMAGES * UNITS, direction);
	assert_int_equal(training_create(network, IMAGES, NULL, &training), 0);
	training_forward(training, NULL, inputs, IMAGES, answers);
	training_backward(training, NULL, direction, gradients, NULL);
	for (size_t i = 0; i < network->n_weights; i++) {
		const float at = network->weights[i], step = 2e-3f;
		if (gradients[i] == 0.0f)
			continue; /* gaps and statistics */
		network->weights[i] = at + step;
		double up = objective(training, inputs, direction);
		network->weights[i] = at - step;
		double down = objective(training, inputs, direction);
		network->weights[i] = at;
		assert_true(fabs((up - down) / (2.0 * step) - gradients[i]) < 2e-2 * (1.0 + fabsf(gradients[i])));
		n_checked++;
	}
	assert_true(n_checked >= C * MIXING + MIXING * UNITS + H * W * UNITS + UNITS);
	training_destroy(training);
	network_destroy(network);
	free(gradients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_differ_by_seed_and_start_near_zero),
		cmocka_unit_test(test_aim_is_the_spatial_part_of_the_weights),
		cmocka_unit_test(test_a_large_map_is_averaged_first),
		cmocka_unit_test(test_rescaling_is_exact),
		cmocka_unit_test(test_gradients_are_those_of_finite_differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
