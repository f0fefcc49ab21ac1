/* draw: a batch that needs no model, for the first batches and the fallbacks. */
#include <errno.h>

#include "daemon/worker/compose.h"
#include "daemon/worker/job.h"

int job_draw(struct workbench *bench, const struct job *job, struct error *err, struct job_result *result)
{
	struct compose *compose;
	int r = compose_create(bench, job, result, err, &compose);

	if (r)
		return r;
	for (int k = 0; k < KIND_COUNT && !r; k++) {
		if (compose->counts[k] && kind_is_adaptive((enum kind)k))
			r = error_set(err, -EINVAL, "job.recipe.%s: a model is needed for it, a draw has none",
				      kind_name((enum kind)k));
	}
	if (!r)
		r = compose_unmodelled(compose, err);
	if (!r)
		r = compose_finish(compose, err);
	compose_destroy(compose);
	return r;
}
