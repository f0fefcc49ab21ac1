/* Flow: the presentations are read once; the last batch's are kept, and of each kind the newest few different images.
 * Then the images are fetched one by one by their hash. Failure: as the reader and the file system fail. */
#include "daemon/cli/demo_images.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/contact_sheet.h"
#include "daemon/cli/path.h"
#include "stimuli/kind.h"
#include "support/atomic_file.h"

struct shown {
	struct hash image;
	enum kind kind;
	int64_t batch, slot;
};

/* All presentations of batches, in order. */
struct shown_list {
	struct shown *items;
	size_t n, capacity;
};

static int take_presentation(void *ctx, const json_t *row)
{
	struct shown_list *list = ctx;
	const char *image = json_string_value(json_object_get(row, "image"));
	const char *kind = json_string_value(json_object_get(row, "kind"));
	const json_t *batch = json_object_get(row, "batch");
	struct shown item = {.batch = json_integer_value(batch),
			     .slot = json_integer_value(json_object_get(row, "slot"))};

	if (!image || !kind || !json_is_integer(batch) || hash_from_hex(image, &item.image) < 0 ||
	    kind_from_name(kind, NULL, &item.kind) < 0)
		return 0;
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 1024;
		void *items = realloc(list->items, capacity * sizeof(*list->items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->n++] = item;
	return 0;
}

static int write_one(struct reader *reader, const struct shown *item, const char *folder, struct error *err)
{
	char path[PATH_TEXT_MAX], hex[HASH_HEX_SIZE];
	const void *png;
	size_t size;
	int rc = reader_image(reader, &item->image, err, &png, &size);

	if (rc < 0)
		return rc;
	hash_to_hex(&item->image, hex);
	rc = path_format(err, path, "%s/%03lld_%s_%.8s.png", folder, (long long)item->slot, kind_name(item->kind), hex);
	return rc < 0 ? rc : atomic_file_write(path, png, size, err);
}

static int write_last_batch(struct reader *reader, const struct shown_list *list, const char *dir, struct error *err,
			    size_t *ret_n)
{
	int64_t last = list->items[list->n - 1].batch;
	char folder[PATH_TEXT_MAX];
	size_t n = 0;
	int rc;

	rc = path_format(err, folder, "%s/last_batch", dir);
	if (rc == 0)
		rc = path_make_folder(folder, err);
	for (size_t i = 0; rc == 0 && i < list->n; i++)
		if (list->items[i].batch == last) {
			rc = write_one(reader, &list->items[i], folder, err);
			n++;
		}
	*ret_n = n;
	return rc;
}

/* The newest different images of each kind, decoded. */
struct gallery {
	size_t n[KIND_COUNT];
	struct hash hashes[KIND_COUNT][CONTACT_SHEET_COLUMNS];
	struct image images[KIND_COUNT][CONTACT_SHEET_COLUMNS];
};

static bool gallery_has(const struct gallery *gallery, const struct shown *item)
{
	for (size_t i = 0; i < gallery->n[item->kind]; i++)
		if (hash_equal(&gallery->hashes[item->kind][i], &item->image))
			return true;
	return false;
}

static int gallery_add(struct gallery *gallery, struct reader *reader, const struct shown *item, struct error *err)
{
	size_t n = gallery->n[item->kind], size;
	const void *png;
	int rc;

	if (n == CONTACT_SHEET_COLUMNS || gallery_has(gallery, item))
		return 0;
	rc = reader_image(reader, &item->image, err, &png, &size);
	if (rc == 0)
		rc = image_decode(png, size, err, &gallery->images[item->kind][n]);
	if (rc < 0)
		return rc;
	gallery->hashes[item->kind][n] = item->image;
	gallery->n[item->kind]++;
	return 0;
}

static void gallery_done(struct gallery *gallery)
{
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < gallery->n[k]; i++)
			image_done(&gallery->images[k][i]);
}

static int gallery_write(const struct gallery *gallery, const char *path, struct error *err)
{
	struct contact_sheet_row rows[KIND_COUNT];
	struct image sheet;
	size_t n_rows = 0, size;
	void *png;
	int rc;

	for (size_t k = 0; k < KIND_COUNT; k++)
		if (gallery->n[k] > 0)
			rows[n_rows++] = (struct contact_sheet_row){
				.label = kind_name((enum kind)k),
				.n_images = gallery->n[k],
				.images = gallery->images[k],
			};
	rc = contact_sheet_draw(rows, n_rows, err, &sheet);
	if (rc < 0)
		return rc;
	rc = image_encode_png(&sheet, err, &png, &size);
	image_done(&sheet);
	if (rc < 0)
		return rc;
	rc = atomic_file_write(path, png, size, err);
	free(png);
	return rc;
}

static int write_sheet(struct reader *reader, const struct shown_list *list, const char *dir, struct error *err)
{
	struct gallery *gallery = calloc(1, sizeof(*gallery));
	char path[PATH_TEXT_MAX];
	int rc = path_format(err, path, "%s/kinds.png", dir);

	if (!gallery)
		return error_set(err, -ENOMEM, "out of memory for a contact sheet");
	for (size_t i = list->n; rc == 0 && i-- > 0;)
		rc = gallery_add(gallery, reader, &list->items[i], err);
	if (rc == 0)
		rc = gallery_write(gallery, path, err);
	gallery_done(gallery);
	free(gallery);
	return rc;
}

int demo_images_write(struct reader *reader, const char *dir, struct error *err, size_t *ret_n_last_batch)
{
	struct shown_list list = {0};
	int rc = path_make_folder(dir, err);

	if (rc == 0)
		rc = reader_read_table(reader, READER_PRESENTATIONS, take_presentation, &list, err);
	if (rc == 0 && list.n == 0)
		rc = error_set(err, -ENOENT, "no image was shown in this session");
	if (rc == 0)
		rc = write_last_batch(reader, &list, dir, err, ret_n_last_batch);
	if (rc == 0)
		rc = write_sheet(reader, &list, dir, err);
	free(list.items);
	return rc;
}
