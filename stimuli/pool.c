/* Opening walks the source in chunks: files are read one after another (an archive has one handle), then decoded, sized
 * and hashed by all threads, then taken in by order of name, so the pool does not depend on the number of threads.
 * Pixels are not kept; pool_read decodes again. Dead leaves go the same way, made instead of read.
 *
 * A broken file or a second copy is put on the list of skipped ones; a wrong size, no memory or an empty pool ends the
 * opening. */
#include "stimuli/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stimuli/dead_leaves.h"
#include "stimuli/transform.h"
#include "support/archive.h"
#include "support/rng.h"

enum { CHUNK = 256, SLOTS_PER_IMAGE = 2, SELECTABLE_MIN = 2 };
enum { WRONG_SIZE = -ERANGE }; /* ends the opening, unlike a broken image */
#define SLOT_EMPTY	   UINT32_MAX
#define DEAD_LEAVES_PREFIX "dead_leaves:"

struct pool_entry {
	struct hash hash;
	char *name;
	size_t source_index; /* in the archive, or the number of the leaves */
};

struct pool {
	struct archive *archive; /* NULL: dead leaves */
	uint64_t seed;		 /* of the dead leaves */
	size_t n_source;
	uint32_t width_px, height_px;
	bool resize;
	struct pool_entry *entries; /* [n_source], n_images of them used */
	size_t n_images;
	uint32_t *slots; /* [n_slots]: open addressing, hash -> entry */
	size_t n_slots;	 /* a power of two */
	struct hash manifest;
	size_t n_skipped, n_named;
	char *skipped[POOL_SKIPPED_NAMED_MAX];
};

/* One file on its way into the pool. */
struct pool_scan_item {
	void *data; /* NULL for dead leaves */
	size_t size;
	int code;
	struct error err;
	struct hash hash;
};

struct pool_scan {
	struct pool *pool;
	size_t first; /* source index of items[0] */
	struct pool_scan_item items[CHUNK];
};

/* Decodes (data) or makes (data == NULL) one image and gives it the pool's size. */
static int make_image(const struct pool *pool, size_t source_index, const void *data, size_t size, struct error *err,
		      struct image *ret_image)
{
	struct image image, sized;

	int rc = pool->archive ? image_decode(data, size, err, &image)
			       : dead_leaves_make(pool->width_px, pool->height_px, pool->seed, (uint32_t)source_index,
						  err, &image);
	if (rc < 0)
		return rc;
	if (image.width_px == pool->width_px && image.height_px == pool->height_px) {
		*ret_image = image;
		return 0;
	}
	if (pool->resize)
		rc = transform_resize(&image, pool->width_px, pool->height_px, err, &sized);
	else
		rc = error_set(err, WRONG_SIZE, "%u×%u px, %u×%u wanted (or ask for resizing)", image.width_px,
			       image.height_px, pool->width_px, pool->height_px);
	image_done(&image);
	if (rc < 0)
		return rc;
	*ret_image = sized;
	return 0;
}

/* Where `hash` is in the table, or the empty slot where it would go. */
static size_t find_slot(const struct pool *pool, const struct hash *hash)
{
	uint64_t start;

	memcpy(&start, hash->bytes, sizeof start);
	size_t at = start & (pool->n_slots - 1);
	while (pool->slots[at] != SLOT_EMPTY && !hash_equal(&pool->entries[pool->slots[at]].hash, hash))
		at = (at + 1) & (pool->n_slots - 1);
	return at;
}

static int skip(struct pool *pool, const char *name, const char *why, struct error *err)
{
	pool->n_skipped++;
	if (pool->n_named == POOL_SKIPPED_NAMED_MAX)
		return 0;
	if (asprintf(&pool->skipped[pool->n_named], "%s: %s", name, why) < 0) {
		pool->skipped[pool->n_named] = NULL;
		return error_set(err, -ENOMEM, "no memory to name skipped images");
	}
	pool->n_named++;
	return 0;
}

static int take_in(struct pool *pool, const struct pool_scan_item *item, size_t source_index, struct error *err)
{
	char leaves_name[32], why[ERROR_TEXT_MAX];
	const char *name = leaves_name;

	if (pool->archive)
		name = archive_name(pool->archive, source_index);
	else
		snprintf(leaves_name, sizeof leaves_name, "dead_leaves_%06zu", source_index);
	if (item->code == -ENOMEM || item->code == WRONG_SIZE)
		return error_set(err, item->code == WRONG_SIZE ? -EINVAL : -ENOMEM, "%s: %s", name, item->err.text);
	if (item->code < 0)
		return skip(pool, name, item->err.text, err);

	size_t slot = find_slot(pool, &item->hash);
	if (pool->slots[slot] != SLOT_EMPTY) {
		snprintf(why, sizeof why, "the same pixels as %s", pool->entries[pool->slots[slot]].name);
		return skip(pool, name, why, err);
	}
	struct pool_entry *entry = &pool->entries[pool->n_images];
	entry->name = strdup(name);
	if (!entry->name)
		return error_set(err, -ENOMEM, "no memory for the pool's names");
	entry->hash = item->hash;
	entry->source_index = source_index;
	pool->slots[slot] = (uint32_t)pool->n_images++;
	return 0;
}

static void scan_task(void *ctx, size_t i, unsigned thread)
{
	struct pool_scan *scan = ctx;
	struct pool_scan_item *item = &scan->items[i];
	struct image image;
	(void)thread;

	if (item->code < 0)
		return;
	item->code = make_image(scan->pool, scan->first + i, item->data, item->size, &item->err, &image);
	if (item->code < 0)
		return;
	image_hash(&image, &item->hash);
	image_done(&image);
}

static int scan_chunk(struct pool_scan *scan, size_t n, struct thread_pool *threads, struct error *err)
{
	struct pool *pool = scan->pool;
	int rc = 0;

	memset(scan->items, 0, n * sizeof *scan->items);
	for (size_t i = 0; i < n && pool->archive; i++) {
		struct pool_scan_item *item = &scan->items[i];
		item->code = archive_read(pool->archive, scan->first + i, IMAGE_FILE_MAX, &item->err, &item->data,
					  &item->size);
	}
	if (threads)
		thread_pool_run(threads, n, scan_task, scan);
	else
		for (size_t i = 0; i < n; i++)
			scan_task(scan, i, 0);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			rc = take_in(pool, &scan->items[i], scan->first + i, err);
		free(scan->items[i].data);
	}
	return rc;
}

static int scan_all(struct pool *pool, struct thread_pool *threads, struct error *err)
{
	struct pool_scan *scan = malloc(sizeof *scan);
	int rc = 0;

	if (!scan)
		return error_set(err, -ENOMEM, "no memory to scan the pool");
	scan->pool = pool;
	for (scan->first = 0; scan->first < pool->n_source && rc == 0; scan->first += CHUNK) {
		size_t left = pool->n_source - scan->first;
		rc = scan_chunk(scan, left < CHUNK ? left : CHUNK, threads, err);
	}
	free(scan);
	return rc;
}

static int open_source(struct pool *pool, const char *source, struct error *err)
{
	size_t prefix = strlen(DEAD_LEAVES_PREFIX);

	if (strncmp(source, DEAD_LEAVES_PREFIX, prefix) != 0) {
		int rc = archive_open(source, err, &pool->archive);
		if (rc < 0)
			return rc;
		pool->n_source = archive_n_entries(pool->archive);
		if (pool->n_source > POOL_IMAGES_MAX)
			return error_set(err, -EINVAL, "%zu files: a pool may have at most %d", pool->n_source,
					 POOL_IMAGES_MAX);
		return 0;
	}
	char *end;
	errno = 0;
	unsigned long n = strtoul(source + prefix, &end, 10);
	if (source[prefix] < '0' || source[prefix] > '9' || *end || errno || n < 1 || n > POOL_DEAD_LEAVES_MAX)
		return error_set(err, -EINVAL, "a number from 1 to %d expected after " DEAD_LEAVES_PREFIX,
				 POOL_DEAD_LEAVES_MAX);
	pool->n_source = n;
	return 0;
}

static int allocate(struct pool *pool, struct error *err)
{
	pool->n_slots = 1;
	while (pool->n_slots < SLOTS_PER_IMAGE * pool->n_source)
		pool->n_slots *= 2;
	pool->entries = calloc(pool->n_source ? pool->n_source : 1, sizeof *pool->entries);
	pool->slots = malloc(pool->n_slots * sizeof *pool->slots);
	if (!pool->entries || !pool->slots)
		return error_set(err, -ENOMEM, "no memory for a pool of %zu images", pool->n_source);
	for (size_t i = 0; i < pool->n_slots; i++)
		pool->slots[i] = SLOT_EMPTY;
	return 0;
}

static void hash_manifest(struct pool *pool)
{
	struct hash_state state;

	hash_begin(&state);
	for (size_t i = 0; i < pool->n_images; i++)
		hash_update(&state, pool->entries[i].hash.bytes, HASH_SIZE);
	hash_end(&state, &pool->manifest);
}

int pool_open(const char *source, uint32_t width_px, uint32_t height_px, bool resize, uint64_t seed,
	      struct thread_pool *threads, struct error *err, struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		return error_set(err, -ENOMEM, "no memory for a pool");
	pool->seed = seed;
	pool->width_px = width_px;
	pool->height_px = height_px;
	pool->resize = resize;
	int rc = open_source(pool, source, err);
	if (rc == 0)
		rc = allocate(pool, err);
	if (rc == 0)
		rc = scan_all(pool, threads, err);
	if (rc == 0 && pool->n_images == 0)
		rc = error_set(err, -EINVAL, "no usable image among %zu files%s%s", pool->n_source,
			       pool->n_named ? "; the first: " : "", pool->n_named ? pool->skipped[0] : "");
	if (rc < 0) {
		error_prefix(err, rc, "pool %s", source);
		pool_close(pool);
		return rc;
	}
	hash_manifest(pool);
	*ret_pool = pool;
	return 0;
}

void pool_close(struct pool *pool)
{
	if (!pool)
		return;
	for (size_t i = 0; i < pool->n_images; i++)
		free(pool->entries[i].name);
	for (size_t i = 0; i < pool->n_named; i++)
		free(pool->skipped[i]);
	archive_close(pool->archive);
	free(pool->entries);
	free(pool->slots);
	free(pool);
}

size_t pool_n_images(const struct pool *pool)
{
	return pool->n_images;
}

const struct hash *pool_image_hash(const struct pool *pool, size_t i)
{
	return &pool->entries[i].hash;
}

const char *pool_image_name(const struct pool *pool, size_t i)
{
	return pool->entries[i].name;
}

const struct hash *pool_manifest_hash(const struct pool *pool)
{
	return &pool->manifest;
}

int pool_find(const struct pool *pool, const struct hash *hash, size_t *ret_i)
{
	size_t slot = find_slot(pool, hash);

	if (pool->slots[slot] == SLOT_EMPTY)
		return -ENOENT;
	*ret_i = pool->slots[slot];
	return 0;
}

int pool_read(struct pool *pool, size_t i, struct error *err, struct image *ret_image)
{
	const struct pool_entry *entry = &pool->entries[i];
	struct image image;
	struct hash hash;
	void *data = NULL;
	size_t size = 0;

	int rc = 0;
	if (pool->archive)
		rc = archive_read(pool->archive, entry->source_index, IMAGE_FILE_MAX, err, &data, &size);
	if (rc == 0)
		rc = make_image(pool, entry->source_index, data, size, err, &image);
	free(data);
	if (rc < 0)
		return error_prefix(err, rc, "%s", entry->name);
	image_hash(&image, &hash);
	if (!hash_equal(&hash, &entry->hash)) {
		image_done(&image);
		return error_set(err, -EIO, "%s has changed since the pool was opened", entry->name);
	}
	*ret_image = image;
	return 0;
}

size_t pool_n_skipped(const struct pool *pool)
{
	return pool->n_skipped;
}

const char *pool_skipped(const struct pool *pool, size_t i)
{
	return pool->skipped[i];
}

int pool_hold_out(const struct pool *pool, uint64_t seed, size_t n_monitor, size_t n_sealed, struct error *err,
		  uint8_t *ret_roles)
{
	struct rng rng = rng_make(seed, 0, RNG_HELD_OUT, 0);
	size_t n = pool->n_images;

	if (n_monitor > n || n_sealed > n - n_monitor || n - n_monitor - n_sealed < SELECTABLE_MIN)
		return error_set(err, -EINVAL,
				 "%zu monitor and %zu sealed images of a pool of %zu: at least %d must stay selectable",
				 n_monitor, n_sealed, n, SELECTABLE_MIN);
	uint32_t *order = malloc(n * sizeof *order);
	if (!order)
		return error_set(err, -ENOMEM, "no memory to hold out images");
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	rng_shuffle(&rng, order, n);
	for (size_t k = 0; k < n; k++)
		ret_roles[order[k]] = k < n_monitor		 ? POOL_MONITOR
				      : k < n_monitor + n_sealed ? POOL_SEALED
								 : POOL_SELECTABLE;
	free(order);
	return 0;
}
