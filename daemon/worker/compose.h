/* A batch while it is being put together: who may be chosen, how often each image was shown, slots and new images.
 *
 * Pool images are fresh (no row at or before saw_seq, not pending, not in this batch), used, or held out. Exposures
 * of an image: its complete presentations at or before saw_seq, plus its pending slots, plus its slots in this
 * batch. Every draw is keyed by (seed, decision), so the same job composes the same batch. One thread. */
#ifndef EVOKED_DAEMON_WORKER_COMPOSE_H
#define EVOKED_DAEMON_WORKER_COMPOSE_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/worker/dataset.h"
#include "daemon/worker/hash_table.h"
#include "daemon/worker/job.h"
#include "daemon/worker/workbench.h"
#include "stimuli/image.h"
#include "stimuli/kind.h"
#include "support/error.h"
#include "support/hash.h"
#include "support/rng.h"

struct compose_slot {
	struct hash image;
	enum kind kind;
	uint32_t known; /* place of the image in exposures */
	int64_t requeued;
};

struct compose {
	struct workbench *bench;
	const struct job *job;
	struct job_result *result;   /* takes the new images */
	uint32_t counts[KIND_COUNT]; /* the recipe */
	uint32_t replaced[KIND_COUNT];

	struct hash_table known; /* every image with a row, a pending slot or a slot here -> exposures */
	size_t n_known, known_capacity;
	uint32_t *exposures;
	uint8_t *has_row;  /* or is new in this batch: its PNG is not sent again */
	uint8_t *in_batch; /* it has a slot here */

	size_t n_fresh;
	uint32_t *fresh;     /* pool images, in no order that matters */
	uint32_t *fresh_at;  /* [pool images] -> place in fresh; DATASET_ABSENT */
	uint8_t *selectable; /* [pool images]: not held out */

	size_t n_slots;
	struct compose_slot slots[LIMIT_BATCH_SLOTS];
};

/* Reads recipe, pending and requeue of the job; requeued slots are in. `result` is the job's. -EINVAL names the field.
 */
int compose_create(struct workbench *bench, const struct job *job, struct job_result *result, struct error *err,
		   struct compose **ret_compose);
void compose_destroy(struct compose *compose);

/* A pool image: a fresh one at random, else one of the least exposed ones, if possible not in this batch. Draw number
 * `element` of `rng`. It stays what it is until it is added. -ENOENT: the pool has none that is selectable. */
int compose_pick(const struct compose *compose, const struct rng *rng, uint64_t element, uint32_t *ret_pool_image);
/* Up to n different pool images to choose among: fresh ones at random, then, while there are fewer than `at_least`,
 * the least exposed others. Returns how many. */
size_t compose_candidates(const struct compose *compose, const struct rng *rng, size_t n, size_t at_least,
			  uint32_t *ret_pool_images);
bool compose_is_known(const struct compose *compose, const struct hash *hash); /* has a row, or is in this batch */

/* Adds a slot with a pool image, an image just made (of which the caller keeps ownership), or one with a row.
 * Provenance is taken even on failure, and used when the image is new. */
int compose_add_pool(struct compose *compose, enum kind kind, uint32_t pool_image, json_t *provenance,
		     struct error *err);
int compose_add_image(struct compose *compose, enum kind kind, const struct image *image, json_t *provenance,
		      struct error *err);
int compose_add_known(struct compose *compose, enum kind kind, const struct hash *hash, int64_t requeued,
		      struct error *err);

/* The kinds that need no model (compose_kinds.c), `counts` of each. A kind that has nothing to draw from becomes
 * natural, which `replaced` says. */
int compose_unmodelled(struct compose *compose, struct error *err);
/* n natural slots in place of `kind` (KIND_NATURAL: as asked). */
int compose_natural(struct compose *compose, uint32_t n, enum kind instead_of, struct error *err);

/* Interleaves the slots by the seed and writes slots, outcome and outcome hash into the result. */
int compose_finish(struct compose *compose, struct error *err);

#endif
