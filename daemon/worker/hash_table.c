/* Linear probing, at most half full. The keys are hashes already: their first bytes are the place. Order of insertion
 * decides nothing that can be seen. Failure mode: out of memory when growing, with the old table kept. */
#include "daemon/worker/hash_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 64 };

void hash_table_done(struct hash_table *table)
{
	free(table->keys);
	free(table->values);
	*table = (struct hash_table){0};
}

/* The place of a key, or the free one where it would be. */
static size_t place_of(const struct hash_table *table, const struct hash *key)
{
	uint64_t start;
	size_t i;

	memcpy(&start, key->bytes, sizeof start);
	for (i = start & (table->capacity - 1); table->values[i] != HASH_TABLE_ABSENT;
	     i = (i + 1) & (table->capacity - 1)) {
		if (hash_equal(&table->keys[i], key))
			break;
	}
	return i;
}

static int grow(struct hash_table *table)
{
	struct hash_table larger = {.n = table->n, .capacity = table->capacity ? 2 * table->capacity : CAPACITY_FIRST};

	larger.keys = malloc(larger.capacity * sizeof *larger.keys);
	larger.values = malloc(larger.capacity * sizeof *larger.values);
	if (!larger.keys || !larger.values) {
		hash_table_done(&larger);
		return -ENOMEM;
	}
	memset(larger.values, 0xff, larger.capacity * sizeof *larger.values);
	for (size_t i = 0; i < table->capacity; i++) {
		if (table->values[i] == HASH_TABLE_ABSENT)
			continue;
		size_t place = place_of(&larger, &table->keys[i]);

		larger.keys[place] = table->keys[i];
		larger.values[place] = table->values[i];
	}
	free(table->keys);
	free(table->values);
	*table = larger;
	return 0;
}

int hash_table_put(struct hash_table *table, const struct hash *key, uint32_t value)
{
	if (2 * (table->n + 1) > table->capacity && grow(table))
		return -ENOMEM;
	size_t place = place_of(table, key);

	if (table->values[place] == HASH_TABLE_ABSENT) {
		table->keys[place] = *key;
		table->n++;
	}
	table->values[place] = value;
	return 0;
}

uint32_t hash_table_find(const struct hash_table *table, const struct hash *key)
{
	return table->capacity ? table->values[place_of(table, key)] : HASH_TABLE_ABSENT;
}
