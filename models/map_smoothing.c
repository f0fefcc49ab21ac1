/* Two 1-D passes over runs of channels. Failure modes: none. */
#include "models/map_smoothing.h"

#include <math.h>
#include <string.h>

#include "models/simd.h"

static uint32_t make_taps(uint32_t side, double width, float *taps)
{
	const double sigma = width * side;
	uint32_t radius = (uint32_t)ceil(3.0 * sigma);
	double total = 0.0;

	radius = radius < side ? radius : side - 1;
	radius = radius < MAP_SMOOTHING_RADIUS_MAX ? radius : MAP_SMOOTHING_RADIUS_MAX;
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t t = 0; t <= 2 * radius; t++) {
			double x = ((double)t - radius) / (sigma > 0.0 ? sigma : 1.0);
			if (pass == 0)
				total += exp(-0.5 * x * x);
			else
				taps[t] = (float)(exp(-0.5 * x * x) / total);
		}
	}
	return radius;
}

void map_smoothing_init(struct shape map, double width, struct map_smoothing *ret_smoothing)
{
	*ret_smoothing = (struct map_smoothing){.map = map};
	ret_smoothing->radius[0] = make_taps(map.height, width, ret_smoothing->taps[0]);
	ret_smoothing->radius[1] = make_taps(map.width, width, ret_smoothing->taps[1]);
}

/* out [n_lines, length] of runs: out[i] = Σ_t taps[t] in[i + t - radius], zero outside 0 .. n_lines - 1. */
SIMD_CLONES static void smooth_lines(const float *restrict in, size_t n_lines, size_t length, const float *taps,
				     size_t radius, float *restrict out)
{
	memset(out, 0, n_lines * length * sizeof *out);
	for (size_t i = 0; i < n_lines; i++) {
		for (size_t t = 0; t <= 2 * radius; t++) {
			if (i + t < radius || i + t - radius >= n_lines)
				continue;
			const float *from = in + (i + t - radius) * length;
			for (size_t j = 0; j < length; j++)
				out[i * length + j] += taps[t] * from[j];
		}
	}
}

void map_smoothing_apply(const struct map_smoothing *smoothing, float *scratch, float *values)
{
	const struct shape map = smoothing->map;
	const size_t row = (size_t)map.width * map.channels;

	smooth_lines(values, map.height, row, smoothing->taps[0], smoothing->radius[0], scratch);
	for (size_t y = 0; y < map.height; y++)
		smooth_lines(scratch + y * row, map.width, map.channels, smoothing->taps[1], smoothing->radius[1],
			     values + y * row);
}
