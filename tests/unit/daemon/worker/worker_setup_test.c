/* Every field of the setup comes from the configuration, under the names of the pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"
#include "daemon/worker/worker_setup.h"
#include "samples.h"

static const char *text(const json_t *setup, const char *key)
{
	return json_string_value(json_object_get(setup, key));
}

static void fields(void **state)
{
	struct config config = {.images = {.pool = "dead_leaves:5", .width_px = 64, .height_px = 32, .resize = true},
				.model = {.backbone = "front_end", .backbone_cut = "block4"},
				.worker = {.threads = 3}};
	struct session_spec spec, back;
	json_t *setup;

	(void)state;
	assert_int_equal(sample_spec(&spec, NULL), 0);
	setup = worker_setup_make(&config, UINT64_C(0xab12), "/data/s.models", &spec);
	assert_non_null(setup);
	assert_string_equal(text(setup, SETUP_SEED), "000000000000ab12");
	assert_string_equal(text(setup, SETUP_POOL), "dead_leaves:5");
	assert_string_equal(text(setup, SETUP_BACKBONE), "front_end");
	assert_string_equal(text(setup, SETUP_BACKBONE_CUT), "block4");
	assert_string_equal(text(setup, SETUP_MODEL_DIR), "/data/s.models");
	assert_int_equal(json_integer_value(json_object_get(setup, SETUP_WIDTH_PX)), 64);
	assert_int_equal(json_integer_value(json_object_get(setup, SETUP_HEIGHT_PX)), 32);
	assert_int_equal(json_integer_value(json_object_get(setup, SETUP_THREADS)), 3);
	assert_true(json_is_true(json_object_get(setup, SETUP_RESIZE)));
	assert_int_equal(session_spec_parse(json_object_get(setup, SETUP_SPEC), NULL, &back), 0);
	assert_int_equal(back.n_units, 2);
	assert_int_equal(back.units[1].id, 9);
	session_spec_done(&back);
	session_spec_done(&spec);
	json_decref(setup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
