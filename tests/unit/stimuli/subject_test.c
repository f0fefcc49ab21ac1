/* Counts with the right mean and spread, the same for the same seed, from models, built-in neurons and recordings. */
#include "stimuli/subject.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stimuli/session_folder.h"

enum { SIDE_PX = 32, N_NEURONS = 6, N_IMAGES = 40 };

static const struct subject_settings settings = {.seed = 4, .width_px = SIDE_PX, .height_px = SIDE_PX};

static struct subject *builtin(void)
{
	struct error err = {0};
	struct subject *subject;

	assert_int_equal(subject_create_builtin(N_NEURONS, &settings, NULL, &err, &subject), 0);
	return subject;
}

static struct image leaves(uint32_t index)
{
	struct image image;

	assert_int_equal(dead_leaves_make(SIDE_PX, SIDE_PX, 9, index, NULL, &image), 0);
	return image;
}

static void counts_have_the_rate_as_mean_and_fano_below_one(void **state)
{
	enum { N = 4000 };
	struct subject *subject = builtin();
	struct image image = leaves(0);
	double sum[N_NEURONS] = {0}, sum_sq[N_NEURONS] = {0};
	uint16_t counts[N_NEURONS];
	float rates[N_NEURONS];
	(void)state;

	assert_int_equal(subject_rates(subject, &image, NULL, rates), 0);
	for (uint64_t k = 0; k < N; k++) {
		assert_int_equal(subject_respond(subject, &image, k, NULL, counts), 0);
		for (int u = 0; u < N_NEURONS; u++) {
			sum[u] += counts[u];
			sum_sq[u] += (double)counts[u] * counts[u];
		}
	}
	for (int u = 0; u < N_NEURONS; u++) {
		double mean = sum[u] / N, variance = sum_sq[u] / N - mean * mean;
		assert_true(fabs(mean - rates[u]) < 5 * sqrt(0.9 * rates[u] / N));
		if (rates[u] > 1)
			assert_true(fabs(variance / mean - 0.9) < 0.15);
	}
	image_done(&image);
	subject_destroy(subject);
}

static void calibration_gives_the_wanted_means(void **state)
{
	const double means[] = {1, 2, 3, 4, 5, 6};
	struct image images[N_IMAGES];
	double sum[N_NEURONS] = {0}, sum_sq[N_NEURONS] = {0};
	struct subject_settings given = settings;
	struct error err = {0};
	struct subject *subject;
	float rates[N_NEURONS];
	(void)state;

	for (uint32_t i = 0; i < N_IMAGES; i++)
		images[i] = leaves(i);
	given.calibration = images;
	given.n_calibration = N_IMAGES;
	given.means = means;
	given.n_means = N_NEURONS;
	assert_int_equal(subject_create_builtin(N_NEURONS, &given, NULL, &err, &subject), 0);
	for (uint32_t i = 0; i < N_IMAGES; i++) {
		assert_int_equal(subject_rates(subject, &images[i], NULL, rates), 0);
		for (int u = 0; u < N_NEURONS; u++) {
			sum[u] += rates[u];
			sum_sq[u] += (double)rates[u] * rates[u];
		}
	}
	for (int u = 0; u < N_NEURONS; u++) {
		double mean = sum[u] / N_IMAGES;
		double snr = (sum_sq[u] / N_IMAGES - mean * mean) / (0.9 * mean);
		assert_true(fabs(mean - means[u]) < 0.02);
		assert_true(snr > 0.18 && snr < 1.15);
	}
	subject_destroy(subject);
	given.n_means = 3;
	assert_int_equal(subject_create_builtin(N_NEURONS, &given, NULL, &err, &subject), -EINVAL);
	assert_non_null(strstr(err.text, "3 means for 6 units"));
	for (uint32_t i = 0; i < N_IMAGES; i++)
		image_done(&images[i]);
}

static void prepared_or_not_the_counts_are_the_same(void **state)
{
	struct subject *a = builtin(), *b = builtin();
	uint16_t from_a[N_NEURONS], from_b[N_NEURONS];
	struct image images[N_IMAGES];
	(void)state;

	for (uint32_t i = 0; i < N_IMAGES; i++)
		images[i] = leaves(i % 30);
	assert_int_equal(subject_prepare(a, images, N_IMAGES, NULL), 0);
	for (uint32_t i = 0; i < N_IMAGES; i++) {
		assert_int_equal(subject_respond(a, &images[i], i, NULL, from_a), 0);
		assert_int_equal(subject_respond(b, &images[i], i, NULL, from_b), 0);
		assert_memory_equal(from_a, from_b, sizeof from_a);
	}
	/* Another presentation of one image draws anew. */
	int n_different = 0;
	for (uint32_t k = 0; k < 10; k++) {
		assert_int_equal(subject_respond(b, &images[0], 1000 + k, NULL, from_b), 0);
		assert_int_equal(subject_respond(b, &images[0], 0, NULL, from_a), 0);
		n_different += memcmp(from_a, from_b, sizeof from_a) != 0;
	}
	assert_true(n_different > 5);
	for (uint32_t i = 0; i < N_IMAGES; i++)
		image_done(&images[i]);
	subject_destroy(a);
	subject_destroy(b);
}

static void wrong_size_and_settings_are_refused(void **state)
{
	struct subject_settings bad = settings;
	struct subject *subject = builtin(), *other = NULL;
	uint16_t counts[N_NEURONS];
	struct error err = {0};
	struct image small;
	(void)state;

	assert_int_equal(image_init(8, 8, NULL, &small), 0);
	assert_int_equal(subject_respond(subject, &small, 0, &err, counts), -EINVAL);
	assert_non_null(strstr(err.text, "8×8"));
	assert_int_equal(subject_prepare(subject, &small, 1, &err), -EINVAL);
	image_done(&small);
	bad.fano = -1;
	assert_int_equal(subject_create_builtin(N_NEURONS, &bad, NULL, &err, &other), -EINVAL);
	bad = settings;
	bad.width_px = 33;
	assert_int_equal(subject_create_builtin(N_NEURONS, &bad, NULL, &err, &other), -EINVAL);
	assert_null(other);
	subject_destroy(subject);
	subject_destroy(NULL);
}

static void recorded_repeats_are_given_once_before_any_again(void **state)
{
	/* [1 neuron, 2 images, 4 repeats] */
	const float raw[] = {1, 2, 3, 4, 11, 12, NAN, NAN};
	const uint64_t dims[] = {1, 2, 4};
	struct subject_settings of_session = {.seed = 1};
	struct session_folder folder;
	struct error err = {0};
	struct subject *subject;
	struct image image;
	uint16_t count;
	float rate;
	(void)state;

	session_folder_make(&folder);
	session_folder_add(&folder, 0, 0);
	session_folder_add(&folder, 1, 0);
	session_folder_responses(&folder, "responses_raw", 3, dims, raw);
	assert_int_equal(subject_open_dataset(folder.path, "s1", &of_session, NULL, &err, &subject), 0);
	assert_non_null(strstr(subject_description(subject), "recorded single counts"));
	image = session_folder_image(0);
	assert_int_equal(subject_rates(subject, &image, NULL, &rate), 0);
	assert_true(rate == 2.5f);
	for (int round = 0; round < 3; round++) {
		unsigned seen = 0;
		for (int k = 0; k < 4; k++) {
			assert_int_equal(subject_respond(subject, &image, 0, NULL, &count), 0);
			seen |= 1u << count;
		}
		assert_int_equal(seen, 0x1e);
		assert_int_equal(subject_n_wraps(subject), 4 * round);
	}
	image_done(&image);
	image = session_folder_image(5);
	assert_int_equal(subject_respond(subject, &image, 0, &err, &count), -ENOENT);
	assert_non_null(strstr(err.text, "not shown in the recorded session"));
	image_done(&image);
	subject_destroy(subject);
	session_folder_remove(&folder);
}

static void averages_get_spiking_noise(void **state)
{
	const float averages[] = {6.5f, 0};
	const uint64_t dims[] = {1, 2};
	struct subject_settings of_session = {.seed = 1};
	struct session_folder folder;
	struct error err = {0};
	struct subject *subject;
	struct image image;
	uint16_t count;
	double sum = 0;
	(void)state;

	session_folder_make(&folder);
	session_folder_add(&folder, 0, 0);
	session_folder_add(&folder, 1, 0);
	session_folder_responses(&folder, "responses", 2, dims, averages);
	assert_int_equal(subject_open_dataset(folder.path, "s1", &of_session, NULL, &err, &subject), 0);
	assert_non_null(strstr(subject_description(subject), "semi-synthetic"));
	image = session_folder_image(0);
	for (uint64_t k = 0; k < 1000; k++) {
		assert_int_equal(subject_respond(subject, &image, k, NULL, &count), 0);
		sum += count;
	}
	assert_true(fabs(sum / 1000 - 6.5) < 0.4);
	assert_int_equal(subject_n_wraps(subject), 0);
	image_done(&image);
	subject_destroy(subject);
	session_folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_have_the_rate_as_mean_and_fano_below_one),
		cmocka_unit_test(calibration_gives_the_wanted_means),
		cmocka_unit_test(prepared_or_not_the_counts_are_the_same),
		cmocka_unit_test(wrong_size_and_settings_are_refused),
		cmocka_unit_test(recorded_repeats_are_given_once_before_any_again),
		cmocka_unit_test(averages_get_spiking_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
