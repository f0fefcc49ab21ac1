/* A list of chunks; large pieces get a chunk of their own, which goes behind the newest so that its rest is still used.
 */
#include "daemon/store/arena.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	_Alignas(ALIGNMENT) unsigned char bytes[];
};

void arena_done(struct arena *arena)
{
	struct arena_chunk *chunk = arena->newest;

	while (chunk) {
		struct arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	*arena = (struct arena){NULL, 0};
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *newest = arena->newest;
	struct arena_chunk *chunk = newest;

	if (size > ARENA_PIECE_BYTES_MAX)
		return NULL;
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > ARENA_CHUNK_BYTES / 2 ? size : ARENA_CHUNK_BYTES;

		chunk = malloc(sizeof *chunk + room);
		if (!chunk)
			return NULL;
		chunk->size = room;
		chunk->used = 0;
		if (newest && room == size) {
			chunk->next = newest->next;
			newest->next = chunk;
		} else {
			chunk->next = newest;
			arena->newest = chunk;
		}
	}
	chunk->used += size;
	arena->n_bytes += size;
	return chunk->bytes + chunk->used - size;
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
	void *copy = arena_alloc(arena, size);

	if (copy && size)
		memcpy(copy, data, size);
	return copy;
}

char *arena_string(struct arena *arena, const char *text)
{
	return arena_copy(arena, text, strlen(text) + 1);
}
