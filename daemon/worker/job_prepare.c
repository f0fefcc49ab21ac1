/* prepare: draws the monitor and sealed sets of the pool by the session's seed and gives their images, once a session.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/worker/job.h"
#include "daemon/worker/pipe_fields.h"

enum { HELD_OUT_MAX = 10000 };

static const struct {
	const char *role;
	enum kind kind;
} held_out[] = {
	[POOL_MONITOR] = {ROLE_MONITOR, KIND_MONITOR},
	[POOL_SEALED] = {ROLE_SEALED, KIND_SEALED},
};

static int add_images(struct workbench *bench, const uint8_t *roles, struct error *err, struct job_result *result)
{
	struct hash_state state;
	struct image image;

	hash_begin(&state);
	hash_update(&state, pool_manifest_hash(bench->pool)->bytes, HASH_SIZE);
	for (size_t i = 0; i < pool_n_images(bench->pool); i++) {
		const struct hash *hash = pool_image_hash(bench->pool, i);

		if (roles[i] == POOL_SELECTABLE)
			continue;
		hash_update(&state, &roles[i], 1);
		hash_update(&state, hash->bytes, HASH_SIZE);
		int r = pool_read(bench->pool, i, err, &image);
		if (r)
			return r;
		r = job_result_add_image(result, &image, hash, held_out[roles[i]].kind, held_out[roles[i]].role,
					 json_pack("{s:s?}", "name", pool_image_name(bench->pool, i)), err);
		image_done(&image);
		if (r)
			return r;
	}
	hash_end(&state, &result->outcome_hash);
	return 0;
}

int job_prepare(struct workbench *bench, const struct job *job, struct error *err, struct job_result *result)
{
	int64_t n_monitor, n_sealed;
	int r = message_get_int(job->spec, "job", JOB_N_MONITOR, 0, HELD_OUT_MAX, err, &n_monitor);

	if (!r)
		r = message_get_int(job->spec, "job", JOB_N_SEALED, 0, HELD_OUT_MAX, err, &n_sealed);
	if (r)
		return r;
	uint8_t *roles = malloc(pool_n_images(bench->pool));
	if (!roles)
		return error_set(err, -ENOMEM, "prepare: out of memory");
	result->images = json_array();
	r = pool_hold_out(bench->pool, job->seed, (size_t)n_monitor, (size_t)n_sealed, err, roles);
	if (!r)
		r = add_images(bench, roles, err, result);
	free(roles);
	if (r)
		return r;
	result->outcome = workbench_describe_pool(bench);
	if (!result->outcome || json_object_set_new(result->outcome, OUTCOME_N_MONITOR, json_integer(n_monitor)) ||
	    json_object_set_new(result->outcome, OUTCOME_N_SEALED, json_integer(n_sealed)))
		return error_set(err, -ENOMEM, "prepare: out of memory");
	return 0;
}
