/* JPEG bytes to 8-bit RGB (the one owner of jpeglib.h). Thread: any; no shared state. */
#ifndef EVOKED_STIMULI_JPEG_CODEC_H
#define EVOKED_STIMULI_JPEG_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "stimuli/image.h"
#include "support/error.h"

/* A progressive file may ask for any number of passes over its pixels; real ones have about ten. */
enum { JPEG_CODEC_SCANS_MAX = 64 };

/* Whether the bytes begin with JPEG's start-of-image marker. */
bool jpeg_codec_is(const void *data, size_t size);

/* Accurate integer DCT and smooth chroma upsampling, as libjpeg-turbo does by default and Pillow therefore too.
 * Gray becomes RGB; CMYK is refused. Anything that libjpeg warns about (truncated or corrupt data) is an error.
 * -EINVAL names the row and byte; -ENOMEM. On success the caller owns *ret_image. */
int jpeg_codec_decode(const void *data, size_t size, struct error *err, struct image *ret_image);

#endif
