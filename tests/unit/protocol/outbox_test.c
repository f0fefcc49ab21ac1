/* What is pushed stays until it is settled, in order, within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "protocol/outbox.h"

enum { MAX = 4 };

static struct session_unit unit = {.id = 1, .from_number = 1, .until_number = INT64_MAX};
static struct session_spec spec = {.n_units = 1, .units = &unit, .n_bins = 2};
static struct outbox outbox;
static struct presentation taken[MAX];
static size_t n_again;
static int64_t settled[32];
static size_t n_settled;

static void on_settled(void *ctx, const struct outbox_entry *entry)
{
	(void)ctx;
	settled[n_settled++] = entry->presentation.number;
}

static int setup(void **state)
{
	(void)state;
	n_settled = 0;
	unit.until_number = INT64_MAX;
	assert_int_equal(outbox_init(MAX, 1000, &outbox), 0);
	outbox.settled = on_settled;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	outbox_done(&outbox);
	outbox_done(&outbox);
	outbox_done(NULL);
	return 0;
}

static int push(int64_t number)
{
	const uint16_t counts[2] = {(uint16_t)number, 7};
	const uint8_t mask[2] = {0, 1};
	const struct presentation p = {.number = number,
				       .responses = counts,
				       .responses_size = sizeof counts,
				       .mask = mask,
				       .mask_size = sizeof mask};

	return outbox_push(&outbox, &p, NULL);
}

static size_t take(int64_t block, size_t max_n)
{
	return outbox_take_block(&outbox, &spec, block, 1000 * block, max_n, 1000, taken, &n_again);
}

static void copies_and_order(void **state)
{
	(void)state;
	assert_int_equal(push(1), 0);
	assert_int_equal(push(5), 0);
	assert_int_equal(push(5), -EINVAL);
	assert_int_equal(push(4), -EINVAL);
	assert_int_equal(take(1, MAX), 2);
	assert_int_equal(n_again, 0);
	assert_int_equal(taken[1].number, 5);
	assert_int_equal(message_read_u16(taken[1].responses, 0), 5);
	assert_int_equal(taken[1].mask[1], 1);
	assert_int_equal(take(2, MAX), 0);
}

static void full_by_number_and_by_bytes(void **state)
{
	struct error err;
	uint8_t big[990];
	struct presentation p = {.number = 9, .responses = big, .responses_size = sizeof big};

	(void)state;
	for (int64_t i = 1; i <= MAX; i++)
		assert_int_equal(push(i), 0);
	assert_int_equal(push(MAX + 1), -EAGAIN);
	take(1, 1);
	outbox_settle_block(&outbox, 1, NULL, 0);
	assert_int_equal(push(MAX + 1), 0);

	outbox_settle_through(&outbox, MAX + 1);
	assert_int_equal(outbox.n, 0);
	assert_int_equal(outbox.bytes, 0);
	memset(big, 0, sizeof big);
	assert_int_equal(outbox_push(&outbox, &p, &err), 0);
	assert_int_equal(push(10), 0);
	assert_int_equal(push(11), -EAGAIN);
}

static void sent_again_after_return(void **state)
{
	(void)state;
	for (int64_t i = 1; i <= MAX; i++)
		push(i);
	assert_int_equal(take(1, 2), 2);
	assert_int_equal(take(2, 2), 2);
	outbox_return_block(&outbox, 1);
	assert_int_equal(take(3, MAX), 2);
	assert_int_equal(taken[0].number, 1);
	assert_int_equal(n_again, 2);
	outbox_return_all(&outbox);
	assert_int_equal(take(4, MAX), 4);
	assert_int_equal(n_again, 4);
	/* An answer to a block that was given up settles nothing by itself. */
	outbox_settle_block(&outbox, 3, NULL, 0);
	assert_int_equal(n_settled, 0);
	assert_int_equal(outbox.n_unsettled, 4);
	assert_int_equal(outbox_entry(&outbox, 0)->first_sent_ns, 1000);
}

static void settled_out_of_order(void **state)
{
	const int64_t missing[] = {17, 3};

	(void)state;
	for (int64_t i = 1; i <= MAX; i++)
		push(i);
	take(1, 2);
	take(2, 2);
	outbox_settle_block(&outbox, 2, missing, 2);
	assert_int_equal(n_settled, 1);
	assert_int_equal(settled[0], 4);
	assert_int_equal(outbox.n_unsettled, 3);
	assert_int_equal(outbox.n, 4);
	assert_int_equal(take(3, MAX), 1);
	assert_int_equal(taken[0].number, 3);
	outbox_settle_through(&outbox, 2);
	assert_int_equal(outbox.n, 2);
	outbox_settle_block(&outbox, 3, NULL, 0);
	assert_int_equal(outbox.n, 0);
	assert_int_equal(n_settled, 4);
}

static void ring_goes_round(void **state)
{
	(void)state;
	for (int64_t i = 1; i <= 20; i++) {
		assert_int_equal(push(i), 0);
		assert_int_equal(take(i, MAX), 1);
		assert_int_equal(taken[0].number, i);
		outbox_settle_block(&outbox, i, NULL, 0);
	}
	assert_int_equal(n_settled, 20);
}

static void blocks_end_where_units_change(void **state)
{
	(void)state;
	for (int64_t i = 1; i <= MAX; i++)
		push(i);
	unit.until_number = 3;
	assert_int_equal(take(1, MAX), 2);
	assert_int_equal(take(2, MAX), 2);
	assert_int_equal(taken[0].number, 3);
}

static void blocks_end_at_their_bytes(void **state)
{
	(void)state;
	push(1);
	push(2);
	assert_int_equal(outbox_take_block(&outbox, &spec, 1, 1, MAX, 7, taken, &n_again), 1);
	/* One alone is sent whatever its size, or it would never go. */
	assert_int_equal(outbox_take_block(&outbox, &spec, 2, 1, MAX, 1, taken, &n_again), 1);
	assert_int_equal(taken[0].number, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies_and_order, setup, teardown),
		cmocka_unit_test_setup_teardown(full_by_number_and_by_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(sent_again_after_return, setup, teardown),
		cmocka_unit_test_setup_teardown(settled_out_of_order, setup, teardown),
		cmocka_unit_test_setup_teardown(ring_goes_round, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_end_where_units_change, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_end_at_their_bytes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
