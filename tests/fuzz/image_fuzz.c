/* Bytes as an image file: whatever decodes must encode, and decode to the same pixels again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "stimuli/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image, again;
	struct hash before, after;
	void *png;
	size_t png_size;

	if (image_decode(data, size, NULL, &image))
		return 0;
	if (image_encode_png(&image, NULL, &png, &png_size))
		abort();
	/* Noise of the largest size may take more bytes than an image file is allowed. */
	if (png_size <= IMAGE_FILE_MAX) {
		if (image_decode(png, png_size, NULL, &again))
			abort();
		image_hash(&image, &before);
		image_hash(&again, &after);
		if (!hash_equal(&before, &after))
			abort();
		image_done(&again);
	}
	free(png);
	image_done(&image);
	return 0;
}
