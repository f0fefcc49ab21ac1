/* Fitted models by hash: files in the model folder, the last ones in memory. */
#ifndef EVOKED_DAEMON_WORKER_MODEL_SHELF_H
#define EVOKED_DAEMON_WORKER_MODEL_SHELF_H

#include <stddef.h>

#include "models/backbone.h"
#include "models/session_model.h"
#include "support/error.h"
#include "support/hash.h"

enum { MODEL_SHELF_KEPT = 2, MODEL_SHELF_DIR_MAX = 4000, MODEL_FILE_MAX = 1 << 30 };

struct model_shelf_place {
	struct hash hash;
	struct session_model *model; /* NULL: empty */
};

struct model_shelf {
	char dir[MODEL_SHELF_DIR_MAX];
	const struct backbone *backbone;		 /* borrowed */
	struct model_shelf_place kept[MODEL_SHELF_KEPT]; /* the newest first */
};

int model_shelf_init(struct model_shelf *shelf, const char *dir, const struct backbone *backbone, struct error *err);
void model_shelf_done(struct model_shelf *shelf);

/* Writes the model as <hash>.safetensors (whole or not at all) and keeps what was written, read back: a later job gets
 * the same whether it finds it in memory or in the file. The model stays the caller's. *ret_model: as in _get. */
int model_shelf_put(struct model_shelf *shelf, const struct session_model *model, struct error *err,
		    struct hash *ret_hash, size_t *ret_bytes, struct session_model **ret_model);

/* The model of that name; it stays the shelf's, until MODEL_SHELF_KEPT others were asked for. -ENOENT: no such file;
 * -EINVAL: its bytes have another hash, or are no model for this backbone. */
int model_shelf_get(struct model_shelf *shelf, const struct hash *hash, struct error *err,
		    struct session_model **ret_model);

#endif
