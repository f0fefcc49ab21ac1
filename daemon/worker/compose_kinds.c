/* The kinds of slots that need no model: natural, gaudy, parametric, blank, and the held-out sets.
 *
 * Failure modes: those of compose.h and of the images. */
#include "daemon/worker/compose.h"

#include <errno.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"
#include "stimuli/parametric.h"
#include "stimuli/transform.h"

/* Streams of one purpose are told apart by what is drawn. */
enum { SUB_NATURAL, SUB_GAUDY, SUB_HELD_OUT };

/* A base whose gaudy image was shown already is passed over, but not for ever: a small pool has only so many. */
enum { GAUDY_ATTEMPTS = 16 };

static struct rng stream(const struct compose *c, enum rng_purpose purpose, uint32_t sub)
{
	return rng_make(c->job->seed, c->job->decision, purpose, sub);
}

int compose_natural(struct compose *c, uint32_t n, enum kind instead_of, struct error *err)
{
	struct rng rng = stream(c, RNG_NATURAL_DRAW, SUB_NATURAL);

	if (instead_of != KIND_NATURAL)
		c->replaced[instead_of] += n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t pool_image;

		/* The number of slots so far never comes twice: no draw repeats another of this batch. */
		if (compose_pick(c, &rng, c->n_slots, &pool_image))
			return error_set(err, -EINVAL, "batch: the pool has no image that may be shown");
		json_t *provenance = json_pack("{s:s?}", "name", pool_image_name(c->bench->pool, pool_image));
		int r = compose_add_pool(c, KIND_NATURAL, pool_image, provenance, err);
		if (r)
			return r;
	}
	return 0;
}

static int make_gaudy(struct compose *c, uint32_t pool_image, struct error *err, struct image *ret_image)
{
	struct image base;
	int r = pool_read(c->bench->pool, pool_image, err, &base);

	if (r)
		return r;
	r = transform_gaudy(&base, err, ret_image);
	image_done(&base);
	return r;
}

static int add_gaudy(struct compose *c, uint32_t number, struct error *err)
{
	struct rng rng = stream(c, RNG_NATURAL_DRAW, SUB_GAUDY);
	char hex[HASH_HEX_SIZE];
	struct image image;
	struct hash hash;
	uint32_t base = 0;
	int r;

	for (uint32_t attempt = 0;; attempt++) {
		uint64_t element = (uint64_t)number * GAUDY_ATTEMPTS + attempt;

		if (compose_pick(c, &rng, element, &base))
			return error_set(err, -EINVAL, "batch: the pool has no image that may be shown");
		r = make_gaudy(c, base, err, &image);
		if (r)
			return r;
		image_hash(&image, &hash);
		if (!compose_is_known(c, &hash) || attempt == GAUDY_ATTEMPTS - 1)
			break;
		image_done(&image);
	}
	hash_to_hex(pool_image_hash(c->bench->pool, base), hex);
	r = compose_add_image(c, KIND_GAUDY, &image, json_pack("{s:s}", "base", hex), err);
	image_done(&image);
	return r;
}

static int add_parametric(struct compose *c, uint32_t number, struct error *err)
{
	/* A set of its own for every decision; it wraps after 4 million decisions. */
	uint32_t index = c->job->decision * LIMIT_BATCH_SLOTS + number;
	char text[PARAMETRIC_TEXT_SIZE];
	struct parametric parametric;
	struct image image;
	int r;

	parametric_random(c->job->seed, index, c->bench->width_px, c->bench->height_px, &parametric);
	r = parametric_draw(&parametric, c->bench->width_px, c->bench->height_px, err, &image);
	if (r)
		return r;
	parametric_describe(&parametric, text);
	r = compose_add_image(c, KIND_PARAMETRIC, &image, json_loads(text, 0, NULL), err);
	image_done(&image);
	return r;
}

static int add_blank(struct compose *c, struct error *err)
{
	const uint8_t *level = c->bench->spec.background;
	struct image image;
	int r = transform_blank(c->bench->width_px, c->bench->height_px, level, err, &image);

	if (r)
		return r;
	r = compose_add_image(c, KIND_BLANK, &image, json_pack("{s:[i,i,i]}", "level", level[0], level[1], level[2]),
			      err);
	image_done(&image);
	return r;
}

/* The least exposed image of a role, ties at random: repeats stay balanced. -ENOENT: there is none. */
static int pick_held_out(const struct compose *c, enum dataset_role role, const struct rng *rng, uint64_t element,
			 struct hash *ret_hash)
{
	const struct dataset *d = c->bench->dataset;
	uint32_t n = dataset_n_images(d, c->job->saw_seq), least = UINT32_MAX, n_ties = 0;

	for (int pass = 0; pass < 2; pass++) {
		uint32_t tie = pass && n_ties ? rng_below(rng, element, n_ties) : 0;

		for (uint32_t k = 0; k < n; k++) {
			const struct dataset_image *image = dataset_image(d, k);

			if (image->role != role)
				continue;
			uint32_t exposures = c->exposures[hash_table_find(&c->known, &image->hash)];

			if (!pass) {
				n_ties = exposures < least ? 1 : n_ties + (exposures == least);
				least = exposures < least ? exposures : least;
			} else if (exposures == least && !tie--) {
				*ret_hash = image->hash;
				return 0;
			}
		}
	}
	return -ENOENT;
}

static int add_held_out(struct compose *c, enum kind kind, struct error *err)
{
	enum dataset_role role = kind == KIND_MONITOR ? DATASET_MONITOR : DATASET_SEALED;
	struct rng rng = stream(c, RNG_NATURAL_DRAW, SUB_HELD_OUT + (uint32_t)role);
	struct hash hash;

	for (uint32_t i = 0; i < c->counts[kind]; i++) {
		if (pick_held_out(c, role, &rng, i, &hash))
			return compose_natural(c, c->counts[kind] - i, kind, err);
		int r = compose_add_known(c, kind, &hash, 0, err);
		if (r)
			return r;
	}
	return 0;
}

int compose_unmodelled(struct compose *c, struct error *err)
{
	int r = compose_natural(c, c->counts[KIND_NATURAL], KIND_NATURAL, err);

	for (uint32_t i = 0; i < c->counts[KIND_GAUDY] && !r; i++)
		r = add_gaudy(c, i, err);
	for (uint32_t i = 0; i < c->counts[KIND_PARAMETRIC] && !r; i++)
		r = add_parametric(c, i, err);
	for (uint32_t i = 0; i < c->counts[KIND_BLANK] && !r; i++)
		r = add_blank(c, err);
	if (!r)
		r = add_held_out(c, KIND_MONITOR, err);
	if (!r)
		r = add_held_out(c, KIND_SEALED, err);
	return r;
}
