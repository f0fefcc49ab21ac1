/* What the worker keeps between jobs: the session's setup, its pool, backbone, rows and models. One thread. */
#ifndef EVOKED_DAEMON_WORKER_WORKBENCH_H
#define EVOKED_DAEMON_WORKER_WORKBENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/worker/dataset.h"
#include "daemon/worker/feature_cache.h"
#include "daemon/worker/model_shelf.h"
#include "models/backbone.h"
#include "protocol/message.h"
#include "protocol/session_spec.h"
#include "stimuli/pool.h"
#include "support/error.h"
#include "support/thread_pool.h"

struct workbench {
	json_t *setup; /* as it came; NULL before the first */
	uint64_t seed;
	uint32_t width_px, height_px;
	struct session_spec spec;
	struct thread_pool *threads;
	struct pool *pool;
	struct backbone *backbone;
	struct dataset *dataset;
	struct feature_cache *candidates;
	struct model_shelf models;
};

/* A zeroed struct is an empty bench. */
void workbench_done(struct workbench *bench);

/* The first `setup` opens pool and backbone; a further one may only bring other units: -EINVAL when anything else
 * differs. On failure the bench is as before. */
int workbench_set_up(struct workbench *bench, const json_t *header, struct error *err);
/* The outcome with which a setup is answered; new reference, NULL without memory. */
json_t *workbench_describe(const struct workbench *bench);

/* Takes the rows of a `data` message. */
int workbench_take_data(struct workbench *bench, const struct message *message, struct error *err);

/* {pool, n_images, n_skipped, skipped} of the pool; new reference, NULL without memory. */
json_t *workbench_describe_pool(const struct workbench *bench);

/* A session seed as it travels: 16 hex digits, most significant first. */
int workbench_get_seed(const json_t *object, const char *path, const char *key, struct error *err, uint64_t *ret_seed);

#endif
