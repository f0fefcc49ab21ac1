/* The C client library: what a rig's program uses to talk to evoked. Needs protocol/ and support/error only.
 *
 *	struct client_options options = {.endpoint = "tcp://127.0.0.1:5571"};
 *	randombytes_buf(options.run, sizeof options.run);       // new for each start of the rig
 *	client_create(&options, &err, &client);
 *	client_hello(client, 5000, &err, &welcome);             // waits for the daemon
 *	client_open(client, &spec, 5000, &err, &opened);
 *	for (int64_t after = welcome.next_after;; after = batch.batch) {
 *		client_next_batch(client, after, 60000, &err, &batch);
 *		for (size_t i = 0; i < batch.n_slots; i++) {
 *			show(batch.slots[i].png, batch.slots[i].png_size);
 *			while (client_push(client, &presentation, &err) == -EAGAIN)
 *				client_poll(client, 10, &err);  // the outbox is full: wait, or drop and say so
 *			client_poll(client, 0, &err);           // sends and receives, never waits
 *		}
 *		client_batch_done(&batch);
 *	}
 *	client_flush(client, 10000, &err);                      // until everything is settled
 *	client_destroy(client);
 *
 * client_push() copies a presentation into the outbox and returns at once. It stays there until the daemon says that it
 * is settled (committed to disk, refused, or kept aside as a conflict). What has not been answered after resend_ms, or
 * when the connection broke, or the daemon was restarted, is sent again after a new `hello`; sending again is always
 * safe. `busy` is waited out. The outbox is bounded (CLIENT_OUTBOX_MAX presentations, CLIENT_OUTBOX_BYTES_MAX): when it
 * is full, client_push() returns -EAGAIN and takes nothing.
 *
 * Calls that wait take timeout_ms (0: one look, -1: for ever), move the outbox meanwhile, and return -ETIMEDOUT when
 * there was no answer, -EBUSY when there were only `busy` ones, or what the daemon refused: -EPROTO malformed, -ENOTSUP
 * version or type, -E2BIG, -ESTALE unknown session, -ENOENT unknown image or unit, -EINVAL, -EPERM not in this state,
 * -EIO storage. `err` then carries the daemon's sentence. Thread: one client belongs to one thread. */
#ifndef EVOKED_PROTOCOL_CLIENT_H
#define EVOKED_PROTOCOL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/presentation.h"
#include "protocol/session_spec.h"
#include "support/error.h"

enum {
	CLIENT_OUTBOX_MAX = 8192,
	CLIENT_OUTBOX_BYTES_MAX = 64 << 20,
	CLIENT_BLOCK_MAX = 64, /* presentations sent in one message */
	CLIENT_BLOCK_BYTES_MAX = 1 << 20,
	CLIENT_BLOCKS_MAX = 8, /* messages of presentations without an answer yet */
	CLIENT_RESEND_MS = 2000,
	CLIENT_TEXT_MAX = 128,
};

struct client;

struct client_options {
	const char *endpoint;  /* copied */
	uint8_t run[RUN_SIZE]; /* random, new for each start of the rig */
	int resend_ms;	       /* 0: CLIENT_RESEND_MS */
	/* What became of presentations; each may be NULL. Called from within client_poll() and the waiting calls. */
	void (*settled)(void *ctx, int64_t number, int64_t latency_ns); /* since it was first sent; refused ones too */
	void (*refused)(void *ctx, int64_t number, const char *reason);
	void (*conflict)(void *ctx, int64_t number);
	void *ctx;
};

struct client_welcome {
	char server[CLIENT_TEXT_MAX]; /* program and version */
	char state[32];
	char session_name[LIMIT_LABEL_BYTES + 1]; /* "" before `open` */
	int64_t settled_through;		  /* of this run: numbers go on after it */
	int64_t next_after;			  /* last batch handed over: ask with it */
	uint32_t width_px, height_px;		  /* of images */
};

struct client_opened {
	char session[CLIENT_TEXT_MAX]; /* hex id */
	uint32_t width_px, height_px;
};

struct client_slot {
	int64_t slot;
	uint8_t image[32]; /* hash */
	char kind[32];
	int64_t repeat;	 /* how often the image was planned before */
	const void *png; /* the batch's memory */
	size_t png_size;
};

struct client_batch {
	int64_t batch;
	char origin[16]; /* fallback or chosen */
	size_t n_slots;
	struct client_slot *slots; /* owned, with the bytes behind them */
	void *memory;
};

struct client_stats {
	int64_t n_pushed, n_settled, n_refused, n_conflicts; /* refused and conflicting ones are settled too */
	int64_t n_resent, n_busy, n_hellos;
	size_t n_outbox; /* not settled yet */
};

/* Connects in the background: 0 though no daemon is there yet. -EINVAL endpoint, -ENOMEM. */
int client_create(const struct client_options *options, struct error *err, struct client **ret_client);
/* Drops what is in the outbox: client_flush() first. NULL is fine. */
void client_destroy(struct client *client);

int client_hello(struct client *client, int timeout_ms, struct error *err, struct client_welcome *ret_welcome);
/* `spec` is copied. Opening again with the same content is answered in the same way. */
int client_open(struct client *client, const struct session_spec *spec, int timeout_ms, struct error *err,
		struct client_opened *ret_opened);
/* Units added and retired from presentation `from_number` on; waits until what came before is settled. */
int client_units(struct client *client, int64_t from_number, const struct session_unit *add, size_t n_add,
		 const uint32_t *retire, size_t n_retire, int timeout_ms, struct error *err);

/* Takes a copy. Numbers must rise. -EAGAIN the outbox is full, -EINVAL number or size of the responses, -EPERM before
 * client_open(). */
int client_push(struct client *client, const struct presentation *presentation, struct error *err);
/* Sends and receives for at most timeout_ms, returns early when something came. 0, or -EIO when the sockets failed. */
int client_poll(struct client *client, int timeout_ms, struct error *err);
/* Until the outbox is empty. */
int client_flush(struct client *client, int timeout_ms, struct error *err);

/* The batch after `after`. The caller ends it with client_batch_done(). */
int client_next_batch(struct client *client, int64_t after, int timeout_ms, struct error *err,
		      struct client_batch *ret_batch);
void client_batch_done(struct client_batch *batch);
/* The same without waiting: ask, go on with client_poll(), and take it when it is there (-EAGAIN until then). */
int client_ask_batch(struct client *client, int64_t after, struct error *err);
int client_take_batch(struct client *client, struct error *err, struct client_batch *ret_batch);

/* An image of the rig's own, to be named in presentations. */
int client_image(struct client *client, uint32_t width_px, uint32_t height_px, const void *png, size_t size,
		 int timeout_ms, struct error *err, uint8_t ret_image[32]);
/* A later word about a presentation, kept beside it. outcome and trial may be NULL: as they were. */
int client_amend(struct client *client, int64_t number, const enum presentation_outcome *outcome, const int64_t *trial,
		 const char *reason, int timeout_ms, struct error *err);
/* Not sent again by itself: after -ETIMEDOUT it may or may not be in the file. */
int client_note(struct client *client, const char *text, int timeout_ms, struct error *err);
/* Ends the session. Flush first. */
int client_close(struct client *client, int timeout_ms, struct error *err);

void client_stats(const struct client *client, struct client_stats *ret_stats);

#endif
