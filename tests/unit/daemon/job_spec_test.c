/* Each specification has the names and numbers that the worker's README promises; budgets leave at least one step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/job_spec.h"
#include "daemon/worker/pipe_fields.h"

static struct config config;
static const struct job_base base = {.decision = 12, .saw_seq = 345, .seed_hex = "0000000000000007", .config = &config};

static int setup(void **state)
{
	(void)state;
	config_init(&config);
	config.fit.n_steps = 400;
	config.synthesis.n_steps = 3;
	config.images.n_monitor = 24;
	return 0;
}

static json_int_t integer(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static void assert_base(const json_t *spec, const char *kind)
{
	assert_non_null(spec);
	assert_string_equal(json_string_value(json_object_get(spec, JOB_KIND)), kind);
	assert_int_equal(integer(spec, JOB_DECISION), 12);
	assert_int_equal(integer(spec, JOB_SAW_SEQ), 345);
	assert_string_equal(json_string_value(json_object_get(spec, JOB_SEED)), "0000000000000007");
}

static void test_prepare_and_evaluate(void **state)
{
	json_t *spec = job_spec_prepare(&base);

	(void)state;
	assert_base(spec, JOB_KIND_PREPARE);
	assert_int_equal(integer(spec, JOB_N_MONITOR), 24);
	json_decref(spec);
	spec = job_spec_evaluate(&base, "m", ROLE_SEALED, 5);
	assert_base(spec, JOB_KIND_EVALUATE);
	assert_string_equal(json_string_value(json_object_get(spec, JOB_SET)), ROLE_SEALED);
	assert_int_equal(integer(spec, JOB_N_UNITS), 5);
	json_decref(spec);
}

static void test_draw_and_batch(void **state)
{
	struct batch_recipe recipe = {.counts = {[KIND_NATURAL] = 3, [KIND_MONITOR] = 2}};
	json_t *exclude = json_pack("[i]", 6);
	json_t *spec = job_spec_draw(&base, &recipe, json_pack("[s]", "p"));

	(void)state;
	assert_base(spec, JOB_KIND_DRAW);
	assert_int_equal(integer(json_object_get(spec, JOB_RECIPE), "natural"), 3);
	assert_int_equal(json_array_size(json_object_get(spec, JOB_PENDING)), 1);
	json_decref(spec);
	spec = job_spec_batch(&base, "model", &recipe, json_array(), json_array(), exclude, 0.25);
	assert_base(spec, JOB_KIND_BATCH);
	assert_int_equal(json_array_size(json_object_get(spec, JOB_EXCLUDE)), 1);
	assert_int_equal(integer(json_object_get(spec, JOB_SYNTHESIS), SYNTHESIS_N_STEPS), 1);
	assert_true(json_is_real(json_object_get(json_object_get(spec, JOB_SYNTHESIS), SYNTHESIS_RESPONSE_CAP)));
	/* the list of excluded units goes on changing: the specification keeps what it was */
	json_array_clear(exclude);
	assert_int_equal(json_array_size(json_object_get(spec, JOB_EXCLUDE)), 1);
	json_decref(exclude);
	json_decref(spec);
}

static void test_fit_and_budget(void **state)
{
	json_t *spec = job_spec_fit(&base, "", 9, 0.5);
	const json_t *settings = json_object_get(spec, JOB_SETTINGS);

	(void)state;
	assert_base(spec, JOB_KIND_FIT);
	assert_string_equal(json_string_value(json_object_get(spec, JOB_PARENT)), "");
	assert_int_equal(integer(settings, FIT_N_STEPS), 200);
	assert_int_equal(integer(settings, FIT_N_MEMBERS), config.fit.n_members);
	assert_true(json_is_real(json_object_get(settings, FIT_LEARNING_RATE)));
	json_decref(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_prepare_and_evaluate, setup),
		cmocka_unit_test_setup(test_draw_and_batch, setup),
		cmocka_unit_test_setup(test_fit_and_budget, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
