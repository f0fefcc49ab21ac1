/* Both tiers through the public interface: fit, scores, the better tier, the way to pixels and back, files and what is
 * refused. The backbone is the real front end on small images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/front_end.h"
#include "models/session_model.h"
#include "models/session_predictor.h"
#include "support/atomic_file.h"

enum { SIDE = 32, N_PIXELS = SIDE * SIDE * 3, IMAGES = 80, PRESENTATIONS = 160, UNITS = 3, MEMBERS = 2, MONITOR = 20 };

struct fixture {
	struct thread_pool *pool;
	struct backbone *backbone;
	float *images, *features;
	uint32_t image[PRESENTATIONS];
	float counts[PRESENTATIONS * UNITS];
	uint8_t valid[PRESENTATIONS * UNITS], monitor[IMAGES], held_out[IMAGES];
	struct session_data data;
};

static const struct session_model_settings settings = {
	.n_members = MEMBERS,
	.mixing_channels = 8,
	.n_steps = 20,
	.batch_size = 16,
	.learning_rate = 3e-3,
	.seed = 9,
	.decision = 4,
};

/* Gratings and noise; units count the energy of some features, unit 2 is noise alone. */
static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct rng rng = rng_make(81, 0, RNG_TEST, 0);

	assert_non_null(f);
	assert_int_equal(thread_pool_create(2, NULL, &f->pool), 0);
	assert_int_equal(front_end_create(SIDE, SIDE, NULL, &f->backbone), 0);
	const size_t n_features = backbone_n_features(f->backbone);
	f->images = malloc(IMAGES * N_PIXELS * sizeof(float));
	f->features = malloc(IMAGES * n_features * sizeof(float));
	for (size_t i = 0; i < IMAGES; i++) {
		const double angle = M_PI * rng_uniform(&rng, i), k = 0.4 + rng_uniform(&rng, 1000 + i);
		for (size_t p = 0; p < SIDE * SIDE; p++) {
			double wave = sin(k * (cos(angle) * (double)(p % SIDE) + sin(angle) * (double)(p / SIDE)));
			for (size_t c = 0; c < 3; c++)
				f->images[i * N_PIXELS + p * 3 + c] =
					(float)(128.0 + 60.0 * wave +
						10.0 * rng_normal(&rng, 10000 + i * N_PIXELS + p));
		}
	}
	assert_int_equal(f->backbone->ops->features(f->backbone, f->pool, f->images, IMAGES, NULL, f->features), 0);
	for (size_t p = 0; p < PRESENTATIONS; p++) {
		f->image[p] = (uint32_t)(p % IMAGES);
		for (size_t u = 0; u < UNITS; u++) {
			float mean = u < 2 ? 10.0f * f->features[f->image[p] * n_features + 5 * FRONT_END_CHANNELS + 8 +
								 4 * u]
					   : 2.0f;
			f->counts[p * UNITS + u] = mean + 0.5f * (float)rng_normal(&rng, 900000 + p * UNITS + u);
			f->valid[p * UNITS + u] = 1;
		}
	}
	for (size_t i = 0; i < MONITOR; i++)
		f->monitor[i] = 1;
	f->held_out[MONITOR] = f->held_out[MONITOR + 1] = 1;
	f->data = (struct session_data){
		.n_units = UNITS,
		.n_images = IMAGES,
		.features = f->features,
		.n_presentations = PRESENTATIONS,
		.image = f->image,
		.counts = f->counts,
		.valid = f->valid,
		.monitor = f->monitor,
		.held_out = f->held_out,
	};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	thread_pool_destroy(f->pool);
	backbone_destroy(f->backbone);
	free(f->images);
	free(f->features);
	free(f);
	return 0;
}

static struct session_model *fit(struct fixture *f, const struct session_model *parent,
				 const struct session_model_settings *how)
{
	struct session_model *model;
	struct error err = {""};
	uint32_t n_units;

	assert_int_equal(
		session_model_fit(f->backbone, &f->data, parent, how, f->pool, NULL, NULL, &err, &model, &n_units), 0);
	return model;
}

static void test_scores_tell_units_apart_and_choose_a_tier(void **state)
{
	struct fixture *f = *state;
	struct session_model *model = fit(f, NULL, &settings);
	struct metrics_score scores[2 * UNITS], sealed[2 * UNITS];

	assert_int_equal(session_model_n_members(model), MEMBERS);
	assert_int_equal(session_model_n_units(model), UNITS);
	assert_int_equal(session_model_best(model), SESSION_MODEL_RIDGE);
	assert_int_equal(session_model_score(model, &f->data, f->pool, 200, NULL, scores), 0);
	for (int tier = 0; tier < 2; tier++) {
		for (int u = 0; u < UNITS; u++) {
			const struct metrics_score *score = &scores[tier * UNITS + u];
			assert_int_equal(score->n_images, MONITOR);
			assert_int_equal(score->n_presentations, 2 * MONITOR);
			assert_true(fabs(score->noise_variance - 0.25) < 0.2);
		}
	}
	for (int u = 0; u < 2; u++) {
		assert_true(scores[u].r2 > 0.5);
		assert_true(scores[u].r2_low < scores[u].r2 && scores[u].r2 < scores[u].r2_high);
	}
	double ridge[UNITS], ensemble[UNITS];
	for (int u = 0; u < UNITS; u++) {
		ridge[u] = scores[u].r2;
		ensemble[u] = scores[UNITS + u].r2;
	}
	const bool ensemble_wins = metrics_median(ensemble, 2) > metrics_median(ridge, 2);
	assert_int_equal(session_model_best(model), ensemble_wins ? SESSION_MODEL_ENSEMBLE : SESSION_MODEL_RIDGE);

	assert_int_equal(session_model_score_on(model, &f->data, f->held_out, f->pool, 0, NULL, sealed), 0);
	assert_int_equal(sealed[0].n_images, 2);
	session_model_destroy(model);
}

static void test_held_out_responses_are_never_fitted(void **state)
{
	struct fixture *f = *state;
	struct session_model *before = fit(f, NULL, &settings);
	void *bytes_before, *bytes_after;
	size_t size_before, size_after;

	for (size_t p = 0; p < PRESENTATIONS; p++)
		for (size_t u = 0; f->image[p] < MONITOR + 2 && u < UNITS; u++)
			f->counts[p * UNITS + u] += 50.0f;
	struct session_model *after = fit(f, NULL, &settings);
	assert_int_equal(session_model_encode(before, NULL, &bytes_before, &size_before), 0);
	assert_int_equal(session_model_encode(after, NULL, &bytes_after, &size_after), 0);
	assert_int_equal(size_before, size_after);
	assert_memory_equal(bytes_before, bytes_after, size_before);
	session_model_destroy(before);
	session_model_destroy(after);
	free(bytes_before);
	free(bytes_after);
}

static void test_a_file_brings_the_same_model_back(void **state)
{
	struct fixture *f = *state;
	struct session_model *model = fit(f, NULL, &settings), *back;
	struct metrics_score scores[2 * UNITS];
	float mean[2][IMAGES * UNITS], variance[2][IMAGES * UNITS];
	void *bytes, *again;
	size_t size, size_again;

	assert_int_equal(session_model_score(model, &f->data, f->pool, 0, NULL, scores), 0);
	assert_int_equal(session_model_encode(model, NULL, &bytes, &size), 0);
	assert_int_equal(session_model_decode(bytes, size, f->backbone, NULL, &back), 0);
	assert_int_equal(session_model_best(back), session_model_best(model));
	for (int tier = 0; tier < 2; tier++) {
		assert_int_equal(
			session_model_predict(model, tier, f->pool, f->features, IMAGES, NULL, mean[0], variance[0]),
			0);
		assert_int_equal(
			session_model_predict(back, tier, f->pool, f->features, IMAGES, NULL, mean[1], variance[1]), 0);
		assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
		assert_memory_equal(variance[0], variance[1], sizeof variance[0]);
	}
	assert_int_equal(session_model_encode(back, NULL, &again, &size_again), 0);
	assert_int_equal(size, size_again);
	assert_memory_equal(bytes, again, size);

	/* A parent that came from a file is the same parent. */
	struct session_model *child = fit(f, model, &settings), *child_of_back = fit(f, back, &settings);
	free(again);
	free(bytes);
	assert_int_equal(session_model_encode(child, NULL, &bytes, &size), 0);
	assert_int_equal(session_model_encode(child_of_back, NULL, &again, &size_again), 0);
	assert_memory_equal(bytes, again, size);
	session_model_destroy(child);
	session_model_destroy(child_of_back);
	session_model_destroy(model);
	session_model_destroy(back);
	free(bytes);
	free(again);
}

static void test_broken_and_foreign_files_are_refused(void **state)
{
	struct fixture *f = *state;
	struct session_model *model = fit(f, NULL, &settings), *back;
	struct backbone *other;
	struct error err = {""};
	void *bytes;
	size_t size;

	assert_int_equal(session_model_encode(model, NULL, &bytes, &size), 0);
	const size_t lengths[] = {0, 7, 8, 100, size / 2, size - 1};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		assert_int_equal(session_model_decode(bytes, lengths[i], f->backbone, &err, &back), -EINVAL);

	assert_int_equal(front_end_create(40, 32, NULL, &other), 0);
	assert_int_equal(session_model_decode(bytes, size, other, &err, &back), -EINVAL);
	assert_non_null(strstr(err.text, "backbone"));
	backbone_destroy(other);

	/* Sizes in the metadata that the tensors do not have. */
	const char *const fields[][2] = {{"\"n_units\":\"3\"", "\"n_units\":\"2\""},
					 {"\"n_units\":\"3\"", "\"n_units\":\"x\""},
					 {"\"n_members\":\"2\"", "\"n_members\":\"3\""},
					 {"\"n_groups\":\"1\"", "\"n_groups\":\"2\""},
					 {"session_model 1", "session_model 2"}};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		char *copy = malloc(size), *at;
		memcpy(copy, bytes, size);
		at = memmem(copy, size, fields[i][0], strlen(fields[i][0]));
		assert_non_null(at);
		memcpy(at, fields[i][1], strlen(fields[i][1]));
		assert_int_equal(session_model_decode(copy, size, f->backbone, &err, &back), -EINVAL);
		free(copy);
	}
	free(bytes);
	session_model_destroy(model);
}

/* --- the way to pixels ------------------------------------------------------------------------------------------- */

/* Sum of squares of the responses over members and units. */
static void sum_of_squares(void *ctx, size_t i, const float *responses, double *ret_value, float *ret_cotangent)
{
	const size_t n = *(const size_t *)ctx;
	(void)i;

	*ret_value = 0.0;
	for (size_t j = 0; j < n; j++) {
		*ret_value += (double)responses[j] * responses[j];
		ret_cotangent[j] = 2.0f * responses[j];
	}
}

static void check_response_model(struct fixture *f, uint32_t n_members)
{
	struct session_model_settings how = settings;
	const uint32_t n_expected = n_members > 0 ? n_members : 1;
	size_t n_answers = n_expected * UNITS;
	float *responses = malloc(2 * n_answers * sizeof *responses), *alone = malloc(n_answers * sizeof *alone);
	float *gradients = malloc(2 * N_PIXELS * sizeof *gradients), *image = malloc(N_PIXELS * sizeof *image);
	struct response_model *responder;
	double values[2], value, up = 0.0, down = 0.0;

	how.n_members = n_members;
	struct session_model *model = fit(f, NULL, &how);
	assert_int_equal(session_model_as_response_model(model, f->backbone, NULL, &responder), 0);
	assert_int_equal(responder->n_members, n_expected);
	assert_int_equal(responder->n_units, UNITS);
	assert_int_equal(responder->ops->predict(responder, f->pool, f->images, 2, NULL, responses), 0);
	assert_int_equal(responder->ops->predict(responder, f->pool, f->images + N_PIXELS, 1, NULL, alone), 0);
	assert_memory_equal(alone, responses + n_answers, n_answers * sizeof *alone);

	assert_int_equal(responder->ops->gradient(responder, f->pool, f->images, 2, sum_of_squares, &n_answers, NULL,
						  values, gradients, responses),
			 0);
	for (size_t j = 0; j < n_answers; j++)
		assert_true(fabsf(alone[j] - responses[n_answers + j]) < 1e-3f);
	/* Along the gradient itself, where the change is far above rounding. */
	double length = 0.0;
	for (size_t j = 0; j < N_PIXELS; j++)
		length += gradients[N_PIXELS + j] * gradients[N_PIXELS + j];
	length = sqrt(length);
	for (int side = 0; side < 2; side++) {
		const double step = (side == 0 ? 1.0 : -1.0) / length;
		for (size_t j = 0; j < N_PIXELS; j++)
			image[j] = f->images[N_PIXELS + j] + (float)(step * gradients[N_PIXELS + j]);
		assert_int_equal(responder->ops->predict(responder, f->pool, image, 1, NULL, alone), 0);
		sum_of_squares(&n_answers, 0, alone, &value, responses);
		*(side == 0 ? &up : &down) = value;
	}
	assert_true(fabs((up - down) / 2.0 - length) < 0.03 * length);
	response_model_destroy(responder);
	session_model_destroy(model);
	free(responses);
	free(alone);
	free(gradients);
	free(image);
}

static void test_the_ensemble_answers_to_pixels(void **state)
{
	check_response_model(*state, MEMBERS);
}

static void test_the_ridge_answers_to_pixels(void **state)
{
	check_response_model(*state, 0);
}

static void test_settings_out_of_range_are_named(void **state)
{
	struct fixture *f = *state;
	struct session_model_settings how[] = {settings, settings, settings, settings};
	const char *const names[] = {"n_members", "batch_size", "mixing_channels", "learning_rate"};
	struct session_model *model;
	struct error err;
	uint32_t n_units;

	how[0].n_members = SESSION_MODEL_MEMBERS_MAX + 1;
	how[1].batch_size = 0;
	how[2].mixing_channels = SESSION_MODEL_MIXING_MAX + 1;
	how[3].learning_rate = NAN;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(session_model_fit(f->backbone, &f->data, NULL, &how[i], f->pool, NULL, NULL, &err,
						   &model, &n_units),
				 -EINVAL);
		assert_non_null(strstr(err.text, names[i]));
	}
}

/* The file of a model, opened outside the session: the better tier's answers, with the right backbone only. */
static void test_a_saved_model_is_opened_by_its_path(void **state)
{
	struct fixture *f = *state;
	struct session_model *model = fit(f, NULL, &settings);
	struct metrics_score scores[2 * UNITS];
	struct response_model *opened;
	struct error err = {""};
	float expected[4 * UNITS], answers[4 * MEMBERS * UNITS];
	char path[] = "/tmp/evoked_session_model_XXXXXX";
	void *data;
	size_t size;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(session_model_score(model, &f->data, f->pool, 50, NULL, scores), 0);
	const enum session_model_tier best = session_model_best(model);
	assert_int_equal(session_model_predict(model, best, f->pool, f->features, 4, NULL, expected, NULL), 0);
	assert_int_equal(session_model_encode(model, NULL, &data, &size), 0);
	assert_int_equal(atomic_file_write(path, data, size, NULL), 0);

	assert_int_equal(response_model_open(path, &err, &opened), 0);
	assert_int_equal(opened->height_px, SIDE);
	assert_int_equal(opened->n_units, UNITS);
	assert_int_equal(opened->n_members, best == SESSION_MODEL_RIDGE ? 1 : MEMBERS);
	assert_int_equal(opened->ops->predict(opened, f->pool, f->images, 4, NULL, answers), 0);
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t u = 0; u < UNITS; u++) {
			float mean = 0.0f;
			for (uint32_t k = 0; k < opened->n_members; k++)
				mean += answers[(i * opened->n_members + k) * UNITS + u] / (float)opened->n_members;
			assert_true(fabsf(mean - expected[i * UNITS + u]) < 1e-4f);
		}
	}
	response_model_destroy(opened);

	/* Another backbone, here a file that is not there, and a file that is no model. */
	assert_int_equal(response_model_open_on(path, "/nonexistent.keras", NULL, &err, &opened), -ENOENT);
	assert_int_equal(atomic_file_write(path, "no model", 8, NULL), 0);
	assert_int_equal(session_predictor_open(path, NULL, NULL, &err, &opened), 1);
	assert_true(response_model_open(path, &err, &opened) < 0);
	unlink(path);
	free(data);
	session_model_destroy(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scores_tell_units_apart_and_choose_a_tier, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_saved_model_is_opened_by_its_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_out_responses_are_never_fitted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_file_brings_the_same_model_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken_and_foreign_files_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_ensemble_answers_to_pixels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_ridge_answers_to_pixels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_settings_out_of_range_are_named, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
