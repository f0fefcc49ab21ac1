/* Each pixel is mixed from the two colours by a weight in 0..1: for edges, how far the pixel's centre lies inside the
 * shape (signed distance, over one pixel); for a grating, the sinusoid times its window. */
#include "stimuli/parametric.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/rng.h"

enum { DRAWS_PER_IMAGE = 16 };
#define SIZE_MAX_PX    (4.0 * IMAGE_SIDE_MAX_PX)
#define CURVATURE_MAX  2.0 /* per px */
#define STRAIGHT_BELOW 1e-6

static const char *const shape_names[] = {
	[PARAMETRIC_GRATING] = "grating",
	[PARAMETRIC_BAR] = "bar",
	[PARAMETRIC_CURVE] = "curve",
	[PARAMETRIC_DOTS] = "dots",
};

static int check(const struct parametric *p, struct error *err)
{
	const struct {
		const char *name;
		double value, low, high;
	} limits[] = {
		{"x_px", p->x_px, -SIZE_MAX_PX, SIZE_MAX_PX},
		{"y_px", p->y_px, -SIZE_MAX_PX, SIZE_MAX_PX},
		{"orientation_deg", p->orientation_deg, -360, 360},
		{"length_px", p->length_px, 0, SIZE_MAX_PX},
		{"width_px", p->width_px, 0.5, SIZE_MAX_PX},
		{"phase_deg", p->phase_deg, -360, 360},
		{"curvature_per_px", p->curvature_per_px, -CURVATURE_MAX, CURVATURE_MAX},
		{"n_dots", p->n_dots, 0, PARAMETRIC_DOTS_MAX},
	};

	if ((unsigned)p->shape >= PARAMETRIC_SHAPE_COUNT)
		return error_set(err, -EINVAL, "shape %u: there are %d", (unsigned)p->shape, PARAMETRIC_SHAPE_COUNT);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (!(limits[i].value >= limits[i].low && limits[i].value <= limits[i].high))
			return error_set(err, -EINVAL, "%s %g: expected %g to %g", limits[i].name, limits[i].value,
					 limits[i].low, limits[i].high);
	return 0;
}

static double coverage(double distance_px)
{
	return fmin(fmax(0.5 - distance_px, 0), 1);
}

/* along, across: place relative to the centre in the shape's own axes, px. */
static double grating_weight(const struct parametric *p, double along, double across)
{
	double wave = sin(2 * M_PI * across / p->width_px + p->phase_deg * (M_PI / 180));
	double window = 1;

	if (p->length_px > 0) {
		/* A quarter of the radius is a cosine ramp. */
		double radius_px = p->length_px / 2, edge = 4 * (1 - hypot(along, across) / radius_px);
		window = edge <= 0 ? 0 : edge >= 1 ? 1 : (1 - cos(M_PI * edge)) / 2;
	}
	return 0.5 + 0.5 * wave * window;
}

static double bar_weight(const struct parametric *p, double along, double across)
{
	double x = fabs(along) - p->length_px / 2, y = fabs(across) - p->width_px / 2;

	return coverage(hypot(fmax(x, 0), fmax(y, 0)) + fmin(fmax(x, y), 0));
}

static double curve_weight(const struct parametric *p, double along, double across)
{
	double radius_px = 1 / fabs(p->curvature_per_px);
	/* The circle's centre lies across; mirrored so that it is always on the positive side. */
	double to_centre = radius_px - (p->curvature_per_px > 0 ? across : -across);
	double half_angle = fmin(p->length_px / (2 * radius_px), M_PI);
	double angle = fabs(atan2(along, to_centre));
	double from_line = fabs(hypot(along, to_centre) - radius_px);

	if (angle > half_angle) {
		/* Beyond an end: distance to the end itself, so that ends are round. */
		double end_along = radius_px * sin(half_angle), end_to_centre = radius_px * cos(half_angle);
		from_line = hypot(fabs(along) - end_along, to_centre - end_to_centre);
	}
	return coverage(from_line - p->width_px / 2);
}

static double weight_at(const struct parametric *p, double along, double across)
{
	switch (p->shape) {
	case PARAMETRIC_GRATING:
		return grating_weight(p, along, across);
	case PARAMETRIC_CURVE:
		if (fabs(p->curvature_per_px) >= STRAIGHT_BELOW)
			return curve_weight(p, along, across);
		break;
	case PARAMETRIC_BAR:
	case PARAMETRIC_DOTS:
		break;
	}
	return bar_weight(p, along, across);
}

static void set_pixel(const struct parametric *p, double weight, uint8_t rgb[3])
{
	for (size_t c = 0; c < 3; c++)
		rgb[c] = (uint8_t)lrint(p->background[c] + weight * (p->foreground[c] - p->background[c]));
}

static void draw_dots(const struct parametric *p, struct image *image)
{
	struct rng rng = rng_make(p->seed, 0, RNG_PARAMETRIC, 1);
	size_t n_px = (size_t)image->width_px * image->height_px;
	double radius_px = p->width_px / 2;

	for (size_t i = 0; i < n_px; i++)
		set_pixel(p, 0, image->rgb + 3 * i);
	for (size_t k = 0; k < p->n_dots; k++) {
		double x = image->width_px * rng_uniform(&rng, 2 * k),
		       y = image->height_px * rng_uniform(&rng, 2 * k + 1);
		uint32_t y_first = (uint32_t)fmax(y - radius_px - 1, 0), x_first = (uint32_t)fmax(x - radius_px - 1, 0);
		for (uint32_t iy = y_first; iy < image->height_px && iy < y + radius_px + 1; iy++)
			for (uint32_t ix = x_first; ix < image->width_px && ix < x + radius_px + 1; ix++) {
				double weight = coverage(hypot(ix + 0.5 - x, iy + 0.5 - y) - radius_px);
				/* Where dots meet, an edge may not cut into the dot beside it. */
				uint8_t drawn[3], *rgb = image->rgb + 3 * ((size_t)iy * image->width_px + ix);
				set_pixel(p, weight, drawn);
				for (size_t c = 0; c < 3; c++)
					if (abs(drawn[c] - p->background[c]) > abs(rgb[c] - p->background[c]))
						rgb[c] = drawn[c];
			}
	}
}

int parametric_draw(const struct parametric *parametric, uint32_t width_px, uint32_t height_px, struct error *err,
		    struct image *ret_image)
{
	double angle = parametric->orientation_deg * (M_PI / 180), cos_angle = cos(angle), sin_angle = sin(angle);
	struct image image;

	int rc = check(parametric, err);
	if (rc == 0)
		rc = image_init(width_px, height_px, err, &image);
	if (rc < 0)
		return rc;
	if (parametric->shape == PARAMETRIC_DOTS) {
		draw_dots(parametric, &image);
		*ret_image = image;
		return 0;
	}
	for (uint32_t y = 0; y < height_px; y++)
		for (uint32_t x = 0; x < width_px; x++) {
			/* Rows go down, angles go up. */
			double right = x + 0.5 - parametric->x_px, up = parametric->y_px - (y + 0.5);
			double along = right * cos_angle + up * sin_angle, across = up * cos_angle - right * sin_angle;
			set_pixel(parametric, weight_at(parametric, along, across),
				  image.rgb + 3 * ((size_t)y * width_px + x));
		}
	*ret_image = image;
	return 0;
}

static double log_uniform(double low, double high, double u)
{
	return low * pow(high / low, u);
}

void parametric_random(uint64_t seed, uint32_t index, uint32_t width_px, uint32_t height_px,
		       struct parametric *ret_parametric)
{
	struct rng rng = rng_make(seed, 0, RNG_PARAMETRIC, 0);
	double side_px = fmin(width_px, height_px), u[DRAWS_PER_IMAGE];

	for (size_t k = 0; k < DRAWS_PER_IMAGE; k++)
		u[k] = rng_uniform(&rng, (uint64_t)index * DRAWS_PER_IMAGE + k);
	struct parametric p = {
		.shape = (enum parametric_shape)(u[0] * PARAMETRIC_SHAPE_COUNT),
		.x_px = width_px * (0.25 + 0.5 * u[1]),
		.y_px = height_px * (0.25 + 0.5 * u[2]),
		.orientation_deg = 360 * u[3],
		.length_px = log_uniform(side_px / 8, side_px, u[4]),
		.width_px = fmax(log_uniform(side_px / 40, side_px / 5, u[5]), 1),
		.phase_deg = 360 * u[6],
		.curvature_per_px = log_uniform(0.5 / side_px, 10 / side_px, u[7]) * (u[8] < 0.5 ? -1 : 1),
		.n_dots = (uint32_t)log_uniform(1, 60, u[9]),
		.seed = seed + index,
	};
	if (p.shape == PARAMETRIC_GRATING && u[10] < 0.5)
		p.length_px = 0;
	int in_colour = u[11] < 0.25;
	uint8_t level = u[12] < 0.5 ? 0 : 255;
	for (size_t c = 0; c < 3; c++) {
		p.background[c] = 128;
		p.foreground[c] = in_colour ? (u[13 + c] < 0.5 ? 0 : 255) : level;
	}
	if (p.shape == PARAMETRIC_GRATING && !in_colour)
		memset(p.background, 255 - level, sizeof p.background);
	*ret_parametric = p;
}

void parametric_describe(const struct parametric *p, char ret_text[PARAMETRIC_TEXT_SIZE])
{
	char numbers[PARAMETRIC_TEXT_SIZE] = "";

	switch (p->shape) {
	case PARAMETRIC_GRATING:
		snprintf(numbers, sizeof numbers,
			 "\"orientation_deg\":%.4g,\"wavelength_px\":%.4g,\"phase_deg\":%.4g,\"window_px\":%.4g",
			 p->orientation_deg, p->width_px, p->phase_deg, p->length_px);
		break;
	case PARAMETRIC_BAR:
	case PARAMETRIC_CURVE:
		snprintf(numbers, sizeof numbers,
			 "\"x_px\":%.4g,\"y_px\":%.4g,\"orientation_deg\":%.4g,\"length_px\":%.4g,\"width_px\":%.4g,"
			 "\"curvature_per_px\":%.4g",
			 p->x_px, p->y_px, p->orientation_deg, p->length_px, p->width_px,
			 p->shape == PARAMETRIC_CURVE ? p->curvature_per_px : 0);
		break;
	case PARAMETRIC_DOTS:
		snprintf(numbers, sizeof numbers, "\"n_dots\":%u,\"diameter_px\":%.4g", p->n_dots, p->width_px);
		break;
	}
	snprintf(ret_text, PARAMETRIC_TEXT_SIZE, "{\"shape\":\"%s\",%s}", shape_names[p->shape], numbers);
}
