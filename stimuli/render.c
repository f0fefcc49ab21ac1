/* Newton's method on (log gain, bias), a pass over the pixels for each step, begun where the last image ended: two
 * passes as a rule. Pixels go in blocks of planar lanes, summed lane by lane, so that loops vectorize and the bits are
 * the same everywhere. Nothing fails. */
#include "stimuli/render.h"

#include <math.h>
#include <stdbool.h>

#include "models/simd.h"
#include "stimuli/colour_axes.h"

enum { LANES = 16, BLOCKS_PER_FLUSH = 16, ITERATIONS_MAX = 40 };
#define MIDDLE	     127.5f
#define GAIN_MIN     1e-3
#define GAIN_MAX     1e3
#define BIAS_MAX     20.0
#define TOLERANCE    1e-3 /* of a level of 255: rounding to 8 bits does far more */
#define DET_TINY     1e-12
#define INVERT_LIMIT 0.98f

/* Size of x along each axis, for planes of size 1: as the SDs of natural images have it. */
static const float axis_size[COLOUR_AXES] = {1.40f, 0.36f, 0.16f};

/* A block of pixels on its way through the curve. Lanes past the image's end hold the last pixel. */
struct block {
	float x[3][LANES];     /* mix of the planes */
	float level[3][LANES]; /* pixel value less MIDDLE */
	float slope[3][LANES]; /* of the value by t */
};

static inline void tone_block(const float *planes, size_t n_px, size_t first, size_t n, float mix[3][COLOUR_AXES],
			      float gain, float bias, struct block *block)
{
	float from[COLOUR_AXES][LANES];

	for (size_t k = 0; k < COLOUR_AXES; k++)
		for (size_t lane = 0; lane < LANES; lane++)
			from[k][lane] = planes[k * n_px + first + (lane < n ? lane : n - 1)];
	for (int c = 0; c < 3; c++)
		for (int lane = 0; lane < LANES; lane++) {
			float x = mix[c][0] * from[0][lane] + mix[c][1] * from[1][lane] + mix[c][2] * from[2][lane];
			float t = gain * x + bias, inverse = 1.0f / sqrtf(1.0f + t * t);
			block->x[c][lane] = x;
			block->level[c][lane] = MIDDLE * t * inverse;
			block->slope[c][lane] = MIDDLE * inverse * inverse * inverse;
		}
}

static void colour_mix(float ret_mix[3][COLOUR_AXES])
{
	for (int c = 0; c < 3; c++)
		for (int k = 0; k < COLOUR_AXES; k++)
			ret_mix[c][k] = colour_axes[k][c] * axis_size[k];
}

/* Sums over pixels and colours; v value less MIDDLE, d slope, x mix. */
enum { SUM_V, SUM_VV, SUM_D, SUM_DX, SUM_VD, SUM_VDX, N_SUMS };

static inline void add_block(const struct block *block, size_t n, float lanes[N_SUMS][LANES])
{
	for (int c = 0; c < 3; c++)
		for (size_t lane = 0; lane < LANES; lane++) {
			float is_pixel = lane < n ? 1.0f : 0.0f;
			float v = block->level[c][lane] * is_pixel, d = block->slope[c][lane] * is_pixel;
			float dx = d * block->x[c][lane];
			lanes[SUM_V][lane] += v;
			lanes[SUM_VV][lane] += v * v;
			lanes[SUM_D][lane] += d;
			lanes[SUM_DX][lane] += dx;
			lanes[SUM_VD][lane] += v * d;
			lanes[SUM_VDX][lane] += v * dx;
		}
}

SIMD_CLONES
static void sum_pixels(const float *planes, size_t n_px, float gain, float bias, double ret_sums[N_SUMS])
{
	float mix[3][COLOUR_AXES], lanes[N_SUMS][LANES] = {0};
	struct block block;

	colour_mix(mix);
	for (int s = 0; s < N_SUMS; s++)
		ret_sums[s] = 0;
	for (size_t first = 0, k = 1; first < n_px; first += LANES, k++) {
		size_t n = n_px - first < LANES ? n_px - first : LANES;
		tone_block(planes, n_px, first, n, mix, gain, bias, &block);
		add_block(&block, n, lanes);
		if (k % BLOCKS_PER_FLUSH != 0 && n_px - first > LANES)
			continue;
		/* Short float sums, then double ones. */
		for (int s = 0; s < N_SUMS; s++)
			for (int lane = 0; lane < LANES; lane++) {
				ret_sums[s] += lanes[s][lane];
				lanes[s][lane] = 0;
			}
	}
}

/* Fills in what comes out at curve's gain and bias. */
static void measure(const float *planes, size_t n_px, struct render_curve *curve)
{
	double s[N_SUMS], n = 3.0 * (double)n_px;

	sum_pixels(planes, n_px, (float)curve->gain, (float)curve->bias, s);
	double mean = s[SUM_V] / n;
	curve->mean = mean + MIDDLE;
	curve->rms = sqrt(fmax(s[SUM_VV] / n - mean * mean, DET_TINY));
	/* The mean changes by the mean of the slopes, the RMS by the covariance of values and slopes over the RMS. */
	curve->mean_by_gain = s[SUM_DX] / n;
	curve->mean_by_bias = s[SUM_D] / n;
	curve->rms_by_gain = (s[SUM_VDX] - mean * s[SUM_DX]) / (n * curve->rms);
	curve->rms_by_bias = (s[SUM_VD] - mean * s[SUM_D]) / (n * curve->rms);
}

static double clamp(double value, double low, double high)
{
	return fmin(fmax(value, low), high);
}

static void adjust(const float *planes, size_t n_px, const struct render_target *target, struct render_curve *curve)
{
	bool has_rms = target->rms_contrast > 0, has_mean = target->mean_luminance > 0;

	for (int k = 0; k < ITERATIONS_MAX && (has_rms || has_mean); k++) {
		measure(planes, n_px, curve);
		double rms_off = has_rms ? target->rms_contrast - curve->rms : 0;
		double mean_off = has_mean ? target->mean_luminance - curve->mean : 0;
		if (fabs(rms_off) < TOLERANCE && fabs(mean_off) < TOLERANCE)
			return;
		/* By log gain, so that gain stays positive; what is free has a row of the identity. */
		double a = has_rms ? curve->rms_by_gain * curve->gain : 1;
		double b = has_rms && has_mean ? curve->rms_by_bias : 0;
		double c = has_rms && has_mean ? curve->mean_by_gain * curve->gain : 0;
		double d = has_mean ? curve->mean_by_bias : 1;
		double det = a * d - b * c;
		if (fabs(det) < DET_TINY)
			det = copysign(DET_TINY, det);
		double log_gain = clamp((d * rms_off - b * mean_off) / det, -1, 1);
		double bias = clamp((a * mean_off - c * rms_off) / det, -1, 1);
		curve->gain = clamp(curve->gain * exp(log_gain), GAIN_MIN, GAIN_MAX);
		curve->bias = clamp(curve->bias + bias, -BIAS_MAX, BIAS_MAX);
	}
}

SIMD_CLONES
static void write_pixels(const float *planes, size_t n_px, float gain, float bias, float *ret_pixels)
{
	float mix[3][COLOUR_AXES];
	struct block block;

	colour_mix(mix);
	for (size_t first = 0; first < n_px; first += LANES) {
		size_t n = n_px - first < LANES ? n_px - first : LANES;
		tone_block(planes, n_px, first, n, mix, gain, bias, &block);
		for (size_t lane = 0; lane < n; lane++)
			for (size_t c = 0; c < 3; c++)
				ret_pixels[3 * (first + lane) + c] = MIDDLE + block.level[c][lane];
	}
}

void render_pixels(const float *planes, size_t n_px, const struct render_target *target, struct render_curve *curve,
		   float *ret_pixels)
{
	adjust(planes, n_px, target, curve);
	write_pixels(planes, n_px, (float)curve->gain, (float)curve->bias, ret_pixels);
}

/* How the objective changes with gain and bias. */
SIMD_CLONES
static void sum_gradient(const float *planes, size_t n_px, float gain, float bias, const float *gradient,
			 double *ret_by_gain, double *ret_by_bias)
{
	float mix[3][COLOUR_AXES], by_gain[LANES] = {0}, by_bias[LANES] = {0};
	double sum_gain = 0, sum_bias = 0;
	struct block block;

	colour_mix(mix);
	for (size_t first = 0, k = 1; first < n_px; first += LANES, k++) {
		size_t n = n_px - first < LANES ? n_px - first : LANES;
		tone_block(planes, n_px, first, n, mix, gain, bias, &block);
		for (size_t c = 0; c < 3; c++)
			for (size_t lane = 0; lane < n; lane++) {
				float by_t = gradient[3 * (first + lane) + c] * block.slope[c][lane];
				by_gain[lane] += by_t * block.x[c][lane];
				by_bias[lane] += by_t;
			}
		if (k % BLOCKS_PER_FLUSH != 0 && n_px - first > LANES)
			continue;
		for (int lane = 0; lane < LANES; lane++) {
			sum_gain += by_gain[lane];
			sum_bias += by_bias[lane];
			by_gain[lane] = by_bias[lane] = 0;
		}
	}
	*ret_by_gain = sum_gain;
	*ret_by_bias = sum_bias;
}

/* What the gradient by the pixels must be lessened by, because gain and bias follow the image: by the same amount at
 * each pixel, and in proportion to its luminance about the mean. */
struct correction {
	float level, slope;
};

static struct correction correction_for(size_t n_px, const struct render_target *target, const struct render_curve *at,
					double by_gain, double by_bias)
{
	bool has_rms = target->rms_contrast > 0, has_mean = target->mean_luminance > 0;
	double rms_part = 0, mean_part = 0, n = 3.0 * (double)n_px;

	/* The transposed system: parts × derivatives of the constraints = derivatives of the objective. */
	if (has_rms && has_mean) {
		double det = at->rms_by_gain * at->mean_by_bias - at->rms_by_bias * at->mean_by_gain;
		if (fabs(det) > DET_TINY) {
			rms_part = (by_gain * at->mean_by_bias - by_bias * at->mean_by_gain) / det;
			mean_part = (by_bias * at->rms_by_gain - by_gain * at->rms_by_bias) / det;
		}
	} else if (has_rms && fabs(at->rms_by_gain) > DET_TINY) {
		rms_part = by_gain / at->rms_by_gain;
	} else if (has_mean && fabs(at->mean_by_bias) > DET_TINY) {
		mean_part = by_bias / at->mean_by_bias;
	}
	return (struct correction){
		.level = (float)(mean_part / n),
		.slope = at->rms > 0 ? (float)(rms_part / (n * at->rms)) : 0,
	};
}

SIMD_CLONES
static void write_gradient(const float *planes, size_t n_px, const struct render_curve *curve, struct correction off,
			   const float *gradient, float *ret_planes)
{
	float mix[3][COLOUR_AXES], gain = (float)curve->gain, mean = (float)curve->mean - MIDDLE;
	struct block block;

	colour_mix(mix);
	for (size_t first = 0; first < n_px; first += LANES) {
		size_t n = n_px - first < LANES ? n_px - first : LANES;
		float by_x[3][LANES] = {0};
		tone_block(planes, n_px, first, n, mix, gain, (float)curve->bias, &block);
		for (size_t c = 0; c < 3; c++)
			for (size_t lane = 0; lane < n; lane++) {
				float taken_off = off.level + off.slope * (block.level[c][lane] - mean);
				by_x[c][lane] =
					gain * (gradient[3 * (first + lane) + c] - taken_off) * block.slope[c][lane];
			}
		for (size_t k = 0; k < COLOUR_AXES; k++)
			for (size_t lane = 0; lane < n; lane++)
				ret_planes[k * n_px + first + lane] = mix[0][k] * by_x[0][lane] +
								      mix[1][k] * by_x[1][lane] +
								      mix[2][k] * by_x[2][lane];
	}
}

void render_adjoint(const float *planes, size_t n_px, const struct render_target *target,
		    const struct render_curve *curve, const float *gradient, float *ret_planes)
{
	struct correction off = {0};

	if (target->rms_contrast > 0 || target->mean_luminance > 0) {
		double by_gain, by_bias;
		sum_gradient(planes, n_px, (float)curve->gain, (float)curve->bias, gradient, &by_gain, &by_bias);
		off = correction_for(n_px, target, curve, by_gain, by_bias);
	}
	write_gradient(planes, n_px, curve, off, gradient, ret_planes);
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
