/* What the rows of the session say, as the worker keeps it: images, presentations, and the features of what was shown.
 *
 * Rows come in order of seq; every question names a saw_seq and is answered from the rows at or before it alone, so
 * that a job gives the same whatever else has arrived (design, rule 2). One thread. */
#ifndef EVOKED_DAEMON_WORKER_DATASET_H
#define EVOKED_DAEMON_WORKER_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/store/store.h"
#include "daemon/worker/job_work.h"
#include "models/backbone.h"
#include "models/session_model.h"
#include "protocol/session_spec.h"
#include "support/error.h"
#include "support/hash.h"
#include "support/thread_pool.h"

enum { DATASET_ABSENT = UINT32_MAX, DATASET_CHUNK_IMAGES = 32 };

enum dataset_role { DATASET_NO_ROLE, DATASET_MONITOR, DATASET_SEALED };

struct dataset_image {
	struct hash hash;
	int64_t seq;
	enum dataset_role role;
	uint32_t shown; /* its place among the images that were shown; DATASET_ABSENT */
	uint8_t *png;	/* until its features are computed */
	size_t png_size;
};

struct dataset;

int dataset_create(struct error *err, struct dataset **ret_dataset);
void dataset_destroy(struct dataset *dataset);

/* Takes n rows; those at or before what is known already are passed over. `spec` gives bins, target and response type.
 * -EPROTO: a presentation of an image without a row, responses of a size that does not fit. */
int dataset_take(struct dataset *dataset, const struct session_spec *spec, const struct store_row *rows, size_t n,
		 int64_t through_seq, struct error *err);
int64_t dataset_through_seq(const struct dataset *dataset);

/* Images with a row at or before saw_seq, in order of seq. */
uint32_t dataset_n_images(const struct dataset *dataset, int64_t saw_seq);
const struct dataset_image *dataset_image(const struct dataset *dataset, uint32_t i);
/* DATASET_ABSENT when it has no row at or before saw_seq. */
uint32_t dataset_find(const struct dataset *dataset, const struct hash *hash, int64_t saw_seq);
/* Complete presentations of each image at or before saw_seq; ret_counts [dataset_n_images]. */
void dataset_count_shown(const struct dataset *dataset, int64_t saw_seq, uint32_t *ret_counts);

/* The arrays that a fit takes. */
struct dataset_view {
	struct session_data data; /* its features are the dataset's: valid until rows are taken again */
	uint32_t *image;
	float *counts;
	uint8_t *valid, *monitor, *held_out;
};

/* Everything at or before saw_seq for the session's first n_units units; features not yet there are computed, with a
 * pulse of `work` (may be NULL) for each chunk. A response is the sum over the target bins, missing when one of them
 * is. -EPROTO: responses of another number of units than the session had then; -EINVAL: an image that cannot be
 * decoded; -ENOMEM. */
int dataset_view_init(struct dataset *dataset, const struct session_spec *spec, struct backbone *backbone,
		      struct thread_pool *threads, uint32_t n_units, int64_t saw_seq, struct job_work *work,
		      struct error *err, struct dataset_view *ret_view);
void dataset_view_done(struct dataset_view *view);

#endif
