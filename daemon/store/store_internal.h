/* What the files of the store share and nobody else sees. */
#ifndef EVOKED_DAEMON_STORE_STORE_INTERNAL_H
#define EVOKED_DAEMON_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/store/holder.h"
#include "daemon/store/op_list.h"
#include "daemon/store/writer.h"

struct store {
	char *path;
	struct holder holder;
	sqlite3 *db;
	struct writer writer;
	bool unborn; /* the file is new, and nothing is committed to it yet */

	/* The store thread's own. */
	int wal_pages;		/* in the write-ahead log after the last commit */
	int checkpointed_pages; /* of them in the database file already */
	int64_t stalled_since_us;
	struct error stalled_by;

	pthread_t thread;
	bool has_thread;
	void (*wake)(void *ctx);
	void *wake_ctx;

	pthread_mutex_t lock; /* of all below; the atomics may be read without it */
	pthread_cond_t work;
	bool stopping;
	atomic_bool stalled;
	struct op_list writes, reads, done;
	atomic_size_t n_queued; /* submitted and not yet drained */
	size_t bytes_queued;
};

/* The thread (store_thread.c); its argument is the store. */
void *store_thread(void *store);

#endif
