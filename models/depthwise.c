/* Direct: for each output position and block of channels the sum over the kernel stays in registers. The taps are added
 * in the order of the kernel, the same for every block size. Nothing fails. */
#include "models/depthwise.h"

#include <stddef.h>
#include <string.h>

#include "models/tensor.h"

enum { BLOCK = 16 };

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

TENSOR_VECTOR_CLONES
static void sum_block(const struct window *w, const struct taps *taps, const float *kernel, const float *in,
		      float *ret_sums)
{
	const size_t c = w->in.channels;
	float sums[BLOCK] = {0};

	for (uint32_t ky = taps->first_y; ky < taps->end_y; ky++) {
		const float *row = in + taps->in + (ptrdiff_t)((size_t)ky * w->in.width * c);

		for (uint32_t kx = taps->first_x; kx < taps->end_x; kx++) {
			const float *k = kernel + ((size_t)ky * w->kernel_width + kx) * c, *v = row + kx * c;

			for (int i = 0; i < BLOCK; i++)
				sums[i] += v[i] * k[i];
		}
	}
	memcpy(ret_sums, sums, sizeof sums);
}

TENSOR_VECTOR_CLONES
static void sum_rest(const struct window *w, const struct taps *taps, size_t n, const float *kernel, const float *in,
		     float *ret_sums)
{
	const size_t c = w->in.channels;

	memset(ret_sums, 0, n * sizeof *ret_sums);
	for (uint32_t ky = taps->first_y; ky < taps->end_y; ky++) {
		const float *row = in + taps->in + (ptrdiff_t)((size_t)ky * w->in.width * c);

		for (uint32_t kx = taps->first_x; kx < taps->end_x; kx++) {
			const float *k = kernel + ((size_t)ky * w->kernel_width + kx) * c, *v = row + kx * c;

			for (size_t i = 0; i < n; i++)
				ret_sums[i] += v[i] * k[i];
		}
	}
}

void depthwise_forward(const struct window *w, const float *kernel, const float *bias, bool relu, const float *in,
		       float *ret_out)
{
	const size_t c = w->in.channels;

	for (uint32_t y = 0; y < w->out.height; y++) {
		float *line = ret_out + (size_t)y * w->out.width * c;

		for (uint32_t x = 0; x < w->out.width; x++) {
			struct taps taps = taps_at(w, y, x);
			size_t i = 0;

			for (; i + BLOCK <= c; i += BLOCK)
				sum_block(w, &taps, kernel + i, in + i, line + x * c + i);
			if (i < c)
				sum_rest(w, &taps, c - i, kernel + i, in + i, line + x * c + i);
		}
		tensor_add_bias(line, w->out.width, c, bias, relu);
	}
}

TENSOR_VECTOR_CLONES
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

TENSOR_VECTOR_CLONES
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
