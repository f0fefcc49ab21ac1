/* Batches, order, images that are left out, members averaged, and stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/predict.h"

/* Two members, two units: (sum of pixels) * (unit + 1) + member. */
static int predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
		   struct error *err, float *ret_responses)
{
	(void)pool;
	(void)err;
	assert_true(n >= 1 && n <= PREDICT_BATCH);
	for (size_t i = 0; i < n; i++) {
		float sum = 0;

		for (int k = 0; k < 12; k++)
			sum += images[i * 12 + (size_t)k];
		for (uint32_t m = 0; m < model->n_members; m++) {
			for (uint32_t u = 0; u < model->n_units; u++)
				*ret_responses++ = sum * (float)(u + 1) + (float)m;
		}
	}
	return 0;
}

static const struct response_model_ops ops = {.predict = predict};

struct list {
	size_t next, left_out, fails_at, stops_at;
	size_t n_batches;
};

static int load(void *ctx, size_t i, struct error *err, float *ret_pixels)
{
	struct list *list = ctx;

	assert_int_equal(i, list->next++);
	if (i == list->fails_at)
		return error_set(err, -EIO, "image %zu", i);
	if (i == list->left_out)
		return 1;
	for (int k = 0; k < 12; k++)
		ret_pixels[k] = (float)i;
	return 0;
}

static bool progress(void *ctx, size_t n_done)
{
	struct list *list = ctx;

	list->n_batches++;
	return n_done >= list->stops_at;
}

enum { N = 2 * PREDICT_BATCH + 7, NEVER = 1 << 20 };

static void rows_are_units_and_columns_images(void **state)
{
	struct response_model first = {&ops, 2, 2, 2, 2}, second = {&ops, 2, 2, 1, 1};
	struct response_model *models[] = {&first, &second};
	struct list list = {.left_out = 70, .fails_at = NEVER, .stops_at = NEVER};
	struct predict_source source = {N, load, progress, &list};
	float responses[3][N];

	(void)state;
	assert_int_equal(predict_n_units(models, 2), 3);
	assert_int_equal(predict_images(models, 2, &source, NULL, NULL, &responses[0][0]), 0);
	assert_int_equal(list.n_batches, 3);
	for (size_t i = 0; i < N; i++) {
		if (i == 70) {
			assert_true(isnan(responses[0][i]) && isnan(responses[1][i]) && isnan(responses[2][i]));
			continue;
		}
		assert_true(responses[0][i] == (float)(12 * i) + 0.5f);
		assert_true(responses[1][i] == (float)(24 * i) + 0.5f);
		assert_true(responses[2][i] == (float)(12 * i));
	}
}

static void failures_stop(void **state)
{
	struct response_model small = {&ops, 2, 2, 1, 1}, large = {&ops, 4, 4, 1, 1};
	struct response_model *models[] = {&small, &large};
	struct list list = {.left_out = NEVER, .fails_at = 100, .stops_at = NEVER};
	struct predict_source source = {N, load, progress, &list};
	struct error err = {0};
	float responses[N];

	(void)state;
	assert_int_equal(predict_images(models, 1, &source, NULL, &err, responses), -EIO);
	assert_string_equal(err.text, "image 100");
	assert_int_equal(list.n_batches, 1);
	list = (struct list){.left_out = NEVER, .fails_at = NEVER, .stops_at = PREDICT_BATCH};
	assert_int_equal(predict_images(models, 1, &source, NULL, &err, responses), -EINTR);
	assert_int_equal(list.next, PREDICT_BATCH);
	assert_int_equal(predict_images(models, 2, &source, NULL, &err, responses), -EINVAL);
	assert_non_null(strstr(err.text, "4 x 4"));
	assert_int_equal(predict_images(models, 0, &source, NULL, &err, responses), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_units_and_columns_images),
		cmocka_unit_test(failures_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
