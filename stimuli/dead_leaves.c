/* Leaves are laid from the nearest to the farthest until nothing shows through, as if one looked up from below; that
 * gives the stationary law of the model with few leaves. Radii have density r^-3, the only law that is the same at each
 * scale. Every image has its own mean colour, contrast, palette and smallest leaf; some leaves are shaded, striped or
 * out of focus. Nothing fails but memory and size. */
#include "stimuli/dead_leaves.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "stimuli/colour_axes.h"
#include "support/rng.h"

enum {
	LEAVES_MAX = 20000,
	LEAVES_PER_CHECK = 64,
	LEAF_BLOCKS = 6, /* of four random words each */
	IMAGE_BLOCKS = 8,
	DRAWS_MAX = 4 * IMAGE_BLOCKS,
};
#define UNCOVERED_SHARE_MAX 0.002

static const float natural_mean[3] = {116.0f, 109.0f, 100.0f};

struct canvas {
	uint32_t width_px, height_px;
	float *rgb;  /* [height, width, 3] */
	float *open; /* [height, width]: share of the pixel that is not covered yet */
};

/* What the leaves of one image have in common. */
struct scene {
	float mean[3];
	float sd[3]; /* along colour_axes */
	float radius_min_px, radius_max_px;
	float share_textured, share_defocused;
};

struct leaf {
	float x_px, y_px, half_length_px, half_width_px, cos_angle, sin_angle;
	int is_box;
	float edge_px; /* width of the soft edge: 1 is antialiasing */
	float rgb[3];
	float shade_per_px;			/* of the level, along the leaf */
	float stripe_level, stripe_x, stripe_y; /* amplitude; radians per px */
};

/* Uniform numbers in (0, 1), drawn block by block: element numbers are image << 32 | block. */
static void draw_uniform(const struct rng *rng, uint64_t first_block, size_t n_blocks, float ret_values[DRAWS_MAX])
{
	for (size_t b = 0; b < n_blocks; b++) {
		uint32_t words[4];
		rng_block(rng, first_block + b, words);
		for (size_t k = 0; k < 4; k++)
			ret_values[4 * b + k] = ((float)(words[k] >> 9) + 0.5f) * 0x1p-23f;
	}
}

static float normal_of(float u1, float u2)
{
	return sqrtf(-2.0f * logf(u1)) * cosf((float)(2 * M_PI) * u2);
}

static struct scene draw_scene(const struct rng *rng, uint64_t first_block, float side_px)
{
	struct scene scene;
	float u[DRAWS_MAX];

	draw_uniform(rng, first_block, IMAGE_BLOCKS, u);
	float level = 42.0f * normal_of(u[0], u[1]);
	float warm = 14.0f * normal_of(u[2], u[3]);
	float green = 6.0f * normal_of(u[4], u[5]);
	for (int c = 0; c < 3; c++)
		scene.mean[c] = natural_mean[c] + 0.8f * level + warm * colour_axes[1][c] + green * colour_axes[2][c];
	float contrast = expf(0.35f * normal_of(u[6], u[7]));
	scene.sd[0] = 96.0f * contrast;
	scene.sd[1] = 20.0f * contrast * expf(0.5f * normal_of(u[8], u[9]));
	scene.sd[2] = 9.0f * contrast * expf(0.5f * normal_of(u[10], u[11]));
	scene.radius_min_px = 1.8f * powf(5.0f, u[12]) * side_px / 112.0f;
	scene.radius_max_px = 0.8f * side_px;
	scene.share_textured = 0.5f * u[13];
	scene.share_defocused = 0.4f * u[14];
	return scene;
}

static struct leaf draw_leaf(const struct rng *rng, uint64_t first_block, const struct scene *scene, float width_px,
			     float height_px)
{
	float u[DRAWS_MAX];
	struct leaf leaf;

	draw_uniform(rng, first_block, LEAF_BLOCKS, u);
	float ratio = scene->radius_min_px / scene->radius_max_px;
	float radius_px = scene->radius_min_px / sqrtf(1.0f - u[0] * (1.0f - ratio * ratio));
	float stretch = u[1] < 0.4f ? 1.0f : expf(0.7f * u[2]);
	leaf.half_length_px = radius_px * stretch;
	leaf.half_width_px = radius_px / stretch;
	leaf.is_box = u[3] < 0.25f;
	/* Centres lie up to a radius outside, or borders would see fewer leaves. */
	leaf.x_px = -leaf.half_length_px + u[4] * (width_px + 2.0f * leaf.half_length_px);
	leaf.y_px = -leaf.half_length_px + u[5] * (height_px + 2.0f * leaf.half_length_px);
	float angle = (float)(2 * M_PI) * u[6];
	leaf.cos_angle = cosf(angle);
	leaf.sin_angle = sinf(angle);
	leaf.edge_px = u[7] < scene->share_defocused ? 1.0f + 0.4f * radius_px * u[8] : 1.0f;
	float along[3] = {scene->sd[0] * normal_of(u[9], u[10]), scene->sd[1] * normal_of(u[11], u[12]),
			  scene->sd[2] * normal_of(u[13], u[14])};
	for (int c = 0; c < 3; c++)
		leaf.rgb[c] = scene->mean[c] + along[0] * colour_axes[0][c] + along[1] * colour_axes[1][c] +
			      along[2] * colour_axes[2][c];
	leaf.shade_per_px = u[15] < 0.5f ? 30.0f * (u[16] - 0.5f) / radius_px : 0.0f;
	leaf.stripe_level = u[17] < scene->share_textured ? 0.6f * scene->sd[0] * u[18] : 0.0f;
	float radians_per_px = (float)(2 * M_PI) / (3.0f + 13.0f * u[19]);
	float stripe_angle = (float)M_PI * u[20];
	leaf.stripe_x = radians_per_px * cosf(stripe_angle);
	leaf.stripe_y = radians_per_px * sinf(stripe_angle);
	return leaf;
}

/* Signed distance (negative inside) of a point in the leaf's own axes; for an ellipse to first order. */
static float distance_px(const struct leaf *leaf, float along, float across)
{
	if (leaf->is_box) {
		float x = fabsf(along) - leaf->half_length_px, y = fabsf(across) - leaf->half_width_px;
		float out_x = fmaxf(x, 0.0f), out_y = fmaxf(y, 0.0f);
		return sqrtf(out_x * out_x + out_y * out_y) + fminf(fmaxf(x, y), 0.0f);
	}
	float x = along / leaf->half_length_px, y = across / leaf->half_width_px;
	return (sqrtf(x * x + y * y) - 1.0f) * leaf->half_width_px;
}

static void paint_pixel(const struct leaf *leaf, float dx, float dy, float *open, float *rgb)
{
	float along = dx * leaf->cos_angle + dy * leaf->sin_angle;
	float across = dy * leaf->cos_angle - dx * leaf->sin_angle;
	float coverage = 0.5f - distance_px(leaf, along, across) / leaf->edge_px;

	if (coverage <= 0.0f)
		return;
	float weight = *open * fminf(coverage, 1.0f);
	float level = leaf->shade_per_px * along;
	if (leaf->stripe_level > 0.0f)
		level += leaf->stripe_level * sinf(leaf->stripe_x * dx + leaf->stripe_y * dy);
	for (int c = 0; c < 3; c++)
		rgb[c] += weight * (leaf->rgb[c] + level);
	*open -= weight;
}

static void paint_leaf(const struct leaf *leaf, struct canvas *canvas)
{
	float reach = sqrtf(leaf->half_length_px * leaf->half_length_px + leaf->half_width_px * leaf->half_width_px) +
		      leaf->edge_px;
	int x_first = (int)fmaxf(leaf->x_px - reach, 0.0f), y_first = (int)fmaxf(leaf->y_px - reach, 0.0f);
	int x_end = (int)fminf(leaf->x_px + reach + 1.0f, (float)canvas->width_px);
	int y_end = (int)fminf(leaf->y_px + reach + 1.0f, (float)canvas->height_px);

	for (int y = y_first; y < y_end; y++)
		for (int x = x_first; x < x_end; x++) {
			size_t p = (size_t)y * canvas->width_px + (size_t)x;
			if (canvas->open[p] > 0.0f)
				paint_pixel(leaf, (float)x + 0.5f - leaf->x_px, (float)y + 0.5f - leaf->y_px,
					    canvas->open + p, canvas->rgb + 3 * p);
		}
}

static double open_share(const struct canvas *canvas)
{
	size_t n_px = (size_t)canvas->width_px * canvas->height_px;
	double sum = 0;

	for (size_t p = 0; p < n_px; p++)
		sum += canvas->open[p];
	return sum / (double)n_px;
}

static void paint_scene(const struct rng *rng, uint64_t first_block, struct canvas *canvas)
{
	float width_px = (float)canvas->width_px, height_px = (float)canvas->height_px;
	size_t n_px = (size_t)canvas->width_px * canvas->height_px;
	struct scene scene = draw_scene(rng, first_block, fminf(width_px, height_px));

	for (size_t p = 0; p < n_px; p++)
		canvas->open[p] = 1.0f;
	for (uint64_t k = 0; k < LEAVES_MAX; k++) {
		struct leaf leaf =
			draw_leaf(rng, first_block + IMAGE_BLOCKS + k * LEAF_BLOCKS, &scene, width_px, height_px);
		paint_leaf(&leaf, canvas);
		if (k % LEAVES_PER_CHECK == LEAVES_PER_CHECK - 1 && open_share(canvas) < UNCOVERED_SHARE_MAX)
			break;
	}
	for (size_t p = 0; p < n_px; p++)
		for (size_t c = 0; c < 3; c++)
			canvas->rgb[3 * p + c] += canvas->open[p] * scene.mean[c];
}

int dead_leaves_make(uint32_t width_px, uint32_t height_px, uint64_t seed, uint32_t index, struct error *err,
		     struct image *ret_image)
{
	struct rng rng = rng_make(seed, 0, RNG_DEAD_LEAVES, 0);
	struct canvas canvas = {.width_px = width_px, .height_px = height_px};
	struct image image;

	int rc = image_init(width_px, height_px, err, &image);
	if (rc < 0)
		return rc;
	canvas.rgb = calloc((size_t)width_px * height_px * 4, sizeof *canvas.rgb);
	if (!canvas.rgb) {
		image_done(&image);
		return error_set(err, -ENOMEM, "no memory for dead leaves of %u×%u px", width_px, height_px);
	}
	canvas.open = canvas.rgb + (size_t)width_px * height_px * 3;
	paint_scene(&rng, (uint64_t)index << 32, &canvas);
	image_from_float(canvas.rgb, &image);
	free(canvas.rgb);
	*ret_image = image;
	return 0;
}
