/* A list of at most MODEL_SHELF_KEPT, moved to the front when used. The hash is checked at every read from a file: a
 * model is what its name says or an error. Failure modes: the file system's, a damaged file, no memory. */
#include "daemon/worker/model_shelf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"
#include "support/atomic_file.h"

enum { PATH_SIZE = MODEL_SHELF_DIR_MAX + HASH_HEX_SIZE + sizeof MODEL_FILE_SUFFIX };

int model_shelf_init(struct model_shelf *shelf, const char *dir, const struct backbone *backbone, struct error *err)
{
	*shelf = (struct model_shelf){.backbone = backbone};
	if (strlen(dir) >= MODEL_SHELF_DIR_MAX)
		return error_set(err, -ENAMETOOLONG, "model_dir: a path of at most %d bytes expected",
				 MODEL_SHELF_DIR_MAX - 1);
	strcpy(shelf->dir, dir);
	return 0;
}

void model_shelf_done(struct model_shelf *shelf)
{
	for (int i = 0; i < MODEL_SHELF_KEPT; i++) {
		session_model_destroy(shelf->kept[i].model);
		shelf->kept[i].model = NULL;
	}
}

static void path_of(const struct model_shelf *shelf, const struct hash *hash, char ret_path[PATH_SIZE])
{
	char hex[HASH_HEX_SIZE];

	hash_to_hex(hash, hex);
	snprintf(ret_path, PATH_SIZE, "%s/%s" MODEL_FILE_SUFFIX, shelf->dir, hex);
}

/* Moves what stands at `place` to the front. */
static void to_front(struct model_shelf *shelf, int place)
{
	struct model_shelf_place moved = shelf->kept[place];

	memmove(&shelf->kept[1], &shelf->kept[0], (size_t)place * sizeof shelf->kept[0]);
	shelf->kept[0] = moved;
}

static void keep(struct model_shelf *shelf, const struct hash *hash, struct session_model *model)
{
	session_model_destroy(shelf->kept[MODEL_SHELF_KEPT - 1].model);
	shelf->kept[MODEL_SHELF_KEPT - 1].hash = *hash;
	shelf->kept[MODEL_SHELF_KEPT - 1].model = model;
	to_front(shelf, MODEL_SHELF_KEPT - 1);
}

int model_shelf_put(struct model_shelf *shelf, const struct session_model *model, struct error *err,
		    struct hash *ret_hash, size_t *ret_bytes, struct session_model **ret_model)
{
	char path[PATH_SIZE];
	struct session_model *read_back;
	struct hash hash;
	void *data;
	size_t size;
	int r = session_model_encode(model, err, &data, &size);

	if (r)
		return r;
	hash_bytes(data, size, &hash);
	path_of(shelf, &hash, path);
	r = atomic_file_write(path, data, size, err);
	if (!r)
		r = session_model_decode(data, size, shelf->backbone, err, &read_back);
	free(data);
	if (r)
		return error_prefix(err, r, "model");
	keep(shelf, &hash, read_back);
	*ret_hash = hash;
	*ret_bytes = size;
	*ret_model = read_back;
	return 0;
}

static int read_file(const struct model_shelf *shelf, const struct hash *hash, struct error *err,
		     struct session_model **ret_model)
{
	char path[PATH_SIZE];
	struct hash found;
	void *data;
	size_t size;
	int r;

	path_of(shelf, hash, path);
	r = atomic_file_read(path, MODEL_FILE_MAX, err, &data, &size);
	if (r)
		return error_prefix(err, r, "model");
	hash_bytes(data, size, &found);
	if (hash_equal(&found, hash)) {
		r = session_model_decode(data, size, shelf->backbone, err, ret_model);
		if (r)
			error_prefix(err, r, "model %s", path);
	} else {
		r = error_set(err, -EINVAL, "model %s: its bytes have another hash than its name", path);
	}
	free(data);
	return r;
}

int model_shelf_get(struct model_shelf *shelf, const struct hash *hash, struct error *err,
		    struct session_model **ret_model)
{
	struct session_model *model;

	for (int i = 0; i < MODEL_SHELF_KEPT; i++) {
		if (shelf->kept[i].model && hash_equal(&shelf->kept[i].hash, hash)) {
			to_front(shelf, i);
			*ret_model = shelf->kept[0].model;
			return 0;
		}
	}
	int r = read_file(shelf, hash, err, &model);
	if (r)
		return r;
	keep(shelf, hash, model);
	*ret_model = model;
	return 0;
}
