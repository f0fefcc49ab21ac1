/* Decoding runs in libuv's thread pool: it is the one thing of a rig's message that costs milliseconds, and the only
 * one that hands foreign bytes to a decoder. The bytes are stored as they came. */
#include "daemon/rig_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "protocol/fields.h"
#include "stimuli/kind.h"
#include "stimuli/png_codec.h"

/* One image on its way: to the decoder, then to the disk. */
struct rig_image {
	uv_work_t work;
	struct daemon *daemon;
	struct asker asker;
	uint32_t width_px, height_px; /* of the session */
	void *png;
	size_t size;
	int status; /* of the decoder */
	struct error err;
	struct hash hash;
};

static void image_destroy(struct rig_image *image)
{
	if (!image)
		return;
	free(image->png);
	free(image);
}

/* Thread pool. */
static void decode(uv_work_t *work)
{
	struct rig_image *image = work->data;
	struct image pixels;

	if (!png_codec_is(image->png, image->size)) {
		image->status = error_set(&image->err, -EINVAL, "png: not a PNG file");
		return;
	}
	image->status = png_codec_decode(image->png, image->size, &image->err, &pixels);
	if (image->status < 0)
		return;
	if (pixels.width_px != image->width_px || pixels.height_px != image->height_px)
		image->status = error_set(&image->err, -EINVAL, "png: %u x %u px expected, found %u x %u",
					  image->width_px, image->height_px, pixels.width_px, pixels.height_px);
	else
		image_hash(&pixels, &image->hash);
	image_done(&pixels);
}

static void image_on_disk(struct store_op *op, void *ctx)
{
	struct rig_image *image = ctx;
	char hex[HASH_HEX_SIZE];

	hash_to_hex(&image->hash, hex);
	if (op->seq > image->daemon->session.last_seq)
		image->daemon->session.last_seq = op->seq;
	if (op->status < 0)
		answer_busy(&image->asker, DAEMON_STALL_RETRY_MS, op->error.text, NULL);
	else
		answer_send(&image->asker, TYPE_IMAGE_STORED, json_pack("{s:s}", FIELD_IMAGE, hex));
	image_destroy(image);
}

static struct store_op *make_op(const struct rig_image *image)
{
	struct store_op *op = store_op_create(STORE_OP_IMAGES);

	if (!op)
		return NULL;
	op->images = store_op_alloc(op, sizeof *op->images);
	void *png = store_op_copy(op, image->png, image->size);
	if (!op->images || !png) {
		store_op_destroy(op);
		return NULL;
	}
	op->images[0] = (struct store_image){.hash = image->hash,
					     .width_px = image->width_px,
					     .height_px = image->height_px,
					     .kind = kind_name(KIND_RIG),
					     .role = "",
					     .png = png,
					     .png_size = image->size};
	op->n_images = 1;
	op->received_us = clock_wall_us();
	return op;
}

static void decoded(uv_work_t *work, int canceled)
{
	struct rig_image *image = work->data;
	struct daemon *daemon = image->daemon;

	(void)canceled;
	daemon->n_rig_images--;
	if (daemon->stopping || !daemon->store) {
		image_destroy(image);
		return;
	}
	if (image->status < 0) {
		answer_error(&image->asker, CODE_INVALID, ARRAY_PNG, image->err.text);
		image_destroy(image);
		return;
	}
	struct store_op *op = make_op(image);
	if (op) {
		op->done = image_on_disk;
		op->ctx = image;
	}
	if (!op || daemon_submit(daemon, op) < 0) {
		answer_busy(&image->asker, DAEMON_RETRY_MS, "the store's queue is full", NULL);
		image_destroy(image);
	}
}

void rig_image_take(struct daemon *daemon, const struct asker *asker, const struct message *message)
{
	const struct message_array *png = message_find_array(message, ARRAY_PNG);
	const struct config *config = &daemon->session.config;

	if (!png || png->size == 0 || png->size > LIMIT_IMAGE_BYTES) {
		struct error text;
		error_set(&text, -EINVAL, "png: 1 to %d bytes expected, found %zu", LIMIT_IMAGE_BYTES,
			  png ? png->size : 0);
		answer_error(asker, png && png->size > 0 ? CODE_TOO_LARGE : CODE_MALFORMED, ARRAY_PNG, text.text);
		return;
	}
	struct rig_image *image = daemon->n_rig_images < DAEMON_RIG_IMAGES ? calloc(1, sizeof *image) : NULL;
	if (image)
		image->png = malloc(png->size);
	if (!image || !image->png) {
		image_destroy(image);
		answer_busy(asker, DAEMON_RETRY_MS, "images before this one are still being read", NULL);
		return;
	}
	memcpy(image->png, png->data, png->size);
	image->size = png->size;
	image->daemon = daemon;
	image->asker = *asker;
	image->width_px = config->images.width_px;
	image->height_px = config->images.height_px;
	image->work.data = image;
	daemon->n_rig_images++;
	uv_queue_work(&daemon->loop, &image->work, decode, decoded);
}
