/* A job as the worker gets it, and what it gives back. One file a kind: job_prepare.c, job_draw.c, ... */
#ifndef EVOKED_DAEMON_WORKER_JOB_H
#define EVOKED_DAEMON_WORKER_JOB_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/worker/job_work.h"
#include "daemon/worker/workbench.h"
#include "models/metrics.h"
#include "protocol/message.h"
#include "stimuli/image.h"
#include "stimuli/kind.h"
#include "support/error.h"
#include "support/hash.h"

struct job {
	const char *kind; /* borrowed from spec */
	uint32_t decision;
	int64_t saw_seq;
	uint64_t seed;
	int64_t stop_after; /* JOB_WORK_NO_STOP without one */
	const json_t *spec; /* the whole header, borrowed */
};

struct job_result {
	json_t *outcome;
	struct hash outcome_hash;
	int64_t units_done, units_planned;
	json_t *images; /* array of IMAGE_*, or NULL */
	json_t *slots;	/* array of SLOT_*, or NULL */
	uint8_t *png;
	size_t png_size, png_capacity;
	uint32_t n_tiers, n_score_rows;
	double *scores; /* [n_tiers, n_score_rows, SCORE_COLUMNS], or NULL */
};

/* What every specification has. -EPROTO and the like name the field. */
int job_parse(const json_t *spec, struct error *err, struct job *ret_job);

/* Does it: a pure function of the job, the rows at or before its saw_seq and the files that it names by hash. `work`
 * is told of every unit. -EINVAL: refused, with the reason. On success the result is the caller's. */
int job_run(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
	    struct job_result *ret_result);
void job_result_done(struct job_result *result);

/* The result as a message that borrows the result's memory. */
int job_result_message(const struct job_result *result, struct error *err, struct message *ret_message);

/* Appends an image: its entry to `images`, its PNG bytes to `png`. `role` as in store_image; takes `provenance` (may
 * be NULL) even on failure. */
int job_result_add_image(struct job_result *result, const struct image *image, const struct hash *hash, enum kind kind,
			 const char *role, json_t *provenance, struct error *err);

/* The kinds. `result` is zeroed before and freed by job_run on failure. */
int job_prepare(struct workbench *bench, const struct job *job, struct error *err, struct job_result *result);
int job_draw(struct workbench *bench, const struct job *job, struct error *err, struct job_result *result);
int job_fit(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
	    struct job_result *result);
int job_batch(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
	      struct job_result *result);
int job_evaluate(struct workbench *bench, const struct job *job, struct job_work *work, struct error *err,
		 struct job_result *result);

#endif
