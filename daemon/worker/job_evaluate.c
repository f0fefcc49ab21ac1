/* evaluate: a model's scores on one of the held-out sets, as at `close` on the sealed one. Nothing is chosen by it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/job.h"
#include "daemon/worker/job_scores.h"
#include "daemon/worker/pipe_fields.h"

enum { BOOTSTRAP_MAX = 100000 };

struct question {
	struct hash model;
	const char *set;
	int64_t n_bootstrap, n_units;
};

static int parse(const struct workbench *bench, const struct job *job, struct error *err, struct question *q)
{
	int r = message_get_hex(job->spec, "job", JOB_MODEL, HASH_SIZE, err, q->model.bytes);

	if (!r)
		r = message_get_string(job->spec, "job", JOB_SET, LIMIT_LABEL_BYTES, err, &q->set);
	if (!r)
		r = message_get_int(job->spec, "job", JOB_N_BOOTSTRAP, 0, BOOTSTRAP_MAX, err, &q->n_bootstrap);
	if (!r)
		r = message_get_int(job->spec, "job", JOB_N_UNITS, 1, bench->spec.n_units, err, &q->n_units);
	if (!r && strcmp(q->set, ROLE_MONITOR) && strcmp(q->set, ROLE_SEALED))
		r = error_set(err, -EINVAL, "job.set: monitor or sealed expected, found \"%s\"", q->set);
	return r;
}

static int score(struct workbench *bench, const struct session_model *model, const struct dataset_view *view,
		 const struct question *q, struct error *err, struct job_result *result)
{
	const uint8_t *marked = !strcmp(q->set, ROLE_SEALED) ? view->held_out : view->monitor;
	struct metrics_score *scores = calloc(2 * (size_t)view->data.n_units + 1, sizeof *scores);
	int r;

	if (!scores)
		return error_set(err, -ENOMEM, "evaluate: out of memory");
	r = session_model_score_on(model, &view->data, marked, bench->threads, (uint32_t)q->n_bootstrap, err, scores);
	if (!r)
		r = job_scores_report(bench, model, &view->data, scores, err, result);
	free(scores);
	if (r)
		return r;
	job_scores_hash(result, &result->outcome_hash);
	if (json_object_set_new(result->outcome, OUTCOME_SET, json_string(q->set)))
		return error_set(err, -ENOMEM, "evaluate: out of memory");
	return 0;
}

int job_evaluate(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
		 struct job_result *result)
{
	struct session_model *model;
	struct dataset_view view;
	struct question q;
	int r = parse(bench, job, err, &q);

	if (!r)
		r = model_shelf_get(&bench->models, &q.model, err, &model);
	/* Units that were added after the fit have no prediction and no score. */
	if (!r && session_model_n_units(model) > q.n_units)
		r = error_set(err, -EINVAL, "job.n_units: at least the model's %u expected, found %lld",
			      session_model_n_units(model), (long long)q.n_units);
	if (!r)
		r = dataset_view_init(bench->dataset, &bench->spec, bench->backbone, bench->threads,
				      session_model_n_units(model), job->saw_seq, work, err, &view);
	if (r)
		return r;
	r = score(bench, model, &view, &q, err, result);
	dataset_view_done(&view);
	return r;
}
