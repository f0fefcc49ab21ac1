/* json_pack with the names of the pipe. Failure mode: no memory, or a path that is not UTF-8. */
#include "daemon/worker/worker_setup.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/worker/pipe_fields.h"

void worker_setup_seed(uint64_t seed, char ret_hex[WORKER_SEED_SIZE])
{
	snprintf(ret_hex, WORKER_SEED_SIZE, "%016" PRIx64, seed);
}

json_t *worker_setup_make(const struct config *config, uint64_t seed, const char *model_dir,
			  const struct session_spec *spec)
{
	char seed_hex[WORKER_SEED_SIZE];
	json_t *spec_json;

	if (session_spec_encode(spec, NULL, &spec_json))
		return NULL;
	worker_setup_seed(seed, seed_hex);
	return json_pack("{s:s, s:i, s:i, s:s, s:b, s:s, s:s, s:s, s:i, s:o}", SETUP_SEED, seed_hex, SETUP_WIDTH_PX,
			 (int)config->images.width_px, SETUP_HEIGHT_PX, (int)config->images.height_px, SETUP_POOL,
			 config->images.pool, SETUP_RESIZE, config->images.resize, SETUP_BACKBONE,
			 config->model.backbone, SETUP_BACKBONE_CUT, config->model.backbone_cut, SETUP_MODEL_DIR,
			 model_dir, SETUP_THREADS, (int)config->worker.threads, SETUP_SPEC, spec_json);
}
