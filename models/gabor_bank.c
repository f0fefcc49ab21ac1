/* Rows first (complex filter on a real plane: two passes a wave number), then columns (four passes serve an orientation
 * and its mirror image). With P = A + iB the row answer and Q = C + iD the column filter, the orientation is PQ and
 * its mirror conj(P) Q. The adjoint runs the same passes backwards with mirrored taps: even ones are their own
 * mirror, odd ones change sign. Failure modes: none. */
#include "models/gabor_bank.h"

#include <math.h>
#include <string.h>

#include "models/simd.h"

void gabor_bank_init(struct gabor_bank *bank)
{
	double envelope[GABOR_TAPS], total = 0.0, sum[GABOR_PROJECTIONS] = {0};
	const double k = 2.0 * M_PI / GABOR_WAVELENGTH_PX;

	for (int t = 0; t < GABOR_TAPS; t++) {
		double x = (t - GABOR_RADIUS) / GABOR_SIGMA_PX;
		envelope[t] = exp(-0.5 * x * x);
		total += envelope[t];
	}
	for (int j = 0; j < GABOR_PROJECTIONS; j++) {
		double k_j = j == GABOR_PROJECTIONS - 1 ? 0.0 : k * cos(M_PI * j / GABOR_ORIENTATIONS);
		for (int t = 0; t < GABOR_TAPS; t++) {
			double even = envelope[t] / total * cos(k_j * (t - GABOR_RADIUS));
			bank->even[j][t] = (float)even;
			bank->odd[j][t] = (float)(envelope[t] / total * sin(k_j * (t - GABOR_RADIUS)));
			sum[j] += even;
		}
	}
	for (int o = 0; o < GABOR_ORIENTATIONS; o++) {
		int j = o < GABOR_PROJECTIONS ? o : GABOR_ORIENTATIONS - o;
		bank->dc[o] = (float)(sum[j] * sum[GABOR_PROJECTIONS - 1 - j]);
	}
}

static inline void add_scaled(float *restrict sum, const float *restrict values, float factor, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += factor * values[i];
}

/* out += in correlated along rows with sign · taps. */
SIMD_CLONES static void add_rows(const float *in, uint32_t height, uint32_t width, const float *taps, float sign,
				 float *out)
{
	float padded[GABOR_SIDE_MAX + 2 * GABOR_RADIUS] = {0};

	for (uint32_t y = 0; y < height; y++) {
		memcpy(padded + GABOR_RADIUS, in + (size_t)y * width, width * sizeof *in);
		for (int t = 0; t < GABOR_TAPS; t++)
			add_scaled(out + (size_t)y * width, padded + t, sign * taps[t], width);
	}
}

/* out += in correlated along columns with sign · taps. */
SIMD_CLONES static void add_columns(const float *in, uint32_t height, uint32_t width, const float *taps, float sign,
				    float *out)
{
	for (uint32_t y = 0; y < height; y++) {
		for (int t = 0; t < GABOR_TAPS; t++) {
			int64_t from = (int64_t)y + t - GABOR_RADIUS;
			if (from >= 0 && from < height)
				add_scaled(out + (size_t)y * width, in + (size_t)from * width, sign * taps[t], width);
		}
	}
}

SIMD_CLONES static void add_planes(float *restrict sum, const float *restrict values, float factor, size_t n)
{
	add_scaled(sum, values, factor, n);
}

/* plus = a + b, minus = a - b; either may be a or b itself. */
SIMD_CLONES static void sum_and_difference(const float *a, const float *b, float *plus, float *minus, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float x = a[i], y = b[i];
		plus[i] = x + y;
		minus[i] = x - y;
	}
}

static void rows(const float *in, uint32_t height, uint32_t width, const float *taps, float *ret_out)
{
	memset(ret_out, 0, (size_t)height * width * sizeof *ret_out);
	add_rows(in, height, width, taps, 1.0f, ret_out);
}

static void columns(const float *in, uint32_t height, uint32_t width, const float *taps, float *ret_out)
{
	memset(ret_out, 0, (size_t)height * width * sizeof *ret_out);
	add_columns(in, height, width, taps, 1.0f, ret_out);
}

void gabor_bank_apply(const struct gabor_bank *bank, const float *plane, uint32_t height, uint32_t width,
		      float *scratch, float *ret_real, float *ret_imag)
{
	const size_t n = (size_t)height * width;
	const int last = GABOR_PROJECTIONS - 1; /* wave number 0: even[last] is the envelope, odd[last] zero */
	float *a = scratch, *b = scratch + n, *product = scratch + 2 * n, *smooth = scratch + 3 * n;

	for (int j = 0; j < last; j++) {
		const float *even = bank->even[last - j], *odd = bank->odd[last - j];
		float *real = ret_real + j * n, *imag = ret_imag + j * n;

		rows(plane, height, width, bank->even[j], a);
		rows(plane, height, width, bank->odd[j], b);
		columns(a, height, width, even, real);
		if (j == 0) {
			columns(b, height, width, even, imag);
			continue;
		}
		columns(b, height, width, odd, product);
		sum_and_difference(real, product, ret_real + (GABOR_ORIENTATIONS - j) * n, real, n);
		columns(a, height, width, odd, imag);
		columns(b, height, width, even, product);
		sum_and_difference(imag, product, imag, ret_imag + (GABOR_ORIENTATIONS - j) * n, n);
	}
	rows(plane, height, width, bank->even[last], a);
	columns(a, height, width, bank->even[0], ret_real + last * n);
	columns(a, height, width, bank->odd[0], ret_imag + last * n);
	columns(a, height, width, bank->even[last], smooth);
	for (int o = 0; o < GABOR_ORIENTATIONS; o++)
		add_planes(ret_real + o * n, smooth, -bank->dc[o], n);
}

void gabor_bank_add_adjoint(const struct gabor_bank *bank, const float *d_real, const float *d_imag, uint32_t height,
			    uint32_t width, float *scratch, float *gradient)
{
	const size_t n = (size_t)height * width;
	const int last = GABOR_PROJECTIONS - 1;
	float *d_a = scratch, *d_b = scratch + n, *plus = scratch + 2 * n, *minus = scratch + 3 * n;

	for (int j = 0; j < last; j++) {
		const float *even = bank->even[last - j], *odd = bank->odd[last - j];
		const float *real = d_real + j * n, *imag = d_imag + j * n;

		if (j == 0) {
			columns(real, height, width, even, d_a);
			columns(imag, height, width, even, d_b);
		} else {
			sum_and_difference(d_real + (GABOR_ORIENTATIONS - j) * n, real, plus, minus, n);
			columns(plus, height, width, even, d_a);
			memset(d_b, 0, n * sizeof *d_b);
			add_columns(minus, height, width, odd, -1.0f, d_b);
			sum_and_difference(imag, d_imag + (GABOR_ORIENTATIONS - j) * n, plus, minus, n);
			add_columns(plus, height, width, odd, -1.0f, d_a);
			add_columns(minus, height, width, even, 1.0f, d_b);
		}
		add_rows(d_a, height, width, bank->even[j], 1.0f, gradient);
		add_rows(d_b, height, width, bank->odd[j], -1.0f, gradient);
	}
	columns(d_real + last * n, height, width, bank->even[0], d_a);
	add_columns(d_imag + last * n, height, width, bank->odd[0], -1.0f, d_a);
	memset(plus, 0, n * sizeof *plus);
	for (int o = 0; o < GABOR_ORIENTATIONS; o++)
		add_planes(plus, d_real + o * n, -bank->dc[o], n);
	add_columns(plus, height, width, bank->even[last], 1.0f, d_a);
	add_rows(d_a, height, width, bank->even[last], 1.0f, gradient);
}
