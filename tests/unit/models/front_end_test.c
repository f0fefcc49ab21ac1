/* The fast front end against a plain one in double (2-D filters, no separation, no pyramid tricks), its gradient
 * against finite differences of that plain one, and the promises on sizes and bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/front_end.h"
#include "models/gabor_bank.h"
#include "support/rng.h"

enum { H = 40, W = 32, N_PIXELS = H * W * 3, N_FEATURES = H / 8 * (W / 8) * FRONT_END_CHANNELS };

/* --- the plain front end ----------------------------------------------------------------------------------------- */

static void plain_halve(const double *in, int h, int w, double *out)
{
	static const double taps[5] = {1 / 16.0, 4 / 16.0, 6 / 16.0, 4 / 16.0, 1 / 16.0};

	for (int y = 0; y < h / 2; y++) {
		for (int x = 0; x < w / 2; x++) {
			double sum = 0.0;
			for (int v = -2; v <= 2; v++)
				for (int u = -2; u <= 2; u++)
					if (2 * y + v >= 0 && 2 * y + v < h && 2 * x + u >= 0 && 2 * x + u < w)
						sum += taps[v + 2] * taps[u + 2] * in[(2 * y + v) * w + 2 * x + u];
			out[y * (w / 2) + x] = sum;
		}
	}
}

/* Mean squared modulus of one orientation's answers over each p×p square, into every FRONT_END_CHANNELS-th of out. */
static void plain_energy(const double *plane, int h, int w, int p, int orientation, double *out)
{
	enum { R = GABOR_RADIUS };
	const double k = 2.0 * M_PI / GABOR_WAVELENGTH_PX, angle = M_PI * orientation / GABOR_ORIENTATIONS;
	double envelope[2 * R + 1][2 * R + 1], phase[2 * R + 1][2 * R + 1], total = 0.0, dc = 0.0;

	for (int v = -R; v <= R; v++) {
		for (int u = -R; u <= R; u++) {
			envelope[v + R][u + R] = exp(-0.5 * (u * u + v * v) / (GABOR_SIGMA_PX * GABOR_SIGMA_PX));
			phase[v + R][u + R] = k * (u * cos(angle) + v * sin(angle));
			total += envelope[v + R][u + R];
		}
	}
	for (int v = 0; v <= 2 * R; v++) {
		for (int u = 0; u <= 2 * R; u++) {
			envelope[v][u] /= total;
			dc += envelope[v][u] * cos(phase[v][u]);
		}
	}
	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++) {
			double real = 0.0, imag = 0.0;
			for (int v = -R; v <= R; v++) {
				for (int u = -R; u <= R; u++) {
					if (y + v < 0 || y + v >= h || x + u < 0 || x + u >= w)
						continue;
					double g = envelope[v + R][u + R] * plane[(y + v) * w + x + u];
					real += g * (cos(phase[v + R][u + R]) - dc);
					imag += g * sin(phase[v + R][u + R]);
				}
			}
			out[(y / p * (w / p) + x / p) * FRONT_END_CHANNELS] += (real * real + imag * imag) / (p * p);
		}
	}
}

static void plain_features(const double *pixels, double *features)
{
	static double plane[4][3][H * W];
	int channel = 0;

	memset(features, 0, N_FEATURES * sizeof *features);
	for (int i = 0; i < H * W; i++) {
		double r = pixels[3 * i] / 128 - 1, g = pixels[3 * i + 1] / 128 - 1, b = pixels[3 * i + 2] / 128 - 1;
		plane[0][0][i] = 0.299 * r + 0.587 * g + 0.114 * b;
		plane[0][1][i] = r - g;
		plane[0][2][i] = b - 0.5 * (r + g);
	}
	for (int s = 0; s < 4; s++) {
		for (int c = 0; c < 3; c++) {
			if (s < 3)
				plain_halve(plane[s][c], H >> s, W >> s, plane[s + 1][c]);
			for (int o = 0; (c == 0 || s >= 2) && o < 8; o++)
				plain_energy(plane[s][c], H >> s, W >> s, 8 >> s, o, features + channel++);
		}
	}
	for (int i = 0; i < N_FEATURES / FRONT_END_CHANNELS; i++) {
		double *f = features + i * FRONT_END_CHANNELS, norm = 0.04;
		for (int c = 0; c < 64; c++)
			norm += sqrt(f[c] + 1e-5) / 64;
		for (int c = 0; c < 64; c++)
			f[c] = sqrt(sqrt(f[c] + 1e-5) / norm);
	}
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < H * W; i++)
			features[(i / W / 8 * (W / 8) + i % W / 8) * FRONT_END_CHANNELS + 64 + c] +=
				plane[0][c][i] / 64;
}

/* --- helpers ----------------------------------------------------------------------------------------------------- */

static void fill_images(float *images, size_t n_values)
{
	struct rng rng = rng_make(3, 0, RNG_TEST, 0);

	for (size_t i = 0; i < n_values; i++)
		images[i] = (float)rng_below(&rng, i, 256);
}

static struct thread_pool *make_pool(unsigned n_threads)
{
	struct thread_pool *pool;

	assert_int_equal(thread_pool_create(n_threads, NULL, &pool), 0);
	return pool;
}

/* A fixed random direction in feature space. */
static float direction(size_t i)
{
	struct rng rng = rng_make(4, 0, RNG_TEST, 0);

	return (float)rng_normal(&rng, i);
}

static void give_direction(void *ctx, size_t i, unsigned thread, const float *features, float *ret_cotangent)
{
	(void)ctx, (void)i, (void)thread, (void)features;
	for (size_t j = 0; j < N_FEATURES; j++)
		ret_cotangent[j] = direction(j);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void test_features_are_those_of_the_plain_one(void **state)
{
	static float image[N_PIXELS], features[N_FEATURES];
	static double pixels[N_PIXELS], expected[N_FEATURES];
	struct thread_pool *pool = make_pool(1);
	struct backbone *fe;
	(void)state;

	assert_int_equal(front_end_create(H, W, NULL, &fe), 0);
	assert_int_equal(backbone_n_features(fe), N_FEATURES);
	fill_images(image, N_PIXELS);
	for (int i = 0; i < N_PIXELS; i++)
		pixels[i] = image[i];
	plain_features(pixels, expected);
	assert_int_equal(fe->ops->features(fe, pool, image, 1, NULL, features), 0);
	for (int i = 0; i < N_FEATURES; i++)
		assert_true(fabs(features[i] - expected[i]) < 2e-5);
	backbone_destroy(fe);
	thread_pool_destroy(pool);
}

static void test_gradient_is_that_of_the_plain_one(void **state)
{
	static float image[N_PIXELS], gradient[N_PIXELS];
	static double pixels[N_PIXELS], up[N_FEATURES], down[N_FEATURES];
	const int checked[] = {0, 4, 95, 1000, 1921, 2507, 3000, N_PIXELS - 1};
	struct thread_pool *pool = make_pool(1);
	struct backbone *fe;
	double size = 0.0;
	(void)state;

	assert_int_equal(front_end_create(H, W, NULL, &fe), 0);
	fill_images(image, N_PIXELS);
	for (int i = 0; i < N_PIXELS; i++)
		pixels[i] = image[i];
	assert_int_equal(fe->ops->gradient(fe, pool, image, 1, give_direction, NULL, NULL, gradient), 0);
	for (int i = 0; i < N_PIXELS; i++)
		size += gradient[i] * gradient[i] / N_PIXELS;
	for (size_t c = 0; c < sizeof checked / sizeof *checked; c++) {
		double difference = 0.0, step = 1e-3, at = pixels[checked[c]];
		pixels[checked[c]] = at + step;
		plain_features(pixels, up);
		pixels[checked[c]] = at - step;
		plain_features(pixels, down);
		pixels[checked[c]] = at;
		for (int i = 0; i < N_FEATURES; i++)
			difference += direction(i) * (up[i] - down[i]) / (2 * step);
		assert_true(fabs(gradient[checked[c]] - difference) < 1e-3 * sqrt(size));
	}
	backbone_destroy(fe);
	thread_pool_destroy(pool);
}

static void test_bits_depend_on_neither_batch_nor_threads(void **state)
{
	enum { N = 5 };
	float *images = malloc(N * N_PIXELS * sizeof *images), *features = malloc(N * N_FEATURES * sizeof *features);
	float *gradients = malloc(N * N_PIXELS * sizeof *gradients), *one = malloc(N_PIXELS * sizeof *one);
	static float alone[N_FEATURES];
	struct thread_pool *pool1 = make_pool(1), *pool3 = make_pool(3);
	struct backbone *fe;
	(void)state;

	assert_int_equal(front_end_create(H, W, NULL, &fe), 0);
	fill_images(images, N * N_PIXELS);
	assert_int_equal(fe->ops->features(fe, pool3, images, N, NULL, features), 0);
	assert_int_equal(fe->ops->gradient(fe, pool3, images, N, give_direction, NULL, NULL, gradients), 0);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(fe->ops->features(fe, pool1, images + i * N_PIXELS, 1, NULL, alone), 0);
		assert_memory_equal(alone, features + i * N_FEATURES, sizeof alone);
		assert_int_equal(
			fe->ops->gradient(fe, pool1, images + i * N_PIXELS, 1, give_direction, NULL, NULL, one), 0);
		assert_memory_equal(one, gradients + i * N_PIXELS, N_PIXELS * sizeof *one);
	}
	backbone_destroy(fe);
	thread_pool_destroy(pool1);
	thread_pool_destroy(pool3);
	free(images);
	free(features);
	free(gradients);
	free(one);
}

static void test_a_blank_image_has_finite_features_and_gradient(void **state)
{
	static float image[N_PIXELS], features[N_FEATURES], gradient[N_PIXELS];
	struct thread_pool *pool = make_pool(1);
	struct backbone *fe;
	(void)state;

	assert_int_equal(front_end_create(H, W, NULL, &fe), 0);
	for (int i = 0; i < N_PIXELS; i++)
		image[i] = 128.0f;
	assert_int_equal(fe->ops->features(fe, pool, image, 1, NULL, features), 0);
	assert_int_equal(fe->ops->gradient(fe, pool, image, 1, give_direction, NULL, NULL, gradient), 0);
	for (int i = 0; i < N_FEATURES; i++) {
		int channel = i % FRONT_END_CHANNELS;
		assert_true(channel < 64 ? fabsf(features[i] - features[0]) < 1e-6f : fabsf(features[i]) < 1e-6f);
	}
	for (int i = 0; i < N_PIXELS; i++)
		assert_true(isfinite(gradient[i]));
	backbone_destroy(fe);
	thread_pool_destroy(pool);
}

static void test_sizes_are_checked_and_decide_the_hash(void **state)
{
	const uint32_t refused[][2] = {{24, 112}, {112, 520}, {112, 100}, {0, 0}, {UINT32_MAX, 112}};
	struct backbone *a, *b, *same;
	struct error err;
	(void)state;

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		err.text[0] = '\0';
		assert_int_equal(front_end_create(refused[i][0], refused[i][1], &err, &a), -EINVAL);
		assert_non_null(strstr(err.text, "multiple of 8 from 32 to 512"));
	}
	assert_int_equal(front_end_create(112, 112, NULL, &a), 0);
	assert_int_equal(front_end_create(112, 112, NULL, &same), 0);
	assert_int_equal(front_end_create(512, 32, NULL, &b), 0);
	assert_int_equal(backbone_n_features(a), 13132);
	assert_int_equal(b->map_height, 64);
	assert_int_equal(b->map_width, 4);
	assert_true(hash_equal(&a->hash, &same->hash));
	assert_false(hash_equal(&a->hash, &b->hash));
	backbone_destroy(a);
	backbone_destroy(b);
	backbone_destroy(same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features_are_those_of_the_plain_one),
		cmocka_unit_test(test_gradient_is_that_of_the_plain_one),
		cmocka_unit_test(test_bits_depend_on_neither_batch_nor_threads),
		cmocka_unit_test(test_a_blank_image_has_finite_features_and_gradient),
		cmocka_unit_test(test_sizes_are_checked_and_decide_the_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
