/* Batches from recipes: counts, who may be chosen, what is repeated, order and hash; nothing held out is ever drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/worker/compose.h"
#include "daemon/worker/pipe_fields.h"
#include "samples.h"

enum { N_POOL = 30, N_MONITOR = 4, N_SEALED = 3, DECISION = 6 };

struct fixture {
	struct workbench bench;
	struct job job;
	struct job_result result;
	uint8_t roles[N_POOL];
	int64_t seq;
};

static const uint16_t counts[6] = {1, 2, 3, 4, 5, 6};

static void take(struct fixture *f, struct store_row row)
{
	struct error err;

	row.seq = ++f->seq;
	if (dataset_take(f->bench.dataset, &f->bench.spec, &row, 1, row.seq, &err))
		fail_msg("%s", err.text);
	f->job.saw_seq = f->seq;
}

static void take_image(struct fixture *f, const struct hash *hash, const char *role)
{
	struct store_row row = {.kind = STORE_ROW_IMAGE, .image = *hash};

	strcpy(row.role, role);
	take(f, row);
}

static void show(struct fixture *f, const struct hash *hash)
{
	take(f, (struct store_row){.kind = STORE_ROW_PRESENTATION,
				   .image = *hash,
				   .number = f->seq,
				   .responses = counts,
				   .responses_size = sizeof counts});
}

static int set_up(void **state)
{
	static const char *const names[] = {[POOL_MONITOR] = ROLE_MONITOR, [POOL_SEALED] = ROLE_SEALED};
	struct fixture *f = calloc(1, sizeof *f);
	char source[32];

	f->bench.width_px = f->bench.height_px = SAMPLE_SIDE_PX;
	assert_int_equal(sample_spec(&f->bench.spec, NULL), 0);
	assert_int_equal(dataset_create(NULL, &f->bench.dataset), 0);
	snprintf(source, sizeof source, "dead_leaves:%d", N_POOL);
	assert_int_equal(pool_open(source, SAMPLE_SIDE_PX, SAMPLE_SIDE_PX, false, 3, NULL, NULL, &f->bench.pool), 0);
	assert_int_equal(pool_hold_out(f->bench.pool, 3, N_MONITOR, N_SEALED, NULL, f->roles), 0);
	f->job = (struct job){.kind = "draw", .decision = DECISION, .seed = 3, .stop_after = JOB_WORK_NO_STOP};
	for (size_t i = 0; i < N_POOL; i++) {
		if (f->roles[i] != POOL_SELECTABLE)
			take_image(f, pool_image_hash(f->bench.pool, i), names[f->roles[i]]);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	job_result_done(&f->result);
	json_decref((json_t *)f->job.spec);
	pool_close(f->bench.pool);
	dataset_destroy(f->bench.dataset);
	session_spec_done(&f->bench.spec);
	free(f);
	return 0;
}

static int compose_spec(struct fixture *f, json_t *spec, struct error *err)
{
	struct compose *c;

	job_result_done(&f->result);
	json_decref((json_t *)f->job.spec);
	f->job.spec = spec;
	int r = compose_create(&f->bench, &f->job, &f->result, err, &c);
	if (r)
		return r;
	r = compose_unmodelled(c, err);
	if (!r)
		r = compose_finish(c, err);
	compose_destroy(c);
	return r;
}

/* The same quotes as JSON, for a test that is easier to read. */
static void compose(struct fixture *f, const char *spec)
{
	struct error err;
	json_error_t where;
	json_t *object = json_loads(spec, 0, &where);

	if (!object)
		fail_msg("%s", where.text);
	if (compose_spec(f, object, &err))
		fail_msg("%s", err.text);
}

static size_t n_slots(const struct fixture *f)
{
	return json_array_size(f->result.slots);
}

static const char *slot_text(const struct fixture *f, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(f->result.slots, i), key));
}

static json_int_t slot_int(const struct fixture *f, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(f->result.slots, i), key));
}

static struct hash slot_image(const struct fixture *f, size_t i)
{
	struct hash hash;

	assert_int_equal(hash_from_hex(slot_text(f, i, SLOT_IMAGE), &hash), 0);
	return hash;
}

static size_t count_kind(const struct fixture *f, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < n_slots(f); i++)
		n += !strcmp(slot_text(f, i, SLOT_KIND), kind);
	return n;
}

/* Images of the result become rows, and every slot a presentation: what the daemon does with a batch. */
static void show_batch(struct fixture *f)
{
	size_t i;
	json_t *entry;

	json_array_foreach(f->result.images, i, entry)
	{
		struct hash hash;

		assert_int_equal(hash_from_hex(json_string_value(json_object_get(entry, IMAGE_HASH)), &hash), 0);
		take_image(f, &hash, json_string_value(json_object_get(entry, IMAGE_ROLE)));
	}
	for (i = 0; i < n_slots(f); i++) {
		struct hash hash = slot_image(f, i);

		show(f, &hash);
	}
}

static void counts_kinds_and_new_images(void **state)
{
	struct fixture *f = *state;

	compose(f, "{\"recipe\": {\"natural\": 5, \"gaudy\": 3, \"parametric\": 2, \"monitor\": 4, \"sealed\": 1, "
		   "\"blank\": 2}}");
	assert_int_equal(n_slots(f), 17);
	assert_int_equal(count_kind(f, "natural"), 5);
	assert_int_equal(count_kind(f, "gaudy"), 3);
	assert_int_equal(count_kind(f, "parametric"), 2);
	assert_int_equal(count_kind(f, "monitor"), 4);
	assert_int_equal(count_kind(f, "sealed"), 1);
	assert_int_equal(count_kind(f, "blank"), 2);
	/* Monitor and sealed images are there already; the blank is one image. */
	assert_int_equal(json_array_size(f->result.images), 11);
	assert_int_equal(json_integer_value(json_object_get(f->result.outcome, OUTCOME_N_NEW)), 11);
	assert_int_equal(json_object_size(json_object_get(f->result.outcome, OUTCOME_REPLACED)), 0);
}

static void png_bytes_are_the_named_images(void **state)
{
	struct fixture *f = *state;
	size_t i;
	json_t *entry;

	compose(f, "{\"recipe\": {\"natural\": 3, \"gaudy\": 2, \"blank\": 1}}");
	json_array_foreach(f->result.images, i, entry)
	{
		json_int_t offset = json_integer_value(json_object_get(entry, IMAGE_OFFSET));
		json_int_t size = json_integer_value(json_object_get(entry, IMAGE_SIZE));
		struct image image;
		struct hash hash, named;

		assert_true((size_t)(offset + size) <= f->result.png_size);
		assert_int_equal(image_decode(f->result.png + offset, (size_t)size, NULL, &image), 0);
		image_hash(&image, &hash);
		image_done(&image);
		assert_int_equal(hash_from_hex(json_string_value(json_object_get(entry, IMAGE_HASH)), &named), 0);
		assert_true(hash_equal(&hash, &named));
		assert_true(json_is_object(json_object_get(entry, IMAGE_PROVENANCE)));
	}
}

static void the_same_job_composes_the_same(void **state)
{
	struct fixture *f = *state;
	static const char spec[] = "{\"recipe\": {\"natural\": 6, \"monitor\": 4, \"gaudy\": 2}}";
	struct hash first;
	char *slots, *again;

	compose(f, spec);
	first = f->result.outcome_hash;
	slots = json_dumps(f->result.slots, 0);
	compose(f, spec);
	again = json_dumps(f->result.slots, 0);
	assert_true(hash_equal(&first, &f->result.outcome_hash));
	assert_string_equal(slots, again);
	f->job.decision++;
	compose(f, spec);
	assert_false(hash_equal(&first, &f->result.outcome_hash));
	free(slots);
	free(again);
}

/* What comes after saw_seq does not matter. */
static void later_rows_change_nothing(void **state)
{
	struct fixture *f = *state;
	static const char spec[] = "{\"recipe\": {\"natural\": 6, \"monitor\": 4}}";
	int64_t saw_seq = f->job.saw_seq;
	struct hash first;

	compose(f, spec);
	first = f->result.outcome_hash;
	show_batch(f);
	f->job.saw_seq = saw_seq;
	compose(f, spec);
	assert_true(hash_equal(&first, &f->result.outcome_hash));
}

static void nothing_twice_until_the_pool_is_used_up(void **state)
{
	struct fixture *f = *state;
	uint32_t shown[N_POOL] = {0};
	size_t i;

	for (int round = 0; round < 10; round++) {
		f->job.decision++;
		compose(f, "{\"recipe\": {\"natural\": 5}}");
		for (size_t s = 0; s < n_slots(f); s++) {
			struct hash hash = slot_image(f, s);

			assert_int_equal(pool_find(f->bench.pool, &hash, &i), 0);
			assert_int_equal(f->roles[i], POOL_SELECTABLE);
			assert_int_equal(slot_int(f, s, SLOT_REPEAT), shown[i]);
			shown[i]++;
		}
		show_batch(f);
	}
	/* 50 slots over 23 images: two or three each. */
	for (i = 0; i < N_POOL; i++)
		assert_in_range(shown[i], f->roles[i] == POOL_SELECTABLE ? 2 : 0,
				f->roles[i] == POOL_SELECTABLE ? 3 : 0);
}

static void pending_images_are_not_drawn(void **state)
{
	struct fixture *f = *state;
	json_t *pending = json_array(), *spec;
	char hex[HASH_HEX_SIZE];
	size_t n_free = 0, i;

	/* All but four of the selectable ones are on their way. */
	for (i = 0; i < N_POOL; i++) {
		if (f->roles[i] != POOL_SELECTABLE || n_free++ < 4)
			continue;
		hash_to_hex(pool_image_hash(f->bench.pool, i), hex);
		json_array_append_new(pending, json_string(hex));
	}
	spec = json_pack("{s:{s:i}, s:o}", JOB_RECIPE, "natural", 4, JOB_PENDING, pending);
	assert_int_equal(compose_spec(f, spec, NULL), 0);
	for (size_t s = 0; s < n_slots(f); s++) {
		hash_to_hex(&(struct hash){0}, hex);
		for (i = 0; i < json_array_size(pending); i++)
			assert_string_not_equal(slot_text(f, s, SLOT_IMAGE),
						json_string_value(json_array_get(pending, i)));
	}
}

/* Repeats of the monitor set differ by one at most, although each batch is composed before the last one is shown. */
static void monitor_repeats_stay_balanced(void **state)
{
	struct fixture *f = *state;
	uint32_t planned[N_POOL] = {0}, least = UINT32_MAX, most = 0;
	json_t *pending = json_array(), *previous = NULL;
	size_t i;

	for (int round = 0; round < 7; round++) {
		f->job.decision++;
		json_t *spec = json_pack("{s:{s:i}, s:O}", JOB_RECIPE, "monitor", 3, JOB_PENDING, pending);

		assert_int_equal(compose_spec(f, spec, NULL), 0);
		json_array_clear(pending);
		for (size_t s = 0; s < n_slots(f); s++) {
			struct hash hash = slot_image(f, s);

			assert_int_equal(pool_find(f->bench.pool, &hash, &i), 0);
			assert_int_equal(f->roles[i], POOL_MONITOR);
			planned[i]++;
			json_array_append(pending, json_object_get(json_array_get(f->result.slots, s), SLOT_IMAGE));
		}
		/* Now the batch before is shown. */
		for (size_t s = 0; s < json_array_size(previous); s++) {
			struct hash hash;

			assert_int_equal(hash_from_hex(json_string_value(json_array_get(previous, s)), &hash), 0);
			show(f, &hash);
		}
		json_decref(previous);
		previous = json_copy(pending);
	}
	for (i = 0; i < N_POOL; i++) {
		if (f->roles[i] != POOL_MONITOR)
			continue;
		least = planned[i] < least ? planned[i] : least;
		most = planned[i] > most ? planned[i] : most;
	}
	assert_in_range(most - least, 0, 1);
	json_decref(previous);
	json_decref(pending);
}

static void requeued_slots_come_again(void **state)
{
	struct fixture *f = *state;
	struct hash image;
	json_t *spec;
	char hex[HASH_HEX_SIZE];
	size_t n_found = 0;

	compose(f, "{\"recipe\": {\"gaudy\": 1}}");
	image = slot_image(f, 0);
	hash_to_hex(&image, hex);
	show_batch(f);
	spec = json_pack("{s:{s:i}, s:[{s:s, s:s, s:i}]}", JOB_RECIPE, "natural", 2, JOB_REQUEUE, SLOT_IMAGE, hex,
			 SLOT_KIND, "gaudy", SLOT_REQUEUED, 2);
	assert_int_equal(compose_spec(f, spec, NULL), 0);
	assert_int_equal(n_slots(f), 3);
	assert_int_equal(json_array_size(f->result.images), 2);
	for (size_t s = 0; s < 3; s++) {
		if (strcmp(slot_text(f, s, SLOT_KIND), "gaudy"))
			continue;
		n_found++;
		assert_string_equal(slot_text(f, s, SLOT_IMAGE), hex);
		assert_int_equal(slot_int(f, s, SLOT_REQUEUED), 2);
		assert_int_equal(slot_int(f, s, SLOT_REPEAT), 1);
	}
	assert_int_equal(n_found, 1);
}

/* Without held-out sets their slots become natural, and the outcome says so. */
static void replaced_kinds_are_told(void **state)
{
	struct fixture *f = *state;

	f->job.saw_seq = 0;
	compose(f, "{\"recipe\": {\"natural\": 2, \"monitor\": 3}}");
	assert_int_equal(count_kind(f, "natural"), 5);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(f->result.outcome, OUTCOME_REPLACED), "monitor")),
		3);
}

static void assert_refused(struct fixture *f, const char *spec, const char *word)
{
	struct error err = {""};

	assert_true(compose_spec(f, json_loads(spec, 0, NULL), &err) < 0);
	assert_non_null(strstr(err.text, word));
}

static void bad_specifications(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "{}", "job.recipe");
	assert_refused(f, "{\"recipe\": {\"nice\": 1}}", "nice");
	assert_refused(f, "{\"recipe\": {\"natural\": -1}}", "natural");
	assert_refused(f, "{\"recipe\": {\"natural\": 1001}}", "natural");
	assert_refused(f, "{\"recipe\": {\"natural\": 600, \"blank\": 600}}", "at most 1000 slots");
	assert_refused(f, "{\"recipe\": {}, \"pending\": [1]}", "pending[0]");
	assert_refused(f, "{\"recipe\": {}, \"requeue\": [{}]}", "requeue[0]");
	assert_refused(f,
		       "{\"recipe\": {}, \"requeue\": [{\"kind\": \"gaudy\", \"requeued\": 0, \"image\": "
		       "\"0000000000000000000000000000000000000000000000000000000000000000\"}]}",
		       "has no row");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_kinds_and_new_images, set_up, tear_down),
		cmocka_unit_test_setup_teardown(png_bytes_are_the_named_images, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_same_job_composes_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(later_rows_change_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_twice_until_the_pool_is_used_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pending_images_are_not_drawn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(monitor_repeats_stay_balanced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(requeued_slots_come_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replaced_kinds_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_specifications, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
