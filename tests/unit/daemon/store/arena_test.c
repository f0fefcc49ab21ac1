/* Pieces do not overlap, are aligned, and large ones leave the rest of a chunk in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/store/arena.h"

static void pieces_are_apart_and_aligned(void **state)
{
	struct arena arena = {NULL, 0};
	unsigned char *pieces[200];
	size_t total = 0;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		size_t size = i * 37 % 5000;

		pieces[i] = arena_alloc(&arena, size);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)i, size);
		total += size;
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t j = 0; j < i * 37 % 5000; j++)
			assert_int_equal(pieces[i][j], i);
	assert_true(arena.n_bytes >= total && arena.n_bytes < total + 200 * 16);
	arena_done(&arena);
	assert_int_equal(arena.n_bytes, 0);
}

static void small_pieces_go_on_in_the_chunk_after_a_large_one(void **state)
{
	struct arena arena = {NULL, 0};
	unsigned char *first, *second;

	(void)state;
	first = arena_alloc(&arena, 32);
	assert_non_null(arena_alloc(&arena, 1 << 20));
	second = arena_alloc(&arena, 32);
	assert_ptr_equal(second, first + 32);
	arena_done(&arena);
}

static void copies_and_strings(void **state)
{
	struct arena arena = {NULL, 0};
	char text[] = "grüße";
	char *copy;

	(void)state;
	copy = arena_string(&arena, text);
	text[0] = 'x';
	assert_string_equal(copy, "grüße");
	copy = arena_copy(&arena, "ab\0c", 4);
	assert_memory_equal(copy, "ab\0c", 4);
	assert_non_null(arena_copy(&arena, NULL, 0));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, (size_t)ARENA_PIECE_BYTES_MAX + 1));
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_apart_and_aligned),
		cmocka_unit_test(small_pieces_go_on_in_the_chunk_after_a_large_one),
		cmocka_unit_test(copies_and_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
