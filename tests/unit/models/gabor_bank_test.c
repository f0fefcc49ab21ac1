/* The separable bank against 2-D filters in double, its adjoint, and what Gabors are for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "models/gabor_bank.h"
#include "support/rng.h"

enum { H = 11, W = 23, N = H * W, R = GABOR_RADIUS };

/* Answer of one orientation at one place, by its definition. */
static void plain_answer(const float *plane, int orientation, int y, int x, double *ret_real, double *ret_imag)
{
	const double k = 2.0 * M_PI / GABOR_WAVELENGTH_PX, angle = M_PI * orientation / GABOR_ORIENTATIONS;
	double total = 0.0, real_sum = 0.0, plain = 0.0, real = 0.0, imag = 0.0;

	for (int v = -R; v <= R; v++) {
		for (int u = -R; u <= R; u++) {
			const double envelope = exp(-0.5 * (u * u + v * v) / (GABOR_SIGMA_PX * GABOR_SIGMA_PX));
			const double phase = k * (u * cos(angle) + v * sin(angle));
			total += envelope;
			real_sum += envelope * cos(phase);
			if (y + v < 0 || y + v >= H || x + u < 0 || x + u >= W)
				continue;
			plain += envelope * plane[(y + v) * W + x + u];
			real += envelope * cos(phase) * plane[(y + v) * W + x + u];
			imag += envelope * sin(phase) * plane[(y + v) * W + x + u];
		}
	}
	*ret_real = (real - plain * real_sum / total) / total;
	*ret_imag = imag / total;
}

static void test_answers_are_those_of_the_filters(void **state)
{
	static float plane[N], scratch[N * GABOR_SCRATCH_PLANES], real[N * GABOR_ORIENTATIONS],
		imag[N * GABOR_ORIENTATIONS];
	struct rng rng = rng_make(101, 0, RNG_TEST, 0);
	struct gabor_bank bank;
	(void)state;

	gabor_bank_init(&bank);
	rng_fill_normal(&rng, 0, N, plane);
	gabor_bank_apply(&bank, plane, H, W, scratch, real, imag);
	for (int o = 0; o < GABOR_ORIENTATIONS; o++) {
		for (int i = 0; i < N; i += 3) {
			double expected_real, expected_imag;
			plain_answer(plane, o, i / W, i % W, &expected_real, &expected_imag);
			assert_true(fabs(real[o * N + i] - expected_real) < 1e-6);
			assert_true(fabs(imag[o * N + i] - expected_imag) < 1e-6);
		}
	}
}

static void test_the_adjoint_is_adjoint(void **state)
{
	static float plane[N], gradient[N], scratch[N * GABOR_SCRATCH_PLANES];
	static float real[N * GABOR_ORIENTATIONS], imag[N * GABOR_ORIENTATIONS];
	static float d_real[N * GABOR_ORIENTATIONS], d_imag[N * GABOR_ORIENTATIONS];
	struct rng rng = rng_make(102, 0, RNG_TEST, 0);
	struct gabor_bank bank;
	double answers = 0.0, inputs = 0.0;
	(void)state;

	gabor_bank_init(&bank);
	rng_fill_normal(&rng, 0, N, plane);
	rng_fill_normal(&rng, 10000, N * GABOR_ORIENTATIONS, d_real);
	rng_fill_normal(&rng, 20000, N * GABOR_ORIENTATIONS, d_imag);
	gabor_bank_apply(&bank, plane, H, W, scratch, real, imag);
	for (int i = 0; i < N; i++)
		gradient[i] = 1.0f; /* it adds */
	gabor_bank_add_adjoint(&bank, d_real, d_imag, H, W, scratch, gradient);
	for (int i = 0; i < N * GABOR_ORIENTATIONS; i++)
		answers += (double)d_real[i] * real[i] + (double)d_imag[i] * imag[i];
	for (int i = 0; i < N; i++)
		inputs += (gradient[i] - 1.0) * plane[i];
	assert_true(fabs(answers - inputs) < 1e-4);
}

static void test_a_grating_drives_its_orientation_whatever_its_phase(void **state)
{
	enum { SIDE = 40, PIXELS = SIDE * SIDE };
	static float plane[PIXELS], scratch[PIXELS * GABOR_SCRATCH_PLANES];
	static float real[PIXELS * GABOR_ORIENTATIONS], imag[PIXELS * GABOR_ORIENTATIONS];
	const size_t middle = SIDE / 2 * SIDE + SIDE / 2;
	struct gabor_bank bank;
	(void)state;

	gabor_bank_init(&bank);
	for (int o = 0; o < GABOR_ORIENTATIONS; o++) {
		const double angle = M_PI * o / GABOR_ORIENTATIONS, k = 2.0 * M_PI / GABOR_WAVELENGTH_PX;
		double moduli[2];
		for (int phase = 0; phase < 2; phase++) {
			for (int i = 0; i < PIXELS; i++)
				plane[i] =
					7.0f + (float)cos(k * (i % SIDE * cos(angle) + i / SIDE * sin(angle)) + phase);
			gabor_bank_apply(&bank, plane, SIDE, SIDE, scratch, real, imag);
			for (int other = 0; other < GABOR_ORIENTATIONS; other++) {
				double modulus = hypot(real[other * PIXELS + middle], imag[other * PIXELS + middle]);
				if (other == o)
					moduli[phase] = modulus;
				else
					assert_true(modulus < 0.35);
			}
			assert_true(fabs(moduli[phase] - 0.5) < 0.02);
		}
		assert_true(fabs(moduli[0] - moduli[1]) < 0.02);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_are_those_of_the_filters),
		cmocka_unit_test(test_the_adjoint_is_adjoint),
		cmocka_unit_test(test_a_grating_drives_its_orientation_whatever_its_phase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
