/* A session model as one safetensors file and back. One list of tensors serves both ways: encoding writes what it
 * points to, decoding allocates a model of the sizes in the metadata and fills what it points to. The bytes depend on
 * the model only.
 *
 * Failure modes: memory; a file that is not of this kind, of another version, for another backbone, or whose sizes,
 * types or group numbers do not hold together: refused with the name of the field. */
#include "models/session_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/safetensors.h"
#include "models/session_model_private.h"

#define KIND_KEY     "evoked"
#define KIND	     "session_model 1"
#define HASH_KEY     "backbone"
#define HEIGHT_KEY   "height_px"
#define WIDTH_KEY    "width_px"
#define BEST_KEY     "best"
#define SEED_KEY     "seed"
#define DECISION_KEY "decision"
#define MEMBERS_KEY  "n_members"
#define MIXING_KEY   "mixing_channels"
#define UNITS_KEY    "n_units"
#define RANK_KEY     "rank"
#define GROUPS_KEY   "n_groups"

enum {
	FIXED_TENSORS = 16,
	MEMBER_TENSORS = 8,
	TENSORS_MAX = FIXED_TENSORS + MEMBER_TENSORS * SESSION_MODEL_MEMBERS_MAX,
	NAME_MAX_BYTES = 160,
	NUMBER_MAX_BYTES = 24,
	METADATA = 12,
};

/* Tensors point into a model; names into this. */
struct tensor_list {
	size_t n;
	struct safetensors_tensor tensors[TENSORS_MAX];
	char names[TENSORS_MAX][NAME_MAX_BYTES];
};

static void list(struct tensor_list *list, const char *name, enum safetensors_type type, uint32_t n_dims,
		 const uint64_t *dims, const void *data)
{
	struct safetensors_tensor *tensor = &list->tensors[list->n];

	snprintf(list->names[list->n], NAME_MAX_BYTES, "%s", name);
	*tensor = (struct safetensors_tensor){
		.name = list->names[list->n], .type = type, .n_dims = n_dims, .n_values = 1, .data = data};
	for (uint32_t d = 0; d < n_dims; d++) {
		tensor->dims[d] = dims[d];
		tensor->n_values *= dims[d];
	}
	list->n++;
}

static void list_ridge(struct tensor_list *l, const struct ridge *ridge)
{
	const uint64_t units[] = {ridge->n_units, ridge->n_features}, features[] = {ridge->n_features};
	const uint64_t basis[] = {ridge->rank, ridge->n_features};
	const uint64_t groups[] = {ridge->n_groups, ridge->rank, ridge->rank};

	list(l, "ridge.feature_mean", SAFETENSORS_F32, 1, features, ridge->scaling.mean);
	list(l, "ridge.feature_scale", SAFETENSORS_F32, 1, features, ridge->scaling.scale);
	list(l, "ridge.weights", SAFETENSORS_F32, 2, units, ridge->weights);
	list(l, "ridge.intercept", SAFETENSORS_F32, 1, units, ridge->intercept);
	list(l, "ridge.noise", SAFETENSORS_F64, 1, units, ridge->noise);
	list(l, "ridge.prior", SAFETENSORS_F64, 1, units, ridge->prior);
	list(l, "ridge.basis", SAFETENSORS_F32, 2, basis, ridge->basis);
	list(l, "ridge.group", SAFETENSORS_I32, 1, units, ridge->group);
	list(l, "ridge.centre", SAFETENSORS_F32, 2, groups, ridge->centre);
	list(l, "ridge.rotation", SAFETENSORS_F32, 3, groups, ridge->rotation);
	list(l, "ridge.values", SAFETENSORS_F64, 2, groups, ridge->values);
	list(l, "ridge.presentations", SAFETENSORS_F64, 1, groups, ridge->presentations);
}

static void list_member(struct tensor_list *l, uint32_t k, const struct network *network)
{
	for (uint32_t i = 0; i < network->n_layers; i++) {
		const struct layer *layer = &network->layers[i];
		for (uint32_t j = 0; j < layer->n_tensors; j++) {
			const struct layer_tensor *tensor = &layer->tensors[j];
			char name[NAME_MAX_BYTES];
			uint64_t dims[4];
			for (uint32_t d = 0; d < tensor->n_dims; d++)
				dims[d] = tensor->dims[d];
			snprintf(name, sizeof name, "member.%u.%s.%s", k, layer->name, tensor->role);
			list(l, name, SAFETENSORS_F32, tensor->n_dims, dims, network->weights + tensor->offset);
		}
	}
}

static void list_model(struct tensor_list *l, const struct session_model *model)
{
	const struct ensemble *ensemble = &model->ensemble;
	const uint64_t channels = ensemble->map.channels, units = ensemble->n_units;

	l->n = 0;
	list_ridge(l, &model->ridge);
	if (ensemble->n_members == 0)
		return;
	list(l, "ensemble.channel_mean", SAFETENSORS_F32, 1, &channels, ensemble->channel_mean);
	list(l, "ensemble.channel_scale", SAFETENSORS_F32, 1, &channels, ensemble->channel_scale);
	list(l, "ensemble.unit_mean", SAFETENSORS_F32, 1, &units, ensemble->unit_mean);
	list(l, "ensemble.unit_scale", SAFETENSORS_F32, 1, &units, ensemble->unit_scale);
	for (uint32_t k = 0; k < ensemble->n_members; k++)
		list_member(l, k, ensemble->members[k]);
}

int session_model_encode(const struct session_model *model, struct error *err, void **ret_data, size_t *ret_size)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{HEIGHT_KEY, model->height_px},
		{WIDTH_KEY, model->width_px},
		{BEST_KEY, model->best},
		{SEED_KEY, model->seed},
		{DECISION_KEY, model->decision},
		{MEMBERS_KEY, model->ensemble.n_members},
		{MIXING_KEY, model->ensemble.mixing_channels},
		{UNITS_KEY, model->ridge.n_units},
		{RANK_KEY, model->ridge.rank},
		{GROUPS_KEY, model->ridge.n_groups},
	};
	struct tensor_list *tensors = malloc(sizeof *tensors);
	char hash[HASH_HEX_SIZE], texts[METADATA][NUMBER_MAX_BYTES];
	struct safetensors_metadata metadata[METADATA] = {{KIND_KEY, KIND}, {HASH_KEY, hash}};

	if (!tensors)
		return error_set(err, -ENOMEM, "model: no memory to write it");
	hash_to_hex(&model->backbone, hash);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		snprintf(texts[i], sizeof texts[i], "%" PRIu64, numbers[i].value);
		metadata[2 + i] = (struct safetensors_metadata){numbers[i].key, texts[i]};
	}
	list_model(tensors, model);
	int r = safetensors_encode(tensors->tensors, tensors->n, metadata, METADATA, err, ret_data, ret_size);
	free(tensors);
	return r;
}

/* --- decoding ---------------------------------------------------------------------------------------------------- */

static int number(const struct safetensors *file, const char *key, uint64_t min, uint64_t max, struct error *err,
		  uint64_t *ret_value)
{
	const char *text = safetensors_metadata(file, key);
	char *end = NULL;

	if (!text || text[0] < '0' || text[0] > '9')
		return error_set(err, -EINVAL, "model metadata %s: %s, expected a number", key,
				 text ? text : "missing");
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || value < min || value > max)
		return error_set(err, -EINVAL, "model metadata %s: %s, must be %" PRIu64 " to %" PRIu64, key, text, min,
				 max);
	*ret_value = value;
	return 0;
}

static int check_kind(const struct safetensors *file, const struct backbone *backbone, struct error *err)
{
	const char *kind = safetensors_metadata(file, KIND_KEY), *hash = safetensors_metadata(file, HASH_KEY);
	char expected[HASH_HEX_SIZE];

	if (!kind || strcmp(kind, KIND) != 0)
		return error_set(err, -EINVAL, "model metadata " KIND_KEY ": %s, expected " KIND,
				 kind ? kind : "missing");
	hash_to_hex(&backbone->hash, expected);
	if (!hash || strcmp(hash, expected) != 0)
		return error_set(err, -EINVAL, "model metadata " HASH_KEY ": %s, this session's backbone is %s",
				 hash ? hash : "missing", expected);
	return 0;
}

/* A model of the sizes in the metadata, all zero. */
static int allocate(const struct safetensors *file, size_t size, const struct backbone *backbone,
		    struct session_model *model, struct error *err)
{
	const struct shape map = backbone_shape(backbone);
	/* Its weights fill the file: a size that the bytes do not bear out asks for no memory. */
	const uint64_t units_max = size / (backbone_n_features(backbone) * sizeof(float));
	uint64_t height, width, best, seed, decision, n_members, mixing, n_units, rank, n_groups;
	int r = number(file, HEIGHT_KEY, backbone->height_px, backbone->height_px, err, &height);

	r = r < 0 ? r : number(file, WIDTH_KEY, backbone->width_px, backbone->width_px, err, &width);
	r = r < 0 ? r : number(file, BEST_KEY, 0, SESSION_MODEL_ENSEMBLE, err, &best);
	r = r < 0 ? r : number(file, SEED_KEY, 0, UINT64_MAX, err, &seed);
	r = r < 0 ? r : number(file, DECISION_KEY, 0, UINT32_MAX, err, &decision);
	r = r < 0 ? r
		  : number(file, MEMBERS_KEY, best == SESSION_MODEL_ENSEMBLE, SESSION_MODEL_MEMBERS_MAX, err,
			   &n_members);
	r = r < 0 ? r : number(file, MIXING_KEY, n_members > 0, SESSION_MODEL_MIXING_MAX, err, &mixing);
	r = r < 0 ? r : number(file, UNITS_KEY, 1, units_max, err, &n_units);
	r = r < 0 ? r : number(file, RANK_KEY, 1, RIDGE_RANK_MAX, err, &rank);
	r = r < 0 ? r : number(file, GROUPS_KEY, 1, n_units, err, &n_groups);
	r = r < 0 ? r : ridge_init(map, (uint32_t)n_units, (uint32_t)rank, (uint32_t)n_groups, err, &model->ridge);
	if (r < 0)
		return r;
	model->backbone = backbone->hash;
	model->height_px = (uint32_t)height;
	model->width_px = (uint32_t)width;
	model->best = (enum session_model_tier)best;
	model->seed = seed;
	model->decision = (uint32_t)decision;
	if (n_members == 0)
		return 0;
	const struct session_model_settings settings = {
		.n_members = (uint32_t)n_members, .mixing_channels = (uint32_t)mixing, .seed = seed};
	return ensemble_init(map, (uint32_t)n_units, &settings, err, &model->ensemble);
}

static int fill(const struct safetensors *file, const struct tensor_list *tensors, struct error *err)
{
	if (safetensors_n_tensors(file) != tensors->n)
		return error_set(err, -EINVAL, "model: %zu tensors, expected %zu", safetensors_n_tensors(file),
				 tensors->n);
	for (size_t i = 0; i < tensors->n; i++) {
		const struct safetensors_tensor *to = &tensors->tensors[i], *from = safetensors_find(file, to->name);
		if (!from)
			return error_set(err, -EINVAL, "model tensor %s: missing", to->name);
		if (from->type != to->type || from->n_dims != to->n_dims ||
		    memcmp(from->dims, to->dims, to->n_dims * sizeof *to->dims) != 0)
			return error_set(err, -EINVAL,
					 "model tensor %s: %" PRIu64 " values, expected %" PRIu64
					 " of another type or shape",
					 to->name, from->n_values, to->n_values);
		/* The list points into a model that this file owns and allocated for it. */
		memcpy((void *)to->data, from->data, to->n_values * (to->type == SAFETENSORS_F64 ? 8 : 4));
	}
	return 0;
}

int session_model_image_size(const struct safetensors *file, struct error *err, uint32_t *ret_height_px,
			     uint32_t *ret_width_px)
{
	const char *kind = safetensors_metadata(file, KIND_KEY);
	uint64_t height = 0, width = 0;

	if (!kind || strcmp(kind, KIND) != 0)
		return 1;
	int r = number(file, HEIGHT_KEY, 1, UINT16_MAX, err, &height);
	r = r < 0 ? r : number(file, WIDTH_KEY, 1, UINT16_MAX, err, &width);
	if (r < 0)
		return r;
	*ret_height_px = (uint32_t)height;
	*ret_width_px = (uint32_t)width;
	return 0;
}

int session_model_decode(const void *data, size_t size, const struct backbone *backbone, struct error *err,
			 struct session_model **ret_model)
{
	struct tensor_list *tensors = malloc(sizeof *tensors);
	struct session_model *model = calloc(1, sizeof *model);
	struct safetensors *file = NULL;
	int r;

	if (!tensors || !model) {
		r = error_set(err, -ENOMEM, "model: no memory to read it");
		goto out;
	}
	r = safetensors_decode(data, size, err, &file);
	r = r < 0 ? r : check_kind(file, backbone, err);
	r = r < 0 ? r : allocate(file, size, backbone, model, err);
	if (r < 0)
		goto out;
	list_model(tensors, model);
	r = fill(file, tensors, err);
	for (uint32_t u = 0; r == 0 && u < model->ridge.n_units; u++)
		if (model->ridge.group[u] >= model->ridge.n_groups)
			r = error_set(err, -EINVAL, "model tensor ridge.group[%u]: %u, must be below %u", u,
				      model->ridge.group[u], model->ridge.n_groups);
out:
	safetensors_destroy(file);
	free(tensors);
	if (r < 0)
		session_model_destroy(model);
	else
		*ret_model = model;
	return r;
}
