/* The images that may be shown: a folder or zip of PNG and JPEG, or dead leaves that the project makes itself.
 *
 * A pool is scanned once: every image is decoded, hashed, checked (size, duplicates); broken ones are named and
 * skipped. The manifest hash covers the image hashes in order, so a replay can tell that it has the same pool.
 * Thread: one caller at a time. */
#ifndef EVOKED_STIMULI_POOL_H
#define EVOKED_STIMULI_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stimuli/image.h"
#include "support/error.h"
#include "support/hash.h"
#include "support/thread_pool.h"

enum { POOL_IMAGES_MAX = 1000000, POOL_DEAD_LEAVES_MAX = 100000, POOL_SKIPPED_NAMED_MAX = 64 };

struct pool;

/* `source`: a folder, a zip, or "dead_leaves:N" (N images made from `seed`). Images of another size than width × height
 * are an error that names the first, or are resized (centre crop to the aspect, area average) with `resize`. `threads`
 * spreads the decoding, or NULL. -EINVAL: no usable image, or what archive_open refuses; -ENOENT; -ENOMEM. */
int pool_open(const char *source, uint32_t width_px, uint32_t height_px, bool resize, uint64_t seed,
	      struct thread_pool *threads, struct error *err, struct pool **ret_pool);
void pool_close(struct pool *pool);

size_t pool_n_images(const struct pool *pool); /* usable ones, duplicates counted once */
const struct hash *pool_image_hash(const struct pool *pool, size_t i);
const char *pool_image_name(const struct pool *pool, size_t i);
const struct hash *pool_manifest_hash(const struct pool *pool);
int pool_find(const struct pool *pool, const struct hash *hash, size_t *ret_i); /* 0 or -ENOENT */

/* Decodes image i into a new image, owned by the caller. -EIO when the file has other pixels than at opening. */
int pool_read(struct pool *pool, size_t i, struct error *err, struct image *ret_image);

/* What was passed over: total, and a sentence for each of the first POOL_SKIPPED_NAMED_MAX ("img7.jpg: JPEG:
 * truncated ..."). Files that cannot be decoded, and files with the same pixels as an earlier one. */
size_t pool_n_skipped(const struct pool *pool);
const char *pool_skipped(const struct pool *pool, size_t i);

/* Two disjoint fixed sets drawn by seed (RNG_HELD_OUT): role[i] of each pool image. Fewer than 2 selectable
 * images left is -EINVAL. */
enum pool_role { POOL_SELECTABLE = 0, POOL_MONITOR = 1, POOL_SEALED = 2 };
int pool_hold_out(const struct pool *pool, uint64_t seed, size_t n_monitor, size_t n_sealed, struct error *err,
		  uint8_t *ret_roles);

#endif
