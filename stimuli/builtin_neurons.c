/* An image is halved, turned into luminance, red-green and blue-yellow, smoothed at three scales, and from each come
 * first and second derivatives. Each neuron mixes the three colours into its own axis and combines three units of one
 * of three families, each pooled over a grid of places in the receptive field:
 *
 *   oriented   polarity-free product of the edge strength at three points on a straight line
 *   curve      product of the edge strength at five points on an arc, across the arc's own tangent there
 *   dot        the weaker of the two principal curvatures, of one sign: a stripe has only one
 *
 *   response = own + 0.5 sqrt(own partner) - 0.4 suppressor, not below 0; each divided by the local contrast.
 *
 * One task an image; sums in fixed order. Fails on limits and memory only. */
#include "stimuli/builtin_neurons.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stimuli/subject.h"
#include "support/rng.h"

enum {
	N_COLOURS = 3,
	N_SCALES = 3,
	N_UNITS = 3, /* own, partner, suppressor */
	POINTS_MAX = 5,
	GRID_STEP = 2,
	KERNEL_RADIUS_MAX = 9,
	DRAWS_PER_NEURON = 64,
	DRAWS_PER_UNIT = 12,
	MAP_GRADIENT_X = 0,
	MAP_GRADIENT_Y = 1,
	MAP_LAPLACIAN = 2,
	MAP_STRETCH_AXIAL = 3,	  /* fxx - fyy */
	MAP_STRETCH_DIAGONAL = 4, /* 2 fxy */
	N_MAPS = 5,		  /* of one colour and scale */
};

enum family { FAMILY_ORIENTED, FAMILY_CURVE, FAMILY_DOT };
enum { FAMILY_COUNT = FAMILY_DOT + 1 };

static const float scale_sigma[N_SCALES] = {0.9f, 1.5f, 2.5f}; /* of the halved image's pixels */
#define CONTRAST_FLOOR 0.35f

struct point {
	int dx, dy;
	float normal_x, normal_y;
};

struct unit {
	enum family family;
	uint32_t scale;
	int n_points;
	struct point points[POINTS_MAX];
	int is_signed; /* edges of one polarity only */
	float sign;    /* dots: bright or dark */
};

struct neuron {
	float mix[N_COLOURS];
	float x, y, radius; /* of the receptive field, in the halved image */
	struct unit units[N_UNITS];
};

struct builtin_neurons {
	struct response_model model;
	int height, width; /* of the halved image */
	struct neuron *neurons;
	float kernels[N_SCALES][2 * KERNEL_RADIUS_MAX + 1];
	int kernel_radius[N_SCALES];
};

/* Memory of one image on its way. Maps are [colour, scale, map][height, width]. */
struct workspace {
	float *colours; /* [N_COLOURS][height, width] */
	float *rows;	/* [height, width]: smoothed along rows */
	float *smooth;	/* [height, width] */
	float *maps;
};

struct predict_job {
	const struct builtin_neurons *neurons;
	const float *images;
	float *responses;
	float *memory; /* [threads, workspace_size] */
};

static size_t map_size(const struct builtin_neurons *b)
{
	return (size_t)b->height * b->width;
}

static size_t workspace_size(const struct builtin_neurons *b)
{
	return map_size(b) * (N_COLOURS + 2 + N_COLOURS * N_SCALES * N_MAPS);
}

static struct workspace workspace_at(const struct builtin_neurons *b, float *memory)
{
	size_t n = map_size(b);

	return (struct workspace){
		.colours = memory,
		.rows = memory + N_COLOURS * n,
		.smooth = memory + (N_COLOURS + 1) * n,
		.maps = memory + (N_COLOURS + 2) * n,
	};
}

static float *map_of(const struct builtin_neurons *b, const struct workspace *ws, int colour, uint32_t scale, int map)
{
	return ws->maps + (((size_t)colour * N_SCALES + scale) * N_MAPS + map) * map_size(b);
}

/* Halves and turns into opponent colours, each about one in size on natural images. */
static void fill_colours(const struct builtin_neurons *b, const float *image, struct workspace *ws)
{
	size_t row = (size_t)b->width * 2 * 3, n = map_size(b);

	for (int y = 0; y < b->height; y++)
		for (int x = 0; x < b->width; x++) {
			const float *at = image + (size_t)y * 2 * row + (size_t)x * 6;
			float rgb[3];
			for (int c = 0; c < 3; c++)
				rgb[c] = 0.25f * (at[c] + at[c + 3] + at[row + c] + at[row + c + 3]);
			size_t p = (size_t)y * b->width + x;
			ws->colours[p] = (rgb[0] + rgb[1] + rgb[2]) / (3.0f * 50.0f);
			ws->colours[n + p] = (rgb[0] - rgb[1]) / 20.0f;
			ws->colours[2 * n + p] = (0.5f * (rgb[0] + rgb[1]) - rgb[2]) / 30.0f;
		}
}

static int clamp(int value, int n)
{
	return value < 0 ? 0 : value >= n ? n - 1 : value;
}

static void smooth(const struct builtin_neurons *b, const float *map, uint32_t scale, struct workspace *ws)
{
	const float *kernel = b->kernels[scale] + KERNEL_RADIUS_MAX;
	int radius = b->kernel_radius[scale];

	for (int y = 0; y < b->height; y++)
		for (int x = 0; x < b->width; x++) {
			float sum = 0;
			for (int k = -radius; k <= radius; k++)
				sum += kernel[k] * map[y * b->width + clamp(x + k, b->width)];
			ws->rows[y * b->width + x] = sum;
		}
	for (int y = 0; y < b->height; y++)
		for (int x = 0; x < b->width; x++) {
			float sum = 0;
			for (int k = -radius; k <= radius; k++)
				sum += kernel[k] * ws->rows[clamp(y + k, b->height) * b->width + x];
			ws->smooth[y * b->width + x] = sum;
		}
}

static float smooth_at(const struct builtin_neurons *b, const struct workspace *ws, int x, int y)
{
	return ws->smooth[clamp(y, b->height) * b->width + clamp(x, b->width)];
}

/* Derivatives by differences, multiplied by the scale so that a shape is as strong at each. */
static void fill_derivatives(const struct builtin_neurons *b, int colour, uint32_t scale, struct workspace *ws)
{
	float *gradient_x = map_of(b, ws, colour, scale, MAP_GRADIENT_X);
	float *gradient_y = map_of(b, ws, colour, scale, MAP_GRADIENT_Y);
	float *laplacian = map_of(b, ws, colour, scale, MAP_LAPLACIAN);
	float *axial = map_of(b, ws, colour, scale, MAP_STRETCH_AXIAL);
	float *diagonal = map_of(b, ws, colour, scale, MAP_STRETCH_DIAGONAL);
	float sigma = scale_sigma[scale];

	for (int y = 0; y < b->height; y++)
		for (int x = 0; x < b->width; x++) {
			int p = y * b->width + x;
			float here = ws->smooth[p];
			float left = smooth_at(b, ws, x - 1, y), right = smooth_at(b, ws, x + 1, y);
			float up = smooth_at(b, ws, x, y - 1), down = smooth_at(b, ws, x, y + 1);
			float corners = smooth_at(b, ws, x + 1, y + 1) + smooth_at(b, ws, x - 1, y - 1) -
					smooth_at(b, ws, x + 1, y - 1) - smooth_at(b, ws, x - 1, y + 1);
			gradient_x[p] = 0.5f * sigma * (right - left);
			gradient_y[p] = 0.5f * sigma * (down - up);
			laplacian[p] = sigma * sigma * (left + right + up + down - 4 * here);
			axial[p] = sigma * sigma * (left + right - up - down);
			diagonal[p] = sigma * sigma * 0.5f * corners;
		}
}

static float mixed(const struct builtin_neurons *b, const struct workspace *ws, const struct neuron *neuron,
		   uint32_t scale, int map, int p)
{
	float sum = 0;

	for (int c = 0; c < N_COLOURS; c++)
		sum += neuron->mix[c] * map_of(b, ws, c, scale, map)[p];
	return sum;
}

/* Product of the edge strengths at a unit's points, as a geometric mean. */
static float contour_at(const struct builtin_neurons *b, const struct workspace *ws, const struct neuron *neuron,
			const struct unit *unit, int x, int y)
{
	float product = 1;

	for (int k = 0; k < unit->n_points; k++) {
		const struct point *point = &unit->points[k];
		int p = clamp(y + point->dy, b->height) * b->width + clamp(x + point->dx, b->width);
		float edge = point->normal_x * mixed(b, ws, neuron, unit->scale, MAP_GRADIENT_X, p) +
			     point->normal_y * mixed(b, ws, neuron, unit->scale, MAP_GRADIENT_Y, p);
		if (!unit->is_signed)
			edge = fabsf(edge);
		if (edge <= 0)
			return 0;
		product *= edge;
	}
	return powf(product, 1.0f / (float)unit->n_points);
}

static float blob_at(const struct builtin_neurons *b, const struct workspace *ws, const struct neuron *neuron,
		     const struct unit *unit, int x, int y)
{
	int p = clamp(y, b->height) * b->width + clamp(x, b->width);
	float stretch = hypotf(mixed(b, ws, neuron, unit->scale, MAP_STRETCH_AXIAL, p),
			       mixed(b, ws, neuron, unit->scale, MAP_STRETCH_DIAGONAL, p));

	return fmaxf(unit->sign * mixed(b, ws, neuron, unit->scale, MAP_LAPLACIAN, p) - stretch, 0);
}

/* Cubic mean over the receptive field (position tolerance), divided by the root mean square gradient there. */
static float unit_response(const struct builtin_neurons *b, const struct workspace *ws, const struct neuron *neuron,
			   const struct unit *unit)
{
	int reach = (int)(1.5f * neuron->radius), x0 = (int)neuron->x, y0 = (int)neuron->y;
	float sum = 0, sum_weight = 0, contrast = 0;

	for (int dy = -reach; dy <= reach; dy += GRID_STEP)
		for (int dx = -reach; dx <= reach; dx += GRID_STEP) {
			int x = x0 + dx, y = y0 + dy;
			float weight =
				expf(-(float)(dx * dx + dy * dy) / (2 * 0.36f * neuron->radius * neuron->radius));
			float value = unit->family == FAMILY_DOT ? blob_at(b, ws, neuron, unit, x, y)
								 : contour_at(b, ws, neuron, unit, x, y);
			int p = clamp(y, b->height) * b->width + clamp(x, b->width);
			float gx = mixed(b, ws, neuron, unit->scale, MAP_GRADIENT_X, p);
			float gy = mixed(b, ws, neuron, unit->scale, MAP_GRADIENT_Y, p);
			sum += weight * value * value * value;
			contrast += weight * (gx * gx + gy * gy);
			sum_weight += weight;
		}
	return cbrtf(sum / sum_weight) / (CONTRAST_FLOOR + sqrtf(contrast / sum_weight));
}

static void predict_task(void *ctx, size_t i, unsigned thread)
{
	const struct predict_job *job = ctx;
	const struct builtin_neurons *b = job->neurons;
	struct workspace ws = workspace_at(b, job->memory + thread * workspace_size(b));
	size_t n_values = (size_t)b->model.height_px * b->model.width_px * 3;

	fill_colours(b, job->images + i * n_values, &ws);
	for (int c = 0; c < N_COLOURS; c++)
		for (uint32_t s = 0; s < N_SCALES; s++) {
			smooth(b, ws.colours + c * map_size(b), s, &ws);
			fill_derivatives(b, c, s, &ws);
		}
	for (uint32_t u = 0; u < b->model.n_units; u++) {
		const struct neuron *neuron = &b->neurons[u];
		float own = unit_response(b, &ws, neuron, &neuron->units[0]);
		float partner = unit_response(b, &ws, neuron, &neuron->units[1]);
		float suppressor = unit_response(b, &ws, neuron, &neuron->units[2]);
		job->responses[i * b->model.n_units + u] =
			fmaxf(own + 0.5f * sqrtf(own * partner) - 0.4f * suppressor, 0);
	}
}

static int builtin_predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			   struct error *err, float *ret_responses)
{
	struct builtin_neurons *b = (struct builtin_neurons *)model;
	struct predict_job job = {.neurons = b, .images = images, .responses = ret_responses};

	job.memory = malloc((pool ? thread_pool_size(pool) : 1) * workspace_size(b) * sizeof *job.memory);
	if (!job.memory)
		return error_set(err, -ENOMEM, "no memory for the built-in neurons");
	if (pool)
		thread_pool_run(pool, n, predict_task, &job);
	else
		for (size_t i = 0; i < n; i++)
			predict_task(&job, i, 0);
	free(job.memory);
	return 0;
}

static int builtin_gradient(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			    response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
			    float *ret_gradients, float *ret_responses)
{
	(void)model, (void)pool, (void)images, (void)n, (void)objective, (void)ctx;
	(void)ret_values, (void)ret_gradients, (void)ret_responses;
	return error_set(err, -ENOTSUP, "built-in neurons have no gradient");
}

static void builtin_destroy(struct response_model *model)
{
	struct builtin_neurons *b = (struct builtin_neurons *)model;

	free(b->neurons);
	free(b);
}

static const struct response_model_ops builtin_ops = {
	.predict = builtin_predict,
	.gradient = builtin_gradient,
	.destroy = builtin_destroy,
};

static void make_kernels(struct builtin_neurons *b)
{
	for (int s = 0; s < N_SCALES; s++) {
		float sum = 0;
		b->kernel_radius[s] = (int)ceilf(3 * scale_sigma[s]);
		for (int k = -b->kernel_radius[s]; k <= b->kernel_radius[s]; k++)
			sum += b->kernels[s][KERNEL_RADIUS_MAX + k] =
				expf(-(float)(k * k) / (2 * scale_sigma[s] * scale_sigma[s]));
		for (int k = -b->kernel_radius[s]; k <= b->kernel_radius[s]; k++)
			b->kernels[s][KERNEL_RADIUS_MAX + k] /= sum;
	}
}

/* u: DRAWS_PER_UNIT numbers in [0, 1). */
static struct unit draw_unit(enum family family, const double *u)
{
	struct unit unit = {.family = family, .scale = (uint32_t)(u[0] * N_SCALES)};
	double angle = 2 * M_PI * u[1], spacing = 2.2 * scale_sigma[unit.scale];

	unit.sign = u[2] < 0.5 ? -1.0f : 1.0f;
	unit.is_signed = family == FAMILY_CURVE && u[3] < 0.35;
	unit.n_points = family == FAMILY_ORIENTED ? 3 : POINTS_MAX;
	/* The arc turns by 0.15 to 0.55 radians from point to point; an oriented unit's line does not. */
	double turn = family == FAMILY_CURVE ? 0.15 + 0.4 * u[4] : 0;
	double x = 0, y = 0, mean_x = 0, mean_y = 0;
	double at_x[POINTS_MAX], at_y[POINTS_MAX];
	for (int k = 0; k < unit.n_points; k++) {
		double tangent = angle + turn * (k - (unit.n_points - 1) / 2.0);
		at_x[k] = x;
		at_y[k] = y;
		mean_x += x / unit.n_points;
		mean_y += y / unit.n_points;
		unit.points[k].normal_x = (float)-sin(tangent);
		unit.points[k].normal_y = (float)cos(tangent);
		x += spacing * cos(tangent + turn / 2);
		y += spacing * sin(tangent + turn / 2);
	}
	for (int k = 0; k < unit.n_points; k++) {
		unit.points[k].dx = (int)lrint(at_x[k] - mean_x);
		unit.points[k].dy = (int)lrint(at_y[k] - mean_y);
	}
	return unit;
}

static void draw_neuron(const struct builtin_neurons *b, const struct rng *rng, uint32_t index, struct neuron *neuron)
{
	double u[DRAWS_PER_NEURON], norm = 0;

	for (uint32_t k = 0; k < DRAWS_PER_NEURON; k++)
		u[k] = rng_uniform(rng, (uint64_t)index * DRAWS_PER_NEURON + k);
	double side = b->height < b->width ? b->height : b->width;
	neuron->radius = (float)(side * (0.12 + 0.1 * u[0]));
	neuron->x = (float)(b->width * (0.35 + 0.3 * u[1]));
	neuron->y = (float)(b->height * (0.35 + 0.3 * u[2]));
	/* Two thirds see mainly luminance. */
	double colour = u[3] < 0.67 ? 0.3 : 1.5;
	double mix[N_COLOURS] = {1, colour * (2 * u[4] - 1), colour * (2 * u[5] - 1)};
	for (int c = 0; c < N_COLOURS; c++)
		norm += mix[c] * mix[c];
	for (int c = 0; c < N_COLOURS; c++)
		neuron->mix[c] = (float)(mix[c] / sqrt(norm));
	for (uint32_t k = 0; k < N_UNITS; k++) {
		enum family family =
			k == 0 ? (enum family)(index % FAMILY_COUNT) : (enum family)(u[5 + k] * FAMILY_COUNT);
		neuron->units[k] = draw_unit(family, u + 10 + k * DRAWS_PER_UNIT);
	}
}

int builtin_neurons_create(uint32_t n, uint32_t height_px, uint32_t width_px, uint64_t seed, struct error *err,
			   struct response_model **ret_model)
{
	struct rng rng = rng_make(seed, 0, RNG_SUBJECT, RNG_SUBJECT_NEURONS);
	const uint32_t sides[] = {height_px, width_px};

	if (n < 1 || n > BUILTIN_NEURONS_MAX)
		return error_set(err, -EINVAL, "%u built-in neurons: 1 to %d can be made", n, BUILTIN_NEURONS_MAX);
	for (int k = 0; k < 2; k++)
		if (sides[k] < BUILTIN_NEURONS_SIDE_MIN_PX || sides[k] > BUILTIN_NEURONS_SIDE_MAX_PX || sides[k] % 2)
			return error_set(err, -EINVAL,
					 "built-in neurons see images with even sides of %d to %d px, not %u",
					 BUILTIN_NEURONS_SIDE_MIN_PX, BUILTIN_NEURONS_SIDE_MAX_PX, sides[k]);
	struct builtin_neurons *b = calloc(1, sizeof *b);
	struct neuron *neurons = calloc(n, sizeof *neurons);
	if (!b || !neurons) {
		free(b);
		free(neurons);
		return error_set(err, -ENOMEM, "no memory for %u built-in neurons", n);
	}
	b->model = (struct response_model){
		.ops = &builtin_ops, .height_px = height_px, .width_px = width_px, .n_members = 1, .n_units = n};
	b->height = (int)height_px / 2;
	b->width = (int)width_px / 2;
	b->neurons = neurons;
	make_kernels(b);
	for (uint32_t i = 0; i < n; i++)
		draw_neuron(b, &rng, i, &neurons[i]);
	*ret_model = &b->model;
	return 0;
}
