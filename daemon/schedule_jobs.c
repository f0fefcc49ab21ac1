/* The worker's side of the schedule: which job is next, what it is asked, what becomes of its result.
 *
 *   prepare -> draw until the stock is full -> for each batch that is handed over: fit -> batch -> draw what was used
 *
 * One job at a time. A result becomes a decision in the store; only when that is on disk does it count, and only then
 * is the next job asked for, so that each job sees all that was decided before it. A decision that cannot be written is
 * not lost: the job is a pure function of its specification and is asked for again. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/job_result.h"
#include "daemon/job_spec.h"
#include "daemon/schedule.h"
#include "daemon/worker/pipe_fields.h"

static const char *const kind_names[] = {
	[JOB_PREPARE] = JOB_KIND_PREPARE, [JOB_DRAW] = JOB_KIND_DRAW,	      [JOB_FIT] = JOB_KIND_FIT,
	[JOB_BATCH] = JOB_KIND_BATCH,	  [JOB_EVALUATE] = JOB_KIND_EVALUATE,
};

const char *job_kind_name(enum job_kind kind)
{
	return kind_names[kind];
}

void schedule_begin_plan(struct schedule *schedule)
{
	const struct daemon_session *session = &schedule->daemon->session;

	schedule->plan = (struct schedule_plan){
		.natural = session->natural_only || session->n_training == 0,
		.fit_seconds = NAN,
	};
	schedule->plan.phase = schedule->plan.natural ? PLAN_NONE : PLAN_FIT;
}

/* Adds the images of a batch that are planned and not yet settled. */
static void add_pending(json_t *pending, const struct batch *batch)
{
	char hex[HASH_HEX_SIZE];

	for (size_t i = 0; batch && i < batch->n_slots; i++) {
		if (batch->slots[i].settled)
			continue;
		hash_to_hex(&batch->slots[i].image, hex);
		json_array_append_new(pending, json_string(hex));
	}
}

static json_t *make_pending(const struct schedule *schedule)
{
	json_t *pending = json_array();

	add_pending(pending, schedule->current);
	add_pending(pending, schedule->previous);
	add_pending(pending, schedule->reserved);
	add_pending(pending, schedule->chosen);
	for (size_t i = 0; i < schedule->n_stock; i++)
		add_pending(pending, schedule->stock[i]);
	return pending;
}

/* Units that no image is chosen for: excluded by an operator, or retired. */
static json_t *make_excluded(const struct daemon_session *session)
{
	json_t *excluded = json_copy(session->excluded);

	for (uint32_t u = 0; u < session->spec.n_units; u++) {
		if (session->spec.units[u].until_number != INT64_MAX)
			json_array_append_new(excluded, json_integer(session->spec.units[u].id));
	}
	return excluded;
}

static json_t *batch_spec(struct schedule *schedule, const struct job_base *base, struct schedule_job *job)
{
	const struct config *config = base->config;
	struct batch_recipe recipe;
	json_t *excluded, *spec;

	if (schedule->previous) {
		batch_requeue(schedule->previous, config->batch.max_requeue, &schedule->requeue);
		batch_destroy(schedule->previous);
		schedule->previous = NULL;
	}
	/* At most half of a batch is shown again, or a rig that drops everything would never see a new image. */
	job->n_requeued = schedule->requeue.n < config->batch.size / 2 ? schedule->requeue.n : config->batch.size / 2;
	batch_plan_recipe(&config->batch.mix, config->batch.size - (uint32_t)job->n_requeued, false, &recipe);
	excluded = make_excluded(&schedule->daemon->session);
	spec = job_spec_batch(base, schedule->model, &recipe, make_pending(schedule),
			      requeue_json(&schedule->requeue, job->n_requeued), excluded, schedule->budget);
	json_decref(excluded);
	return spec;
}

static json_t *make_spec(struct schedule *schedule, const struct job_base *base, struct schedule_job *job)
{
	const struct daemon_session *session = &schedule->daemon->session;
	struct batch_recipe recipe;

	switch (job->kind) {
	case JOB_PREPARE:
		return job_spec_prepare(base);
	case JOB_DRAW:
		batch_plan_recipe(&base->config->batch.mix, base->config->batch.size, true, &recipe);
		return job_spec_draw(base, &recipe, make_pending(schedule));
	case JOB_FIT:
		return job_spec_fit(base, schedule->model, session->spec.n_units, schedule->budget);
	case JOB_BATCH:
		return batch_spec(schedule, base, job);
	case JOB_EVALUATE:
		return job_spec_evaluate(base, schedule->model, ROLE_SEALED, session->spec.n_units);
	}
	return NULL;
}

static void submit(struct schedule *schedule)
{
	struct schedule_job *job = &schedule->job;
	struct error err;

	job->redo = false;
	job->started_us = clock_wall_us();
	job->started_ns = clock_monotonic_ns();
	job->done = job->planned = 0;
	job->what[0] = '\0';
	if (supervisor_submit(schedule->daemon->worker, (uint64_t)job->decision, job->spec, &err) < 0) {
		job->redo = true;
		schedule->job_not_before_ns = clock_monotonic_ns() + SCHEDULE_JOB_PAUSE_NS;
		daemon_warn(schedule->daemon, "job_not_begun", "%s: %s", kind_names[job->kind], err.text);
		return;
	}
	job->active = true;
	daemon_moved(schedule->daemon);
}

static void begin(struct schedule *schedule, enum job_kind kind)
{
	const struct daemon_session *session = &schedule->daemon->session;
	struct schedule_job *job = &schedule->job;
	struct job_base base = {.decision = schedule->last_decision + 1,
				.saw_seq = session->last_seq,
				.seed_hex = session->seed_hex,
				.config = &session->config};

	*job = (struct schedule_job){
		.kind = kind, .decision = base.decision, .saw_seq = base.saw_seq, .n_seen = session->n_stored};
	job->spec = make_spec(schedule, &base, job);
	if (!job->spec) {
		schedule->job_not_before_ns = clock_monotonic_ns() + SCHEDULE_JOB_PAUSE_NS;
		daemon_warn(schedule->daemon, "job_not_begun", "%s: out of memory", kind_names[kind]);
		return;
	}
	schedule->last_decision++;
	if (kind == JOB_FIT)
		schedule->plan.n_seen = job->n_seen;
	submit(schedule);
}

/* The last jobs of a session: the sealed test of the newest model, once. */
static void next_of_drain(struct schedule *schedule)
{
	if (!schedule->evaluated && schedule->model[0] && schedule->daemon->session.config.images.n_sealed > 0) {
		schedule->evaluated = true;
		begin(schedule, JOB_EVALUATE);
		return;
	}
	daemon_session_end(schedule->daemon);
}

void schedule_next_job(struct schedule *schedule)
{
	const struct config *config = &schedule->daemon->session.config;
	bool stock_wanted = schedule->n_stock < config->batch.stock;

	if (schedule->job.active)
		return;
	if (schedule->draining && !schedule->worker_ready) { /* no pool, no worker: there is nothing to score */
		daemon_session_end(schedule->daemon);
		return;
	}
	if (!schedule->worker_ready || clock_monotonic_ns() < schedule->job_not_before_ns)
		return;
	if (schedule->job.redo)
		submit(schedule);
	else if (schedule->draining)
		next_of_drain(schedule);
	else if (!schedule->prepared)
		begin(schedule, JOB_PREPARE);
	else if (stock_wanted && !schedule->reserved && !schedule->chosen)
		begin(schedule, JOB_DRAW);
	else if (schedule->plan.phase == PLAN_FIT)
		begin(schedule, JOB_FIT);
	else if (schedule->plan.phase == PLAN_BATCH)
		begin(schedule, JOB_BATCH);
	else if (stock_wanted)
		begin(schedule, JOB_DRAW);
}

static void unlinked(uv_fs_t *request)
{
	uv_fs_req_cleanup(request);
	free(request);
}

/* Takes the file of a model away that is no longer kept, in libuv's thread pool. A file that stays costs only room. */
static void unlink_model(struct daemon *daemon, const char *hash)
{
	uv_fs_t *request = malloc(sizeof *request);
	char path[PATH_MAX + HASH_HEX_SIZE + sizeof MODEL_FILE_SUFFIX];

	if (!request)
		return;
	snprintf(path, sizeof path, "%s/%s%s", daemon->session.model_dir, hash, MODEL_FILE_SUFFIX);
	if (uv_fs_unlink(&daemon->loop, request, path, unlinked) < 0)
		free(request);
}

static void took_fit(struct schedule *schedule, const struct store_op *op, double seconds)
{
	char old[HASH_HEX_SIZE];

	memcpy(schedule->model, op->model_hash, sizeof schedule->model);
	if (model_files_add(&schedule->model_files, schedule->model, old))
		unlink_model(schedule->daemon, old);
	job_result_score(op, &schedule->score);
	schedule->model_n_seen = schedule->job.n_seen;
	schedule->plan.fit_seconds = seconds;
	if (schedule->plan.phase == PLAN_FIT)
		schedule->plan.phase = PLAN_BATCH;
}

static void took_batch(struct schedule *schedule, double seconds)
{
	struct batch *batch = schedule->job.batch;

	requeue_remove(&schedule->requeue, schedule->job.n_requeued);
	schedule->plan.phase = PLAN_NONE;
	if (batch->number != schedule_handed(schedule) + 1) {
		batch_destroy(batch); /* natural images went out under its number */
		return;
	}
	batch->n_seen = schedule->plan.n_seen;
	batch->fit_seconds = schedule->plan.fit_seconds;
	batch->batch_seconds = seconds;
	batch->score = schedule->score;
	batch->cause = schedule->job.late ? "deadline" : "planned";
	batch_destroy(schedule->chosen);
	schedule->chosen = batch;
}

/* What a decision that is on disk changes. Without an outcome it changes nothing but the plan. */
static void took(struct schedule *schedule, const struct store_op *op)
{
	struct schedule_job *job = &schedule->job;
	double seconds = (double)(op->decision.finished_us - op->decision.started_us) / 1e6;

	if (!op->decision.outcome_hash[0])
		return;
	switch (job->kind) {
	case JOB_PREPARE:
		schedule->prepared = true;
		break;
	case JOB_DRAW:
		if (job->batch && schedule->n_stock < SCHEDULE_STOCK_MAX) {
			schedule->stock[schedule->n_stock++] = job->batch;
			job->batch = NULL;
		}
		break;
	case JOB_FIT:
		took_fit(schedule, op, seconds);
		break;
	case JOB_BATCH:
		if (job->batch)
			took_batch(schedule, seconds);
		job->batch = NULL;
		break;
	case JOB_EVALUATE:
		job_result_score(op, &schedule->sealed);
		break;
	}
}

static void decision_on_disk(struct store_op *op, void *ctx)
{
	struct schedule *schedule = ctx;
	struct schedule_job *job = &schedule->job;

	job->active = job->committing = false;
	if (op->status < 0) {
		job->redo = true;
		schedule->job_not_before_ns = clock_monotonic_ns() + SCHEDULE_JOB_PAUSE_NS;
		daemon_warn(schedule->daemon, "decision_not_written", "decision %lld (%s): %s",
			    (long long)job->decision, kind_names[job->kind], op->error.text);
	} else {
		if (op->seq > schedule->daemon->session.last_seq)
			schedule->daemon->session.last_seq = op->seq;
		took(schedule, op);
		json_decref(job->spec);
		job->spec = NULL;
	}
	batch_destroy(job->batch);
	job->batch = NULL;
	daemon_moved(schedule->daemon);
	schedule_advance(schedule);
}

/* The job failed for good: what is left of its plan goes. */
static void give_up(struct schedule *schedule, int status, const struct error *err)
{
	struct schedule_job *job = &schedule->job;
	bool lost = status == -ECANCELED;

	schedule->daemon->n_jobs_abandoned += lost;
	daemon_warn(schedule->daemon, lost ? "job_abandoned" : "job_refused", "decision %lld (%s): %s",
		    (long long)job->decision, kind_names[job->kind], err->text);
	switch (job->kind) {
	case JOB_PREPARE:
		memcpy(schedule->failure, err->text, sizeof schedule->failure);
		schedule->job_not_before_ns = INT64_MAX;
		break;
	case JOB_DRAW:
		schedule->job_not_before_ns = clock_monotonic_ns() + SCHEDULE_JOB_PAUSE_NS;
		schedule->plan.lost |= lost;
		break;
	case JOB_FIT:
	case JOB_BATCH:
		schedule->plan.phase = PLAN_NONE;
		schedule->plan.lost = true;
		if (!lost)
			schedule->model[0] = '\0'; /* its file may be what was wrong: the next fit begins anew */
		break;
	case JOB_EVALUATE:
		break;
	}
}

static const char *cause_of(const struct schedule *schedule, int status)
{
	if (status == -ECANCELED)
		return "worker_lost";
	if (schedule->job.cancelled)
		return schedule->draining ? "cancelled" : "operator";
	return schedule->job.late ? "deadline" : "planned";
}

static int fill_decision(struct schedule *schedule, int status, const struct message *result, struct store_op *op,
			 struct error *err)
{
	struct schedule_job *job = &schedule->job;
	const struct config *config = &schedule->daemon->session.config;
	struct store_decision *decision = &op->decision;

	decision->decision = job->decision;
	decision->kind = kind_names[job->kind];
	decision->cause = cause_of(schedule, status);
	decision->saw_seq = job->saw_seq;
	decision->spec = json_incref(job->spec);
	decision->started_us = job->started_us;
	decision->finished_us = job->started_us + (clock_monotonic_ns() - job->started_ns) / 1000;
	if (job->kind != JOB_PREPARE && job->kind != JOB_DRAW)
		memcpy(decision->parent_model, schedule->model, sizeof decision->parent_model);
	op->batch.decision = job->decision;
	op->batch.saw_seq = job->saw_seq;
	op->batch.batch = job->kind == JOB_BATCH ? schedule_handed(schedule) + 1 : 0;
	strcpy(op->batch.origin, job->kind == JOB_BATCH ? ORIGIN_CHOSEN : ORIGIN_FALLBACK);
	if (status == 0) {
		status = job_result_store(result, config->images.width_px, config->images.height_px, op, err);
		if (status == 0 && op->batch.n_slots > 0)
			status = job_result_batch(op, &job->batch);
		const char *pool = json_string_value(json_object_get(decision->outcome, OUTCOME_POOL));
		if (status == 0 && job->kind == JOB_PREPARE && pool && strlen(pool) == HASH_HEX_SIZE - 1)
			strcpy(schedule->pool_hash, pool);
	}
	memcpy(decision->pool_hash, schedule->pool_hash, sizeof decision->pool_hash);
	return status;
}

void schedule_job_ended(struct schedule *schedule, uint64_t id, int status, const struct message *result,
			const struct error *err)
{
	struct schedule_job *job = &schedule->job;
	struct store_op *op = store_op_create(STORE_OP_DECISION);
	struct error reason = err ? *err : (struct error){0};

	if (!job->active || job->committing || id != (uint64_t)job->decision) {
		store_op_destroy(op);
		return;
	}
	job->late = schedule->plan.late && (job->kind == JOB_FIT || job->kind == JOB_BATCH);
	status = op ? fill_decision(schedule, status, result, op, &reason) : -ENOMEM;
	if (op && status < 0) {
		/* Half of a result is none: the decision says what was asked and why nothing came of it. */
		store_op_destroy(op);
		op = store_op_create(STORE_OP_DECISION);
		if (op) {
			fill_decision(schedule, status, NULL, op, &reason);
			op->decision.outcome = json_pack("{s:s}", ERROR_TEXT, reason.text);
			give_up(schedule, status, &reason);
		}
	}
	if (!op) {
		job->active = false;
		job->redo = true;
		schedule->job_not_before_ns = clock_monotonic_ns() + SCHEDULE_JOB_PAUSE_NS;
		return;
	}
	job->committing = true;
	op->done = decision_on_disk;
	op->ctx = schedule;
	daemon_submit_own(schedule->daemon, op);
}

void schedule_job_progress(struct schedule *schedule, uint64_t id, int64_t done, int64_t planned, const char *what)
{
	struct schedule_job *job = &schedule->job;

	if (!job->active || id != (uint64_t)job->decision)
		return;
	job->done = done;
	job->planned = planned;
	strncpy(job->what, what, sizeof job->what - 1);
	daemon_moved(schedule->daemon);
}

void schedule_worker_ready(struct schedule *schedule, const struct message *result, const struct error *err)
{
	(void)result;
	schedule->worker_ready = err == NULL;
	if (err) {
		memcpy(schedule->failure, err->text, sizeof schedule->failure);
		daemon_warn(schedule->daemon, "worker_setup", "%s", err->text);
	} else {
		schedule->failure[0] = '\0';
	}
	schedule_advance(schedule);
}
