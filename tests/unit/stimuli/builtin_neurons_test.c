/* Families prefer what they are named for; the same bits for any batch and threads; limits. */
#include "stimuli/builtin_neurons.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stimuli/dead_leaves.h"
#include "stimuli/parametric.h"

enum { SIDE_PX = 112, N_VALUES = SIDE_PX * SIDE_PX * 3, N_NEURONS = 30, N_IMAGES = 5 };

static struct response_model *create(uint64_t seed)
{
	struct response_model *model;
	struct error err = {0};

	assert_int_equal(builtin_neurons_create(N_NEURONS, SIDE_PX, SIDE_PX, seed, &err, &model), 0);
	assert_int_equal(model->n_units, N_NEURONS);
	assert_int_equal(model->n_members, 1);
	return model;
}

static void predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
		    float *ret_responses)
{
	struct error err = {0};

	assert_int_equal(model->ops->predict(model, pool, images, n, &err, ret_responses), 0);
}

static float *leaves(void)
{
	float *images = malloc(N_IMAGES * N_VALUES * sizeof *images);

	assert_non_null(images);
	for (uint32_t i = 0; i < N_IMAGES; i++) {
		struct image image;
		assert_int_equal(dead_leaves_make(SIDE_PX, SIDE_PX, 1, i, NULL, &image), 0);
		image_to_float(&image, images + i * N_VALUES);
		image_done(&image);
	}
	return images;
}

static void same_bits_for_any_batch_and_threads(void **state)
{
	float all[N_IMAGES * N_NEURONS], one[N_NEURONS], spread[N_IMAGES * N_NEURONS];
	struct response_model *model = create(1);
	struct thread_pool *pool;
	float *images = leaves();
	(void)state;

	assert_int_equal(thread_pool_create(3, NULL, &pool), 0);
	predict(model, NULL, images, N_IMAGES, all);
	predict(model, pool, images, N_IMAGES, spread);
	assert_memory_equal(all, spread, sizeof all);
	predict(model, NULL, images + 3 * N_VALUES, 1, one);
	assert_memory_equal(one, all + 3 * N_NEURONS, sizeof one);
	thread_pool_destroy(pool);
	response_model_destroy(model);
	free(images);
}

static void neurons_differ_and_answer(void **state)
{
	float responses[N_IMAGES * N_NEURONS], other[N_IMAGES * N_NEURONS];
	struct response_model *model = create(1), *another = create(2);
	float *images = leaves();
	int n_varying = 0;
	(void)state;

	predict(model, NULL, images, N_IMAGES, responses);
	predict(another, NULL, images, N_IMAGES, other);
	assert_memory_not_equal(responses, other, sizeof other);
	for (int u = 0; u < N_NEURONS; u++) {
		int varies = 0;
		for (int i = 0; i < N_IMAGES; i++) {
			float r = responses[i * N_NEURONS + u];
			assert_true(isfinite(r) && r >= 0);
			varies |= r != responses[u];
		}
		n_varying += varies;
	}
	assert_int_equal(n_varying, N_NEURONS);
	response_model_destroy(model);
	response_model_destroy(another);
	free(images);
}

static void answers_to(struct response_model *model, const struct parametric *parametric, float *ret_responses)
{
	float *pixels = malloc(N_VALUES * sizeof *pixels);
	struct image image;

	assert_non_null(pixels);
	assert_int_equal(parametric_draw(parametric, SIDE_PX, SIDE_PX, NULL, &image), 0);
	image_to_float(&image, pixels);
	predict(model, NULL, pixels, 1, ret_responses);
	image_done(&image);
	free(pixels);
}

static void families_prefer_their_shapes(void **state)
{
	struct parametric stripes = {.shape = PARAMETRIC_GRATING, .width_px = 12};
	struct parametric dots = {.shape = PARAMETRIC_DOTS, .width_px = 6, .n_dots = 60, .seed = 1};
	float answers[N_NEURONS], best_stripes[N_NEURONS] = {0}, worst_stripes[N_NEURONS], best_dots[N_NEURONS] = {0};
	double tuning[3] = {0}, dot_preference[3] = {0};
	struct response_model *model = create(1);
	(void)state;

	memset(stripes.foreground, 255, 3);
	for (int u = 0; u < N_NEURONS; u++)
		worst_stripes[u] = INFINITY;
	for (int k = 0; k < 6; k++) {
		stripes.orientation_deg = 30 * k;
		answers_to(model, &stripes, answers);
		for (int u = 0; u < N_NEURONS; u++) {
			best_stripes[u] = fmaxf(best_stripes[u], answers[u]);
			worst_stripes[u] = fminf(worst_stripes[u], answers[u]);
		}
	}
	for (int is_dark = 0; is_dark < 2; is_dark++) {
		memset(dots.foreground, is_dark ? 0 : 255, 3);
		memset(dots.background, is_dark ? 255 : 0, 3);
		answers_to(model, &dots, answers);
		for (int u = 0; u < N_NEURONS; u++)
			best_dots[u] = fmaxf(best_dots[u], answers[u]);
	}
	for (int u = 0; u < N_NEURONS; u++) {
		tuning[u % 3] += (best_stripes[u] - worst_stripes[u]) / (best_stripes[u] + worst_stripes[u] + 1e-6);
		dot_preference[u % 3] += log((best_dots[u] + 0.01) / (best_stripes[u] + 0.01));
	}
	/* Oriented, curve, dot: ten of each. */
	assert_true(tuning[0] > 10 * 0.3);
	assert_true(dot_preference[2] > dot_preference[0] + 10 * 0.2);

	dots.n_dots = 0;
	answers_to(model, &dots, answers);
	for (int u = 0; u < N_NEURONS; u++)
		assert_true(answers[u] < 1e-3f);
	response_model_destroy(model);
}

static void limits_are_named(void **state)
{
	struct response_model *model = NULL;
	struct error err = {0};
	(void)state;

	assert_int_equal(builtin_neurons_create(0, SIDE_PX, SIDE_PX, 1, &err, &model), -EINVAL);
	assert_int_equal(builtin_neurons_create(BUILTIN_NEURONS_MAX + 1, SIDE_PX, SIDE_PX, 1, &err, &model), -EINVAL);
	assert_int_equal(builtin_neurons_create(3, 113, SIDE_PX, 1, &err, &model), -EINVAL);
	assert_non_null(strstr(err.text, "113"));
	assert_int_equal(builtin_neurons_create(3, SIDE_PX, 16, 1, &err, &model), -EINVAL);
	assert_null(model);
	model = create(1);
	assert_int_equal(model->ops->gradient(model, NULL, NULL, 0, NULL, NULL, &err, NULL, NULL, NULL), -ENOTSUP);
	response_model_destroy(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bits_for_any_batch_and_threads),
		cmocka_unit_test(neurons_differ_and_answer),
		cmocka_unit_test(families_prefer_their_shapes),
		cmocka_unit_test(limits_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
