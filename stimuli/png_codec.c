/* libpng over bytes in memory.
 *
 * libpng reports errors by longjmp: everything that must be freed afterwards lives in one struct that the function
 * with setjmp only points to. Its sentence goes into struct error together with the row that was reached. */
#include "stimuli/png_codec.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE_SIZE = 8, MID_GRAY = 128, ENCODED_FIRST_SIZE = 16384 };

struct reader {
	png_structp png;
	png_infop info;
	const uint8_t *data;
	size_t size, at;
	struct image image;
	uint8_t *rgba; /* [height, width, 4] */
	uint32_t row;  /* rows read so far */
	int code;
	struct error *err;
};

struct writer {
	png_structp png;
	png_infop info;
	uint8_t *data;
	size_t size, capacity;
	int code;
	struct error *err;
};

bool png_codec_is(const void *data, size_t size)
{
	return size >= SIGNATURE_SIZE && png_sig_cmp(data, 0, SIGNATURE_SIZE) == 0;
}

static void on_warning(png_structp png, png_const_charp text)
{
	/* Unknown or odd side information (profiles, times): the pixels are whole, or there would be an error. */
	(void)png;
	(void)text;
}

static void on_read_error(png_structp png, png_const_charp text)
{
	struct reader *r = png_get_error_ptr(png);

	/* The first reason stays: it is set before an error that we raise by ourselves. */
	if (r->code == 0)
		r->code = error_set(r->err, -EINVAL, "PNG: %s (row %u of %u, byte %zu of %zu)", text, r->row,
				    r->image.height_px, r->at, r->size);
	png_longjmp(png, 1);
}

static void on_read(png_structp png, png_bytep out, size_t n)
{
	struct reader *r = png_get_io_ptr(png);

	if (n > r->size - r->at)
		png_error(png, "truncated");
	memcpy(out, r->data + r->at, n);
	r->at += n;
}

static void read_header(struct reader *r)
{
	png_read_info(r->png, r->info);
	uint32_t width_px = png_get_image_width(r->png, r->info);
	uint32_t height_px = png_get_image_height(r->png, r->info);

	r->code = image_init(width_px, height_px, r->err, &r->image);
	if (r->code < 0)
		png_longjmp(r->png, 1);
	r->rgba = malloc((size_t)width_px * height_px * 4);
	if (!r->rgba) {
		r->code = error_set(r->err, -ENOMEM, "PNG: no memory for %u×%u px", width_px, height_px);
		png_longjmp(r->png, 1);
	}
	png_set_expand(r->png);
	png_set_scale_16(r->png);
	png_set_gray_to_rgb(r->png);
	png_set_add_alpha(r->png, 255, PNG_FILLER_AFTER);
}

static void read_rows(struct reader *r)
{
	int n_passes = png_set_interlace_handling(r->png);

	png_read_update_info(r->png, r->info);
	if (png_get_rowbytes(r->png, r->info) != (size_t)r->image.width_px * 4)
		png_error(r->png, "unexpected row size");
	memset(r->rgba, 0, (size_t)r->image.width_px * r->image.height_px * 4);
	for (int pass = 0; pass < n_passes; pass++)
		for (r->row = 0; r->row < r->image.height_px; r->row++)
			png_read_row(r->png, r->rgba + (size_t)r->row * r->image.width_px * 4, NULL);
	png_read_end(r->png, NULL);
}

/* -> 0 or the code that the error callback left. The only function that libpng jumps into. */
static int read_guarded(struct reader *r)
{
	if (setjmp(png_jmpbuf(r->png)))
		return r->code;
	png_set_read_fn(r->png, r, on_read);
	png_set_user_limits(r->png, IMAGE_SIDE_MAX_PX, IMAGE_SIDE_MAX_PX);
	png_set_chunk_malloc_max(r->png, IMAGE_FILE_MAX);
	read_header(r);
	read_rows(r);
	return 0;
}

static void lay_over_gray(const uint8_t *rgba, struct image *image)
{
	size_t n_px = (size_t)image->width_px * image->height_px;

	for (size_t p = 0; p < n_px; p++) {
		unsigned alpha = rgba[4 * p + 3];
		for (size_t c = 0; c < 3; c++) {
			unsigned sum = rgba[4 * p + c] * alpha + MID_GRAY * (255 - alpha);
			image->rgb[3 * p + c] = (uint8_t)((sum + 127) / 255);
		}
	}
}

int png_codec_decode(const void *data, size_t size, struct error *err, struct image *ret_image)
{
	struct reader r = {.data = data, .size = size, .err = err};
	int rc;

	r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_read_error, on_warning);
	r.info = r.png ? png_create_info_struct(r.png) : NULL;
	if (!r.info) {
		rc = error_set(err, -ENOMEM, "PNG: no memory for the decoder");
		goto out_png;
	}
	rc = read_guarded(&r);
	if (rc < 0) {
		image_done(&r.image);
		goto out_rgba;
	}
	lay_over_gray(r.rgba, &r.image);
	*ret_image = r.image;
out_rgba:
	free(r.rgba);
out_png:
	png_destroy_read_struct(&r.png, &r.info, NULL);
	return rc;
}

static void on_write_error(png_structp png, png_const_charp text)
{
	struct writer *w = png_get_error_ptr(png);

	if (w->code == 0)
		w->code = error_set(w->err, -EIO, "PNG: %s", text);
	png_longjmp(png, 1);
}

static void on_write(png_structp png, png_bytep bytes, size_t n)
{
	struct writer *w = png_get_io_ptr(png);

	if (n > w->capacity - w->size) {
		size_t capacity = w->capacity ? w->capacity : ENCODED_FIRST_SIZE;
		while (n > capacity - w->size)
			capacity *= 2;
		uint8_t *data = realloc(w->data, capacity);
		if (!data) {
			w->code = error_set(w->err, -ENOMEM, "PNG: no memory for %zu bytes", capacity);
			png_longjmp(png, 1);
		}
		w->data = data;
		w->capacity = capacity;
	}
	memcpy(w->data + w->size, bytes, n);
	w->size += n;
}

static void on_flush(png_structp png)
{
	(void)png;
}

static int write_guarded(struct writer *w, const struct image *image)
{
	if (setjmp(png_jmpbuf(w->png)))
		return w->code;
	png_set_write_fn(w->png, w, on_write, on_flush);
	png_set_IHDR(w->png, w->info, image->width_px, image->height_px, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	/* Named, though they are today's defaults: the same pixels must give the same bytes. */
	png_set_compression_level(w->png, 6);
	png_set_filter(w->png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
	png_write_info(w->png, w->info);
	for (uint32_t y = 0; y < image->height_px; y++)
		png_write_row(w->png, image->rgb + (size_t)y * image->width_px * 3);
	png_write_end(w->png, NULL);
	return 0;
}

int png_codec_encode(const struct image *image, struct error *err, void **ret_data, size_t *ret_size)
{
	struct writer w = {.err = err};
	int rc;

	w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_write_error, on_warning);
	w.info = w.png ? png_create_info_struct(w.png) : NULL;
	rc = w.info ? write_guarded(&w, image) : error_set(err, -ENOMEM, "PNG: no memory for the encoder");
	png_destroy_write_struct(&w.png, &w.info);
	if (rc < 0) {
		free(w.data);
		return rc;
	}
	*ret_data = w.data;
	*ret_size = w.size;
	return 0;
}
