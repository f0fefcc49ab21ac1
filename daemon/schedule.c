/* Handing over: the batch that carries the next number, chosen if it is there, else the reserved one.
 *
 *   stock --(BATCH: number n+1)--> reserved --(HANDOVER)--> current --> previous --> requeue
 *   worker --(DECISION: batch n+1)--> chosen --(HANDOVER)--> current
 *
 * A reserved fallback that was not needed goes back to the stock. The bytes of images that a batch only repeats are
 * read from the store before the batch counts as ready. schedule_jobs.c has the worker's side. */
#include "daemon/schedule.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "protocol/fields.h"
#include "stimuli/kind.h"

int schedule_create(struct daemon *daemon, struct error *err, struct schedule **ret_schedule)
{
	struct schedule *schedule = calloc(1, sizeof *schedule);

	if (!schedule)
		return error_set(err, -ENOMEM, "schedule: out of memory");
	schedule->daemon = daemon;
	schedule->budget = 1;
	batch_score_init(&schedule->score);
	batch_score_init(&schedule->sealed);
	schedule->plan.natural = true;
	*ret_schedule = schedule;
	return 0;
}

void schedule_destroy(struct schedule *schedule)
{
	if (!schedule)
		return;
	for (size_t i = 0; i < schedule->n_stock; i++)
		batch_destroy(schedule->stock[i]);
	batch_destroy(schedule->current);
	batch_destroy(schedule->previous);
	batch_destroy(schedule->reserved);
	batch_destroy(schedule->chosen);
	batch_destroy(schedule->reserve);
	batch_destroy(schedule->job.batch);
	json_decref(schedule->job.spec);
	free(schedule);
}

int64_t schedule_handed(const struct schedule *schedule)
{
	return schedule->current ? schedule->current->number : 0;
}

int64_t schedule_lag(const struct schedule *schedule)
{
	return schedule->n_rows > 0 ? schedule->rows[(schedule->n_rows - 1) % SCHEDULE_ROWS].lag : -1;
}

static void add_row(struct schedule *schedule, const struct batch *batch)
{
	int64_t stored = schedule->daemon->session.n_stored;
	struct schedule_row *row = &schedule->rows[schedule->n_rows++ % SCHEDULE_ROWS];

	*row = (struct schedule_row){
		.batch = batch->number,
		.chosen = batch->chosen,
		.cause = batch->cause,
		.n_slots = batch->n_slots,
		.n_presentations = stored,
		.lag = batch->n_seen < 0 ? -1 : stored - batch->n_seen,
		.fit_seconds = batch->fit_seconds,
		.batch_seconds = batch->batch_seconds,
		.rig_wait_ms = (double)(clock_monotonic_ns() - schedule->first_asked_ns) / 1e6,
		.score = batch->score,
	};
	schedule->n_batches++;
	schedule->n_fallback += !batch->chosen;
}

/* Two late results in a row: the work is too much for the time that the rig leaves. */
static void count_late(struct schedule *schedule)
{
	struct daemon *daemon = schedule->daemon;
	struct store_op *op;

	if (++schedule->n_late < SCHEDULE_LATE_MAX || schedule->budget / 2 < SCHEDULE_BUDGET_MIN)
		return;
	schedule->n_late = 0;
	schedule->budget /= 2;
	daemon_warn(daemon, COMMAND_BUDGET_HALVED,
		    "%d batches in a row came too late: fits and synthesis now take %g of their steps",
		    SCHEDULE_LATE_MAX, schedule->budget);
	op = store_op_create(STORE_OP_COMMAND);
	if (!op)
		return;
	op->text = COMMAND_BUDGET_HALVED;
	op->object = json_pack("{s:f}", COMMAND_FIELD_BUDGET, schedule->budget);
	daemon_submit_own(daemon, op);
}

static void put_back(struct schedule *schedule, struct batch *batch)
{
	if (schedule->n_stock == SCHEDULE_STOCK_MAX) {
		batch_destroy(batch);
		return;
	}
	memmove(schedule->stock + 1, schedule->stock, schedule->n_stock * sizeof(*schedule->stock));
	batch->number = 0;
	schedule->stock[0] = batch;
	schedule->n_stock++;
}

/* The batch is the rig's from here: the next one is planned. */
static void move_on(struct schedule *schedule, struct batch *batch)
{
	bool was_late = !batch->chosen && schedule->plan.phase != PLAN_NONE && !schedule->plan.lost;

	if (schedule->previous)
		batch_requeue(schedule->previous, schedule->daemon->session.config.batch.max_requeue,
			      &schedule->requeue);
	batch_destroy(schedule->previous);
	schedule->previous = schedule->current;
	if (schedule->previous)
		batch_drop_png(schedule->previous);
	if (batch == schedule->chosen) {
		schedule->chosen = NULL;
		schedule->n_late = 0;
		if (schedule->reserved)
			put_back(schedule, schedule->reserved);
	}
	batch_destroy(schedule->chosen); /* natural images were asked for meanwhile */
	schedule->chosen = NULL;
	schedule->reserved = NULL;
	schedule->current = batch;
	if (!schedule->reserve && batch->n_seen < 0)
		schedule->reserve = batch_copy_slots(batch);
	if (was_late) {
		schedule->plan.late = true;
		count_late(schedule);
	} else {
		schedule_begin_plan(schedule);
	}
}

static void send_current(struct schedule *schedule)
{
	struct message message;
	struct error err;

	if (batch_message(schedule->current, schedule->asker.id, &err, &message) < 0) {
		answer_error(&schedule->asker, CODE_TOO_LARGE, FIELD_BATCH, err.text);
	} else {
		endpoint_send(schedule->asker.endpoint, &schedule->asker.peer, &message);
		message_done(&message);
	}
	schedule->asked = false;
}

static void handed_over(struct store_op *op, void *ctx)
{
	struct schedule *schedule = ctx;
	struct batch *batch = schedule->handing;

	schedule->handing = NULL;
	if (op->status < 0) {
		answer_busy(&schedule->asker, DAEMON_STALL_RETRY_MS, op->error.text, NULL);
		schedule->asked = false;
		return;
	}
	add_row(schedule, batch);
	move_on(schedule, batch);
	send_current(schedule);
	daemon_moved(schedule->daemon);
}

static void hand_over(struct schedule *schedule, struct batch *batch)
{
	struct store_op *op = store_op_create(STORE_OP_HANDOVER);
	char detail[64];

	if (!op)
		return;
	memcpy(op->run, schedule->asker_run, RUN_SIZE);
	op->number = batch->number;
	op->text = batch->chosen ? ORIGIN_CHOSEN : ORIGIN_FALLBACK;
	/* For the table `batches`; its own commit, which the rig waits for as well, is not in it. */
	snprintf(detail, sizeof detail, "waited %.3f ms",
		 (double)(clock_monotonic_ns() - schedule->first_asked_ns) / 1e6);
	op->detail = store_op_string(op, detail);
	op->done = handed_over;
	op->ctx = schedule;
	schedule->handing = batch;
	daemon_submit_own(schedule->daemon, op);
}

/* An image that the file does not give back: the batch that needs it cannot be shown, another takes its place. */
static void drop_unreadable(struct schedule *schedule, const struct hash *image)
{
	struct batch **places[] = {&schedule->chosen, &schedule->reserved};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct batch *batch = *places[i];
		if (!batch || batch == schedule->handing || !batch_unread(batch) ||
		    !hash_equal(batch_unread(batch), image))
			continue;
		batch_destroy(batch);
		*places[i] = NULL;
	}
	if (schedule->asked && schedule->current && batch_unread(schedule->current)) {
		answer_error(&schedule->asker, CODE_STORAGE, FIELD_BATCH, "an image of the batch cannot be read");
		schedule->asked = false;
	}
}

static void image_read(struct store_op *op, void *ctx)
{
	struct schedule *schedule = ctx;
	struct batch *batches[] = {schedule->current, schedule->chosen, schedule->reserved};
	char hex[HASH_HEX_SIZE];

	schedule->reading = false;
	if (op->status < 0) {
		hash_to_hex(&op->image, hex);
		daemon_warn(schedule->daemon, "image_unreadable", "image %s cannot be read from the session file: %s",
			    hex, op->error.text);
		drop_unreadable(schedule, &op->image);
	}
	for (size_t i = 0; op->status == 0 && i < sizeof batches / sizeof *batches; i++)
		if (batches[i])
			batch_set_png(batches[i], &op->image, op->read_data, op->read_size);
	schedule_advance(schedule);
}

/* Reads what a batch still lacks, an image at a time. True when all is there. */
static bool make_readable(struct schedule *schedule, struct batch *batch)
{
	const struct hash *image = batch_unread(batch);

	if (!image)
		return true;
	if (schedule->reading)
		return false;
	struct store_op *op = store_op_create(STORE_OP_IMAGE_READ);
	if (op) {
		op->image = *image;
		op->done = image_read;
		op->ctx = schedule;
		schedule->reading = true;
		daemon_submit_own(schedule->daemon, op);
	}
	return false;
}

static void reserved_on_disk(struct store_op *op, void *ctx)
{
	struct schedule *schedule = ctx;

	schedule->reserving = false;
	if (op->status < 0) {
		if (schedule->reserved)
			put_back(schedule, schedule->reserved);
		schedule->reserved = NULL;
		return;
	}
	if (session_may(&schedule->daemon->machine, SESSION_EVENT_READY))
		session_move(&schedule->daemon->machine, SESSION_EVENT_READY, NULL);
	daemon_moved(schedule->daemon);
	schedule_advance(schedule);
}

/* Why a batch of the stock would be shown. */
static const char *cause_of_reserved(const struct schedule *schedule)
{
	if (schedule->daemon->session.natural_only)
		return "operator";
	if (schedule->plan.lost)
		return "worker_lost";
	return schedule->plan.natural ? "planned" : "deadline";
}

/* Gives the next number to a batch of the stock, or to a repetition of the oldest one when nothing else is to be had.
 */
static void reserve_next(struct schedule *schedule)
{
	struct batch *batch = NULL;
	struct store_op *op;

	if (schedule->reserved || schedule->reserving || schedule->handing)
		return;
	const struct batch *oldest = schedule->reserve ? schedule->reserve : schedule->current;
	bool draw_soon = schedule->job.active ? schedule->job.kind == JOB_DRAW
					      : schedule->worker_ready && schedule->prepared && !schedule->plan.lost;

	if (schedule->n_stock > 0) {
		batch = schedule->stock[0];
		memmove(schedule->stock, schedule->stock + 1, --schedule->n_stock * sizeof(*schedule->stock));
	} else if (schedule->asked && oldest && !schedule->chosen && !draw_soon) {
		batch = batch_copy_slots(oldest);
	}
	if (!batch)
		return;
	batch->number = schedule_handed(schedule) + 1;
	batch->chosen = schedule->plan.natural;
	op = store_op_create(STORE_OP_BATCH);
	if (!op || batch_store(batch, op) < 0) {
		store_op_destroy(op);
		put_back(schedule, batch);
		return;
	}
	schedule->reserved = batch;
	schedule->reserving = true;
	op->done = reserved_on_disk;
	op->ctx = schedule;
	daemon_submit_own(schedule->daemon, op);
}

/* The batch that the rig may have now; NULL: not yet, but soon, when *ret_soon, else the rig had better ask again. */
static struct batch *next_ready(struct schedule *schedule, bool *ret_soon)
{
	bool natural_only = schedule->daemon->session.natural_only;

	*ret_soon = true;
	if (schedule->job.committing && schedule->job.kind == JOB_BATCH && !natural_only)
		return NULL;
	if (schedule->chosen && !natural_only)
		return make_readable(schedule, schedule->chosen) ? schedule->chosen : NULL;
	if (schedule->reserved)
		return !schedule->reserving && make_readable(schedule, schedule->reserved) ? schedule->reserved : NULL;
	*ret_soon = schedule->reserving;
	return NULL;
}

/* The next batch is read before the rig asks for it. */
static void read_ahead(struct schedule *schedule)
{
	if (schedule->chosen)
		make_readable(schedule, schedule->chosen);
	if (schedule->reserved && !schedule->reserving)
		make_readable(schedule, schedule->reserved);
}

static void answer_asker(struct schedule *schedule)
{
	bool soon;

	if (!schedule->asked || schedule->handing)
		return;
	if (schedule->current && schedule->asked_after == schedule->current->number - 1) {
		if (make_readable(schedule, schedule->current))
			send_current(schedule);
		return;
	}
	if (schedule->daemon->machine.state != SESSION_RUNNING)
		return;
	struct batch *batch = next_ready(schedule, &soon);
	if (batch) {
		if (batch == schedule->reserved)
			batch->cause = cause_of_reserved(schedule);
		hand_over(schedule, batch);
	} else if (!soon) {
		answer_busy(&schedule->asker, SCHEDULE_WAIT_RETRY_MS, "the next batch is being prepared", NULL);
		schedule->asked = false;
	}
}

void schedule_next_batch(struct schedule *schedule, const struct asker *asker, const uint8_t run[RUN_SIZE],
			 int64_t after)
{
	int64_t handed = schedule_handed(schedule);
	struct error text;

	if (after != handed && after != handed - 1) {
		error_set(&text, -EINVAL,
			  "after: %" PRId64 " or %" PRId64 " expected (batch %" PRId64
			  " was handed over last), found %" PRId64,
			  handed > 0 ? handed - 1 : 0, handed, handed, after);
		answer_error(asker, CODE_INVALID, FIELD_AFTER, text.text);
		return;
	}
	if (schedule->failure[0] && !schedule->reserved && !schedule->chosen && !schedule->reserve) {
		answer_error(asker, CODE_STATE, NULL, schedule->failure);
		return;
	}
	if (!schedule->first_asked_ns || schedule->asked_after != after)
		schedule->first_asked_ns = clock_monotonic_ns();
	schedule->asked_after = after;
	if (after == handed && schedule->daemon->machine.state != SESSION_RUNNING) {
		answer_busy(asker, DAEMON_RETRY_MS, session_state_name(schedule->daemon->machine.state), NULL);
		return;
	}
	schedule->asked = true;
	schedule->asker = *asker;
	memcpy(schedule->asker_run, run, RUN_SIZE);
	schedule_advance(schedule);
}

bool schedule_settled(struct schedule *schedule, const struct presentation *presentation)
{
	struct batch *batches[] = {schedule->current, schedule->previous};
	bool complete = presentation->outcome == OUTCOME_COMPLETE;
	enum kind kind;

	for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
		if (!batches[i] || batches[i]->number != presentation->batch)
			continue;
		batch_settle(batches[i], presentation->slot, complete);
		if (!complete || presentation->slot < 0 || (size_t)presentation->slot >= batches[i]->n_slots ||
		    kind_from_name(batches[i]->slots[presentation->slot].kind, NULL, &kind) < 0)
			return false;
		return !kind_is_held_out(kind) && kind != KIND_BLANK;
	}
	return complete && presentation->batch == 0;
}

void schedule_set_natural(struct schedule *schedule, bool on)
{
	schedule->daemon->session.natural_only = on;
	if (on && schedule->job.active && (schedule->job.kind == JOB_FIT || schedule->job.kind == JOB_BATCH)) {
		schedule->job.cancelled = true;
		supervisor_cancel(schedule->daemon->worker, (uint64_t)schedule->job.decision);
	}
	if (on)
		schedule->plan.phase = PLAN_NONE;
	schedule_advance(schedule);
}

void schedule_drain(struct schedule *schedule)
{
	schedule->draining = true;
	if (schedule->asked)
		answer_error(&schedule->asker, CODE_STATE, NULL, "the session is being closed");
	schedule->asked = false;
	schedule->plan.phase = PLAN_NONE;
	if (schedule->job.active && !schedule->job.committing) {
		schedule->job.cancelled = true;
		supervisor_cancel(schedule->daemon->worker, (uint64_t)schedule->job.decision);
	}
	schedule_advance(schedule);
}

void schedule_advance(struct schedule *schedule)
{
	enum session_state state = schedule->daemon->machine.state;

	if (!schedule->daemon->taking)
		return;
	if (state == SESSION_OPEN || state == SESSION_RUNNING)
		reserve_next(schedule);
	answer_asker(schedule);
	read_ahead(schedule);
	if (state == SESSION_OPEN || state == SESSION_RUNNING || state == SESSION_DRAINING)
		schedule_next_job(schedule);
}
