/* Against units whose best image is known: they are driven up, down or apart, within range, contrast and change, and
 * the score returned is that of the image returned. */
#include "stimuli/synthesis.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stimuli/dead_leaves.h"
#include "stimuli/parametric.h"

enum { SIDE_PX = 32, N_VALUES = SIDE_PX * SIDE_PX * 3, N_UNITS = 2, N_MEMBERS_MAX = 6 };

/* Unit u of member m answers with the match of the image (about mid-gray) to a windowed grating, rectified softly:
 * r = (s + sqrt(s² + 1)) / 2, s = filter · image. Members differ in their gratings' phase. */
struct grating_model {
	struct response_model model;
	float filters[N_MEMBERS_MAX][N_UNITS][N_VALUES];
	int fails_at; /* which gradient call fails; 0: none */
	int n_calls;
};

static void answer(const struct grating_model *g, const float *image, float *responses, float *slopes)
{
	for (uint32_t m = 0; m < g->model.n_members; m++)
		for (uint32_t u = 0; u < N_UNITS; u++) {
			double s = 0;
			for (size_t k = 0; k < N_VALUES; k++)
				s += g->filters[m][u][k] * (image[k] - 127.5);
			double root = sqrt(s * s + 1);
			responses[m * N_UNITS + u] = (float)((s + root) / 2);
			if (slopes)
				slopes[m * N_UNITS + u] = (float)((1 + s / root) / 2);
		}
}

static int grating_predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			   struct error *err, float *ret_responses)
{
	(void)pool, (void)err;
	for (size_t i = 0; i < n; i++)
		answer((struct grating_model *)model, images + i * N_VALUES,
		       ret_responses + i * model->n_members * N_UNITS, NULL);
	return 0;
}

static int grating_gradient(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			    response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
			    float *ret_gradients, float *ret_responses)
{
	struct grating_model *g = (struct grating_model *)model;
	float responses[N_MEMBERS_MAX * N_UNITS], slopes[N_MEMBERS_MAX * N_UNITS], cotangent[N_MEMBERS_MAX * N_UNITS];
	(void)pool, (void)ret_responses;

	if (++g->n_calls == g->fails_at)
		return error_set(err, -EIO, "the model broke");
	memset(ret_gradients, 0, n * N_VALUES * sizeof *ret_gradients);
	for (size_t i = 0; i < n; i++) {
		answer(g, images + i * N_VALUES, responses, slopes);
		objective(ctx, i, responses, &ret_values[i], cotangent);
		for (uint32_t k = 0; k < model->n_members * N_UNITS; k++)
			for (size_t v = 0; v < N_VALUES; v++)
				ret_gradients[i * N_VALUES + v] +=
					cotangent[k] * slopes[k] * g->filters[k / N_UNITS][k % N_UNITS][v];
	}
	return 0;
}

static void grating_destroy(struct response_model *model)
{
	free(model);
}

static const struct response_model_ops grating_ops = {grating_predict, grating_gradient, grating_destroy};

static struct image best_image(uint32_t member, uint32_t unit)
{
	const struct parametric grating = {
		.shape = PARAMETRIC_GRATING,
		.x_px = 16,
		.y_px = 16,
		.length_px = 24,
		.width_px = 10,
		.orientation_deg = 20 + 70.0 * unit,
		.phase_deg = 25.0 * member,
		.foreground = {255, 255, 255},
	};
	struct image image;

	assert_int_equal(parametric_draw(&grating, SIDE_PX, SIDE_PX, NULL, &image), 0);
	return image;
}

static struct response_model *grating_model(uint32_t n_members)
{
	struct grating_model *g = calloc(1, sizeof *g);

	assert_non_null(g);
	g->model = (struct response_model){&grating_ops, SIDE_PX, SIDE_PX, n_members, N_UNITS};
	for (uint32_t m = 0; m < n_members; m++)
		for (uint32_t u = 0; u < N_UNITS; u++) {
			struct image image = best_image(m, u);
			for (size_t k = 0; k < N_VALUES; k++)
				g->filters[m][u][k] = (float)((image.rgb[k] - 127.5) / 1e6);
			image_done(&image);
		}
	return &g->model;
}

static double answer_of_unit(struct response_model *model, const struct image *image, uint32_t unit)
{
	float pixels[N_VALUES], responses[N_MEMBERS_MAX * N_UNITS];

	image_to_float(image, pixels);
	assert_int_equal(grating_predict(model, NULL, pixels, 1, NULL, responses), 0);
	return responses[unit];
}

static void moments(const struct image *image, double *ret_mean, double *ret_rms)
{
	double sum = 0, sum_sq = 0;

	for (size_t k = 0; k < N_VALUES; k++) {
		sum += image->rgb[k];
		sum_sq += image->rgb[k] * image->rgb[k];
	}
	*ret_mean = sum / N_VALUES;
	*ret_rms = sqrt(sum_sq / N_VALUES - *ret_mean * *ret_mean);
}

static void run(struct response_model *model, const struct synthesis_settings *settings,
		const struct image *const *starts, size_t n, struct synthesis_result *results)
{
	struct error err = {0};
	uint32_t n_units;

	assert_int_equal(synthesis_run(model, settings, starts, n, NULL, NULL, NULL, &err, results, &n_units), 0);
	assert_int_equal(n_units, settings->n_steps);
}

static void unit_is_driven_up_at_the_asked_contrast(void **state)
{
	struct synthesis_settings settings = {.goal = SYNTHESIS_MAXIMIZE,
					      .unit = 1,
					      .n_steps = 60,
					      .rms_contrast = 40,
					      .mean_luminance = 120,
					      .seed = 1};
	struct response_model *model = grating_model(1);
	struct synthesis_result results[3];
	double mean, rms;
	(void)state;

	run(model, &settings, NULL, 3, results);
	for (int i = 0; i < 3; i++) {
		moments(&results[i].image, &mean, &rms);
		assert_true(fabs(mean - 120) < 0.5 && fabs(rms - 40) < 0.5);
		/* The score is that of the image returned, and far above the start. */
		assert_true(fabs(answer_of_unit(model, &results[i].image, 1) - results[i].value) < 1e-5);
		assert_true(results[i].value > results[i].value_start + 1);
		assert_true(results[i].value == results[i].value_optimised);
		/* The other unit, of another orientation, is not. */
		assert_true(results[i].value > 3 * answer_of_unit(model, &results[i].image, 0));
		image_done(&results[i].image);
	}
	response_model_destroy(model);
}

static void unit_is_driven_down_from_a_given_image(void **state)
{
	struct synthesis_settings settings = {.goal = SYNTHESIS_MINIMIZE, .unit = 0, .n_steps = 40, .seed = 1};
	struct response_model *model = grating_model(1);
	struct synthesis_result result;
	struct image start = best_image(0, 0);
	(void)state;

	const struct image *starts[] = {&start};
	run(model, &settings, starts, 1, &result);
	assert_true(result.value_start > 5);
	assert_true(result.value < 0.2 * result.value_start);
	image_done(&result.image);
	image_done(&start);
	response_model_destroy(model);
}

static void change_stays_bounded(void **state)
{
	struct synthesis_settings settings = {
		.goal = SYNTHESIS_MAXIMIZE, .unit = 0, .n_steps = 60, .max_change = 10, .seed = 1};
	struct response_model *model = grating_model(1);
	struct synthesis_result result;
	struct image start;
	double sum = 0;
	(void)state;

	assert_int_equal(dead_leaves_make(SIDE_PX, SIDE_PX, 1, 3, NULL, &start), 0);
	const struct image *starts[] = {&start};
	run(model, &settings, starts, 1, &result);
	for (size_t k = 0; k < N_VALUES; k++)
		sum += abs(result.image.rgb[k] - start.rgb[k]);
	assert_true(sum / N_VALUES < 10.2 && sum / N_VALUES > 8);
	assert_true(result.value > answer_of_unit(model, &start, 0) + 0.3);
	image_done(&result.image);
	image_done(&start);
	response_model_destroy(model);
}

static void members_are_driven_apart(void **state)
{
	struct synthesis_settings settings = {
		.goal = SYNTHESIS_INFORMATIVE, .n_steps = 60, .rms_contrast = 40, .seed = 1};
	struct response_model *model = grating_model(N_MEMBERS_MAX);
	struct synthesis_result results[2];
	(void)state;

	run(model, &settings, NULL, 2, results);
	for (int i = 0; i < 2; i++) {
		assert_true(results[i].value > 3 * results[i].value_start);
		assert_true(results[i].value_optimised > results[i].value_start);
		image_done(&results[i].image);
	}
	response_model_destroy(model);
}

static void cap_stops_the_drive(void **state)
{
	struct synthesis_settings settings = {.goal = SYNTHESIS_MAXIMIZE,
					      .unit = 1,
					      .n_steps = 60,
					      .step_size = 0.005,
					      .response_cap = 1.5,
					      .seed = 1};
	struct response_model *model = grating_model(1);
	struct synthesis_result capped, free_of_cap;
	(void)state;

	run(model, &settings, NULL, 1, &capped);
	settings.response_cap = 0;
	run(model, &settings, NULL, 1, &free_of_cap);
	assert_true(capped.value <= 1.5);
	assert_true(answer_of_unit(model, &capped.image, 1) < 0.5 * free_of_cap.value);
	image_done(&capped.image);
	image_done(&free_of_cap.image);
	response_model_destroy(model);
}

static void same_images_for_any_threads(void **state)
{
	struct synthesis_settings settings = {
		.goal = SYNTHESIS_MAXIMIZE, .unit = 1, .n_steps = 12, .rms_contrast = 40, .seed = 9, .decision = 3};
	struct response_model *model = grating_model(2);
	struct synthesis_result alone[3], spread[3];
	struct thread_pool *pool;
	uint32_t n_units;
	(void)state;

	assert_int_equal(thread_pool_create(3, NULL, &pool), 0);
	run(model, &settings, NULL, 3, alone);
	assert_int_equal(synthesis_run(model, &settings, NULL, 3, pool, NULL, NULL, NULL, spread, &n_units), 0);
	for (int i = 0; i < 3; i++) {
		assert_memory_equal(alone[i].image.rgb, spread[i].image.rgb, N_VALUES);
		assert_true(alone[i].value == spread[i].value && alone[i].step == spread[i].step);
		image_done(&alone[i].image);
		image_done(&spread[i].image);
	}
	thread_pool_destroy(pool);
	response_model_destroy(model);
}

static bool stop_at_five(void *ctx, uint32_t done, uint32_t planned)
{
	(void)ctx;
	assert_int_equal(planned, 50);
	return done == 5;
}

static void stops_early_with_the_best_so_far(void **state)
{
	struct synthesis_settings settings = {.goal = SYNTHESIS_MAXIMIZE, .unit = 1, .n_steps = 50, .seed = 1};
	struct response_model *model = grating_model(1);
	struct synthesis_result result;
	uint32_t n_units;
	(void)state;

	assert_int_equal(synthesis_run(model, &settings, NULL, 1, NULL, stop_at_five, NULL, NULL, &result, &n_units),
			 0);
	assert_int_equal(n_units, 5);
	assert_true(result.value > result.value_start);
	assert_int_equal(result.step, 5);
	image_done(&result.image);
	response_model_destroy(model);
}

static void failures_leave_nothing_behind(void **state)
{
	struct synthesis_settings settings = {.goal = SYNTHESIS_MAXIMIZE, .n_steps = 10, .seed = 1}, bad;
	struct response_model *model = grating_model(1);
	struct synthesis_result result;
	struct error err = {0};
	struct image small;
	uint32_t n_units = 77;
	(void)state;

	((struct grating_model *)model)->fails_at = 3;
	assert_int_equal(synthesis_run(model, &settings, NULL, 1, NULL, NULL, NULL, &err, &result, &n_units), -EIO);
	assert_string_equal(err.text, "the model broke");
	assert_int_equal(n_units, 77);
	bad = settings;
	bad.n_steps = 0;
	assert_int_equal(synthesis_run(model, &bad, NULL, 1, NULL, NULL, NULL, &err, &result, &n_units), -EINVAL);
	bad = settings;
	bad.rms_contrast = NAN;
	assert_int_equal(synthesis_run(model, &bad, NULL, 1, NULL, NULL, NULL, &err, &result, &n_units), -EINVAL);
	assert_non_null(strstr(err.text, "rms_contrast"));
	bad = settings;
	bad.max_change = 5;
	assert_int_equal(synthesis_run(model, &bad, NULL, 1, NULL, NULL, NULL, &err, &result, &n_units), -EINVAL);
	assert_int_equal(synthesis_run(model, &settings, NULL, 0, NULL, NULL, NULL, &err, &result, &n_units), -EINVAL);
	assert_int_equal(image_init(8, 8, NULL, &small), 0);
	const struct image *starts[] = {&small};
	assert_int_equal(synthesis_run(model, &settings, starts, 1, NULL, NULL, NULL, &err, &result, &n_units),
			 -EINVAL);
	assert_non_null(strstr(err.text, "8×8"));
	image_done(&small);
	response_model_destroy(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unit_is_driven_up_at_the_asked_contrast),
		cmocka_unit_test(unit_is_driven_down_from_a_given_image),
		cmocka_unit_test(change_stays_bounded),
		cmocka_unit_test(members_are_driven_apart),
		cmocka_unit_test(cap_stops_the_drive),
		cmocka_unit_test(same_images_for_any_threads),
		cmocka_unit_test(stops_early_with_the_best_so_far),
		cmocka_unit_test(failures_leave_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
