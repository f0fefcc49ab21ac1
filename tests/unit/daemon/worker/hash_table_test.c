/* Many keys, some of them in one another's places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/worker/hash_table.h"

enum { N_KEYS = 5000 };

/* Real hashes, or ones that all begin alike and so want the same place. */
static struct hash key_of(uint32_t i, bool alike)
{
	struct hash key = {{0}};

	if (alike)
		memcpy(key.bytes + HASH_SIZE - sizeof i, &i, sizeof i);
	else
		hash_bytes(&i, sizeof i, &key);
	return key;
}

static void put_and_find(bool alike, uint32_t n)
{
	struct hash_table table = {0};
	struct hash key = key_of(0, alike);

	assert_int_equal(hash_table_find(&table, &key), HASH_TABLE_ABSENT);
	for (uint32_t i = 0; i < n; i++) {
		key = key_of(i, alike);
		assert_int_equal(hash_table_put(&table, &key, i), 0);
	}
	assert_int_equal(table.n, n);
	for (uint32_t i = 0; i < n; i++) {
		key = key_of(i, alike);
		assert_int_equal(hash_table_find(&table, &key), i);
	}
	key = key_of(n, alike);
	assert_int_equal(hash_table_find(&table, &key), HASH_TABLE_ABSENT);
	key = key_of(3, alike);
	assert_int_equal(hash_table_put(&table, &key, 77), 0);
	assert_int_equal(hash_table_find(&table, &key), 77);
	assert_int_equal(table.n, n);
	hash_table_done(&table);
}

static void scattered_keys(void **state)
{
	(void)state;
	put_and_find(false, N_KEYS);
}

static void keys_of_one_place(void **state)
{
	(void)state;
	put_and_find(true, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scattered_keys),
		cmocka_unit_test(keys_of_one_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
