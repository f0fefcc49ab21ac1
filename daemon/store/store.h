/* The session file: one SQLite database, written by one thread, acknowledged after the commit.
 *
 * The loop hands operations over (`store_submit`); the store thread takes all that are queued, applies them in order in
 * one transaction (each in a savepoint of its own, so that one that fails does not take the others with it), commits
 * with synchronous=FULL and hands them back; `store_drain`, called on the loop after the wakeup, runs each `done`.
 * What arrives during a commit is the next commit. The queue is bounded (STORE_QUEUE_MAX operations and
 * STORE_QUEUE_BYTES_MAX): when full, store_submit returns -EAGAIN and the caller answers `busy`.
 *
 * Reads (PAGE, IMAGE_READ) see what is committed; a read that waits lets one commit at a time pass.
 *
 * All rows share one order, `seq`: each row of the file has a number that no other row has.
 * Failing storage (disk full, I/O): operations are handed back with their error, none is acknowledged, the store stays
 * open and tries the next ones; `store_is_stalled` tells.
 *
 * Threads: everything here is called in the loop thread. */
#ifndef EVOKED_DAEMON_STORE_STORE_H
#define EVOKED_DAEMON_STORE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/presentation.h"
#include "protocol/session_spec.h"
#include "support/error.h"
#include "support/hash.h"

enum { RESUME_COMMANDS_MAX = 4096 };
/* A page holds up the next commit for some ms a MiB. */
enum { STORE_QUEUE_MAX = 4096, STORE_QUEUE_BYTES_MAX = 64 << 20, STORE_PAGE_BYTES_MAX = 2 << 20 };

struct store;

enum store_op_kind {
	STORE_OP_RUN,		/* a rig's start */
	STORE_OP_PRESENTATIONS, /* a block: accepted, refused and conflicting ones */
	STORE_OP_UNITS,		/* units added or retired */
	STORE_OP_IMAGES,	/* images, with their PNG bytes */
	STORE_OP_BATCH,	   /* a number given to slots that are there already: stock drawn by batch.decision, or a batch
			    * that was not shown under an earlier number; origin fallback, or chosen when planned so */
	STORE_OP_HANDOVER, /* a batch went to the rig */
	STORE_OP_DECISION, /* what the loop chose: with its images, slots, model and scores, in one transaction */
	STORE_OP_AMEND,
	STORE_OP_NOTE,
	STORE_OP_COMMAND,    /* an operator's command, or a choice of the daemon such as a halved budget */
	STORE_OP_EVENT,	     /* an error, a worker's death, a client that was refused: for the log */
	STORE_OP_STATE,	     /* session state: open, closed */
	STORE_OP_PAGE,	     /* reads rows (from_seq, through_seq] for the worker */
	STORE_OP_IMAGE_READ, /* reads the PNG of one image */
};

/* What a row of a decision says (design, rule 2). */
struct store_decision {
	int64_t decision;  /* 1, 2, ... */
	const char *kind;  /* prepare, draw, fit, batch, evaluate */
	const char *cause; /* planned, deadline, cancelled, worker_lost, operator */
	int64_t saw_seq;
	char parent_model[HASH_HEX_SIZE]; /* "" without one */
	char pool_hash[HASH_HEX_SIZE];
	int64_t units_planned, units_done;
	json_t *spec;	 /* the job exactly as the worker got it; owned by the operation */
	json_t *outcome; /* what came back, without bulk; owned; NULL when nothing did */
	char outcome_hash[HASH_HEX_SIZE];
	int64_t started_us, finished_us; /* wall clock; nothing is decided by it */
};

struct store_image {
	struct hash hash;
	uint32_t width_px, height_px;
	const char *kind; /* stimuli/kind.h names */
	const char *role; /* "", monitor, sealed */
	const void *png;
	size_t png_size;
	json_t *provenance; /* owned by the operation; may be NULL */
};

struct store_slot {
	int64_t slot;
	struct hash image;
	char kind[32];
	int64_t repeat;	  /* how many times the image was planned before */
	int64_t requeued; /* how many times this slot was put back because it was not shown */
};

struct store_batch {
	int64_t batch;	  /* 1, 2, ...; 0: stock, drawn but not yet given a number */
	char origin[16];  /* fallback or chosen */
	int64_t decision; /* that made these slots */
	int64_t saw_seq;  /* the newest row behind them */
	size_t n_slots;
	struct store_slot *slots;
};

struct store_score {
	const char *set;					    /* monitor, sealed */
	const char *tier;					    /* ridge, ensemble */
	bool shown;						    /* the tier that is used */
	int64_t unit;						    /* id; -1: the median over units */
	double r2, r2_low, r2_high, r_mean, r_single, ceiling, snr; /* NaN is stored as NULL */
	int64_t n_images, n_presentations;
};

/* A presentation is given back when it is complete: at its own seq, or at that of the amendment that made it so. An
 * amendment that makes a complete one incomplete is given back as a withdrawal. So what the worker knows at a seq
 * depends on that seq alone, not on how the rows came in pages. */
enum store_row_kind { STORE_ROW_IMAGE, STORE_ROW_PRESENTATION, STORE_ROW_WITHDRAWN };

/* One row given back for the worker, in order of seq. */
struct store_row {
	int64_t seq;
	enum store_row_kind kind;
	struct hash image;   /* of all kinds */
	char image_kind[32]; /* image: */
	char role[16];
	const void *png;
	size_t png_size;
	uint8_t run[RUN_SIZE];	     /* presentation, withdrawn: of the presentation */
	int64_t run_index;	     /* runs are counted in the order in which they came, from 1 */
	int64_t number, batch, slot; /* batch 0, slot -1: the rig's own image */
	int64_t subject_seq;	     /* withdrawn: the seq under which the presentation was given back before */
	const void *responses, *mask;
	size_t responses_size, mask_size;
};

struct store_page {
	int64_t through_seq; /* last seq that this page covers: ask on from here */
	bool more;
	size_t n_rows;
	struct store_row *rows; /* the operation's, with the bytes behind them */
};

/* REFUSED: its batch, slot or image is not known; the reason is appended to the operation's refusals. A number that was
 * refused once stays so: the same reason comes again. */
enum store_result { STORE_STORED, STORE_SAME, STORE_CONFLICT, STORE_REFUSED };

/* A request and its answer. Made by store_op_create, filled by the loop, given to store_submit (which takes it on
 * success), handed to `done` on the loop, and freed after `done` returns. What pointers point to must live in the
 * operation's own memory (store_op_alloc). */
struct store_op {
	enum store_op_kind kind;
	void (*done)(struct store_op *op, void *ctx); /* may be NULL */
	void *ctx;

	uint8_t run[RUN_SIZE];
	int64_t received_us; /* wall clock at arrival */
	int64_t received_ns; /* monotonic */

	size_t n_presentations; /* PRESENTATIONS; results [n] say what became of each */
	struct presentation *presentations;
	enum store_result *results; /* the store's, in the operation's memory */
	size_t n_refusals;
	struct presentation_refusal *refusals;

	size_t n_images; /* IMAGES, DECISION */
	struct store_image *images;
	struct store_batch batch;	/* BATCH; DECISION with n_slots > 0 */
	struct store_decision decision; /* DECISION */
	size_t n_scores;		/* DECISION of a fit or evaluate */
	struct store_score *scores;
	char model_hash[HASH_HEX_SIZE]; /* DECISION of a fit: the file lies in the model folder already */
	int64_t number;			/* AMEND; UNITS (from_number); HANDOVER (batch) */
	const char *text;		/* NOTE, COMMAND (name), EVENT (kind), STATE (state), HANDOVER (origin) */
	const char *detail;		/* reason, or JSON */
	json_t *object;			/* UNITS, AMEND, COMMAND: fields; owned by the operation */
	int64_t from_seq, through_seq, max_bytes; /* PAGE */
	struct hash image;			  /* IMAGE_READ */

	/* answers; with a status that is not 0 only the status and the error */
	int status; /* 0 or a negative errno, then `error` */
	struct error error;
	int64_t seq;			    /* last row of this operation */
	int64_t committed_us, committed_ns; /* wall clock; monotonic */
	struct store_page page;		    /* PAGE */
	const void *read_data;		    /* IMAGE_READ */
	size_t read_size;

	struct store_op *next; /* the store's */
	size_t n_bytes;	       /* the store's: what the queue counts */
	void *memory;	       /* the operation's arena */
};

struct store_op *store_op_create(enum store_op_kind kind);
void store_op_destroy(struct store_op *op);
/* Memory that lives as long as the operation, 16-byte aligned; NULL when there is none. */
void *store_op_alloc(struct store_op *op, size_t size);
void *store_op_copy(struct store_op *op, const void *data, size_t size);
char *store_op_string(struct store_op *op, const char *text);

/* What the daemon needs to begin a session file. */
struct store_session {
	uint8_t session[16]; /* random id */
	uint64_t seed;
	const struct session_spec *spec;
	const char *config_text; /* the whole configuration as text */
	struct hash config_hash;
	uint32_t width_px, height_px;
};

/* Creates `path` (-EEXIST if it is there) and writes the session row. Blocks: before the loop runs, or at `open`, where
 * the rig waits for it. */
int store_create(const char *path, const struct store_session *session, struct error *err, struct store **ret_store);
/* Opens an existing one: migrates, refuses a newer version (-ENOTSUP) or one that another daemon holds (-EBUSY). */
int store_open(const char *path, struct error *err, struct store **ret_store);

/* Starts the store thread. `wake` is called from it whenever there is something to drain (uv_async_send). */
int store_start(struct store *store, void (*wake)(void *ctx), void *ctx, struct error *err);
/* Commits what is queued, stops the thread; the last store_drain then hands every operation back. */
void store_stop(struct store *store);
/* Checkpoints (TRUNCATE) and closes. NULL is fine. */
void store_close(struct store *store);

/* 0, or -EAGAIN when the queue is full: then the operation is still the caller's. */
int store_submit(struct store *store, struct store_op *op);
/* Runs `done` of what has been committed, in order, and frees it. */
void store_drain(struct store *store);
size_t store_queue_length(const struct store *store);
bool store_is_stalled(const struct store *store);

/* The state from which a daemon goes on: read once after store_open, before store_start. */
struct store_range {
	int64_t first, last;
};
struct store_resume_run {
	uint8_t run[RUN_SIZE];
	size_t n_ranges; /* settled numbers, rising, not touching */
	struct store_range *ranges;
};
/* Keys of store_resume.commands. */
#define RESUME_COMMAND_NAME   "name"
#define RESUME_COMMAND_DETAIL "detail" /* "" without one */
#define RESUME_COMMAND_OBJECT "object" /* absent without one */

struct store_resume {
	uint8_t session[16];
	uint64_t seed;
	char state[16];
	char *config_text;
	uint32_t width_px, height_px;
	struct session_spec spec; /* with all unit versions */
	int64_t last_seq, last_decision, last_batch, last_handed_batch;
	char handed_origin[16];
	size_t n_runs; /* the newest run last */
	struct store_resume_run *runs;
	int64_t n_presentations, n_complete, n_refused, n_conflicts;
	char model_hash[HASH_HEX_SIZE]; /* newest fit; "" */
	char pool_hash[HASH_HEX_SIZE];	/* from the prepare decision; "" */
	size_t n_batches;		/* the last handed one and all after it; both origins, by (batch, origin) */
	struct store_batch *batches;
	json_t *commands; /* [{name, detail, object}]: COMMAND rows in order, the newest RESUME_COMMANDS_MAX */
	size_t n_stock;	  /* fallback batches drawn and not yet given a number */
	struct store_batch *stock;
};
int store_resume_read(struct store *store, struct error *err, struct store_resume *ret_resume);
void store_resume_done(struct store_resume *resume);

#endif
