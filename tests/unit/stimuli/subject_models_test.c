/* Neurons from published models: labels, rates like recorded ones, files that are no models. */
#include "stimuli/subject.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "stimuli/dead_leaves.h"
#include "tests/unit/stimuli/recorded.h"

enum { N_MODELS = 2 };

static const struct subject_settings settings = {.seed = 2};

static void unreadable_files_are_named(void **state)
{
	const char *const missing[] = {"/nowhere/neuron.keras"};
	struct subject *subject = NULL;
	struct error err = {0};
	(void)state;

	assert_true(subject_open_models(missing, 1, &settings, NULL, &err, &subject) < 0);
	assert_non_null(strstr(err.text, "/nowhere/neuron.keras"));
	assert_int_equal(subject_open_models(missing, 0, &settings, NULL, &err, &subject), -EINVAL);
	assert_null(subject);
}

static void published_neurons_answer_like_recorded_ones(void **state)
{
	char files[N_MODELS][RECORDED_PATH_SIZE];
	const char *paths[N_MODELS];
	struct error err = {0};
	struct subject *subject;
	double sum[N_MODELS] = {0}, sum_sq[N_MODELS] = {0};
	(void)state;

	for (int i = 0; i < N_MODELS; i++) {
		char name[64];
		snprintf(name, sizeof name, "compact/compact_model_190923_neuron%d.keras", i);
		if (!recorded_path(name, files[i]))
			skip();
		paths[i] = files[i];
	}
	assert_int_equal(subject_open_models(paths, N_MODELS, &settings, NULL, &err, &subject), 0);
	assert_int_equal(subject_n_units(subject), N_MODELS);
	assert_int_equal(subject_width_px(subject), 112);
	assert_string_equal(subject_unit_label(subject, 1), "compact_model_190923_neuron1");
	/* The calibration images themselves: dead leaves of the subject's seed. */
	for (uint32_t i = 0; i < SUBJECT_CALIBRATION_IMAGES; i++) {
		struct image image;
		float rates[N_MODELS];
		assert_int_equal(dead_leaves_make(112, 112, settings.seed, i, NULL, &image), 0);
		assert_int_equal(subject_rates(subject, &image, &err, rates), 0);
		image_done(&image);
		for (int u = 0; u < N_MODELS; u++) {
			sum[u] += rates[u];
			sum_sq[u] += (double)rates[u] * rates[u];
		}
	}
	for (int u = 0; u < N_MODELS; u++) {
		double mean = sum[u] / SUBJECT_CALIBRATION_IMAGES;
		double snr = (sum_sq[u] / SUBJECT_CALIBRATION_IMAGES - mean * mean) / (SUBJECT_FANO_DEFAULT * mean);
		assert_true(mean > 0.5 && mean < 6.7);
		assert_true(snr > 0.18 && snr < 1.15);
	}
	subject_destroy(subject);
}

int main(void)
{
	recorded_use_built_converter();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unreadable_files_are_named),
		cmocka_unit_test(published_neurons_answer_like_recorded_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
