/* A batch in memory: its slots, what became of them, and the PNG bytes of its images until it has been shown. Loop
 * thread only. */
#ifndef EVOKED_DAEMON_BATCH_H
#define EVOKED_DAEMON_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/batch_plan.h"
#include "daemon/store/store.h"
#include "protocol/message.h"
#include "support/error.h"
#include "support/hash.h"

#define ORIGIN_FALLBACK "fallback"
#define ORIGIN_CHOSEN	"chosen"

struct batch_slot {
	struct hash image;
	char kind[32];
	int64_t repeat, requeued;
	bool settled; /* a presentation of it is on disk, whatever its outcome */
	bool shown;   /* a complete one is */
};

struct batch_image {
	struct hash hash;
	void *png; /* owned; NULL while not read */
	size_t png_size;
};

/* How good the model behind a batch is on the monitor images (medians over units); NaN is what is not known. */
struct batch_score {
	char tier[16]; /* "": no model */
	double r2, r2_low, r2_high, r_mean, ceiling;
};

struct batch {
	int64_t number;	   /* 0: in stock */
	bool chosen;	   /* else a fallback */
	const char *cause; /* static; why this one is shown */
	int64_t decision, saw_seq;
	int64_t n_seen;			   /* presentations stored at saw_seq; -1: no data behind it */
	double fit_seconds, batch_seconds; /* NaN: none */
	struct batch_score score;
	size_t n_slots;
	struct batch_slot *slots;
	size_t n_images; /* each once */
	struct batch_image *images;
};

void batch_score_init(struct batch_score *score);

/* A batch with the slots of a stored one, without bytes. NULL when there is no memory. */
struct batch *batch_create(const struct store_batch *stored);
void batch_destroy(struct batch *batch);
/* The same slots, nothing settled, no bytes. NULL when there is no memory. */
struct batch *batch_copy_slots(const struct batch *batch);

/* The slots as the store takes them, in the operation's memory. -ENOMEM. */
int batch_store(const struct batch *batch, struct store_op *op);

/* Gives an image its bytes (copied); an image that is not in the batch is ignored. -ENOMEM. */
int batch_set_png(struct batch *batch, const struct hash *image, const void *png, size_t size);
/* The first image without bytes; NULL when all are there. */
const struct hash *batch_unread(const struct batch *batch);
void batch_drop_png(struct batch *batch);

/* Presentation of a slot is on disk. False when there is no such slot or it is settled in that way already. */
bool batch_settle(struct batch *batch, int64_t slot, bool complete);
size_t batch_n_shown(const struct batch *batch);
/* Slots that were not shown go to the list; how many. */
size_t batch_requeue(const struct batch *batch, uint32_t max_requeue, struct requeue *requeue);

/* The `batch` message: the same bytes for the same batch, whoever asks. -E2BIG over LIMIT_MESSAGE_BYTES. */
int batch_message(const struct batch *batch, int64_t id, struct error *err, struct message *ret_message);

#endif
