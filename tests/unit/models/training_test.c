/* Whole networks: batch norm inside, branches that join, the same bits for any number of threads, moving statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/training.h"
#include "network_check.h"

/* The compact network of method.md §2, smaller. */
static struct network *compact(void)
{
	struct network *network;
	uint32_t at = 0;

	assert_int_equal(network_create((struct shape){12, 10, 3}, NULL, &network), 0);
	for (int i = 0; i < 3; i++) {
		struct layer depthwise = {
			.kind = LAYER_DEPTHWISE, .inputs = {at}, .kernel_height = 5, .kernel_width = 5};
		struct layer mix = {.kind = LAYER_CONVOLUTION,
				    .kernel_height = 1,
				    .kernel_width = 1,
				    .n_channels = 6,
				    .has_bias = true};
		struct layer norm = {.kind = LAYER_BATCH_NORM, .relu = true};

		depthwise.padding = WINDOW_SAME;
		depthwise.stride_height = i == 1 ? 2 : 1;
		depthwise.name[0] = 'd';
		mix.name[0] = 'm';
		norm.name[0] = 'n';
		depthwise.name[1] = mix.name[1] = norm.name[1] = (char)('0' + i);
		mix.inputs[0] = network_check_add(network, &depthwise);
		norm.inputs[0] = network_check_add(network, &mix);
		at = network_check_add(network, &norm);
	}
	network_check_add(network,
			  &(struct layer){.kind = LAYER_DENSE, .name = "readout", .inputs = {at}, .n_channels = 2});
	assert_int_equal(network_complete(network, NULL), 0);
	return network;
}

static void chain_with_batch_norm(void **state)
{
	struct network *network = compact();

	(void)state;
	network_check(network, 6, 4, "compact");
	network_destroy(network);
}

/* input -> a -> b; add(a, b); norm(add) + relu; a is read three times. */
static struct network *branches(void)
{
	struct network *network;
	struct layer conv = {
		.kind = LAYER_CONVOLUTION, .name = "a", .kernel_height = 3, .kernel_width = 3, .n_channels = 4};

	conv.padding = WINDOW_SAME;
	assert_int_equal(network_create((struct shape){5, 6, 2}, NULL, &network), 0);
	conv.inputs[0] = network_check_add(network, &conv);
	strcpy(conv.name, "b");
	conv.has_bias = true;
	uint32_t b = network_check_add(network, &conv);
	struct layer sum = {.kind = LAYER_ADD, .name = "sum", .n_inputs = 2, .inputs = {1, b}};
	struct layer norm = {.kind = LAYER_BATCH_NORM, .name = "norm", .inputs = {network_check_add(network, &sum)}};
	struct layer relu = {.kind = LAYER_RELU, .name = "relu", .inputs = {network_check_add(network, &norm)}};
	struct layer last = {
		.kind = LAYER_ADD, .name = "last", .n_inputs = 2, .inputs = {network_check_add(network, &relu), 1}};
	network_check_add(network, &last);
	assert_int_equal(network_complete(network, NULL), 0);
	return network;
}

static void branches_join(void **state)
{
	struct network *network = branches();

	(void)state;
	network_check(network, 5, 5, "branches");
	network_destroy(network);
}

static void same_bits_for_any_number_of_threads(void **state)
{
	enum { N = 11 };
	struct network *network = compact();
	const size_t n_in = shape_n_values(network_input(network)), n_weights = network->n_weights;
	float *inputs = calloc(N * n_in, sizeof *inputs), cotangents[N * 2], outputs[4][N * 2];
	float *gradients[4], *start = calloc(n_weights, sizeof *start), *moved[4];
	struct rng rng = rng_make(6, 0, RNG_TEST, 0);
	struct training *training;

	(void)state;
	assert_non_null(inputs);
	assert_non_null(start);
	network_randomize(network, &rng);
	memcpy(start, network->weights, n_weights * sizeof *start);
	rng_fill_normal(&rng, 1 << 20, N * n_in, inputs);
	rng_fill_normal(&rng, 1 << 22, N * 2, cotangents);
	assert_int_equal(training_create(network, N + 3, NULL, &training), 0);
	for (unsigned t = 0; t < 4; t++) {
		struct thread_pool *pool;

		gradients[t] = calloc(n_weights, sizeof **gradients);
		moved[t] = calloc(n_weights, sizeof **moved);
		assert_int_equal(thread_pool_create(t + 1, NULL, &pool), 0);
		memcpy(network->weights, start, n_weights * sizeof *start);
		training_forward(training, pool, inputs, N, outputs[t]);
		training_backward(training, pool, cotangents, gradients[t], NULL);
		memcpy(moved[t], network->weights, n_weights * sizeof *start);
		assert_memory_equal(outputs[t], outputs[0], sizeof outputs[0]);
		assert_memory_equal(gradients[t], gradients[0], n_weights * sizeof *start);
		assert_memory_equal(moved[t], moved[0], n_weights * sizeof *start);
		thread_pool_destroy(pool);
	}
	assert_memory_not_equal(moved[0], start, n_weights * sizeof *start);
	for (unsigned t = 0; t < 4; t++) {
		free(gradients[t]);
		free(moved[t]);
	}
	training_destroy(training);
	free(start);
	free(inputs);
	network_destroy(network);
}

static void moving_statistics_approach_the_minibatch(void **state)
{
	const struct layer norm = {.kind = LAYER_BATCH_NORM, .name = "norm", .momentum = 0.5f};
	struct network *network = network_check_one_layer((struct shape){1, 2, 1}, &norm);
	const float inputs[4] = {1, 3, 5, 7};
	float outputs[4];
	struct training *training;

	(void)state;
	assert_int_equal(training_create(network, 2, NULL, &training), 0);
	training_forward(training, NULL, inputs, 2, outputs);
	assert_true(network_tensor(network, 1, "mean")[0] == 2.0f);	/* (0 + 4) / 2 */
	assert_true(network_tensor(network, 1, "variance")[0] == 3.0f); /* (1 + 5) / 2 */
	assert_true(fabs((double)outputs[0] + 3 / sqrt(5.001)) < 1e-6);
	training_destroy(training);
	network_destroy(network);
}

/* Plain gradient descent brings a student network to its teacher. */
static void descent_learns(void **state)
{
	enum { N = 16, STEPS = 60 };
	struct network *teacher = compact(), *student = compact();
	const size_t n_in = shape_n_values(network_input(teacher));
	float *inputs = calloc(N * n_in, sizeof *inputs), *gradients = calloc(student->n_weights, sizeof *gradients);
	float target[N * 2], outputs[N * 2], cotangents[N * 2];
	double first = 0, last = 0;
	struct rng a = rng_make(7, 0, RNG_TEST, 0), b = rng_make(8, 0, RNG_TEST, 0);
	struct training *training;

	(void)state;
	assert_non_null(inputs);
	assert_non_null(gradients);
	network_randomize(teacher, &a);
	network_randomize(student, &b);
	rng_fill_normal(&a, 1 << 20, N * n_in, inputs);
	assert_int_equal(training_create(teacher, N, NULL, &training), 0);
	training_forward(training, NULL, inputs, N, target);
	training_destroy(training);
	assert_int_equal(training_create(student, N, NULL, &training), 0);
	for (int step = 0; step < STEPS; step++) {
		training_forward(training, NULL, inputs, N, outputs);
		last = 0;
		for (int i = 0; i < N * 2; i++) {
			cotangents[i] = (outputs[i] - target[i]) / N;
			last += pow((double)(outputs[i] - target[i]), 2) / N;
		}
		if (!step)
			first = last;
		training_backward(training, NULL, cotangents, gradients, NULL);
		for (size_t i = 0; i < student->n_weights; i++)
			student->weights[i] -= 0.02f * gradients[i];
	}
	if (!(last < 0.1 * first))
		fail_msg("the error went from %g to %g", first, last);
	training_destroy(training);
	free(gradients);
	free(inputs);
	network_destroy(student);
	network_destroy(teacher);
}

static void bytes_are_told_and_nonsense_refused(void **state)
{
	struct network *network = compact();
	struct training *training = NULL;
	size_t one, ten;

	(void)state;
	assert_int_equal(training_bytes(network, 1, NULL, &one), 0);
	assert_int_equal(training_bytes(network, 10, NULL, &ten), 0);
	assert_true(ten > one && ten < 10 * one);
	assert_int_equal(training_create(network, 0, NULL, &training), -EINVAL);
	network_destroy(network);
	assert_int_equal(network_create((struct shape){2, 2, 1}, NULL, &network), 0);
	assert_int_equal(training_create(network, 1, NULL, &training), -EINVAL);
	assert_null(training);
	network_destroy(network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_with_batch_norm),
		cmocka_unit_test(branches_join),
		cmocka_unit_test(same_bits_for_any_number_of_threads),
		cmocka_unit_test(moving_statistics_approach_the_minibatch),
		cmocka_unit_test(descent_learns),
		cmocka_unit_test(bytes_are_told_and_nonsense_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
