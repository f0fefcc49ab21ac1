/* libjpeg(-turbo) over bytes in memory.
 *
 * libjpeg would paint a damaged file as far as it can and only warn; here any warning ends the decoding, because a
 * half image would be shown as if it were the stimulus. Errors leave by longjmp into decode_guarded. */
#include "stimuli/jpeg_codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

struct decoder {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf on_error;
	size_t size;
	struct image image;
	int code;
	struct error *err;
};

bool jpeg_codec_is(const void *data, size_t size)
{
	return size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0;
}

static void fail(j_common_ptr common)
{
	struct decoder *d = common->client_data;
	char text[JMSG_LENGTH_MAX];
	size_t left = d->jpeg.src ? d->jpeg.src->bytes_in_buffer : 0;

	if (d->code == 0) {
		int code = d->errors.msg_code == JERR_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
		d->errors.format_message(common, text);
		d->code = error_set(d->err, code, "JPEG: %s%s (row %u of %u, byte %zu of %zu)",
				    d->errors.msg_code == JWRN_JPEG_EOF ? "truncated: " : "", text,
				    d->jpeg.output_scanline, d->image.height_px, d->size - left, d->size);
	}
	longjmp(d->on_error, 1);
}

static void on_message(j_common_ptr common, int level)
{
	/* Negative: a warning about corrupt data. Others trace what was read. */
	if (level < 0)
		fail(common);
}

static void on_output(j_common_ptr common)
{
	(void)common;
}

static void on_progress(j_common_ptr common)
{
	struct decoder *d = common->client_data;

	if (d->jpeg.input_scan_number <= JPEG_CODEC_SCANS_MAX)
		return;
	d->code = error_set(d->err, -EINVAL, "JPEG: more than %d scans", JPEG_CODEC_SCANS_MAX);
	longjmp(d->on_error, 1);
}

/* -> 0 or the code that was left. The only function that libjpeg jumps into. */
static int decode_guarded(struct decoder *d, const void *data)
{
	if (setjmp(d->on_error))
		return d->code;
	jpeg_create_decompress(&d->jpeg);
	d->jpeg.progress = &d->progress;
	jpeg_mem_src(&d->jpeg, data, (unsigned long)d->size);
	jpeg_read_header(&d->jpeg, TRUE);
	/* Before any memory for the pixels: the header alone may claim 65,535 × 65,535. */
	d->code = image_init(d->jpeg.image_width, d->jpeg.image_height, d->err, &d->image);
	if (d->code < 0)
		return d->code;
	if (d->jpeg.num_components != 1 && d->jpeg.num_components != 3) {
		d->code = error_set(d->err, -EINVAL, "JPEG: %d colour components (CMYK?), 1 or 3 expected",
				    d->jpeg.num_components);
		return d->code;
	}
	d->jpeg.out_color_space = JCS_RGB;
	d->jpeg.dct_method = JDCT_ISLOW;
	d->jpeg.do_fancy_upsampling = TRUE;
	jpeg_start_decompress(&d->jpeg);
	while (d->jpeg.output_scanline < d->jpeg.output_height) {
		JSAMPROW row = d->image.rgb + (size_t)d->jpeg.output_scanline * d->image.width_px * 3;
		jpeg_read_scanlines(&d->jpeg, &row, 1);
	}
	jpeg_finish_decompress(&d->jpeg);
	return 0;
}

int jpeg_codec_decode(const void *data, size_t size, struct error *err, struct image *ret_image)
{
	struct decoder d = {.size = size, .err = err};

	d.jpeg.err = jpeg_std_error(&d.errors);
	d.jpeg.client_data = &d;
	d.errors.error_exit = fail;
	d.errors.emit_message = on_message;
	d.errors.output_message = on_output;
	d.progress.progress_monitor = on_progress;
	int rc = decode_guarded(&d, data);
	jpeg_destroy_decompress(&d.jpeg);
	if (rc < 0) {
		image_done(&d.image);
		return rc;
	}
	*ret_image = d.image;
	return 0;
}
