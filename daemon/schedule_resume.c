/* Going on with a session that was left open: the batch that was being shown is current again, with the same bytes, and
 * what of it is on disk already is read back from the store. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/schedule.h"

static void read_settled(struct schedule *schedule, int64_t from_seq, int64_t through_seq);

static void settled_read(struct store_op *op, void *ctx)
{
	struct schedule *schedule = ctx;

	for (size_t i = 0; op->status == 0 && i < op->page.n_rows; i++) {
		const struct store_row *row = &op->page.rows[i];
		if (row->kind == STORE_ROW_PRESENTATION && schedule->current && row->batch == schedule->current->number)
			batch_settle(schedule->current, row->slot, true);
	}
	if (op->status == 0 && op->page.more)
		read_settled(schedule, op->page.through_seq, op->through_seq);
}

/* Complete presentations of the current batch lie after what the batch saw. */
static void read_settled(struct schedule *schedule, int64_t from_seq, int64_t through_seq)
{
	struct store_op *op = store_op_create(STORE_OP_PAGE);

	if (!op)
		return;
	op->from_seq = from_seq;
	op->through_seq = through_seq;
	op->max_bytes = STORE_PAGE_BYTES_MAX;
	op->done = settled_read;
	op->ctx = schedule;
	daemon_submit_own(schedule->daemon, op);
}

static bool is_handed(const struct store_resume *resume, const struct store_batch *batch)
{
	return batch->batch == resume->last_handed_batch && strcmp(batch->origin, resume->handed_origin) == 0;
}

/* The place where a stored batch belongs; NULL: nowhere any more. */
static struct batch **place_of(struct schedule *schedule, const struct store_resume *resume,
			       const struct store_batch *batch)
{
	if (is_handed(resume, batch))
		return &schedule->current;
	if (batch->batch != resume->last_handed_batch + 1)
		return NULL;
	return strcmp(batch->origin, ORIGIN_CHOSEN) == 0 ? &schedule->chosen : &schedule->reserved;
}

/* A fallback that was not shown and whose slots carry no later number goes back to the stock. */
static bool is_left_over(const struct store_resume *resume, const struct store_batch *batch)
{
	if (batch->batch != resume->last_handed_batch || is_handed(resume, batch) ||
	    strcmp(batch->origin, ORIGIN_FALLBACK) != 0)
		return false;
	for (size_t i = 0; i < resume->n_batches; i++)
		if (resume->batches[i].batch > batch->batch && resume->batches[i].decision == batch->decision)
			return false;
	return true;
}

static int add_stock(struct schedule *schedule, const struct store_batch *stored)
{
	if (schedule->n_stock == SCHEDULE_STOCK_MAX)
		return 0;
	struct batch *batch = batch_create(stored);
	if (!batch)
		return -ENOMEM;
	batch->number = 0;
	schedule->stock[schedule->n_stock++] = batch;
	return 0;
}

static int take_batches(struct schedule *schedule, const struct store_resume *resume)
{
	for (size_t i = 0; i < resume->n_batches; i++) {
		const struct store_batch *stored = &resume->batches[i];
		struct batch **place = place_of(schedule, resume, stored);
		if (place && !*place && !(*place = batch_create(stored)))
			return -ENOMEM;
		if (!place && is_left_over(resume, stored) && add_stock(schedule, stored) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < resume->n_stock; i++)
		if (add_stock(schedule, &resume->stock[i]) < 0)
			return -ENOMEM;
	return 0;
}

int schedule_resume(struct schedule *schedule, const struct store_resume *resume, struct error *err)
{
	if (take_batches(schedule, resume) < 0)
		return error_set(err, -ENOMEM, "schedule: out of memory");
	memcpy(schedule->model, resume->model_hash, sizeof schedule->model);
	memcpy(schedule->pool_hash, resume->pool_hash, sizeof schedule->pool_hash);
	schedule->prepared = resume->pool_hash[0] != '\0';
	schedule->last_decision = resume->last_decision;
	if (schedule->current) {
		read_settled(schedule, schedule->current->saw_seq, resume->last_seq);
		schedule_begin_plan(schedule);
		if (schedule->chosen)
			schedule->plan.phase = PLAN_NONE;
	}
	return 0;
}
