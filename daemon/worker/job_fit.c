/* fit: both tiers on every presentation so far, scored on the monitor images; the model's file is what remains.
 *
 * The parent warm-starts the members. One of another number of units (some were added since) is of no use for that
 * and is left out. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/worker/job.h"
#include "daemon/worker/job_scores.h"
#include "daemon/worker/pipe_fields.h"

enum { STEPS_MAX = 1000000, CHANNELS_MAX = 4096, BATCH_MAX = 4096, BOOTSTRAP_MAX = 100000 };

static int parse_settings(const struct job *job, struct error *err, struct session_model_settings *ret_settings)
{
	static const char path[] = "job.settings";
	int64_t n_members, channels, n_steps, batch_size;
	struct session_model_settings s = {.seed = job->seed, .decision = job->decision};
	const json_t *fields;
	int r = message_get_object(job->spec, "job", JOB_SETTINGS, err, &fields);

	if (!r)
		r = message_get_int(fields, path, FIT_N_MEMBERS, 0, SESSION_MODEL_MEMBERS_MAX, err, &n_members);
	if (!r)
		r = message_get_int(fields, path, FIT_MIXING_CHANNELS, 1, CHANNELS_MAX, err, &channels);
	if (!r)
		r = message_get_int(fields, path, FIT_N_STEPS, 0, STEPS_MAX, err, &n_steps);
	if (!r)
		r = message_get_int(fields, path, FIT_BATCH_SIZE, 1, BATCH_MAX, err, &batch_size);
	if (!r)
		r = message_get_double(fields, path, FIT_LEARNING_RATE, 0.0, 1e6, err, &s.learning_rate);
	if (!r)
		r = message_get_double(fields, path, FIT_WEIGHT_DECAY, 0.0, 1e6, err, &s.weight_decay);
	if (r)
		return r;
	s.n_members = (uint32_t)n_members;
	s.mixing_channels = (uint32_t)channels;
	s.n_steps = (uint32_t)n_steps;
	s.batch_size = (uint32_t)batch_size;
	*ret_settings = s;
	return 0;
}

/* The model to start from, or NULL. */
static int find_parent(struct workbench *bench, const struct job *job, uint32_t n_units, struct error *err,
		       struct session_model **ret_parent)
{
	struct session_model *parent = NULL;
	struct hash hash;
	const char *hex;
	int r = message_get_string(job->spec, "job", JOB_PARENT, HASH_HEX_SIZE - 1, err, &hex);

	if (r)
		return r;
	if (hex[0]) {
		if (hash_from_hex(hex, &hash))
			return error_set(err, -EPROTO, "job.%s: 64 hex digits or nothing expected", JOB_PARENT);
		r = model_shelf_get(&bench->models, &hash, err, &parent);
		if (r)
			return r;
		if (session_model_n_units(parent) != n_units)
			parent = NULL;
	}
	*ret_parent = parent;
	return 0;
}

static int score_and_store(struct workbench *bench, struct session_model *model, const struct session_data *data,
			   uint32_t n_bootstrap, struct error *err, struct job_result *result)
{
	struct metrics_score *scores = calloc(2 * (size_t)data->n_units + 1, sizeof *scores);
	struct session_model *kept;
	char hex[HASH_HEX_SIZE];
	size_t n_bytes;
	int r;

	if (!scores)
		return error_set(err, -ENOMEM, "fit: out of memory");
	r = session_model_score(model, data, bench->threads, n_bootstrap, err, scores);
	if (!r)
		r = job_scores_report(bench, model, data, scores, err, result);
	free(scores);
	if (!r)
		r = model_shelf_put(&bench->models, model, err, &result->outcome_hash, &n_bytes, &kept);
	if (r)
		return r;
	hash_to_hex(&result->outcome_hash, hex);
	if (json_object_set_new(result->outcome, OUTCOME_MODEL, json_string(hex)) ||
	    json_object_set_new(result->outcome, OUTCOME_MODEL_BYTES, json_integer((json_int_t)n_bytes)))
		return error_set(err, -ENOMEM, "fit: out of memory");
	return 0;
}

static int fit_view(struct workbench *bench, const struct job *job, const struct session_model_settings *settings,
		    const struct session_model *parent, const struct session_data *data, struct job_work *work,
		    struct error *err, struct job_result *result)
{
	struct job_work_part part = job_work_begin(work, "fit");
	struct session_model *model;
	int64_t n_bootstrap;
	uint32_t n_steps;
	int r = message_get_int(job->spec, "job", JOB_N_BOOTSTRAP, 0, BOOTSTRAP_MAX, err, &n_bootstrap);

	if (r)
		return r;
	if (!data->n_presentations)
		return error_set(err, -EINVAL, "fit: no complete presentation at or before %lld",
				 (long long)job->saw_seq);
	r = session_model_fit(bench->backbone, data, parent, settings, bench->threads, job_work_part_stop, &part, err,
			      &model, &n_steps);
	if (r)
		return r;
	work->done = part.before + n_steps;
	r = score_and_store(bench, model, data, (uint32_t)n_bootstrap, err, result);
	session_model_destroy(model);
	return r;
}

int job_fit(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
	    struct job_result *result)
{
	struct session_model_settings settings;
	struct session_model *parent = NULL;
	struct dataset_view view;
	int64_t n_units;
	int r = parse_settings(job, err, &settings);

	if (!r)
		r = message_get_int(job->spec, "job", JOB_N_UNITS, 1, bench->spec.n_units, err, &n_units);
	if (!r)
		r = find_parent(bench, job, (uint32_t)n_units, err, &parent);
	if (!r)
		r = dataset_view_init(bench->dataset, &bench->spec, bench->backbone, bench->threads, (uint32_t)n_units,
				      job->saw_seq, work, err, &view);
	if (r)
		return r;
	work->planned = settings.n_members ? settings.n_steps : 0;
	r = fit_view(bench, job, &settings, parent, &view.data, work, err, result);
	dataset_view_done(&view);
	return r;
}
