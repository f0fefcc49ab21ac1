/* Rows stay what they were while the memory grows and moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/worker/float_rows.h"

enum { WIDTH = 1000, N = 3000 };

static void grows_in_place(void **state)
{
	struct float_rows rows;

	(void)state;
	float_rows_init(&rows, WIDTH);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(float_rows_resize(&rows, i + 1), 0);
		assert_int_equal((uintptr_t)rows.data % 64, 0);
		assert_float_equal(rows.data[i * WIDTH + WIDTH - 1], 0.0F, 0.0F);
		rows.data[i * WIDTH] = (float)i;
	}
	for (size_t i = 0; i < N; i++)
		assert_float_equal(rows.data[i * WIDTH], (float)i, 0.0F);
	float_rows_done(&rows);
	assert_null(rows.data);
}

static void more_than_memory_has(void **state)
{
	struct float_rows rows;

	(void)state;
	float_rows_init(&rows, WIDTH);
	assert_int_equal(float_rows_resize(&rows, 2), 0);
	rows.data[0] = 5.0F;
	assert_int_equal(float_rows_resize(&rows, SIZE_MAX / WIDTH), -ENOMEM);
	assert_int_equal(float_rows_resize(&rows, SIZE_MAX / WIDTH / 64), -ENOMEM);
	assert_int_equal(rows.n, 2);
	assert_float_equal(rows.data[0], 5.0F, 0.0F);
	float_rows_done(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_in_place),
		cmocka_unit_test(more_than_memory_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
