/* Sums in double, in order. Nothing fails. */
#include "stimuli/change_limit.h"

#include <math.h>

double change_limit_apply(const float *base, size_t n, double max_change, float *pixels)
{
	double sum = 0;

	if (!(max_change > 0))
		return 1;
	for (size_t k = 0; k < n; k++)
		sum += fabsf(pixels[k] - base[k]);
	double change = sum / (double)n;
	if (change <= max_change)
		return 1;
	double share = max_change / change;
	for (size_t k = 0; k < n; k++)
		pixels[k] = base[k] + (float)share * (pixels[k] - base[k]);
	return share;
}

void change_limit_adjoint(const float *base, const float *pixels, size_t n, double share, float *gradient)
{
	double along = 0, sum = 0;

	if (!(share < 1))
		return;
	/* share = max n / Σ|d| follows the difference d, so the gradient by d_k is share (g_k - (g · d / Σ|d|) sign
	 * d_k). What the pixels hold is share d, which leaves the quotient the same. */
	for (size_t k = 0; k < n; k++) {
		double d = pixels[k] - base[k];
		along += gradient[k] * d;
		sum += fabs(d);
	}
	float per_sign = (float)(along / sum);
	for (size_t k = 0; k < n; k++)
		gradient[k] = (float)share * (gradient[k] - per_sign * copysignf(1.0f, pixels[k] - base[k]));
}
