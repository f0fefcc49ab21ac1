/* What every specification has, and the kinds. Failure modes: a kind that is not one, fields that are missing or out of
 * range, rows that are not here yet, and what the kinds give. */
#include "daemon/worker/job.h"

#include <errno.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"

int job_parse(const json_t *spec, struct error *err, struct job *ret_job)
{
	static const char path[] = WORKER_TYPE_JOB;
	struct job job = {.spec = spec, .stop_after = JOB_WORK_NO_STOP};
	int64_t decision;
	int r = message_get_string(spec, path, JOB_KIND, LIMIT_LABEL_BYTES, err, &job.kind);

	if (!r)
		r = message_get_int(spec, path, JOB_DECISION, 1, UINT32_MAX, err, &decision);
	if (!r)
		r = message_get_int(spec, path, JOB_SAW_SEQ, 0, LIMIT_INTEGER - 1, err, &job.saw_seq);
	if (!r)
		r = workbench_get_seed(spec, path, JOB_SEED, err, &job.seed);
	if (!r && message_has(spec, JOB_STOP_AFTER))
		r = message_get_int(spec, path, JOB_STOP_AFTER, 0, LIMIT_INTEGER - 1, err, &job.stop_after);
	if (r)
		return r;
	job.decision = (uint32_t)decision;
	*ret_job = job;
	return 0;
}

static int run_kind(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
		    struct job_result *result)
{
	if (!strcmp(job->kind, JOB_KIND_PREPARE))
		return job_prepare(bench, job, err, result);
	if (!strcmp(job->kind, JOB_KIND_DRAW))
		return job_draw(bench, job, err, result);
	if (!strcmp(job->kind, JOB_KIND_FIT))
		return job_fit(bench, job, work, err, result);
	if (!strcmp(job->kind, JOB_KIND_BATCH))
		return job_batch(bench, job, work, err, result);
	if (!strcmp(job->kind, JOB_KIND_EVALUATE))
		return job_evaluate(bench, job, work, err, result);
	return error_set(err, -EINVAL, "job.kind: prepare, draw, fit, batch or evaluate expected, found \"%s\"",
			 job->kind);
}

int job_run(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
	    struct job_result *ret_result)
{
	struct job_result result = {0};
	int r;

	if (!bench->setup)
		return error_set(err, -EINVAL, "job: a setup is expected first");
	if (dataset_through_seq(bench->dataset) < job->saw_seq)
		return error_set(err, -EINVAL, "job.saw_seq: %lld, rows are here through %lld only",
				 (long long)job->saw_seq, (long long)dataset_through_seq(bench->dataset));
	r = run_kind(bench, job, work, err, &result);
	if (r) {
		job_result_done(&result);
		return r;
	}
	result.units_done = work->done;
	result.units_planned = work->planned;
	*ret_result = result;
	return 0;
}
