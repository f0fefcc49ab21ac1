/* A view answers as the model does for the units that it shows; derivatives reach only those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/worker/unit_view.h"

enum { MEMBERS = 2, UNITS = 4, SEEN = 2, IMAGES = 3 };

/* Answers (member + 1) * (unit + 1) * first value of the image; its gradient is a sum of cotangents by those weights.
 */
static float weight(uint32_t k, uint32_t u)
{
	return (float)((k + 1) * (u + 1));
}

static int plain_predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			 struct error *err, float *ret_responses)
{
	(void)model;
	(void)pool;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < MEMBERS; k++) {
			for (uint32_t u = 0; u < UNITS; u++)
				ret_responses[(i * MEMBERS + k) * UNITS + u] = weight(k, u) * images[i];
		}
	}
	return 0;
}

static int plain_gradient(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			  response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
			  float *ret_gradients, float *ret_responses)
{
	float responses[IMAGES * MEMBERS * UNITS], cotangent[MEMBERS * UNITS];

	assert_null(ret_responses);
	plain_predict(model, pool, images, n, err, responses);
	for (size_t i = 0; i < n; i++) {
		memset(cotangent, 0x7f, sizeof cotangent);
		objective(ctx, i, responses + i * MEMBERS * UNITS, &ret_values[i], cotangent);
		ret_gradients[i] = 0.0F;
		for (uint32_t k = 0; k < MEMBERS; k++) {
			for (uint32_t u = 0; u < UNITS; u++)
				ret_gradients[i] += cotangent[k * UNITS + u] * weight(k, u);
		}
	}
	return 0;
}

static const struct response_model_ops plain_ops = {.predict = plain_predict, .gradient = plain_gradient};
static const uint32_t seen[SEEN] = {1, 3};
static const float images[IMAGES] = {1.0F, 2.0F, -1.0F};

static struct response_model plain_model(void)
{
	return (struct response_model){
		.ops = &plain_ops, .height_px = 1, .width_px = 1, .n_members = MEMBERS, .n_units = UNITS};
}

static void predicts_the_units_seen(void **state)
{
	struct response_model model = plain_model(), *view;
	float responses[IMAGES * MEMBERS * SEEN];

	(void)state;
	assert_int_equal(unit_view_create(&model, seen, SEEN, NULL, &view), 0);
	assert_int_equal(view->n_units, SEEN);
	assert_int_equal(view->n_members, MEMBERS);
	assert_int_equal(view->ops->predict(view, NULL, images, IMAGES, NULL, responses), 0);
	for (size_t i = 0; i < IMAGES; i++) {
		for (uint32_t k = 0; k < MEMBERS; k++) {
			for (uint32_t u = 0; u < SEEN; u++)
				assert_float_equal(responses[(i * MEMBERS + k) * SEEN + u],
						   weight(k, seen[u]) * images[i], 0.0F);
		}
	}
	response_model_destroy(view);
}

/* The sum of all answers that are seen. */
static void sum_objective(void *ctx, size_t i, const float *responses, double *ret_value, float *ret_cotangent)
{
	int *n_calls = ctx;

	(void)i;
	(*n_calls)++;
	*ret_value = 0.0;
	for (int j = 0; j < MEMBERS * SEEN; j++) {
		*ret_value += (double)responses[j];
		ret_cotangent[j] = 1.0F;
	}
}

static void gradient_of_the_units_seen(void **state)
{
	struct response_model model = plain_model(), *view;
	float gradients[IMAGES], responses[IMAGES * MEMBERS * SEEN], total = 0.0F;
	double values[IMAGES];
	int n_calls = 0;

	(void)state;
	for (uint32_t k = 0; k < MEMBERS; k++)
		total += weight(k, 1) + weight(k, 3);
	assert_int_equal(unit_view_create(&model, seen, SEEN, NULL, &view), 0);
	assert_int_equal(view->ops->gradient(view, NULL, images, IMAGES, sum_objective, &n_calls, NULL, values,
					     gradients, responses),
			 0);
	assert_int_equal(n_calls, IMAGES);
	for (size_t i = 0; i < IMAGES; i++) {
		assert_float_equal(gradients[i], total, 0.0F);
		assert_float_equal((float)values[i], total * images[i], 0.0F);
		assert_float_equal(responses[i * MEMBERS * SEEN], weight(0, 1) * images[i], 0.0F);
	}
	assert_int_equal(
		view->ops->gradient(view, NULL, images, IMAGES, sum_objective, &n_calls, NULL, values, gradients, NULL),
		0);
	response_model_destroy(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(predicts_the_units_seen),
		cmocka_unit_test(gradient_of_the_units_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
