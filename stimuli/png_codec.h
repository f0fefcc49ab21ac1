/* PNG bytes to and from 8-bit RGB (the one owner of png.h). Thread: any; no shared state. */
#ifndef EVOKED_STIMULI_PNG_CODEC_H
#define EVOKED_STIMULI_PNG_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "stimuli/image.h"
#include "support/error.h"

/* Whether the bytes begin with PNG's signature. */
bool png_codec_is(const void *data, size_t size);

/* Values are taken as stored (gamma and colour profiles are not applied). Gray and palette become RGB, 16 bits are
 * scaled to 8, alpha is laid over mid-gray (128). -EINVAL: broken, truncated, a side over IMAGE_SIDE_MAX_PX;
 * -ENOMEM. On success the caller owns *ret_image. */
int png_codec_decode(const void *data, size_t size, struct error *err, struct image *ret_image);

/* 8-bit RGB with fixed filter and compression settings; *ret_data is malloc'ed. -ENOMEM, -EIO (libpng's sentence). */
int png_codec_encode(const struct image *image, struct error *err, void **ret_data, size_t *ret_size);

#endif
