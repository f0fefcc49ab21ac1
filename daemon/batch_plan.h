/* What a batch is made of, as pure functions: counts of kinds from the configured mix, and which slots are shown again.
 */
#ifndef EVOKED_DAEMON_BATCH_PLAN_H
#define EVOKED_DAEMON_BATCH_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"
#include "protocol/limits.h"
#include "stimuli/kind.h"
#include "support/hash.h"

/* Slots of one batch that go to a kind, by enum kind. */
struct batch_recipe {
	uint32_t counts[KIND_COUNT];
};

/* Shares scaled to `size` slots by the largest remainder (ties: the kind that stands first), so that the counts sum to
 * `size`. With `natural_only` the shares of all that is chosen or changed go to natural images, and only those that
 * are held out and blanks stand beside them: fallbacks, the first batches, and the operator's `natural`. A mix of
 * zeros gives natural images. */
void batch_plan_recipe(const struct config_mix *mix, uint32_t size, bool natural_only, struct batch_recipe *ret_recipe);

/* {kind: count} without the zeros; NULL when there is no memory. */
json_t *batch_plan_recipe_json(const struct batch_recipe *recipe);

/* A slot that was not shown, or not validly, and is planned again. */
struct requeue_slot {
	struct hash image;
	char kind[32];
	int64_t requeued; /* how many times it has been put back, this time included */
};

/* What waits to be shown again, oldest first; when it is full, further ones are left out. */
struct requeue {
	size_t n;
	struct requeue_slot slots[LIMIT_BATCH_SLOTS];
};

/* Puts a slot back that had been put back `requeued` times before. False when that is max_requeue already, or when
 * the list is full. */
bool requeue_add(struct requeue *requeue, const struct hash *image, const char *kind, int64_t requeued,
		 uint32_t max_requeue);
/* The first n are planned: they leave the list. */
void requeue_remove(struct requeue *requeue, size_t n);
/* [{image, kind, requeued}] of the first n; NULL when there is no memory. */
json_t *requeue_json(const struct requeue *requeue, size_t n);

#endif
