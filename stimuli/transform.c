/* Pixel-wise images from images; fails only where the output cannot be made. */
#include "stimuli/transform.h"

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
