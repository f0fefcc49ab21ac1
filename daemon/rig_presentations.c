/* A block of presentations: parse -> check numbers -> one operation -> commit -> settle -> answer.
 *
 * All that the operation needs is copied into its own memory, since the message is gone when the loop turns. A block
 * whose operation fails settles nothing: the rig is told `busy` and sends it again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/hex.h"
#include "daemon/rig_service.h"
#include "daemon/schedule.h"
#include "protocol/fields.h"

/* Room to parse one block, kept because it is half a megabyte. */
struct rig_block {
	struct presentation presentations[LIMIT_PRESENTATIONS];
	struct presentation_refusal refusals[LIMIT_PRESENTATIONS];
};

/* What `done` needs beside the operation. */
struct pending_block {
	struct daemon *daemon;
	struct asker asker;
};

int rig_block_create(struct rig_block **ret_block)
{
	*ret_block = malloc(sizeof **ret_block);
	return *ret_block ? 0 : -ENOMEM;
}

void rig_block_destroy(struct rig_block *block)
{
	free(block);
}

static void settle(struct daemon *daemon, struct run *run, const struct store_op *op, json_t *conflicts)
{
	struct daemon_session *session = &daemon->session;

	for (size_t i = 0; i < op->n_presentations; i++) {
		const struct presentation *presentation = &op->presentations[i];
		bool complete = presentation->outcome == OUTCOME_COMPLETE;
		switch (op->results[i]) {
		case STORE_STORED:
			session->n_stored++;
			session->n_complete += complete;
			session->n_training += schedule_settled(daemon->schedule, presentation);
			break;
		case STORE_CONFLICT:
			session->n_conflicts++;
			json_array_append_new(conflicts, json_integer(presentation->number));
			break;
		case STORE_SAME:
		case STORE_REFUSED:
			break;
		}
		if (op->results[i] != STORE_REFUSED) /* those stand among the refusals */
			run_settle(run, presentation->number, presentation->number);
	}
	for (size_t i = 0; i < op->n_refusals; i++) {
		if (op->refusals[i].number < 1)
			continue;
		session->n_refused += !run_has(run, op->refusals[i].number);
		run_settle(run, op->refusals[i].number, op->refusals[i].number);
	}
}

static json_t *refusals_json(const struct store_op *op)
{
	json_t *list = json_array();

	for (size_t i = 0; i < op->n_refusals && i < LIMIT_REFUSED_REPORTED; i++)
		json_array_append_new(list, json_pack("{s:I, s:s}", FIELD_NUMBER, (json_int_t)op->refusals[i].number,
						      FIELD_REASON, op->refusals[i].error.text));
	return list;
}

static json_t *missing_json(const struct run *run)
{
	int64_t numbers[LIMIT_MISSING_REPORTED];
	size_t n = run_missing(run, LIMIT_MISSING_REPORTED, numbers);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(numbers[i]));
	return list;
}

static void count_latency(struct daemon *daemon, int64_t received_ns)
{
	const struct schedule_job *job = &daemon->schedule->job;
	bool refit = job->active && !job->committing && (job->kind == JOB_FIT || job->kind == JOB_BATCH);

	histogram_add(refit ? &daemon->acknowledged_during_refits : &daemon->acknowledged_between,
		      clock_monotonic_ns() - received_ns);
}

static void block_on_disk(struct store_op *op, void *ctx)
{
	struct pending_block *pending = ctx;
	struct daemon *daemon = pending->daemon;
	struct run *run = runs_find(&daemon->session.runs, op->run);
	char run_hex[2 * RUN_SIZE + 1];

	if (op->status < 0 || !run) {
		answer_busy(&pending->asker, DAEMON_STALL_RETRY_MS, op->error.text, NULL);
		free(pending);
		return;
	}
	json_t *conflicts = json_array();
	settle(daemon, run, op, conflicts);
	if (op->seq > daemon->session.last_seq)
		daemon->session.last_seq = op->seq;
	hex_encode(op->run, RUN_SIZE, run_hex);
	answer_send(&pending->asker, TYPE_SETTLED,
		    json_pack("{s:s, s:I, s:o, s:o, s:o}", FIELD_RUN, run_hex, FIELD_SETTLED_THROUGH,
			      (json_int_t)run_settled_through(run), FIELD_REFUSED, refusals_json(op), FIELD_CONFLICTS,
			      conflicts, FIELD_MISSING, missing_json(run)));
	count_latency(daemon, op->received_ns);
	free(pending);
	daemon_moved(daemon);
}

/* Copies the arrays of the message once and moves what points into them. */
static int copy_into(struct store_op *op, const struct rig_block *block, size_t n, size_t n_refusals,
		     const struct message *message)
{
	const struct message_array *responses = message_find_array(message, ARRAY_RESPONSES);
	const struct message_array *mask = message_find_array(message, ARRAY_MASK);
	const uint8_t *values = NULL, *missing = NULL;

	if (responses && responses->size > 0 && !(values = store_op_copy(op, responses->data, responses->size)))
		return -ENOMEM;
	if (mask && mask->size > 0 && !(missing = store_op_copy(op, mask->data, mask->size)))
		return -ENOMEM;
	op->presentations = store_op_copy(op, block->presentations, n * sizeof *op->presentations);
	op->refusals = store_op_copy(op, block->refusals, n_refusals * sizeof *op->refusals);
	if ((n > 0 && !op->presentations) || (n_refusals > 0 && !op->refusals))
		return -ENOMEM;
	op->n_presentations = n;
	op->n_refusals = n_refusals;
	for (size_t i = 0; i < n; i++) {
		struct presentation *presentation = &op->presentations[i];
		if (presentation->responses)
			presentation->responses =
				values + ((const uint8_t *)presentation->responses - (const uint8_t *)responses->data);
		if (presentation->mask)
			presentation->mask = missing + (presentation->mask - (const uint8_t *)mask->data);
	}
	return 0;
}

/* Every number must be one that the run may settle now: else nothing of the block is taken. */
static int check_numbers(const struct run *run, const struct rig_block *block, size_t n, size_t n_refusals,
			 struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < n && status == 0; i++)
		status = run_check(run, block->presentations[i].number, err);
	for (size_t i = 0; i < n_refusals && status == 0; i++)
		if (block->refusals[i].number >= 0)
			status = run_check(run, block->refusals[i].number, err);
	return status;
}

void rig_block_take(struct daemon *daemon, struct rig_block *block, const struct asker *asker,
		    const struct message *message)
{
	uint8_t run_id[RUN_SIZE];
	size_t n = 0, n_refusals = 0;
	struct error err;
	int status = presentation_parse_block(message, &daemon->session.spec, &err, run_id, block->presentations, &n,
					      block->refusals, &n_refusals);

	if (status < 0) {
		answer_refuse(asker, status, &err);
		return;
	}
	const struct run *run = runs_find(&daemon->session.runs, run_id);
	if (!run || check_numbers(run, block, n, n_refusals, &err) < 0) {
		answer_error(asker, CODE_INVALID, FIELD_NUMBER, run ? err.text : "run: say hello with it first");
		return;
	}
	struct store_op *op = store_op_create(STORE_OP_PRESENTATIONS);
	struct pending_block *pending = malloc(sizeof *pending);
	if (!op || !pending || copy_into(op, block, n, n_refusals, message) < 0) {
		store_op_destroy(op);
		free(pending);
		answer_busy(asker, DAEMON_STALL_RETRY_MS, "out of memory", NULL);
		return;
	}
	*pending = (struct pending_block){.daemon = daemon, .asker = *asker};
	memcpy(op->run, run_id, RUN_SIZE);
	op->received_us = clock_wall_us();
	op->received_ns = clock_monotonic_ns();
	op->done = block_on_disk;
	op->ctx = pending;
	if (daemon_submit(daemon, op) < 0) {
		free(pending);
		answer_busy(asker, DAEMON_RETRY_MS, "the store's queue is full", NULL);
	}
}
