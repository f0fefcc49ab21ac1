/* An operation owns its JSON and its memory. */
#include "tests/unit/daemon/store/fixture.h"

#include "daemon/store/arena.h"
#include "daemon/store/op.h"

static void what_it_owns_goes_with_it(void **state)
{
	struct store_op *op = store_op_create(STORE_OP_DECISION);
	json_t *shared = json_pack("{s:i}", "a", 1);

	(void)state;
	assert_non_null(op);
	assert_int_equal(op->kind, STORE_OP_DECISION);
	op->decision.spec = json_incref(shared);
	op->decision.outcome = json_incref(shared);
	op->object = json_incref(shared);
	op->n_images = 2;
	op->images = store_op_alloc(op, 2 * sizeof *op->images);
	op->images[0] = (struct store_image){.provenance = json_incref(shared)};
	op->images[1] = (struct store_image){.provenance = NULL};
	assert_int_equal(shared->refcount, 5);
	store_op_destroy(op);
	assert_int_equal(shared->refcount, 1);
	json_decref(shared);
	store_op_destroy(NULL);
}

static void its_memory_is_counted(void **state)
{
	struct store_op *op = store_op_create(STORE_OP_NOTE);

	(void)state;
	assert_int_equal(store_op_arena(op)->n_bytes, 0);
	assert_string_equal(store_op_string(op, "héllo"), "héllo");
	assert_memory_equal(store_op_copy(op, "abc", 3), "abc", 3);
	assert_non_null(store_op_alloc(op, 100000));
	assert_true(store_op_arena(op)->n_bytes >= 100000 + 7 + 3);
	store_op_destroy(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_owns_goes_with_it),
		cmocka_unit_test(its_memory_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
