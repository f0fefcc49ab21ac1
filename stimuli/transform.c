/* Images from images; fails only where the output cannot be made. */
#include "stimuli/transform.h"

#include <math.h>
#include <string.h>

int transform_gaudy(const struct image *image, struct error *err, struct image *ret_image)
{
	size_t n_px = (size_t)image->width_px * image->height_px;
	struct image out;
	uint64_t sum[3] = {0};

	int rc = image_init(image->width_px, image->height_px, err, &out);
	if (rc < 0)
		return rc;
	for (size_t p = 0; p < n_px; p++)
		for (size_t c = 0; c < 3; c++)
			sum[c] += image->rgb[3 * p + c];
	/* value < sum / n_px without the division, so that the comparison is exact. */
	for (size_t p = 0; p < n_px; p++)
		for (size_t c = 0; c < 3; c++)
			out.rgb[3 * p + c] = image->rgb[3 * p + c] * n_px < sum[c] ? 0 : 255;
	*ret_image = out;
	return 0;
}

/* Average of the source over x0..x1, y0..y1 (px, fractional): a pixel counts by the part of it that is inside. */
static void area_average(const struct image *image, double x0, double x1, double y0, double y1, uint8_t ret_rgb[3])
{
	double sum[3] = {0}, area = 0;

	for (uint32_t y = (uint32_t)y0; y < y1 && y < image->height_px; y++) {
		double height = fmin(y1, y + 1.0) - fmax(y0, y);
		for (uint32_t x = (uint32_t)x0; x < x1 && x < image->width_px; x++) {
			double part = height * (fmin(x1, x + 1.0) - fmax(x0, x));
			const uint8_t *rgb = image->rgb + 3 * ((size_t)y * image->width_px + x);
			for (size_t c = 0; c < 3; c++)
				sum[c] += part * rgb[c];
			area += part;
		}
	}
	for (size_t c = 0; c < 3; c++)
		ret_rgb[c] = (uint8_t)lrint(sum[c] / area);
}

int transform_resize(const struct image *image, uint32_t width_px, uint32_t height_px, struct error *err,
		     struct image *ret_image)
{
	struct image out;

	int rc = image_init(width_px, height_px, err, &out);
	if (rc < 0)
		return rc;
	/* Source pixels per new pixel, the same both ways; what is too much on one side is cut equally at both ends. */
	double scale = fmin((double)image->width_px / width_px, (double)image->height_px / height_px);
	double left = fmax((image->width_px - scale * width_px) / 2, 0);
	double top = fmax((image->height_px - scale * height_px) / 2, 0);
	for (uint32_t y = 0; y < height_px; y++)
		for (uint32_t x = 0; x < width_px; x++)
			area_average(image, left + x * scale, left + (x + 1) * scale, top + y * scale,
				     top + (y + 1) * scale, out.rgb + 3 * ((size_t)y * width_px + x));
	*ret_image = out;
	return 0;
}

int transform_blank(uint32_t width_px, uint32_t height_px, const uint8_t level[3], struct error *err,
		    struct image *ret_image)
{
	struct image out;

	int rc = image_init(width_px, height_px, err, &out);
	if (rc < 0)
		return rc;
	for (size_t p = 0; p < (size_t)width_px * height_px; p++)
		memcpy(out.rgb + 3 * p, level, 3);
	*ret_image = out;
	return 0;
}
