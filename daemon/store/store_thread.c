/* The store thread: takes all writes that are queued, commits them as one, hands them back; then one read, so that a
 * page does not hold up the next commit; and, when there is nothing to do, brings the WAL into the file.
 *
 * Failure modes: a commit that fails goes back to the loop with its error, and the next one is tried as if nothing had
 * been. While storage fails and nothing is queued, a row of our own is tried each second, so that the end of it is
 * seen. */
#include <time.h>

#include "daemon/store/commit.h"
#include "daemon/store/op.h"
#include "daemon/store/page.h"
#include "daemon/store/store_internal.h"

enum {
	IDLE_MS = 500,	      /* without work, before the WAL is brought in */
	RETRY_MS = 1000,      /* between trials of failing storage */
	WAL_PAGES_MAX = 4096, /* of 4 KiB: a longer WAL is not left until it is idle */
};

#define EVENT_STORAGE "storage"

static void hand_back(struct store *store, struct op_list *list)
{
	pthread_mutex_lock(&store->lock);
	op_list_append_all(&store->done, list);
	pthread_mutex_unlock(&store->lock);
	store->wake(store->wake_ctx);
}

/* Notes how long storage failed and why: part of the session's history. */
static int write_recovery(struct writer *writer, void *ctx, struct error *err)
{
	struct store *store = ctx;
	char detail[ERROR_TEXT_MAX + 64];
	int64_t seq;

	snprintf(detail, sizeof detail, "failed for %.1f s: %s",
		 (double)(commit_wall_us() - store->stalled_since_us) / 1e6, store->stalled_by.text);
	return writer_write_event(writer, EVENT_STORAGE, detail, err, &seq);
}

static void try_recovery(struct store *store)
{
	if (commit_one(&store->writer, write_recovery, store, NULL))
		return;
	store->stalled = false;
	store->wake(store->wake_ctx);
}

static void commit_writes(struct store *store, struct op_list *writes)
{
	struct error err = {""};
	int r = commit_group(&store->writer, writes->first, &err);

	if (r && !store->stalled) {
		store->stalled_since_us = commit_wall_us();
		store->stalled_by = err;
		store->stalled = true;
	} else if (!r && store->stalled) {
		try_recovery(store);
	}
	hand_back(store, writes);
}

static void read_one(struct store *store, struct store_op *op)
{
	struct op_list list = {NULL, NULL};

	if (op->kind == STORE_OP_PAGE)
		op->status = page_read(&store->writer.sql, op->from_seq, op->through_seq, op->max_bytes,
				       store_op_arena(op), &op->error, &op->page);
	else
		op->status = page_read_image(&store->writer.sql, &op->image, store_op_arena(op), &op->error,
					     &op->read_data, &op->read_size);
	op_list_append(&list, op);
	hand_back(store, &list);
}

/* PASSIVE: readers and their snapshots are left alone; what they hold back is taken the next time. */
static void checkpoint(struct store *store)
{
	int in_wal = -1, brought_in = -1;

	if (sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &brought_in) == SQLITE_OK &&
	    brought_in >= 0)
		store->checkpointed_pages = brought_in;
	else
		/* Not now; the WAL keeps everything. */
		store->checkpointed_pages = store->wal_pages;
}

static void wait_ms(struct store *store, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&store->work, &store->lock, &until);
}

/* Waits for work or until it is time for something else; false when the thread has to end. */
static bool take_work(struct store *store, struct op_list *ret_writes, struct store_op **ret_read, bool *ret_idle)
{
	bool more;

	pthread_mutex_lock(&store->lock);
	*ret_idle = false;
	if (!store->writes.first && !store->reads.first && !store->stopping) {
		if (store->stalled || store->wal_pages != store->checkpointed_pages) {
			wait_ms(store, store->stalled ? RETRY_MS : IDLE_MS);
			*ret_idle = !store->writes.first && !store->reads.first;
		} else {
			pthread_cond_wait(&store->work, &store->lock);
		}
	}
	*ret_writes = op_list_take_all(&store->writes);
	*ret_read = op_list_take_first(&store->reads);
	more = ret_writes->first || *ret_read || !store->stopping;
	pthread_mutex_unlock(&store->lock);
	return more;
}

void *store_thread(void *argument)
{
	struct store *store = argument;
	struct op_list writes;
	struct store_op *read;
	bool idle;

	while (take_work(store, &writes, &read, &idle)) {
		if (writes.first)
			commit_writes(store, &writes);
		if (read)
			read_one(store, read);
		if (idle && store->stalled)
			try_recovery(store);
		else if (idle || store->wal_pages - store->checkpointed_pages > WAL_PAGES_MAX)
			checkpoint(store);
	}
	return NULL;
}
