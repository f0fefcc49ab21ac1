/* Per image: opponent planes -> pyramid of four scales -> one Gabor bank on each (scale, plane) -> energy pooled over
 * 8×8 px -> divisive normalization and square root -> features. The gradient walks the same way back.
 * One image is one task, on one thread, in one fixed order: bits depend on neither n nor threads.
 * Failure modes: sizes at creation; memory for the threads' workspaces at each call. */
#include "models/front_end.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/gabor_bank.h"
#include "models/simd.h"

enum { LUMINANCE, RED_GREEN, BLUE_YELLOW, N_PLANES };
enum { N_SCALES = 4, N_BANKS = 8, N_ENERGIES = N_BANKS * GABOR_ORIENTATIONS };
_Static_assert(N_ENERGIES + N_PLANES == FRONT_END_CHANNELS, "channels: energies and means");
_Static_assert((int)FRONT_END_SIDE_MAX_PX <= (int)GABOR_SIDE_MAX, "a row fits the bank");

/* Colour only at the two coarser scales, as V1 and V4 resolve it. */
static const struct {
	int scale, plane;
} banks[N_BANKS] = {
	{0, LUMINANCE},	  {1, LUMINANCE}, {2, LUMINANCE}, {2, RED_GREEN},
	{2, BLUE_YELLOW}, {3, LUMINANCE}, {3, RED_GREEN}, {3, BLUE_YELLOW},
};

/* Planes are linear in (R, G, B) - GRAY: a uniform mid-gray image, like what lies outside the image, is zero. */
static const float plane_weights[N_PLANES][3] = {
	{0.299f, 0.587f, 0.114f},
	{1.0f, -1.0f, 0.0f},
	{-0.5f, -0.5f, 1.0f},
};
#define GRAY 128.0f

/* Energies of natural images have a mean root of 0.02; these two were chosen as models/README.md tells. */
#define ENERGY_FLOOR	    1e-5f /* below one gray level: keeps the derivative finite where there is no contrast */
#define NORMALIZATION_FLOOR 0.04f

static const float binomial[5] = {1.0f / 16, 4.0f / 16, 6.0f / 16, 4.0f / 16, 1.0f / 16};

struct front_end {
	struct backbone base;
	struct gabor_bank bank;
	size_t plane_at[N_SCALES][N_PLANES]; /* offsets in a workspace, in floats */
	size_t gradient_at[N_SCALES][N_PLANES];
	size_t real_at[N_BANKS], imag_at[N_BANKS];
	size_t scratch_at, energy_at, cotangent_at, features_at;
	size_t workspace_floats;
};

static uint32_t side_at(uint32_t side_px, int scale)
{
	return side_px >> scale;
}

/* --- one image forward ------------------------------------------------------------------------------------------ */

SIMD_CLONES static void split_planes(const float *pixels, size_t n, float *lum, float *rg, float *by)
{
	for (size_t i = 0; i < n; i++) {
		float r = (pixels[3 * i] - GRAY) / GRAY, g = (pixels[3 * i + 1] - GRAY) / GRAY,
		      b = (pixels[3 * i + 2] - GRAY) / GRAY;
		lum[i] = plane_weights[0][0] * r + plane_weights[0][1] * g + plane_weights[0][2] * b;
		rg[i] = plane_weights[1][0] * r + plane_weights[1][1] * g + plane_weights[1][2] * b;
		by[i] = plane_weights[2][0] * r + plane_weights[2][1] * g + plane_weights[2][2] * b;
	}
}

/* [height, width] -> [height / 2, width / 2], binomial low-pass, zero outside. scratch: half a plane. */
static void halve(const float *in, uint32_t height, uint32_t width, float *scratch, float *ret_out)
{
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width / 2; x++) {
			float sum = 0.0f;
			for (int t = 0; t < 5; t++) {
				int64_t from = 2 * (int64_t)x + t - 2;
				if (from >= 0 && from < width)
					sum += binomial[t] * in[(size_t)y * width + (size_t)from];
			}
			scratch[(size_t)y * (width / 2) + x] = sum;
		}
	}
	for (uint32_t y = 0; y < height / 2; y++) {
		for (uint32_t x = 0; x < width / 2; x++) {
			float sum = 0.0f;
			for (int t = 0; t < 5; t++) {
				int64_t from = 2 * (int64_t)y + t - 2;
				if (from >= 0 && from < height)
					sum += binomial[t] * scratch[(size_t)from * (width / 2) + x];
			}
			ret_out[(size_t)y * (width / 2) + x] = sum;
		}
	}
}

/* Means of p×p squares: in [height, width] -> out[position · stride]. */
static void pool_means(const float *in, uint32_t height, uint32_t width, uint32_t p, size_t stride, float *out)
{
	const float scale = 1.0f / (float)(p * p);

	for (uint32_t y = 0; y < height / p; y++) {
		for (uint32_t x = 0; x < width / p; x++) {
			float sum = 0.0f;
			for (uint32_t v = 0; v < p; v++)
				for (uint32_t u = 0; u < p; u++)
					sum += in[(size_t)(y * p + v) * width + x * p + u];
			out[((size_t)y * (width / p) + x) * stride] = scale * sum;
		}
	}
}

SIMD_CLONES static void squared_modulus(const float *restrict real, const float *restrict imag, size_t n,
					float *restrict ret_energy)
{
	for (size_t i = 0; i < n; i++)
		ret_energy[i] = real[i] * real[i] + imag[i] * imag[i];
}

/* Planes, pyramid, banks and the root of the pooled energy: all that the way back needs stays in the workspace. */
static void analyse(const struct front_end *fe, const float *pixels, float *w)
{
	const uint32_t height = fe->base.height_px, width = fe->base.width_px;
	float *scratch = w + fe->scratch_at;

	split_planes(pixels, (size_t)height * width, w + fe->plane_at[0][LUMINANCE], w + fe->plane_at[0][RED_GREEN],
		     w + fe->plane_at[0][BLUE_YELLOW]);
	for (int s = 1; s < N_SCALES; s++)
		for (int p = 0; p < N_PLANES; p++)
			halve(w + fe->plane_at[s - 1][p], side_at(height, s - 1), side_at(width, s - 1), scratch,
			      w + fe->plane_at[s][p]);

	for (int b = 0; b < N_BANKS; b++) {
		const int s = banks[b].scale;
		const uint32_t h = side_at(height, s), v = side_at(width, s);
		const size_t n = (size_t)h * v;
		gabor_bank_apply(&fe->bank, w + fe->plane_at[s][banks[b].plane], h, v, scratch, w + fe->real_at[b],
				 w + fe->imag_at[b]);
		for (size_t o = 0; o < GABOR_ORIENTATIONS; o++) {
			squared_modulus(w + fe->real_at[b] + o * n, w + fe->imag_at[b] + o * n, n, scratch);
			pool_means(scratch, h, v, FRONT_END_POOL_PX >> s, N_ENERGIES,
				   w + fe->energy_at + (size_t)b * GABOR_ORIENTATIONS + o);
		}
	}
	const size_t n_positions = (size_t)fe->base.map_height * fe->base.map_width;
	for (size_t i = 0; i < n_positions * N_ENERGIES; i++)
		w[fe->energy_at + i] = sqrtf(w[fe->energy_at + i] + ENERGY_FLOOR);
}

/* NORMALIZATION_FLOOR plus the mean root energy of one position. */
static float normalizer(const float *root)
{
	float sum = 0.0f;

	for (int c = 0; c < N_ENERGIES; c++)
		sum += root[c];
	return NORMALIZATION_FLOOR + sum / N_ENERGIES;
}

static void make_features(const struct front_end *fe, const float *w, float *ret_features)
{
	const size_t n_positions = (size_t)fe->base.map_height * fe->base.map_width;

	for (size_t i = 0; i < n_positions; i++) {
		const float *root = w + fe->energy_at + i * N_ENERGIES;
		const float norm = normalizer(root);
		for (int c = 0; c < N_ENERGIES; c++)
			ret_features[i * FRONT_END_CHANNELS + c] = sqrtf(root[c] / norm);
	}
	for (int p = 0; p < N_PLANES; p++)
		pool_means(w + fe->plane_at[0][p], fe->base.height_px, fe->base.width_px, FRONT_END_POOL_PX,
			   FRONT_END_CHANNELS, ret_features + N_ENERGIES + p);
}

/* --- one image backward ------------------------------------------------------------------------------------------ */

/* Turns the derivative with respect to the features into that with respect to the pooled energies, in `cotangent`. */
static void normalization_adjoint(const struct front_end *fe, const float *w, const float *features, float *cotangent)
{
	const size_t n_positions = (size_t)fe->base.map_height * fe->base.map_width;

	for (size_t i = 0; i < n_positions; i++) {
		const float *root = w + fe->energy_at + i * N_ENERGIES;
		const float *f = features + i * FRONT_END_CHANNELS;
		float *d = cotangent + i * FRONT_END_CHANNELS;
		const float norm = normalizer(root);
		float through_norm = 0.0f;
		for (int c = 0; c < N_ENERGIES; c++) {
			d[c] = 0.5f * d[c] / f[c]; /* of root / norm */
			through_norm += d[c] * root[c];
		}
		through_norm /= norm * norm * N_ENERGIES;
		for (int c = 0; c < N_ENERGIES; c++)
			d[c] = (d[c] / norm - through_norm) * 0.5f / root[c];
	}
}

/* real and imag become the derivatives with respect to themselves, given that of each pooled energy. */
static void energy_adjoint(float *real, float *imag, uint32_t height, uint32_t width, uint32_t p, const float *d_energy)
{
	const float scale = 2.0f / (float)(p * p);

	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			size_t at = (size_t)y * width + x;
			float d = scale * d_energy[((size_t)(y / p) * (width / p) + x / p) * FRONT_END_CHANNELS];
			real[at] *= d;
			imag[at] *= d;
		}
	}
}

/* Adds to gradient [height, width] what the derivative d_out [height / 2, width / 2] of halve() makes of it. */
static void halve_add_adjoint(const float *d_out, uint32_t height, uint32_t width, float *scratch, float *gradient)
{
	const uint32_t half = width / 2;

	memset(scratch, 0, (size_t)height * half * sizeof *scratch);
	for (uint32_t y = 0; y < height / 2; y++) {
		for (int t = 0; t < 5; t++) {
			int64_t to = 2 * (int64_t)y + t - 2;
			if (to < 0 || to >= height)
				continue;
			for (uint32_t x = 0; x < half; x++)
				scratch[(size_t)to * half + x] += binomial[t] * d_out[(size_t)y * half + x];
		}
	}
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < half; x++) {
			for (int t = 0; t < 5; t++) {
				int64_t to = 2 * (int64_t)x + t - 2;
				if (to >= 0 && to < width)
					gradient[(size_t)y * width + (size_t)to] +=
						binomial[t] * scratch[(size_t)y * half + x];
			}
		}
	}
}

/* From the derivative with respect to the features (spoilt) to that with respect to the pixels. */
static void backpropagate(const struct front_end *fe, float *w, const float *features, float *cotangent,
			  float *ret_gradient)
{
	const uint32_t height = fe->base.height_px, width = fe->base.width_px, p = FRONT_END_POOL_PX;
	const size_t n = (size_t)height * width;
	float *scratch = w + fe->scratch_at;

	normalization_adjoint(fe, w, features, cotangent);
	for (int s = 0; s < N_SCALES; s++)
		for (int q = 0; q < N_PLANES; q++)
			memset(w + fe->gradient_at[s][q], 0,
			       (size_t)side_at(height, s) * side_at(width, s) * sizeof *w);
	for (int b = 0; b < N_BANKS; b++) {
		const int s = banks[b].scale;
		const uint32_t h = side_at(height, s), v = side_at(width, s);
		for (size_t o = 0; o < GABOR_ORIENTATIONS; o++)
			energy_adjoint(w + fe->real_at[b] + o * h * v, w + fe->imag_at[b] + o * h * v, h, v, p >> s,
				       cotangent + (size_t)b * GABOR_ORIENTATIONS + o);
		gabor_bank_add_adjoint(&fe->bank, w + fe->real_at[b], w + fe->imag_at[b], h, v, scratch,
				       w + fe->gradient_at[s][banks[b].plane]);
	}
	for (int s = N_SCALES - 1; s > 0; s--)
		for (int q = 0; q < N_PLANES; q++)
			halve_add_adjoint(w + fe->gradient_at[s][q], side_at(height, s - 1), side_at(width, s - 1),
					  scratch, w + fe->gradient_at[s - 1][q]);

	for (size_t i = 0; i < n; i++) {
		size_t position = (i / width / p) * (width / p) + i % width / p;
		const float *d_means = cotangent + position * FRONT_END_CHANNELS + N_ENERGIES;
		float d[N_PLANES];
		for (int q = 0; q < N_PLANES; q++)
			d[q] = w[fe->gradient_at[0][q] + i] + d_means[q] / (float)(p * p);
		for (int c = 0; c < 3; c++)
			ret_gradient[3 * i + c] =
				(plane_weights[0][c] * d[0] + plane_weights[1][c] * d[1] + plane_weights[2][c] * d[2]) /
				GRAY;
	}
}

/* --- many images ------------------------------------------------------------------------------------------------- */

struct job {
	const struct front_end *fe;
	const float *images;
	float *workspaces;
	float *ret; /* features, or gradients */
	void (*cotangent)(void *ctx, size_t i, unsigned thread, const float *features, float *ret_cotangent);
	void *ctx;
};

static void features_task(void *ctx, size_t i, unsigned thread)
{
	const struct job *job = ctx;
	const struct front_end *fe = job->fe;
	float *w = job->workspaces + thread * fe->workspace_floats;

	analyse(fe, job->images + i * fe->base.height_px * fe->base.width_px * 3, w);
	make_features(fe, w, job->ret + i * backbone_n_features(&fe->base));
}

static void gradient_task(void *ctx, size_t i, unsigned thread)
{
	const struct job *job = ctx;
	const struct front_end *fe = job->fe;
	const size_t n_pixels = (size_t)fe->base.height_px * fe->base.width_px * 3;
	float *w = job->workspaces + thread * fe->workspace_floats;

	analyse(fe, job->images + i * n_pixels, w);
	make_features(fe, w, w + fe->features_at);
	job->cotangent(job->ctx, i, thread, w + fe->features_at, w + fe->cotangent_at);
	backpropagate(fe, w, w + fe->features_at, w + fe->cotangent_at, job->ret + i * n_pixels);
}

static int run(struct job *job, struct thread_pool *pool, size_t n, void (*task)(void *, size_t, unsigned),
	       struct error *err)
{
	size_t size = thread_pool_size(pool) * job->fe->workspace_floats * sizeof *job->workspaces;

	job->workspaces = aligned_alloc(64, size);
	if (!job->workspaces)
		return error_set(err, -ENOMEM, "front end: no memory for %zu MiB of workspace", size >> 20);
	thread_pool_run(pool, n, task, job);
	free(job->workspaces);
	return 0;
}

static int front_end_features(struct backbone *backbone, struct thread_pool *pool, const float *images, size_t n,
			      struct error *err, float *ret_features)
{
	struct job job = {.fe = (const struct front_end *)backbone, .images = images, .ret = ret_features};

	return run(&job, pool, n, features_task, err);
}

static int front_end_gradient(struct backbone *backbone, struct thread_pool *pool, const float *images, size_t n,
			      void (*cotangent)(void *ctx, size_t i, unsigned thread, const float *features,
						float *ret_cotangent),
			      void *ctx, struct error *err, float *ret_gradients)
{
	struct job job = {.fe = (const struct front_end *)backbone,
			  .images = images,
			  .ret = ret_gradients,
			  .cotangent = cotangent,
			  .ctx = ctx};

	return run(&job, pool, n, gradient_task, err);
}

static void front_end_destroy(struct backbone *backbone)
{
	free(backbone);
}

static const struct backbone_ops front_end_ops = {front_end_features, front_end_gradient, front_end_destroy};

/* Takes n floats of the workspace, rounded up to whole cache lines. */
static size_t reserve(struct front_end *fe, size_t n)
{
	size_t at = fe->workspace_floats;

	fe->workspace_floats += (n + 15) / 16 * 16;
	return at;
}

static void plan_workspace(struct front_end *fe)
{
	const uint32_t height = fe->base.height_px, width = fe->base.width_px;

	for (int s = 0; s < N_SCALES; s++) {
		for (int p = 0; p < N_PLANES; p++) {
			fe->plane_at[s][p] = reserve(fe, (size_t)side_at(height, s) * side_at(width, s));
			fe->gradient_at[s][p] = reserve(fe, (size_t)side_at(height, s) * side_at(width, s));
		}
	}
	for (int b = 0; b < N_BANKS; b++) {
		size_t n = (size_t)side_at(height, banks[b].scale) * side_at(width, banks[b].scale);
		fe->real_at[b] = reserve(fe, n * GABOR_ORIENTATIONS);
		fe->imag_at[b] = reserve(fe, n * GABOR_ORIENTATIONS);
	}
	fe->scratch_at = reserve(fe, (size_t)height * width * GABOR_SCRATCH_PLANES);
	fe->energy_at = reserve(fe, (size_t)fe->base.map_height * fe->base.map_width * N_ENERGIES);
	fe->cotangent_at = reserve(fe, backbone_n_features(&fe->base));
	fe->features_at = reserve(fe, backbone_n_features(&fe->base));
}

/* The filters' bytes stand for wavelength and envelope; the text for everything else. */
static void hash_definition(struct front_end *fe)
{
	struct hash_state state;
	char text[128];
	int size = snprintf(text, sizeof text, "front_end 1 %ux%u floor %a %a", fe->base.height_px, fe->base.width_px,
			    (double)ENERGY_FLOOR, (double)NORMALIZATION_FLOOR);

	hash_begin(&state);
	hash_update(&state, text, (size_t)size);
	hash_update(&state, &fe->bank, sizeof fe->bank);
	hash_end(&state, &fe->base.hash);
}

static int check_side(const char *name, uint32_t side_px, struct error *err)
{
	if (side_px < FRONT_END_SIDE_MIN_PX || side_px > FRONT_END_SIDE_MAX_PX || side_px % FRONT_END_POOL_PX != 0)
		return error_set(err, -EINVAL, "front end: image %s of %u px; must be a multiple of %d from %d to %d",
				 name, side_px, FRONT_END_POOL_PX, FRONT_END_SIDE_MIN_PX, FRONT_END_SIDE_MAX_PX);
	return 0;
}

int front_end_create(uint32_t height_px, uint32_t width_px, struct error *err, struct backbone **ret_backbone)
{
	int r = check_side("height", height_px, err);

	if (r == 0)
		r = check_side("width", width_px, err);
	if (r < 0)
		return r;
	struct front_end *fe = calloc(1, sizeof *fe);
	if (!fe)
		return error_set(err, -ENOMEM, "front end: no memory");
	fe->base = (struct backbone){
		.ops = &front_end_ops,
		.height_px = height_px,
		.width_px = width_px,
		.map_height = height_px / FRONT_END_POOL_PX,
		.map_width = width_px / FRONT_END_POOL_PX,
		.n_channels = FRONT_END_CHANNELS,
	};
	gabor_bank_init(&fe->bank);
	plan_workspace(fe);
	hash_definition(fe);
	*ret_backbone = &fe->base;
	return 0;
}
