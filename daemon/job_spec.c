/* json_pack with the names of the pipe. Lists that go on changing are copied: a specification never changes. */
#include "daemon/job_spec.h"

#include "daemon/worker/pipe_fields.h"

/* Adds what every specification has, in front. Takes `fields`. */
static json_t *with_base(const struct job_base *base, const char *kind, json_t *fields)
{
	json_t *spec = json_pack("{s:s, s:I, s:I, s:s}", JOB_KIND, kind, JOB_DECISION, (json_int_t)base->decision,
				 JOB_SAW_SEQ, (json_int_t)base->saw_seq, JOB_SEED, base->seed_hex);

	if (!fields || (spec && json_object_update(spec, fields) < 0)) {
		json_decref(spec);
		spec = NULL;
	}
	json_decref(fields);
	return spec;
}

static uint32_t scaled(uint32_t n, double budget)
{
	uint32_t steps = (uint32_t)((double)n * budget);

	return steps > 0 ? steps : 1;
}

json_t *job_spec_prepare(const struct job_base *base)
{
	return with_base(base, JOB_KIND_PREPARE,
			 json_pack("{s:i, s:i}", JOB_N_MONITOR, (int)base->config->images.n_monitor, JOB_N_SEALED,
				   (int)base->config->images.n_sealed));
}

json_t *job_spec_draw(const struct job_base *base, const struct batch_recipe *recipe, json_t *pending)
{
	return with_base(base, JOB_KIND_DRAW,
			 json_pack("{s:i, s:i, s:o, s:o}", JOB_N_MONITOR, (int)base->config->images.n_monitor,
				   JOB_N_SEALED, (int)base->config->images.n_sealed, JOB_RECIPE,
				   batch_plan_recipe_json(recipe), JOB_PENDING, pending));
}

json_t *job_spec_fit(const struct job_base *base, const char *parent, uint32_t n_units, double budget)
{
	const struct config *config = base->config;
	json_t *settings =
		json_pack("{s:i, s:i, s:i, s:i, s:f, s:f}", FIT_N_MEMBERS, (int)config->fit.n_members,
			  FIT_MIXING_CHANNELS, (int)config->fit.mixing_channels, FIT_N_STEPS,
			  (int)scaled(config->fit.n_steps, budget), FIT_BATCH_SIZE, (int)config->fit.batch_size,
			  FIT_LEARNING_RATE, config->fit.learning_rate, FIT_WEIGHT_DECAY, config->fit.weight_decay);

	return with_base(base, JOB_KIND_FIT,
			 json_pack("{s:s, s:i, s:i, s:o}", JOB_PARENT, parent, JOB_N_UNITS, (int)n_units,
				   JOB_N_BOOTSTRAP, (int)config->fit.n_bootstrap, JOB_SETTINGS, settings));
}

json_t *job_spec_batch(const struct job_base *base, const char *model, const struct batch_recipe *recipe,
		       json_t *pending, json_t *requeue, json_t *exclude, double budget)
{
	const struct config *config = base->config;
	json_t *synthesis = json_pack(
		"{s:i, s:f, s:f, s:f, s:f}", SYNTHESIS_N_STEPS, (int)scaled(config->synthesis.n_steps, budget),
		SYNTHESIS_STEP_SIZE, config->synthesis.step_size, SYNTHESIS_RMS_CONTRAST,
		config->synthesis.rms_contrast, SYNTHESIS_MEAN_LUMINANCE, config->synthesis.mean_luminance,
		SYNTHESIS_RESPONSE_CAP, config->synthesis.response_cap);

	return with_base(base, JOB_KIND_BATCH,
			 json_pack("{s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:i, s:o}", JOB_MODEL, model, JOB_N_MONITOR,
				   (int)config->images.n_monitor, JOB_N_SEALED, (int)config->images.n_sealed,
				   JOB_RECIPE, batch_plan_recipe_json(recipe), JOB_PENDING, pending, JOB_REQUEUE,
				   requeue, JOB_EXCLUDE, json_copy(exclude), JOB_N_CANDIDATES,
				   (int)config->selection.n_candidates, JOB_SYNTHESIS, synthesis));
}

json_t *job_spec_evaluate(const struct job_base *base, const char *model, const char *set, uint32_t n_units)
{
	return with_base(base, JOB_KIND_EVALUATE,
			 json_pack("{s:s, s:s, s:i, s:i}", JOB_MODEL, model, JOB_SET, set, JOB_N_UNITS, (int)n_units,
				   JOB_N_BOOTSTRAP, (int)base->config->fit.n_bootstrap));
}
