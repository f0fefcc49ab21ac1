/* Memory that is taken piece by piece and given back all at once: what an operation or a page points to.
 *
 * A zeroed struct is an empty arena. Thread: one at a time. */
#ifndef EVOKED_DAEMON_STORE_ARENA_H
#define EVOKED_DAEMON_STORE_ARENA_H

#include <stddef.h>

enum { ARENA_CHUNK_BYTES = 4096, ARENA_PIECE_BYTES_MAX = 1 << 30 };

struct arena_chunk;

struct arena {
	struct arena_chunk *newest;
	size_t n_bytes; /* handed out */
};

void arena_done(struct arena *arena);

/* 16-byte aligned, not cleared; NULL when there is no memory or more than ARENA_PIECE_BYTES_MAX is asked. size 0 gives
 * a valid address. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *data, size_t size);
char *arena_string(struct arena *arena, const char *text);

#endif
