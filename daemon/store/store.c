/* The loop's side: open, create, close, the bounded queue. The thread's side is store_thread.c.
 *
 * A file is created in one transaction with its session row: when that is cut short, the file is empty and counts as
 * not there. The connection belongs to the loop until store_start, to the thread until store_stop has joined it, and to
 * the loop again. */
#include "daemon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/arena.h"
#include "daemon/store/commit.h"
#include "daemon/store/database.h"
#include "daemon/store/migrations.h"
#include "daemon/store/op.h"
#include "daemon/store/store_internal.h"

static int note_wal(void *ctx, sqlite3 *db, const char *name, int n_pages)
{
	struct store *store = ctx;

	(void)db;
	(void)name;
	/* It began again at its start. */
	if (n_pages < store->wal_pages)
		store->checkpointed_pages = 0;
	store->wal_pages = n_pages;
	return SQLITE_OK;
}

/* The file's name is on disk too. */
static int sync_folder(const char *path, struct error *err)
{
	char *copy = strdup(path);
	int fd, r = 0;

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		r = error_set(err, -errno, "folder: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	free(copy);
	return r;
}

/* Everything but the file. */
static int make_store(const char *path, struct error *err, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof *store);
	pthread_condattr_t attributes;

	if (!store)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	store->holder.fd = -1;
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&store->work, &attributes);
	pthread_condattr_destroy(&attributes);
	store->path = strdup(path);
	if (!store->path) {
		store_close(store);
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	*ret_store = store;
	return 0;
}

struct beginning {
	const struct store_session *session; /* NULL: of a file that is there */
};

static int write_beginning(struct writer *writer, void *ctx, struct error *err)
{
	const struct beginning *beginning = ctx;
	int r = migrations_run(writer->sql.db, migrations, migrations_n, err);

	if (!r)
		r = sql_read_int(&writer->sql, SQL_LAST_SEQ, err, &writer->last_seq);
	if (!r && beginning->session)
		r = writer_write_session(writer, beginning->session, err);
	else if (!r)
		r = writer_write_versions(writer, err);
	return r;
}

/* Opens the connection and brings the file to today's version. */
static int open_file(struct store *store, enum database_mode mode, const struct store_session *session,
		     struct error *err)
{
	struct beginning beginning = {session};
	bool empty;
	int r;

	store->unborn = session && access(store->path, F_OK);
	r = database_open(store->path, mode, err, &store->db);
	if (r)
		return r;
	sqlite3_wal_hook(store->db, note_wal, store);
	sql_init(&store->writer.sql, store->db);
	r = database_is_empty(store->db, err, &empty);
	if (!r && empty && !session)
		r = error_set(err, -EINVAL, "no session in it");
	if (!r && !empty && session)
		r = error_set(err, -EEXIST, "there is a session already");
	if (!r)
		r = commit_one(&store->writer, write_beginning, &beginning, err);
	if (!r)
		store->unborn = false;
	if (!r && session)
		r = sync_folder(store->path, err);
	return r ? error_prefix(err, r, "%s", store->path) : 0;
}

static int open_store(const char *path, enum database_mode mode, const struct store_session *session, struct error *err,
		      struct store **ret_store)
{
	struct store *store = NULL;
	int r = make_store(path, err, &store);

	if (r)
		return r;
	r = holder_take(path, err, &store->holder);
	if (r)
		error_prefix(err, r, "%s", path);
	else
		r = open_file(store, mode, session, err);
	if (r) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

int store_create(const char *path, const struct store_session *session, struct error *err, struct store **ret_store)
{
	return open_store(path, DATABASE_CREATE, session, err, ret_store);
}

int store_open(const char *path, struct error *err, struct store **ret_store)
{
	/* Before the lock file is made beside nothing. */
	if (access(path, F_OK))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	return open_store(path, DATABASE_WRITE, NULL, err, ret_store);
}

int store_start(struct store *store, void (*wake)(void *ctx), void *ctx, struct error *err)
{
	int r;

	store->wake = wake;
	store->wake_ctx = ctx;
	store->stopping = false;
	r = pthread_create(&store->thread, NULL, store_thread, store);
	if (r)
		return error_set(err, -r, "store thread: %s", strerror(r));
	store->has_thread = true;
	return 0;
}

void store_stop(struct store *store)
{
	if (!store->has_thread)
		return;
	pthread_mutex_lock(&store->lock);
	store->stopping = true;
	pthread_cond_signal(&store->work);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	store->has_thread = false;
}

/* A creation that failed leaves nothing behind that looks like a session. */
static void remove_file(const char *path)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	char part[PATH_MAX];

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		snprintf(part, sizeof part, "%s%s", path, parts[i]);
		unlink(part);
	}
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_stop(store);
	store_drain(store);
	writer_done(&store->writer);
	if (store->db) {
		/* What a reader holds back stays in the WAL, which is read again at the next opening. */
		sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		sqlite3_close(store->db);
	}
	if (store->unborn)
		remove_file(store->path);
	holder_drop(&store->holder);
	pthread_cond_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	free(store->path);
	free(store);
}

static bool is_read(enum store_op_kind kind)
{
	return kind == STORE_OP_PAGE || kind == STORE_OP_IMAGE_READ;
}

int store_submit(struct store *store, struct store_op *op)
{
	size_t n_bytes = sizeof *op + store_op_arena(op)->n_bytes;
	bool full;

	pthread_mutex_lock(&store->lock);
	/* An operation that alone is over the limit must still be able to pass. */
	full = store->n_queued >= STORE_QUEUE_MAX ||
	       (store->n_queued && store->bytes_queued + n_bytes > STORE_QUEUE_BYTES_MAX);
	if (!full) {
		op->n_bytes = n_bytes;
		store->n_queued++;
		store->bytes_queued += n_bytes;
		op_list_append(is_read(op->kind) ? &store->reads : &store->writes, op);
		pthread_cond_signal(&store->work);
	}
	pthread_mutex_unlock(&store->lock);
	return full ? -EAGAIN : 0;
}

void store_drain(struct store *store)
{
	struct op_list done;
	struct store_op *op;

	pthread_mutex_lock(&store->lock);
	done = op_list_take_all(&store->done);
	pthread_mutex_unlock(&store->lock);
	while ((op = op_list_take_first(&done))) {
		pthread_mutex_lock(&store->lock);
		store->n_queued--;
		store->bytes_queued -= op->n_bytes;
		pthread_mutex_unlock(&store->lock);
		if (op->done)
			op->done(op, op->ctx);
		store_op_destroy(op);
	}
}

size_t store_queue_length(const struct store *store)
{
	return store->n_queued;
}

bool store_is_stalled(const struct store *store)
{
	return store->stalled;
}
