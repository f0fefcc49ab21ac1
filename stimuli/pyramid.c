/* Doubling is two passes, along columns then along rows; each has its transpose beside it. Nothing fails. */
#include "stimuli/pyramid.h"

#include <string.h>

/* Half the weight at the finest level: single pixels are what adversarial noise is made of. */
#define FINEST_WEIGHT 0.5f

static size_t plane_size(const struct pyramid *p, uint32_t level)
{
	return (size_t)p->width_px[level] * p->height_px[level];
}

void pyramid_init(uint32_t width_px, uint32_t height_px, struct pyramid *ret_pyramid)
{
	struct pyramid p = {.n_levels = 1, .width_px = {width_px}, .height_px = {height_px}, .weight = {FINEST_WEIGHT}};

	while (p.n_levels < PYRAMID_LEVELS_MAX && p.width_px[p.n_levels - 1] > PYRAMID_COARSEST_PX &&
	       p.height_px[p.n_levels - 1] > PYRAMID_COARSEST_PX) {
		p.width_px[p.n_levels] = (p.width_px[p.n_levels - 1] + 1) / 2;
		p.height_px[p.n_levels] = (p.height_px[p.n_levels - 1] + 1) / 2;
		p.weight[p.n_levels] = 1;
		p.n_levels++;
	}
	for (uint32_t level = 0; level < p.n_levels; level++) {
		p.first[level] = p.n_params;
		p.n_params += PYRAMID_CHANNELS * plane_size(&p, level);
	}
	/* The sum so far, and one plane half doubled. */
	p.n_scratch = (PYRAMID_CHANNELS + 1) * plane_size(&p, 0);
	*ret_pyramid = p;
}

/* The neighbour that sample `i` of a doubled line leans on, at the ends itself. */
static uint32_t lean(uint32_t i, uint32_t n_coarse)
{
	uint32_t at = i / 2;

	if (i % 2 == 0)
		return at > 0 ? at - 1 : 0;
	return at + 1 < n_coarse ? at + 1 : at;
}

/* from [rows, n] -> to [2 rows or one less, n]. */
static void double_rows(const float *from, uint32_t n_from, uint32_t n_to, uint32_t n, float *to)
{
	for (uint32_t y = 0; y < n_to; y++) {
		const float *a = from + (size_t)(y / 2) * n, *b = from + (size_t)lean(y, n_from) * n;
		for (uint32_t x = 0; x < n; x++)
			to[(size_t)y * n + x] = 0.75f * a[x] + 0.25f * b[x];
	}
}

static void double_rows_adjoint(const float *to, uint32_t n_from, uint32_t n_to, uint32_t n, float *from)
{
	memset(from, 0, (size_t)n_from * n * sizeof *from);
	for (uint32_t y = 0; y < n_to; y++) {
		float *a = from + (size_t)(y / 2) * n, *b = from + (size_t)lean(y, n_from) * n;
		for (uint32_t x = 0; x < n; x++)
			a[x] += 0.75f * to[(size_t)y * n + x];
		for (uint32_t x = 0; x < n; x++)
			b[x] += 0.25f * to[(size_t)y * n + x];
	}
}

/* Each row [n_from] -> [n_to]. */
static void double_columns(const float *from, uint32_t n_rows, uint32_t n_from, uint32_t n_to, float *to)
{
	for (uint32_t y = 0; y < n_rows; y++, from += n_from, to += n_to) {
		to[0] = from[0];
		for (uint32_t x = 1; 2 * x < n_to; x++) {
			to[2 * x - 1] = 0.75f * from[x - 1] + 0.25f * from[x];
			to[2 * x] = 0.75f * from[x] + 0.25f * from[x - 1];
		}
		if (n_to % 2 == 0)
			to[n_to - 1] = from[n_from - 1];
	}
}

static void double_columns_adjoint(const float *to, uint32_t n_rows, uint32_t n_from, uint32_t n_to, float *from)
{
	for (uint32_t y = 0; y < n_rows; y++, from += n_from, to += n_to) {
		memset(from, 0, n_from * sizeof *from);
		from[0] += to[0];
		for (uint32_t x = 1; 2 * x < n_to; x++) {
			from[x - 1] += 0.75f * to[2 * x - 1] + 0.25f * to[2 * x];
			from[x] += 0.25f * to[2 * x - 1] + 0.75f * to[2 * x];
		}
		if (n_to % 2 == 0)
			from[n_from - 1] += to[n_to - 1];
	}
}

void pyramid_sum(const struct pyramid *p, const float *params, float *scratch, float *ret_planes)
{
	float *half = scratch + PYRAMID_CHANNELS * plane_size(p, 0);
	uint32_t coarsest = p->n_levels - 1;

	for (size_t i = 0; i < PYRAMID_CHANNELS * plane_size(p, coarsest); i++)
		ret_planes[i] = p->weight[coarsest] * params[p->first[coarsest] + i];
	for (uint32_t level = coarsest; level-- > 0;) {
		size_t n_coarse = plane_size(p, level + 1), n_fine = plane_size(p, level);
		memcpy(scratch, ret_planes, PYRAMID_CHANNELS * n_coarse * sizeof *scratch);
		for (size_t c = 0; c < PYRAMID_CHANNELS; c++) {
			const float *own = params + p->first[level] + c * n_fine;
			float *to = ret_planes + c * n_fine;
			double_rows(scratch + c * n_coarse, p->height_px[level + 1], p->height_px[level],
				    p->width_px[level + 1], half);
			double_columns(half, p->height_px[level], p->width_px[level + 1], p->width_px[level], to);
			for (size_t i = 0; i < n_fine; i++)
				to[i] += p->weight[level] * own[i];
		}
	}
}

void pyramid_sum_adjoint(const struct pyramid *p, const float *gradient, float *scratch, float *ret_gradient)
{
	float *half = scratch + PYRAMID_CHANNELS * plane_size(p, 0);

	memcpy(scratch, gradient, PYRAMID_CHANNELS * plane_size(p, 0) * sizeof *scratch);
	for (uint32_t level = 0; level < p->n_levels; level++) {
		size_t n = plane_size(p, level);
		for (size_t i = 0; i < PYRAMID_CHANNELS * n; i++)
			ret_gradient[p->first[level] + i] = p->weight[level] * scratch[i];
		if (level + 1 == p->n_levels)
			break;
		size_t n_coarse = plane_size(p, level + 1);
		/* In place: a plane is read whole before its quarter is written, which ends before the next plane. */
		for (size_t c = 0; c < PYRAMID_CHANNELS; c++) {
			double_columns_adjoint(scratch + c * n, p->height_px[level], p->width_px[level + 1],
					       p->width_px[level], half);
			double_rows_adjoint(half, p->height_px[level + 1], p->height_px[level], p->width_px[level + 1],
					    scratch + c * n_coarse);
		}
	}
}
