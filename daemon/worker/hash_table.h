/* Image hash -> small number, for the tables that the worker keeps by image. Open addressing; nothing is removed. */
#ifndef EVOKED_DAEMON_WORKER_HASH_TABLE_H
#define EVOKED_DAEMON_WORKER_HASH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "support/hash.h"

#define HASH_TABLE_ABSENT UINT32_MAX

struct hash_table {
	size_t n, capacity; /* capacity is 0 or a power of two */
	struct hash *keys;
	uint32_t *values; /* HASH_TABLE_ABSENT: a free place */
};

/* A zeroed struct is an empty table. */
void hash_table_done(struct hash_table *table);
/* Sets a key; `value` is below HASH_TABLE_ABSENT. -ENOMEM: the table is as before. */
int hash_table_put(struct hash_table *table, const struct hash *key, uint32_t value);
/* HASH_TABLE_ABSENT when it is not there. */
uint32_t hash_table_find(const struct hash_table *table, const struct hash *key);

#endif
