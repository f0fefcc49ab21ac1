/* A setup is opened into a bench of its own, which then takes the place of the empty one: a failure half way leaves
 * nothing behind. Failure modes: what the pool, the backbone, the thread pool and the session's declaration give. */
#include "daemon/worker/workbench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/data_frame.h"
#include "daemon/worker/pipe_fields.h"
#include "models/gemm.h"

enum { TEXT_MAX = 4096 };

void workbench_done(struct workbench *bench)
{
	model_shelf_done(&bench->models);
	feature_cache_destroy(bench->candidates);
	dataset_destroy(bench->dataset);
	backbone_destroy(bench->backbone);
	pool_close(bench->pool);
	thread_pool_destroy(bench->threads);
	session_spec_done(&bench->spec);
	json_decref(bench->setup);
	*bench = (struct workbench){0};
}

int workbench_get_seed(const json_t *object, const char *path, const char *key, struct error *err, uint64_t *ret_seed)
{
	uint8_t bytes[8];
	uint64_t seed = 0;
	int r = message_get_hex(object, path, key, sizeof bytes, err, bytes);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof bytes; i++)
		seed = seed << 8 | bytes[i];
	*ret_seed = seed;
	return 0;
}

/* The fields that decide what is opened. */
struct opening {
	int64_t width_px, height_px, threads;
	const char *pool, *backbone, *backbone_cut, *model_dir;
	bool resize;
	uint64_t seed;
	const json_t *spec;
};

static int parse_opening(const json_t *header, struct error *err, struct opening *o)
{
	static const char path[] = WORKER_TYPE_SETUP;
	int r = workbench_get_seed(header, path, SETUP_SEED, err, &o->seed);

	if (!r)
		r = message_get_int(header, path, SETUP_WIDTH_PX, 1, LIMIT_IMAGE_SIDE_PX, err, &o->width_px);
	if (!r)
		r = message_get_int(header, path, SETUP_HEIGHT_PX, 1, LIMIT_IMAGE_SIDE_PX, err, &o->height_px);
	if (!r)
		r = message_get_int(header, path, SETUP_THREADS, 0, THREAD_POOL_THREADS_MAX, err, &o->threads);
	if (!r)
		r = message_get_string(header, path, SETUP_POOL, TEXT_MAX, err, &o->pool);
	if (!r)
		r = message_get_bool(header, path, SETUP_RESIZE, err, &o->resize);
	if (!r)
		r = message_get_string(header, path, SETUP_BACKBONE, TEXT_MAX, err, &o->backbone);
	if (!r)
		r = message_get_string(header, path, SETUP_BACKBONE_CUT, TEXT_MAX, err, &o->backbone_cut);
	if (!r)
		r = message_get_string(header, path, SETUP_MODEL_DIR, TEXT_MAX, err, &o->model_dir);
	if (!r)
		r = message_get_object(header, path, SETUP_SPEC, err, &o->spec);
	return r;
}

static int open_all(const struct opening *o, struct error *err, struct workbench *bench)
{
	int r = session_spec_parse(o->spec, err, &bench->spec);

	if (r)
		return r;
	bench->seed = o->seed;
	bench->width_px = (uint32_t)o->width_px;
	bench->height_px = (uint32_t)o->height_px;
	r = thread_pool_create((unsigned)o->threads, err, &bench->threads);
	if (r)
		return r;
	/* Now, because OpenBLAS under a limit of addresses would try for ever instead of failing. */
	r = gemm_reserve(thread_pool_size(bench->threads), err);
	if (r)
		return r;
	r = backbone_open(o->backbone, o->backbone_cut, bench->height_px, bench->width_px, err, &bench->backbone);
	if (r)
		return error_prefix(err, r, "backbone");
	r = pool_open(o->pool, bench->width_px, bench->height_px, o->resize, o->seed, bench->threads, err,
		      &bench->pool);
	if (r)
		return error_prefix(err, r, "pool");
	r = dataset_create(err, &bench->dataset);
	if (r)
		return r;
	r = feature_cache_create(FEATURE_CACHE_BYTES_MAX, bench->pool, bench->backbone, err, &bench->candidates);
	if (r)
		return r;
	return model_shelf_init(&bench->models, o->model_dir, bench->backbone, err);
}

/* Everything but the units is what it was. */
static bool same_opening(const json_t *a, const json_t *b)
{
	json_t *copies[2] = {json_copy((json_t *)a), json_copy((json_t *)b)};
	bool same;

	for (int i = 0; i < 2; i++)
		json_object_del(copies[i], SETUP_SPEC);
	same = copies[0] && copies[1] && json_equal(copies[0], copies[1]);
	json_decref(copies[0]);
	json_decref(copies[1]);
	return same;
}

static int change_units(struct workbench *bench, const json_t *header, const struct opening *o, struct error *err)
{
	struct session_spec spec;

	if (!same_opening(bench->setup, header))
		return error_set(err, -EINVAL, "setup: within a session only its units may change");
	int r = session_spec_parse(o->spec, err, &spec);
	if (r)
		return r;
	if (spec.n_units < bench->spec.n_units || spec.n_bins != bench->spec.n_bins ||
	    spec.response_type != bench->spec.response_type || spec.target_first_bin != bench->spec.target_first_bin ||
	    spec.target_n_bins != bench->spec.target_n_bins) {
		session_spec_done(&spec);
		return error_set(err, -EINVAL, "setup: within a session units may only be added or retired");
	}
	session_spec_done(&bench->spec);
	bench->spec = spec;
	return 0;
}

int workbench_set_up(struct workbench *bench, const json_t *header, struct error *err)
{
	struct workbench fresh = {0};
	struct opening o;
	int r = parse_opening(header, err, &o);

	if (r)
		return r;
	if (bench->setup)
		return change_units(bench, header, &o, err);
	r = open_all(&o, err, &fresh);
	if (!r) {
		fresh.setup = json_deep_copy(header);
		if (!fresh.setup)
			r = error_set(err, -ENOMEM, "setup: out of memory");
	}
	if (r) {
		workbench_done(&fresh);
		return r;
	}
	*bench = fresh;
	return 0;
}

json_t *workbench_describe_pool(const struct workbench *bench)
{
	char hex[HASH_HEX_SIZE];
	json_t *skipped = json_array();
	size_t n = pool_n_skipped(bench->pool);

	for (size_t i = 0; i < n && i < POOL_SKIPPED_NAMED_MAX; i++) {
		/* A file name need not be UTF-8. */
		json_t *text = json_string(pool_skipped(bench->pool, i));

		json_array_append_new(skipped, text ? text : json_string("a file whose name is not UTF-8"));
	}
	hash_to_hex(pool_manifest_hash(bench->pool), hex);
	return json_pack("{s:s, s:I, s:I, s:o}", OUTCOME_POOL, hex, OUTCOME_N_IMAGES,
			 (json_int_t)pool_n_images(bench->pool), OUTCOME_N_SKIPPED, (json_int_t)n, OUTCOME_SKIPPED,
			 skipped);
}

json_t *workbench_describe(const struct workbench *bench)
{
	char hex[HASH_HEX_SIZE];
	json_t *outcome = workbench_describe_pool(bench);

	hash_to_hex(&bench->backbone->hash, hex);
	if (!outcome || json_object_set_new(outcome, OUTCOME_BACKBONE, json_string(hex)) ||
	    json_object_set_new(outcome, OUTCOME_N_FEATURES,
				json_integer((json_int_t)backbone_n_features(bench->backbone)))) {
		json_decref(outcome);
		return NULL;
	}
	return outcome;
}

int workbench_take_data(struct workbench *bench, const struct message *message, struct error *err)
{
	struct store_row *rows;
	int64_t through_seq;
	size_t n;
	int r = data_frame_rows(message, err, &through_seq, &n, &rows);

	if (r)
		return r;
	r = dataset_take(bench->dataset, &bench->spec, rows, n, through_seq, err);
	free(rows);
	return r;
}
