/* Exposures live in a table by image hash; the pool's state is derived from it once, and then kept up slot by slot.
 *
 * Failure modes: fields of the job (-EINVAL and the like), more than LIMIT_BATCH_SLOTS slots, a pool image that cannot
 * be read, no memory. */
#include "daemon/worker/compose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"

static int grow_known(struct compose *c)
{
	size_t capacity = 2 * c->known_capacity + 64;
	uint32_t *exposures = realloc(c->exposures, capacity * sizeof *exposures);
	uint8_t *has_row, *in_batch;

	if (!exposures)
		return -ENOMEM;
	c->exposures = exposures;
	has_row = realloc(c->has_row, capacity);
	if (!has_row)
		return -ENOMEM;
	c->has_row = has_row;
	in_batch = realloc(c->in_batch, capacity);
	if (!in_batch)
		return -ENOMEM;
	c->in_batch = in_batch;
	c->known_capacity = capacity;
	return 0;
}

/* The place of an image's exposures, made when it is new. */
static int exposures_of(struct compose *c, const struct hash *hash, uint32_t *ret_i)
{
	uint32_t i = hash_table_find(&c->known, hash);

	if (i == HASH_TABLE_ABSENT) {
		if (c->n_known == c->known_capacity && grow_known(c))
			return -ENOMEM;
		i = (uint32_t)c->n_known;
		if (hash_table_put(&c->known, hash, i))
			return -ENOMEM;
		c->exposures[i] = 0;
		c->has_row[i] = 0;
		c->in_batch[i] = 0;
		c->n_known++;
	}
	*ret_i = i;
	return 0;
}

static int parse_recipe(struct compose *c, struct error *err)
{
	const json_t *recipe;
	const char *name;
	json_t *value;
	int r = message_get_object(c->job->spec, "job", JOB_RECIPE, err, &recipe);

	if (r)
		return r;
	json_object_foreach((json_t *)recipe, name, value)
	{
		enum kind kind;
		int64_t count;

		r = kind_from_name(name, err, &kind);
		if (r)
			return error_prefix(err, r, "job.recipe");
		r = message_get_int(recipe, "job.recipe", name, 0, LIMIT_BATCH_SLOTS, err, &count);
		if (r)
			return r;
		c->counts[kind] = (uint32_t)count;
	}
	return 0;
}

static int count_rows(struct compose *c, struct error *err)
{
	const struct dataset *d = c->bench->dataset;
	uint32_t n = dataset_n_images(d, c->job->saw_seq), i;
	uint32_t *shown = malloc((n + 1) * sizeof *shown);
	int r = shown ? 0 : -ENOMEM;

	if (!r)
		dataset_count_shown(d, c->job->saw_seq, shown);
	for (uint32_t k = 0; k < n && !r; k++) {
		r = exposures_of(c, &dataset_image(d, k)->hash, &i);
		if (!r) {
			c->exposures[i] = shown[k];
			c->has_row[i] = 1;
		}
	}
	free(shown);
	return r ? error_set(err, r, "batch: out of memory") : 0;
}

static int count_pending(struct compose *c, struct error *err)
{
	const json_t *pending;
	size_t k;
	json_t *value;
	int r;

	if (!message_has(c->job->spec, JOB_PENDING))
		return 0;
	r = message_get_array(c->job->spec, "job", JOB_PENDING, 0, 64 * LIMIT_BATCH_SLOTS, err, &pending);
	if (r)
		return r;
	json_array_foreach((json_t *)pending, k, value)
	{
		const char *hex = json_string_value(value);
		struct hash hash;
		uint32_t i;

		if (!hex || hash_from_hex(hex, &hash))
			return error_set(err, -EPROTO, "job.pending[%zu]: 64 hex digits expected", k);
		r = exposures_of(c, &hash, &i);
		if (r)
			return error_set(err, r, "batch: out of memory");
		c->exposures[i]++;
	}
	return 0;
}

static void mark_held_out(struct compose *c)
{
	const struct dataset *d = c->bench->dataset;
	uint32_t n = dataset_n_images(d, c->job->saw_seq);

	for (uint32_t k = 0; k < n; k++) {
		const struct dataset_image *image = dataset_image(d, k);
		size_t i;

		if (image->role != DATASET_NO_ROLE && !pool_find(c->bench->pool, &image->hash, &i))
			c->selectable[i] = 0;
	}
}

static int derive_pool(struct compose *c, struct error *err)
{
	const struct pool *pool = c->bench->pool;
	size_t n = pool_n_images(pool);

	c->fresh = malloc(n * sizeof *c->fresh);
	c->fresh_at = malloc(n * sizeof *c->fresh_at);
	c->selectable = malloc(n);
	if (!c->fresh || !c->fresh_at || !c->selectable)
		return error_set(err, -ENOMEM, "batch: out of memory");
	memset(c->selectable, 1, n);
	mark_held_out(c);
	for (uint32_t i = 0; i < n; i++) {
		bool fresh =
			c->selectable[i] && hash_table_find(&c->known, pool_image_hash(pool, i)) == HASH_TABLE_ABSENT;

		c->fresh_at[i] = fresh ? (uint32_t)c->n_fresh : DATASET_ABSENT;
		if (fresh)
			c->fresh[c->n_fresh++] = i;
	}
	return 0;
}

static int add_requeued(struct compose *c, struct error *err)
{
	const json_t *requeue;
	size_t k;
	json_t *entry;
	int r;

	if (!message_has(c->job->spec, JOB_REQUEUE))
		return 0;
	r = message_get_array(c->job->spec, "job", JOB_REQUEUE, 0, LIMIT_BATCH_SLOTS, err, &requeue);
	if (r)
		return r;
	json_array_foreach((json_t *)requeue, k, entry)
	{
		const char *name;
		char path[64];
		struct hash hash;
		enum kind kind;
		int64_t requeued;

		snprintf(path, sizeof path, "job.requeue[%zu]", k);
		r = message_get_hex(entry, path, SLOT_IMAGE, HASH_SIZE, err, hash.bytes);
		if (!r)
			r = message_get_string(entry, path, SLOT_KIND, LIMIT_LABEL_BYTES, err, &name);
		if (!r)
			r = kind_from_name(name, err, &kind);
		if (!r)
			r = message_get_int(entry, path, SLOT_REQUEUED, 0, LIMIT_INTEGER - 1, err, &requeued);
		if (!r)
			r = compose_add_known(c, kind, &hash, requeued, err);
		if (r)
			return r;
	}
	return 0;
}

int compose_create(struct workbench *bench, const struct job *job, struct job_result *result, struct error *err,
		   struct compose **ret_compose)
{
	struct compose *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return error_set(err, -ENOMEM, "batch: out of memory");
	c->bench = bench;
	c->job = job;
	c->result = result;
	r = parse_recipe(c, err);
	if (!r)
		r = count_rows(c, err);
	if (!r)
		r = count_pending(c, err);
	if (!r)
		r = derive_pool(c, err);
	if (!r)
		r = add_requeued(c, err);
	if (r) {
		compose_destroy(c);
		return r;
	}
	*ret_compose = c;
	return 0;
}

void compose_destroy(struct compose *c)
{
	if (!c)
		return;
	hash_table_done(&c->known);
	free(c->exposures);
	free(c->has_row);
	free(c->in_batch);
	free(c->fresh);
	free(c->fresh_at);
	free(c->selectable);
	free(c);
}

/* By which the least exposed are found: once in this batch is more than any number of times before. */
static uint64_t pool_weight(const struct compose *c, uint32_t pool_image)
{
	uint32_t i = hash_table_find(&c->known, pool_image_hash(c->bench->pool, pool_image));

	return i == HASH_TABLE_ABSENT ? 0 : c->exposures[i] + ((uint64_t)c->in_batch[i] << 32);
}

/* One of the least exposed pool images that are not fresh and not in `taken` (may be NULL), ties at random. */
static int pick_least_exposed(const struct compose *c, const struct rng *rng, uint64_t element, const uint8_t *taken,
			      uint32_t *ret_pool_image)
{
	uint64_t least = UINT64_MAX;
	uint32_t n_ties = 0, tie;
	size_t n = pool_n_images(c->bench->pool);

	for (uint32_t i = 0; i < n; i++) {
		if (!c->selectable[i] || c->fresh_at[i] != DATASET_ABSENT || (taken && taken[i]))
			continue;
		uint64_t weight = pool_weight(c, i);

		n_ties = weight < least ? 1 : n_ties + (weight == least);
		least = weight < least ? weight : least;
	}
	if (!n_ties)
		return -ENOENT;
	tie = rng_below(rng, element, n_ties);
	for (uint32_t i = 0; i < n; i++) {
		if (!c->selectable[i] || c->fresh_at[i] != DATASET_ABSENT || (taken && taken[i]) ||
		    pool_weight(c, i) != least)
			continue;
		if (!tie--) {
			*ret_pool_image = i;
			break;
		}
	}
	return 0;
}

int compose_pick(const struct compose *c, const struct rng *rng, uint64_t element, uint32_t *ret_pool_image)
{
	if (!c->n_fresh)
		return pick_least_exposed(c, rng, element, NULL, ret_pool_image);
	*ret_pool_image = c->fresh[rng_below(rng, element, (uint32_t)c->n_fresh)];
	return 0;
}

size_t compose_candidates(const struct compose *c, const struct rng *rng, size_t n, size_t at_least,
			  uint32_t *ret_pool_images)
{
	size_t n_pool = pool_n_images(c->bench->pool), n_chosen = n < c->n_fresh ? n : c->n_fresh;
	uint32_t *order = malloc((c->n_fresh + 1) * sizeof *order);
	uint8_t *taken = calloc(n_pool, 1);

	if (!order || !taken) {
		n_chosen = 0;
		goto out;
	}
	memcpy(order, c->fresh, c->n_fresh * sizeof *order);
	for (size_t i = 0; i < n_chosen; i++) {
		size_t k = i + rng_below(rng, i, (uint32_t)(c->n_fresh - i));
		uint32_t kept = order[i];

		ret_pool_images[i] = order[k];
		order[k] = kept;
	}
	for (; n_chosen < at_least && n_chosen < n; n_chosen++) {
		if (pick_least_exposed(c, rng, c->n_fresh + n_chosen, taken, &ret_pool_images[n_chosen]))
			break;
		taken[ret_pool_images[n_chosen]] = 1;
	}
out:
	free(order);
	free(taken);
	return n_chosen;
}

bool compose_is_known(const struct compose *c, const struct hash *hash)
{
	uint32_t i = hash_table_find(&c->known, hash);

	return i != HASH_TABLE_ABSENT && c->has_row[i];
}

static void remove_fresh(struct compose *c, const struct hash *hash)
{
	size_t i;

	if (pool_find(c->bench->pool, hash, &i) || c->fresh_at[i] == DATASET_ABSENT)
		return;
	uint32_t last = c->fresh[--c->n_fresh], place = c->fresh_at[i];

	c->fresh[place] = last;
	c->fresh_at[last] = place;
	c->fresh_at[i] = DATASET_ABSENT;
}

static int add_slot(struct compose *c, enum kind kind, const struct hash *hash, int64_t requeued, struct error *err,
		    uint32_t *ret_known)
{
	if (c->n_slots == LIMIT_BATCH_SLOTS)
		return error_set(err, -EINVAL, "batch: at most %d slots", LIMIT_BATCH_SLOTS);
	if (exposures_of(c, hash, ret_known))
		return error_set(err, -ENOMEM, "batch: out of memory");
	remove_fresh(c, hash);
	c->exposures[*ret_known]++;
	c->in_batch[*ret_known] = 1;
	c->slots[c->n_slots++] =
		(struct compose_slot){.image = *hash, .kind = kind, .known = *ret_known, .requeued = requeued};
	return 0;
}

int compose_add_image(struct compose *c, enum kind kind, const struct image *image, json_t *provenance,
		      struct error *err)
{
	struct hash hash;
	uint32_t i;
	int r;

	image_hash(image, &hash);
	r = add_slot(c, kind, &hash, 0, err, &i);
	if (r || c->has_row[i]) {
		json_decref(provenance);
		return r;
	}
	c->has_row[i] = 1;
	return job_result_add_image(c->result, image, &hash, kind, "", provenance, err);
}

int compose_add_pool(struct compose *c, enum kind kind, uint32_t pool_image, json_t *provenance, struct error *err)
{
	const struct hash *hash = pool_image_hash(c->bench->pool, pool_image);
	struct image image;
	int r;

	if (compose_is_known(c, hash)) {
		json_decref(provenance);
		return compose_add_known(c, kind, hash, 0, err);
	}
	r = pool_read(c->bench->pool, pool_image, err, &image);
	if (r) {
		json_decref(provenance);
		return r;
	}
	r = compose_add_image(c, kind, &image, provenance, err);
	image_done(&image);
	return r;
}

int compose_add_known(struct compose *c, enum kind kind, const struct hash *hash, int64_t requeued, struct error *err)
{
	char hex[HASH_HEX_SIZE];
	uint32_t i;

	if (!compose_is_known(c, hash)) {
		hash_to_hex(hash, hex);
		return error_set(err, -EINVAL, "batch: image %s has no row at or before %lld", hex,
				 (long long)c->job->saw_seq);
	}
	return add_slot(c, kind, hash, requeued, err, &i);
}

static json_t *slot_json(const struct compose_slot *slot, uint32_t repeat)
{
	char hex[HASH_HEX_SIZE];

	hash_to_hex(&slot->image, hex);
	return json_pack("{s:s, s:s, s:I, s:I}", SLOT_IMAGE, hex, SLOT_KIND, kind_name(slot->kind), SLOT_REPEAT,
			 (json_int_t)repeat, SLOT_REQUEUED, (json_int_t)slot->requeued);
}

static json_t *outcome_json(const struct compose *c)
{
	json_t *replaced = json_object();

	for (int k = 0; k < KIND_COUNT; k++) {
		if (c->replaced[k])
			json_object_set_new(replaced, kind_name((enum kind)k), json_integer(c->replaced[k]));
	}
	return json_pack("{s:I, s:I, s:o}", OUTCOME_N_SLOTS, (json_int_t)c->n_slots, OUTCOME_N_NEW,
			 (json_int_t)json_array_size(c->result->images), OUTCOME_REPLACED, replaced);
}

int compose_finish(struct compose *c, struct error *err)
{
	struct rng rng = rng_make(c->job->seed, c->job->decision, RNG_SLOT_ORDER, 0);
	uint32_t order[LIMIT_BATCH_SLOTS];
	struct hash_state state;

	for (uint32_t i = 0; i < c->n_slots; i++)
		order[i] = i;
	rng_shuffle(&rng, order, c->n_slots);
	c->result->slots = json_array();
	if (!c->result->images)
		c->result->images = json_array();
	/* Repeats are counted in the order in which the slots will be shown. */
	for (size_t i = 0; i < c->n_slots; i++)
		c->exposures[c->slots[i].known]--;
	hash_begin(&state);
	for (size_t i = 0; i < c->n_slots; i++) {
		const struct compose_slot *slot = &c->slots[order[i]];
		const char *name = kind_name(slot->kind);

		hash_update(&state, name, strlen(name) + 1);
		hash_update(&state, slot->image.bytes, HASH_SIZE);
		if (json_array_append_new(c->result->slots, slot_json(slot, c->exposures[slot->known]++)))
			return error_set(err, -ENOMEM, "batch: out of memory");
	}
	hash_end(&state, &c->result->outcome_hash);
	c->result->outcome = outcome_json(c);
	return c->result->outcome ? 0 : error_set(err, -ENOMEM, "batch: out of memory");
}
