/* Blocks of output positions: their patches are copied into rows [positions, kh kw c_in / groups], then one matrix
 * product. A 1×1 kernel with stride 1 needs no copy. A block's size depends on the layer's shape only, so an image's
 * bits do not depend on what it is computed with. Nothing fails. */
#include "models/convolution.h"

#include <string.h>

#include "models/gemm.h"
#include "models/simd.h"
#include "models/tensor.h"

/* OpenBLAS has kernels without packing for products of up to a million multiplications, half as fast again for our
 * sizes (measured with 75 x 47: 108 against 72 GFLOPS): blocks stay below where that leaves enough positions. Otherwise
 * the patches of one block fill about a second-level cache. */
enum { PRODUCT_SMALL = 1000000, SMALL_POSITIONS_MIN = 64, BLOCK_VALUES = 32768, BLOCK_POSITIONS_MIN = 32 };

struct sizes {
	size_t n_positions, block; /* output positions in all; of a block */
	size_t group_in, group_out;
	size_t patch; /* kh kw c_in / groups */
};

static struct sizes sizes_of(const struct window *w)
{
	struct sizes s = {
		.n_positions = (size_t)w->out.height * w->out.width,
		.group_in = w->in.channels / w->groups,
		.group_out = w->out.channels / w->groups,
	};

	s.patch = (size_t)w->kernel_height * w->kernel_width * s.group_in;
	s.block = PRODUCT_SMALL / (s.patch * s.group_out);
	if (s.block < SMALL_POSITIONS_MIN)
		s.block = BLOCK_VALUES / s.patch;
	if (s.block < BLOCK_POSITIONS_MIN)
		s.block = BLOCK_POSITIONS_MIN;
	if (s.block > s.n_positions)
		s.block = s.n_positions;
	return s;
}

static bool is_pointwise(const struct window *w)
{
	return w->kernel_height == 1 && w->kernel_width == 1 && w->stride_height == 1 && w->stride_width == 1 &&
	       w->groups == 1;
}

size_t convolution_scratch(const struct window *w)
{
	struct sizes s = sizes_of(w);

	return is_pointwise(w) ? 0 : s.block * s.patch;
}

/* One line of a patch is a few floats long: a call of memcpy(), which the compiler makes of a plain loop, would cost
 * more than the copy. The last four may overlap those before. */
static inline void copy_line(const float *from, size_t n, float *to)
{
	enum { LANES = 4 };
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		memcpy(to + i, from + i, LANES * sizeof *to);
	if (i < n && n >= LANES) {
		memcpy(to + n - LANES, from + n - LANES, LANES * sizeof *to);
		return;
	}
	for (; i < n; i++)
		to[i] = from[i];
}

/* Walks over output positions in row order; a division for each would cost as much as copying its patch. */
struct walk {
	const struct window *w;
	uint32_t y, x;
	struct window_span rows, columns;
};

static struct walk walk_from(const struct window *w, size_t first)
{
	struct walk walk = {.w = w, .y = (uint32_t)(first / w->out.width), .x = (uint32_t)(first % w->out.width)};

	walk.rows = window_rows(w, walk.y);
	walk.columns = window_columns(w, walk.x);
	return walk;
}

static void walk_on(struct walk *walk)
{
	if (++walk->x == walk->w->out.width) {
		walk->x = 0;
		walk->rows = window_rows(walk->w, ++walk->y);
	}
	walk->columns = window_columns(walk->w, walk->x);
}

/* Offset in the map of the first column that the window meets in its row ky. */
static size_t place_of(const struct walk *walk, uint32_t ky)
{
	return ((size_t)(walk->rows.start + ky) * walk->w->in.width +
		(size_t)(walk->columns.start + walk->columns.first)) *
	       walk->w->in.channels;
}

/* Patches of n output positions from `first` on, for one group. Outside of the map they are 0. */
SIMD_CLONES
static void copy_patches(const struct window *w, const struct sizes *s, uint32_t group, const float *in, size_t first,
			 size_t n, float *ret_patches)
{
	const size_t tap = s->group_in, line = w->kernel_width * tap;
	struct walk walk = walk_from(w, first);

	for (size_t i = 0; i < n; i++, walk_on(&walk)) {
		const struct window_span rows = walk.rows, columns = walk.columns;
		float *patch = ret_patches + i * s->patch;
		bool is_inside =
			rows.end - rows.first == w->kernel_height && columns.end - columns.first == w->kernel_width;

		if (!is_inside)
			memset(patch, 0, s->patch * sizeof *patch);
		for (uint32_t ky = rows.first; ky < rows.end; ky++) {
			const float *from = in + place_of(&walk, ky) + group * tap;
			float *to = patch + ky * line + columns.first * tap;

			if (w->groups == 1) {
				copy_line(from, (columns.end - columns.first) * tap, to);
				continue;
			}
			for (uint32_t kx = columns.first; kx < columns.end; kx++, to += tap, from += w->in.channels)
				copy_line(from, tap, to);
		}
	}
}

/* The transpose of copy_patches(): in += patches. */
static void add_patches(const struct window *w, const struct sizes *s, uint32_t group, const float *patches,
			size_t first, size_t n, float *in)
{
	const size_t tap = s->group_in, line = w->kernel_width * tap;
	struct walk walk = walk_from(w, first);

	for (size_t i = 0; i < n; i++, walk_on(&walk)) {
		const struct window_span rows = walk.rows, columns = walk.columns;
		const float *patch = patches + i * s->patch;

		for (uint32_t ky = rows.first; ky < rows.end; ky++) {
			const float *from = patch + ky * line + columns.first * tap;
			float *to = in + place_of(&walk, ky) + group * tap;

			for (uint32_t kx = columns.first; kx < columns.end; kx++, from += tap, to += w->in.channels)
				tensor_add(to, from, tap);
		}
	}
}

void convolution_forward(const struct window *w, const float *kernel, const float *bias, bool relu, const float *in,
			 float *scratch, float *ret_out)
{
	const struct sizes s = sizes_of(w);
	const bool pointwise = is_pointwise(w);
	const size_t c_in = w->in.channels, c_out = w->out.channels;

	for (size_t first = 0; first < s.n_positions; first += s.block) {
		size_t n = s.n_positions - first < s.block ? s.n_positions - first : s.block;
		float *out = ret_out + first * c_out;

		for (uint32_t g = 0; g < w->groups; g++) {
			const float *patches = pointwise ? in + first * c_in : scratch;

			if (!pointwise)
				copy_patches(w, &s, g, in, first, n, scratch);
			gemm_f32(GEMM_PLAIN, GEMM_PLAIN, n, s.group_out, s.patch, 1.0f, patches, s.patch,
				 kernel + g * s.group_out, c_out, 0.0f, out + g * s.group_out, c_out);
		}
		tensor_add_bias(out, n, c_out, bias, relu);
	}
}

void convolution_input_gradient(const struct window *w, const float *kernel, const float *out_gradient, float *scratch,
				float *in_gradient)
{
	const struct sizes s = sizes_of(w);
	const bool pointwise = is_pointwise(w);
	const size_t c_in = w->in.channels, c_out = w->out.channels;

	for (size_t first = 0; first < s.n_positions; first += s.block) {
		size_t n = s.n_positions - first < s.block ? s.n_positions - first : s.block;
		const float *out = out_gradient + first * c_out;

		for (uint32_t g = 0; g < w->groups; g++) {
			float *patches = pointwise ? in_gradient + first * c_in : scratch;

			gemm_f32(GEMM_PLAIN, GEMM_TRANSPOSED, n, s.patch, s.group_out, 1.0f, out + g * s.group_out,
				 c_out, kernel + g * s.group_out, c_out, pointwise ? 1.0f : 0.0f, patches, s.patch);
			if (!pointwise)
				add_patches(w, &s, g, scratch, first, n, in_gradient);
		}
	}
}

void convolution_weight_gradient(const struct window *w, const float *in, const float *out_gradient, float *scratch,
				 float *kernel_gradient, float *bias_gradient)
{
	const struct sizes s = sizes_of(w);
	const bool pointwise = is_pointwise(w);
	const size_t c_in = w->in.channels, c_out = w->out.channels;

	for (size_t first = 0; first < s.n_positions; first += s.block) {
		size_t n = s.n_positions - first < s.block ? s.n_positions - first : s.block;
		const float *out = out_gradient + first * c_out;

		for (uint32_t g = 0; g < w->groups; g++) {
			const float *patches = pointwise ? in + first * c_in : scratch;

			if (!pointwise)
				copy_patches(w, &s, g, in, first, n, scratch);
			gemm_f32(GEMM_TRANSPOSED, GEMM_PLAIN, s.patch, s.group_out, n, 1.0f, patches, s.patch,
				 out + g * s.group_out, c_out, 1.0f, kernel_gradient + g * s.group_out, c_out);
		}
		if (bias_gradient)
			tensor_add_column_sums(out, n, c_out, bias_gradient);
	}
}
