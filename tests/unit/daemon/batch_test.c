/* Slots and bytes of a batch: from the store and back, settled, shown again, as the same message each time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/batch.h"
#include "protocol/fields.h"

enum { N_SLOTS = 4 };

/* Slots 0..3 show images 1, 2, 1, 3. */
static struct batch *make_batch(void)
{
	static const uint8_t images[N_SLOTS] = {1, 2, 1, 3};
	struct store_slot slots[N_SLOTS] = {0};
	struct store_batch stored = {
		.batch = 5, .origin = ORIGIN_CHOSEN, .decision = 9, .saw_seq = 70, .n_slots = N_SLOTS, .slots = slots};

	for (int i = 0; i < N_SLOTS; i++) {
		slots[i] = (struct store_slot){.slot = i, .image.bytes = {images[i]}, .kind = "natural", .repeat = i};
		slots[i].requeued = i == 3 ? 2 : 0;
	}
	struct batch *batch = batch_create(&stored);
	assert_non_null(batch);
	return batch;
}

static void fill(struct batch *batch)
{
	for (uint8_t i = 1; i <= 3; i++) {
		const struct hash image = {{i}};
		const char *png[] = {"one", "second", "3"};
		assert_int_equal(batch_set_png(batch, &image, png[i - 1], strlen(png[i - 1])), 0);
	}
}

static void test_bytes_come_one_by_one(void **state)
{
	struct batch *batch = make_batch();
	const struct hash other = {{99}};

	(void)state;
	assert_int_equal(batch->n_images, 3);
	assert_int_equal(batch_unread(batch)->bytes[0], 1);
	assert_int_equal(batch_set_png(batch, &other, "x", 1), 0);
	assert_int_equal(batch_unread(batch)->bytes[0], 1);
	fill(batch);
	assert_null(batch_unread(batch));
	batch_drop_png(batch);
	assert_non_null(batch_unread(batch));
	batch_destroy(batch);
	batch_destroy(NULL);
}

static void test_the_message_is_the_same_each_time(void **state)
{
	struct batch *batch = make_batch();
	struct message first, again;

	(void)state;
	fill(batch);
	assert_int_equal(batch_message(batch, 3, NULL, &first), 0);
	assert_int_equal(batch_message(batch, 3, NULL, &again), 0);
	assert_true(json_equal(first.header, again.header));
	const struct message_array *png = message_find_array(&first, ARRAY_PNG);
	assert_int_equal(png->size, 10);
	assert_memory_equal(png->data, "onesecond3", 10);
	const json_t *image = json_array_get(json_object_get(first.header, FIELD_IMAGES), 1);
	assert_int_equal(json_integer_value(json_object_get(image, FIELD_OFFSET)), 3);
	assert_int_equal(json_integer_value(json_object_get(image, FIELD_SIZE)), 6);
	assert_int_equal(json_array_size(json_object_get(first.header, FIELD_SLOTS)), N_SLOTS);
	assert_string_equal(json_string_value(json_object_get(first.header, FIELD_ORIGIN)), ORIGIN_CHOSEN);
	message_done(&first);
	message_done(&again);
	batch_destroy(batch);
}

static void test_a_batch_over_the_limit_is_refused(void **state)
{
	struct batch *batch = make_batch();
	char *png = calloc(1, LIMIT_MESSAGE_BYTES);
	const struct hash image = {{1}};
	struct message message;
	struct error err;

	(void)state;
	assert_int_equal(batch_set_png(batch, &image, png, LIMIT_MESSAGE_BYTES), 0);
	fill(batch);
	assert_int_equal(batch_message(batch, 1, &err, &message), -E2BIG);
	assert_non_null(strstr(err.text, "8388608"));
	free(png);
	batch_destroy(batch);
}

static void test_settled_shown_and_shown_again(void **state)
{
	static struct requeue requeue;
	struct batch *batch = make_batch();

	(void)state;
	requeue.n = 0;
	assert_false(batch_settle(batch, -1, true));
	assert_false(batch_settle(batch, N_SLOTS, true));
	assert_true(batch_settle(batch, 0, true));
	assert_false(batch_settle(batch, 0, true));
	assert_true(batch_settle(batch, 1, false)); /* a broken fixation, then the rig tried once more */
	assert_true(batch_settle(batch, 1, true));
	assert_true(batch_settle(batch, 2, false));
	assert_int_equal(batch_n_shown(batch), 2);
	/* slot 2 was broken, slot 3 has been put back twice already */
	assert_int_equal(batch_requeue(batch, 2, &requeue), 1);
	assert_int_equal(requeue.slots[0].image.bytes[0], 1);
	assert_int_equal(requeue.slots[0].requeued, 1);
	batch_destroy(batch);
}

static void test_to_the_store_and_a_repetition(void **state)
{
	struct batch *batch = make_batch(), *copy;
	struct store_op *op = store_op_create(STORE_OP_BATCH);

	(void)state;
	fill(batch);
	batch_settle(batch, 0, true);
	assert_int_equal(batch_store(batch, op), 0);
	assert_int_equal(op->batch.n_slots, N_SLOTS);
	assert_int_equal(op->batch.slots[3].requeued, 2);
	assert_string_equal(op->batch.origin, ORIGIN_CHOSEN);
	store_op_destroy(op);
	copy = batch_copy_slots(batch);
	assert_int_equal(copy->decision, 9);
	assert_int_equal(batch_n_shown(copy), 0);
	assert_non_null(batch_unread(copy));
	assert_false(copy->chosen);
	batch_destroy(copy);
	batch_destroy(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_come_one_by_one),
		cmocka_unit_test(test_the_message_is_the_same_each_time),
		cmocka_unit_test(test_a_batch_over_the_limit_is_refused),
		cmocka_unit_test(test_settled_shown_and_shown_again),
		cmocka_unit_test(test_to_the_store_and_a_repetition),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
