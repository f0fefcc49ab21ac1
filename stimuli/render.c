/* Newton's method on (log gain, bias), a pass over the pixels for each step; sums in lanes of fixed order, so that they
 * vectorize and the bits are the same everywhere. */
#include "stimuli/render.h"

#include <math.h>
#include <stdbool.h>

#include "stimuli/colour_axes.h"

enum { LANES = 16, ITERATIONS_MAX = 40 };
#define MIDDLE	     127.5f
#define GAIN_MIN     1e-3
#define GAIN_MAX     1e3
#define BIAS_MAX     20.0
#define TOLERANCE    1e-5 /* of a level of 255 */
#define INVERT_LIMIT 0.98f

/* Size of x along each axis, for planes of size 1: as the SDs of natural images have it. */
static const float axis_size[COLOUR_AXES] = {1.40f, 0.36f, 0.16f};

/* Sums over pixels i and colours c; p = pixel, d = its slope by t, x = mix, l = luminance - MIDDLE. */
struct sums {
	double l, ll;	/* Σ l, Σ l² */
	double d, dx;	/* Σ d, Σ d x */
	double ld, ldx; /* Σ l d, Σ l d x */
};

static void colour_mix(float ret_mix[3][COLOUR_AXES])
{
	for (int c = 0; c < 3; c++)
		for (int k = 0; k < COLOUR_AXES; k++)
			ret_mix[c][k] = colour_axes[k][c] * axis_size[k];
}

struct lanes {
	float l[LANES], ll[LANES], d[LANES], dx[LANES], ld[LANES], ldx[LANES];
};

/* One row of lanes: pixels first .. first + n - 1. Float sums within a lane stay short: they are flushed to double by
 * the caller. */
static inline void add_row(const float *planes, size_t n_px, size_t first, size_t n, float mix[3][COLOUR_AXES],
			   float gain, float bias, struct lanes *lanes)
{
	for (size_t k = 0; k < n; k++) {
		const float *at = planes + first + k;
		float a = at[0], b = at[n_px], c = at[2 * n_px], l = 0, d_sum = 0, dx_sum = 0;
		for (int colour = 0; colour < 3; colour++) {
			float x = mix[colour][0] * a + mix[colour][1] * b + mix[colour][2] * c;
			float t = gain * x + bias, inverse = 1.0f / sqrtf(1.0f + t * t);
			float d = MIDDLE * inverse * inverse * inverse;
			l += MIDDLE * t * inverse;
			d_sum += d;
			dx_sum += d * x;
		}
		l *= 1.0f / 3.0f;
		lanes->l[k] += l;
		lanes->ll[k] += l * l;
		lanes->d[k] += d_sum;
		lanes->dx[k] += dx_sum;
		lanes->ld[k] += l * d_sum;
		lanes->ldx[k] += l * dx_sum;
	}
}

static double flush(float *lane)
{
	double sum = 0;

	for (int k = 0; k < LANES; k++) {
		sum += lane[k];
		lane[k] = 0;
	}
	return sum;
}

static struct sums sum_pixels(const float *planes, size_t n_px, const struct render_curve *curve)
{
	enum { ROWS_PER_FLUSH = 16 };
	float mix[3][COLOUR_AXES];
	struct lanes lanes = {0};
	struct sums sums = {0};

	colour_mix(mix);
	for (size_t first = 0, row = 1; first < n_px; first += LANES, row++) {
		if (n_px - first >= LANES)
			add_row(planes, n_px, first, LANES, mix, (float)curve->gain, (float)curve->bias, &lanes);
		else
			add_row(planes, n_px, first, n_px - first, mix, (float)curve->gain, (float)curve->bias, &lanes);
		if (row % ROWS_PER_FLUSH != 0 && n_px - first > LANES)
			continue;
		sums.l += flush(lanes.l);
		sums.ll += flush(lanes.ll);
		sums.d += flush(lanes.d);
		sums.dx += flush(lanes.dx);
		sums.ld += flush(lanes.ld);
		sums.ldx += flush(lanes.ldx);
	}
	return sums;
}

/* Mean and RMS contrast of luminance, and their derivatives by gain and bias. */
struct constraint {
	double mean, rms;
	double mean_by_gain, mean_by_bias, rms_by_gain, rms_by_bias;
};

static struct constraint constraint_at(const float *planes, size_t n_px, const struct render_curve *curve)
{
	struct sums s = sum_pixels(planes, n_px, curve);
	double n = (double)n_px, mean = s.l / n, rms = sqrt(fmax(s.ll / n - mean * mean, 1e-12));

	/* Luminance changes by d / 3 for each colour; RMS by cov(l, change) / RMS. */
	return (struct constraint){
		.mean = mean + MIDDLE,
		.rms = rms,
		.mean_by_gain = s.dx / (3 * n),
		.mean_by_bias = s.d / (3 * n),
		.rms_by_gain = (s.ldx - mean * s.dx) / (3 * n * rms),
		.rms_by_bias = (s.ld - mean * s.d) / (3 * n * rms),
	};
}

static double clamp(double value, double low, double high)
{
	return fmin(fmax(value, low), high);
}

static void adjust(const float *planes, size_t n_px, const struct render_target *target, struct render_curve *curve)
{
	bool has_rms = target->rms_contrast > 0, has_mean = target->mean_luminance > 0;

	for (int k = 0; k < ITERATIONS_MAX && (has_rms || has_mean); k++) {
		struct constraint at = constraint_at(planes, n_px, curve);
		double rms_off = has_rms ? target->rms_contrast - at.rms : 0;
		double mean_off = has_mean ? target->mean_luminance - at.mean : 0;
		if (fabs(rms_off) < TOLERANCE && fabs(mean_off) < TOLERANCE)
			return;
		/* By log gain, so that gain stays positive; a target that is free has an identity row. */
		double a = has_rms ? at.rms_by_gain * curve->gain : 1, b = has_rms ? at.rms_by_bias : 0;
		double c = has_mean ? at.mean_by_gain * curve->gain : 0, d = has_mean ? at.mean_by_bias : 1;
		if (!has_rms)
			c = 0;
		if (!has_mean)
			b = 0;
		double det = a * d - b * c;
		if (fabs(det) < 1e-12)
			det = det < 0 ? -1e-12 : 1e-12;
		double log_gain = clamp((d * rms_off - b * mean_off) / det, -1, 1);
		double bias = clamp((a * mean_off - c * rms_off) / det, -1, 1);
		curve->gain = clamp(curve->gain * exp(log_gain), GAIN_MIN, GAIN_MAX);
		curve->bias = clamp(curve->bias + bias, -BIAS_MAX, BIAS_MAX);
	}
}

void render_pixels(const float *planes, size_t n_px, const struct render_target *target, struct render_curve *curve,
		   float *ret_pixels)
{
	float mix[3][COLOUR_AXES];

	adjust(planes, n_px, target, curve);
	colour_mix(mix);
	float gain = (float)curve->gain, bias = (float)curve->bias;
	for (size_t p = 0; p < n_px; p++)
		for (size_t c = 0; c < 3; c++) {
			float x =
				mix[c][0] * planes[p] + mix[c][1] * planes[n_px + p] + mix[c][2] * planes[2 * n_px + p];
			float t = gain * x + bias;
			ret_pixels[3 * p + c] = MIDDLE + MIDDLE * t / sqrtf(1.0f + t * t);
		}
}

/* What the gradient by the pixels must be lessened by, because gain and bias follow the image: by the same amount at
 * each pixel, and in proportion to its luminance about the mean. */
struct correction {
	float level, slope, mean;
};

static struct correction correction_for(const float *planes, size_t n_px, const struct render_target *target,
					const struct render_curve *curve, double by_gain, double by_bias)
{
	bool has_rms = target->rms_contrast > 0, has_mean = target->mean_luminance > 0;
	double rms_part = 0, mean_part = 0;

	if (!has_rms && !has_mean)
		return (struct correction){0};
	struct constraint at = constraint_at(planes, n_px, curve);
	/* Solve the transposed system: parts × constraints' derivatives = the objective's. */
	if (has_rms && has_mean) {
		double det = at.rms_by_gain * at.mean_by_bias - at.rms_by_bias * at.mean_by_gain;
		if (fabs(det) > 1e-12) {
			rms_part = (by_gain * at.mean_by_bias - by_bias * at.mean_by_gain) / det;
			mean_part = (by_bias * at.rms_by_gain - by_gain * at.rms_by_bias) / det;
		}
	} else if (has_rms && fabs(at.rms_by_gain) > 1e-12) {
		rms_part = by_gain / at.rms_by_gain;
	} else if (has_mean && fabs(at.mean_by_bias) > 1e-12) {
		mean_part = by_bias / at.mean_by_bias;
	}
	double n = 3.0 * (double)n_px;
	return (struct correction){
		.level = (float)(mean_part / n),
		.slope = (float)(rms_part / (n * at.rms)),
		.mean = (float)at.mean,
	};
}

/* One pixel on its way through the curve. */
struct toned {
	float x[3]; /* mix of the planes */
	float d[3]; /* slope of the pixel's values by t */
	float luminance;
};

static inline struct toned tone(const float *planes, size_t n_px, size_t p, float mix[3][COLOUR_AXES], float gain,
				float bias)
{
	struct toned toned = {.luminance = MIDDLE};

	for (int c = 0; c < 3; c++) {
		float x = mix[c][0] * planes[p] + mix[c][1] * planes[n_px + p] + mix[c][2] * planes[2 * n_px + p];
		float t = gain * x + bias, inverse = 1.0f / sqrtf(1.0f + t * t);
		toned.x[c] = x;
		toned.d[c] = MIDDLE * inverse * inverse * inverse;
		toned.luminance += MIDDLE * t * inverse / 3.0f;
	}
	return toned;
}

void render_adjoint(const float *planes, size_t n_px, const struct render_target *target,
		    const struct render_curve *curve, const float *gradient, float *ret_planes)
{
	float mix[3][COLOUR_AXES], gain = (float)curve->gain, bias = (float)curve->bias;
	double by_gain = 0, by_bias = 0;

	colour_mix(mix);
	for (size_t p = 0; p < n_px && (target->rms_contrast > 0 || target->mean_luminance > 0); p++) {
		struct toned at = tone(planes, n_px, p, mix, gain, bias);
		const float *g = gradient + 3 * p;
		by_gain += g[0] * at.d[0] * at.x[0] + g[1] * at.d[1] * at.x[1] + g[2] * at.d[2] * at.x[2];
		by_bias += g[0] * at.d[0] + g[1] * at.d[1] + g[2] * at.d[2];
	}
	struct correction off = correction_for(planes, n_px, target, curve, by_gain, by_bias);
	for (size_t p = 0; p < n_px; p++) {
		struct toned at = tone(planes, n_px, p, mix, gain, bias);
		float by_x[3], taken_off = off.level + off.slope * (at.luminance - off.mean);
		for (int c = 0; c < 3; c++)
			by_x[c] = (gradient[3 * p + (size_t)c] - taken_off) * at.d[c];
		for (int k = 0; k < COLOUR_AXES; k++)
			ret_planes[(size_t)k * n_px + p] =
				gain * (mix[0][k] * by_x[0] + mix[1][k] * by_x[1] + mix[2][k] * by_x[2]);
	}
}

void render_invert(const float *pixels, size_t n_px, float *ret_planes)
{
	for (size_t p = 0; p < n_px; p++) {
		float x[3];
		for (size_t c = 0; c < 3; c++) {
			float share = fminf(fmaxf(pixels[3 * p + c] / MIDDLE - 1.0f, -INVERT_LIMIT), INVERT_LIMIT);
			x[c] = share / sqrtf(1.0f - share * share);
		}
		/* The axes are orthonormal: their transpose inverts the mix. */
		for (size_t k = 0; k < COLOUR_AXES; k++)
			ret_planes[k * n_px + p] =
				(colour_axes[k][0] * x[0] + colour_axes[k][1] * x[1] + colour_axes[k][2] * x[2]) /
				axis_size[k];
	}
}
