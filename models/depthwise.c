/* Direct: the sums over the taps of a run of neighbouring values stay in registers, a block at a time. A run is the
 * channels of one position; or, where a map has few channels and stride 1, the positions of a whole row, for which the
 * kernel is written out once for each. The taps of a sum are added in the order of the kernel in every case: the same
 * bits. Nothing fails. */
#include "models/depthwise.h"

#include <stddef.h>
#include <string.h>

#include "models/simd.h"
#include "models/tensor.h"

enum { WIDE = 16, NARROW = 4 }; /* values of a block */

/* The taps that meet the map at one output position. */
struct taps {
	uint32_t first_y, end_y, first_x, end_x;
	ptrdiff_t in; /* offset of tap [0, 0] in the map, perhaps outside; taps in range lie inside */
};

static struct taps taps_at(const struct window *w, uint32_t y, uint32_t x)
{
	struct window_span rows = window_rows(w, y), columns = window_columns(w, x);

	return (struct taps){rows.first, rows.end, columns.first, columns.end,
			     (rows.start * (ptrdiff_t)w->in.width + columns.start) * (ptrdiff_t)w->in.channels};
}

/* What the values of a run are made of: tap [ky, kx] of value i is kernel[ky kernel_row + kx kernel_tap + i] times
 * in[ky map_row + kx map_tap + i]. */
struct run {
	size_t n;
	size_t kernel_tap, kernel_row, map_tap, map_row;
};

/* `width` is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void sum_block(const struct run *run, const struct taps *taps,
							    const float *kernel, const float *in, size_t width,
							    float *ret_sums)
{
	float sums[WIDE] = {0};

	for (uint32_t ky = taps->first_y; ky < taps->end_y; ky++) {
		for (uint32_t kx = taps->first_x; kx < taps->end_x; kx++) {
			const float *k = kernel + ky * run->kernel_row + kx * run->kernel_tap;
			const float *v = in + taps->in + (ptrdiff_t)(ky * run->map_row + kx * run->map_tap);

			for (size_t i = 0; i < width; i++)
				sums[i] += v[i] * k[i];
		}
	}
	memcpy(ret_sums, sums, width * sizeof *sums);
}

/* The last block of a run may overlap the one before: the same sums are made again. */
SIMD_CLONES
static void sum_run(const struct run *run, const struct taps *taps, const float *kernel, const float *in,
		    float *ret_sums)
{
	const size_t n = run->n;
	size_t i = 0;

	for (; i + WIDE <= n; i += WIDE)
		sum_block(run, taps, kernel + i, in + i, WIDE, ret_sums + i);
	if (i < n && n >= WIDE) {
		sum_block(run, taps, kernel + n - WIDE, in + n - WIDE, WIDE, ret_sums + n - WIDE);
		return;
	}
	for (; i + NARROW <= n; i += NARROW)
		sum_block(run, taps, kernel + i, in + i, NARROW, ret_sums + i);
	for (; i < n; i++)
		sum_block(run, taps, kernel + i, in + i, 1, ret_sums + i);
}

/* Columns of the output whose windows lie inside the map from left to right: [*ret_first, *ret_end). */
static void inner_columns(const struct window *w, uint32_t *ret_first, uint32_t *ret_end)
{
	uint32_t first = 0, end = w->out.width;

	while (first < end && window_columns(w, first).first > 0)
		first++;
	while (end > first && window_columns(w, end - 1).end < w->kernel_width)
		end--;
	*ret_first = first;
	*ret_end = end;
}

static bool runs_over_rows(const struct window *w)
{
	return w->in.channels < WIDE && w->stride_width == 1 && w->out.width > 1;
}

size_t depthwise_scratch(const struct window *w)
{
	return runs_over_rows(w) ? (size_t)w->kernel_height * w->kernel_width * w->out.width * w->in.channels : 0;
}

/* Each tap's kernel for n_columns positions after each other. */
static void write_out_kernel(const struct window *w, const float *kernel, size_t n_columns, float *ret_kernel)
{
	const size_t c = w->in.channels;

	for (size_t tap = 0; tap < (size_t)w->kernel_height * w->kernel_width; tap++) {
		for (size_t x = 0; x < n_columns; x++)
			for (size_t i = 0; i < c; i++)
				*ret_kernel++ = kernel[tap * c + i];
	}
}

void depthwise_forward(const struct window *w, const float *kernel, const float *bias, bool relu, const float *in,
		       float *scratch, float *ret_out)
{
	const size_t c = w->in.channels, map_row = w->in.width * c;
	const struct run position = {c, c, w->kernel_width * c, c, map_row};
	uint32_t first = 0, end = 0;

	if (runs_over_rows(w))
		inner_columns(w, &first, &end);
	const size_t n = (end - first) * c;
	const struct run row = {n, n, w->kernel_width * n, c, map_row};
	write_out_kernel(w, kernel, end - first, scratch);
	for (uint32_t y = 0; y < w->out.height; y++) {
		float *line = ret_out + (size_t)y * w->out.width * c;

		for (uint32_t x = 0; x < w->out.width; x++) {
			struct taps taps = taps_at(w, y, x);

			if (x == first && n) {
				sum_run(&row, &taps, scratch, in, line + x * c);
				x = end - 1;
			} else {
				sum_run(&position, &taps, kernel, in, line + x * c);
			}
		}
		tensor_add_bias(line, w->out.width, c, bias, relu);
	}
}

SIMD_CLONES
void depthwise_input_gradient(const struct window *w, const float *kernel, const float *out_gradient,
			      float *in_gradient)
{
	const size_t c = w->in.channels;

	for (uint32_t y = 0; y < w->out.height; y++) {
		for (uint32_t x = 0; x < w->out.width; x++) {
			const float *out = out_gradient + ((size_t)y * w->out.width + x) * c;
			struct taps taps = taps_at(w, y, x);

			for (uint32_t ky = taps.first_y; ky < taps.end_y; ky++) {
				float *row = in_gradient + taps.in + (ptrdiff_t)((size_t)ky * w->in.width * c);

				for (uint32_t kx = taps.first_x; kx < taps.end_x; kx++) {
					const float *k = kernel + ((size_t)ky * w->kernel_width + kx) * c;
					float *to = row + kx * c;

					for (size_t i = 0; i < c; i++)
						to[i] += out[i] * k[i];
				}
			}
		}
	}
}

SIMD_CLONES
void depthwise_weight_gradient(const struct window *w, const float *in, const float *out_gradient,
			       float *kernel_gradient, float *bias_gradient)
{
	const size_t c = w->in.channels;

	for (uint32_t y = 0; y < w->out.height; y++) {
		for (uint32_t x = 0; x < w->out.width; x++) {
			const float *out = out_gradient + ((size_t)y * w->out.width + x) * c;
			struct taps taps = taps_at(w, y, x);

			for (uint32_t ky = taps.first_y; ky < taps.end_y; ky++) {
				const float *row = in + taps.in + (ptrdiff_t)((size_t)ky * w->in.width * c);

				for (uint32_t kx = taps.first_x; kx < taps.end_x; kx++) {
					float *k = kernel_gradient + ((size_t)ky * w->kernel_width + kx) * c;
					const float *v = row + kx * c;

					for (size_t i = 0; i < c; i++)
						k[i] += v[i] * out[i];
				}
			}
		}
	}
	if (bias_gradient)
		tensor_add_column_sums(out_gradient, (size_t)w->out.height * w->out.width, c, bias_gradient);
}
