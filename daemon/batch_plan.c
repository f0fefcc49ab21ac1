/* Largest remainder: each kind gets the whole part of its quota, what is left goes one by one to the largest fractions.
 */
#include "daemon/batch_plan.h"

#include <math.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"

static void collect_shares(const struct config_mix *mix, bool natural_only, double ret_shares[KIND_COUNT])
{
	memset(ret_shares, 0, KIND_COUNT * sizeof *ret_shares);
	ret_shares[KIND_NATURAL] = mix->natural;
	ret_shares[KIND_GAUDY] = mix->gaudy;
	ret_shares[KIND_INFORMATIVE_POOL] = mix->informative_pool;
	ret_shares[KIND_INFORMATIVE_SYNTHESIZED] = mix->informative_synthesized;
	ret_shares[KIND_MAXIMIZING] = mix->maximizing;
	ret_shares[KIND_MINIMIZING] = mix->minimizing;
	ret_shares[KIND_PARAMETRIC] = mix->parametric;
	ret_shares[KIND_MONITOR] = mix->monitor;
	ret_shares[KIND_SEALED] = mix->sealed;
	ret_shares[KIND_BLANK] = mix->blank;
	if (!natural_only)
		return;
	for (int kind = KIND_NATURAL + 1; kind < KIND_COUNT; kind++) {
		if (kind_is_held_out((enum kind)kind) || kind == KIND_BLANK)
			continue;
		ret_shares[KIND_NATURAL] += ret_shares[kind];
		ret_shares[kind] = 0;
	}
}

void batch_plan_recipe(const struct config_mix *mix, uint32_t size, bool natural_only, struct batch_recipe *ret_recipe)
{
	double shares[KIND_COUNT], fractions[KIND_COUNT], sum = 0;
	uint32_t given = 0;

	collect_shares(mix, natural_only, shares);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		sum += shares[kind];
	if (sum <= 0)
		shares[KIND_NATURAL] = sum = 1;
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		double quota = shares[kind] / sum * size;
		ret_recipe->counts[kind] = (uint32_t)floor(quota);
		fractions[kind] = quota - floor(quota);
		given += ret_recipe->counts[kind];
	}
	for (; given < size; given++) {
		int best = 0;
		for (int kind = 1; kind < KIND_COUNT; kind++)
			if (fractions[kind] > fractions[best])
				best = kind;
		ret_recipe->counts[best]++;
		fractions[best] = -1;
	}
}

json_t *batch_plan_recipe_json(const struct batch_recipe *recipe)
{
	json_t *object = json_object();

	for (int kind = 0; object && kind < KIND_COUNT; kind++) {
		if (recipe->counts[kind] == 0)
			continue;
		if (json_object_set_new(object, kind_name((enum kind)kind), json_integer(recipe->counts[kind])) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

bool requeue_add(struct requeue *requeue, const struct hash *image, const char *kind, int64_t requeued,
		 uint32_t max_requeue)
{
	if (requeued >= max_requeue || requeue->n == LIMIT_BATCH_SLOTS)
		return false;
	struct requeue_slot *slot = &requeue->slots[requeue->n++];
	*slot = (struct requeue_slot){.image = *image, .requeued = requeued + 1};
	memcpy(slot->kind, kind, strnlen(kind, sizeof slot->kind - 1));
	return true;
}

void requeue_remove(struct requeue *requeue, size_t n)
{
	memmove(requeue->slots, requeue->slots + n, (requeue->n - n) * sizeof *requeue->slots);
	requeue->n -= n;
}

json_t *requeue_json(const struct requeue *requeue, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++) {
		char hex[HASH_HEX_SIZE];
		hash_to_hex(&requeue->slots[i].image, hex);
		json_t *entry = json_pack("{s:s, s:s, s:I}", SLOT_IMAGE, hex, SLOT_KIND, requeue->slots[i].kind,
					  SLOT_REQUEUED, (json_int_t)requeue->slots[i].requeued);
		if (!entry || json_array_append_new(list, entry) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
