/* batch: what needs no model as in draw, then pool images that teach most, then synthesized images.
 *
 * Units of work are chunks of candidates and steps of synthesis. A job that is stopped keeps what it has: synthesis its
 * best so far, the choice those that were scored; slots that nothing was made for become natural. What cannot be
 * made at all does too: no unit left by `exclude`, no two members to disagree. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/candidates.h"
#include "daemon/worker/compose.h"
#include "daemon/worker/job.h"
#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/unit_view.h"
#include "stimuli/synthesis.h"

enum { CANDIDATES_MAX = 1000000 };

/* Kinds that are made by synthesis, in the order in which they are made. */
static const struct {
	enum kind kind;
	enum synthesis_goal goal;
	const char *name;
} goals[] = {
	{KIND_INFORMATIVE_SYNTHESIZED, SYNTHESIS_INFORMATIVE, "informative"},
	{KIND_MAXIMIZING, SYNTHESIS_MAXIMIZE, "maximize"},
	{KIND_MINIMIZING, SYNTHESIS_MINIMIZE, "minimize"},
};
enum { N_GOALS = sizeof goals / sizeof goals[0] };

struct batch {
	struct workbench *bench;
	const struct job *job;
	struct job_work *work;
	struct compose *compose;
	struct session_model *model;
	struct response_model *whole; /* the model over images, all units */
	uint32_t n_units;	      /* those that are not excluded */
	uint32_t units[LIMIT_UNITS];
	struct synthesis_settings synthesis;
	int64_t n_candidates;
	struct candidates candidates;
	size_t n_chosen;   /* candidates that have slots already: the first of the order by disagreement */
	uint32_t *ranking; /* [candidates.n] by disagreement */
};

static int parse_synthesis(struct batch *b, struct error *err)
{
	static const char path[] = "job.synthesis";
	const json_t *fields;
	int64_t n_steps;
	struct synthesis_settings *s = &b->synthesis;
	int r = message_get_object(b->job->spec, "job", JOB_SYNTHESIS, err, &fields);

	if (!r)
		r = message_get_int(fields, path, SYNTHESIS_N_STEPS, 1, SYNTHESIS_STEPS_MAX, err, &n_steps);
	if (!r)
		r = message_get_double(fields, path, SYNTHESIS_STEP_SIZE, 0.0, 1e6, err, &s->step_size);
	if (!r)
		r = message_get_double(fields, path, SYNTHESIS_RMS_CONTRAST, 0.0, 255.0, err, &s->rms_contrast);
	if (!r)
		r = message_get_double(fields, path, SYNTHESIS_MEAN_LUMINANCE, 0.0, 255.0, err, &s->mean_luminance);
	if (!r)
		r = message_get_double(fields, path, SYNTHESIS_RESPONSE_CAP, 0.0, 1e9, err, &s->response_cap);
	if (r)
		return r;
	s->n_steps = (uint32_t)n_steps;
	s->decision = b->job->decision;
	return 0;
}

static bool is_excluded(const json_t *exclude, uint32_t id)
{
	size_t i;
	json_t *value;

	json_array_foreach((json_t *)exclude, i, value)
	{
		if (json_is_integer(value) && json_integer_value(value) == id)
			return true;
	}
	return false;
}

static int find_units(struct batch *b, struct error *err)
{
	const json_t *exclude = NULL;
	uint32_t n = session_model_n_units(b->model);
	int r = 0;

	if (n > b->bench->spec.n_units)
		return error_set(err, -EINVAL, "job.model: of %u units, the session has %u", n, b->bench->spec.n_units);
	if (message_has(b->job->spec, JOB_EXCLUDE))
		r = message_get_array(b->job->spec, "job", JOB_EXCLUDE, 0, LIMIT_UNITS, err, &exclude);
	for (uint32_t u = 0; u < n && !r; u++) {
		if (!is_excluded(exclude, b->bench->spec.units[u].id))
			b->units[b->n_units++] = u;
	}
	return r;
}

static int open_model(struct batch *b, struct error *err)
{
	struct hash hash;
	int r = message_get_hex(b->job->spec, "job", JOB_MODEL, HASH_SIZE, err, hash.bytes);

	if (!r)
		r = model_shelf_get(&b->bench->models, &hash, err, &b->model);
	if (!r)
		r = session_model_as_response_model(b->model, b->bench->backbone, err, &b->whole);
	return r;
}

static int choose_from_pool(struct batch *b, struct error *err)
{
	const struct candidates *c = &b->candidates;
	uint32_t wanted = b->compose->counts[KIND_INFORMATIVE_POOL];

	for (; b->n_chosen < c->n && b->n_chosen < wanted; b->n_chosen++) {
		uint32_t i = b->ranking[b->n_chosen];
		json_t *provenance = json_pack("{s:f, s:I, s:I}", "disagreement", c->disagreement[i], "rank",
					       (json_int_t)b->n_chosen, "n_candidates", (json_int_t)c->n);
		int r = compose_add_pool(b->compose, KIND_INFORMATIVE_POOL, c->pool_images[i], provenance, err);

		if (r)
			return r;
	}
	return compose_natural(b->compose, wanted - (uint32_t)b->n_chosen, KIND_INFORMATIVE_POOL, err);
}

static int score_candidates(struct batch *b, struct error *err)
{
	uint32_t wanted = b->compose->counts[KIND_INFORMATIVE_POOL], at_least = wanted;
	int r;

	for (int g = 0; g < N_GOALS; g++)
		at_least += b->compose->counts[goals[g].kind];
	if (b->n_candidates < at_least)
		b->n_candidates = at_least;
	if (!at_least || !b->n_units)
		return 0;
	r = candidates_init(b->compose, b->model, b->units, b->n_units, (size_t)b->n_candidates, at_least, b->work, err,
			    &b->candidates);
	if (r)
		return r;
	b->ranking = malloc((b->candidates.n + 1) * sizeof *b->ranking);
	if (!b->ranking)
		return error_set(err, -ENOMEM, "batch: out of memory");
	candidates_order_by_disagreement(&b->candidates, b->ranking);
	return 0;
}

/* One kind of synthesized images. */
struct making {
	int goal; /* place in goals */
	uint32_t n;
	uint32_t unit;	     /* place among the model's units; SYNTHESIS_POPULATION for informative */
	struct image *bases; /* [n]: decoded starts; rgb NULL for pink noise */
	uint32_t *base_of;   /* [n]: candidate */
	const struct image **starts;
	struct synthesis_result *results;
	uint32_t *order; /* [candidates.n], best start first */
};

static void making_done(struct making *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		if (m->bases)
			image_done(&m->bases[i]);
		if (m->results)
			image_done(&m->results[i].image);
	}
	free(m->bases);
	free(m->base_of);
	free(m->starts);
	free(m->results);
	free(m->order);
}

static int making_init(const struct batch *b, int goal, uint32_t n, struct error *err, struct making *m)
{
	*m = (struct making){.goal = goal, .n = n, .unit = SYNTHESIS_POPULATION};
	m->bases = calloc(n, sizeof *m->bases);
	m->base_of = calloc(n, sizeof *m->base_of);
	m->starts = calloc(n, sizeof *m->starts);
	m->results = calloc(n, sizeof *m->results);
	m->order = calloc(b->candidates.n + 1, sizeof *m->order);
	if (!m->bases || !m->base_of || !m->starts || !m->results || !m->order) {
		making_done(m);
		return error_set(err, -ENOMEM, "batch: out of memory");
	}
	return 0;
}

/* The first half starts from the best candidates that have no slot yet, the rest from pink noise (method.md §6). */
static int choose_starts(struct batch *b, struct making *m, struct error *err)
{
	size_t first = goals[m->goal].goal == SYNTHESIS_INFORMATIVE ? b->n_chosen : 0;
	int r = 0;

	if (goals[m->goal].goal == SYNTHESIS_INFORMATIVE) {
		memcpy(m->order, b->ranking, b->candidates.n * sizeof *m->order);
	} else {
		/* Every unit gets its turn, in an order that the seed decides. */
		struct rng rng = rng_make(b->job->seed, b->job->decision, RNG_WORK_ORDER, (uint32_t)m->goal);

		m->unit = b->units[rng_below(&rng, 0, b->n_units)];
		r = candidates_order_by_mean(&b->candidates, m->unit,
					     goals[m->goal].goal == SYNTHESIS_MINIMIZE ? -1 : 1, err, m->order);
	}
	for (uint32_t i = 0; i < (m->n + 1) / 2 && first + i < b->candidates.n && !r; i++) {
		m->base_of[i] = m->order[first + i];
		r = pool_read(b->bench->pool, b->candidates.pool_images[m->base_of[i]], err, &m->bases[i]);
		m->starts[i] = &m->bases[i];
	}
	return r;
}

static json_t *provenance_of(const struct batch *b, const struct making *m, uint32_t i)
{
	const struct synthesis_result *result = &m->results[i];
	char start[HASH_HEX_SIZE] = "pink_noise";
	json_t *unit = m->unit == SYNTHESIS_POPULATION ? json_null() : json_integer(b->bench->spec.units[m->unit].id);

	if (m->starts[i])
		hash_to_hex(pool_image_hash(b->bench->pool, b->candidates.pool_images[m->base_of[i]]), start);
	return json_pack("{s:s, s:o, s:s, s:f, s:f, s:f, s:I, s:I}", "goal", goals[m->goal].name, "unit", unit, "start",
			 start, "value_start", result->value_start, "value", result->value, "value_optimised",
			 result->value_optimised, "step", (json_int_t)result->step, "n_steps",
			 (json_int_t)b->synthesis.n_steps);
}

/* Runs synthesis over the units that are not excluded; m->unit is a place among all units. */
static int run_synthesis(struct batch *b, struct making *m, struct error *err)
{
	struct job_work_part part = job_work_begin(b->work, goals[m->goal].name);
	struct synthesis_settings settings = b->synthesis;
	struct response_model *view = NULL, *model = b->whole;
	uint32_t n_steps;
	int r;

	settings.goal = goals[m->goal].goal;
	settings.unit = m->unit;
	/* Runs of one decision must not share their noise. */
	settings.seed = b->job->seed + (uint64_t)m->goal * UINT64_C(0x9e3779b97f4a7c15);
	if (m->unit == SYNTHESIS_POPULATION && b->n_units < session_model_n_units(b->model)) {
		r = unit_view_create(b->whole, b->units, b->n_units, err, &view);
		if (r)
			return r;
		model = view;
	}
	r = synthesis_run(model, &settings, m->starts, m->n, b->bench->threads, job_work_part_stop, &part, err,
			  m->results, &n_steps);
	response_model_destroy(view);
	if (!r)
		b->work->done = part.before + n_steps;
	return r;
}

static bool is_possible(const struct batch *b, int goal)
{
	return b->n_units && (goals[goal].goal != SYNTHESIS_INFORMATIVE || session_model_n_members(b->model) > 1);
}

static int synthesize(struct batch *b, int goal, struct error *err)
{
	enum kind kind = goals[goal].kind;
	uint32_t n = b->compose->counts[kind];
	struct making m;
	int r;

	if (!n || !is_possible(b, goal) || b->work->stopped)
		return compose_natural(b->compose, n, kind, err);
	r = making_init(b, goal, n, err, &m);
	if (r)
		return r;
	r = choose_starts(b, &m, err);
	if (!r)
		r = run_synthesis(b, &m, err);
	for (uint32_t i = 0; i < n && !r; i++)
		r = compose_add_image(b->compose, kind, &m.results[i].image, provenance_of(b, &m, i), err);
	making_done(&m);
	return r;
}

static int fill(struct batch *b, struct error *err)
{
	int r = open_model(b, err);

	if (!r)
		r = find_units(b, err);
	if (!r)
		r = parse_synthesis(b, err);
	if (!r)
		r = message_get_int(b->job->spec, "job", JOB_N_CANDIDATES, 1, CANDIDATES_MAX, err, &b->n_candidates);
	if (r)
		return r;
	for (int g = 0; g < N_GOALS; g++) {
		if (b->compose->counts[goals[g].kind] && is_possible(b, g))
			b->work->planned += b->synthesis.n_steps;
	}
	r = compose_unmodelled(b->compose, err);
	if (!r)
		r = score_candidates(b, err);
	if (!r)
		r = choose_from_pool(b, err);
	for (int g = 0; g < N_GOALS && !r; g++)
		r = synthesize(b, g, err);
	if (!r && b->compose->counts[KIND_ADVERSARIAL] + b->compose->counts[KIND_RIG])
		r = error_set(err, -EINVAL, "job.recipe: adversarial images and the rig's own are not made here");
	if (!r)
		r = compose_finish(b->compose, err);
	return r;
}

int job_batch(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
	      struct job_result *result)
{
	struct batch b = {.bench = bench, .job = job, .work = work};
	int r = compose_create(bench, job, result, err, &b.compose);

	if (r)
		return r;
	r = fill(&b, err);
	candidates_done(&b.candidates);
	free(b.ranking);
	response_model_destroy(b.whole);
	compose_destroy(b.compose);
	return r;
}
