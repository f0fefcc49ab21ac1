/* evoke synthesize: exit codes of wrong usage and missing files; images and table of a published neuron. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/cli/verbs.h"
#include "stimuli/image.h"
#include "support/atomic_file.h"
#include "tests/unit/stimuli/recorded.h"

enum { ARGS_MAX = 24 };

/* Runs the verb with the words of a line. */
static int run(const char *line)
{
	char text[4 * RECORDED_PATH_SIZE], *argv[ARGS_MAX + 1], *rest = text;
	int argc = 0;

	assert_true(strlen(line) < sizeof text);
	strcpy(text, line);
	while (argc < ARGS_MAX && (argv[argc] = strsep(&rest, " ")))
		argc++;
	argv[argc] = NULL;
	return verb_synthesize.run(&verb_synthesize, argc, argv);
}

static void wrong_usage_exits_2(void **state)
{
	(void)state;
	assert_int_equal(run("synthesize"), VERB_USAGE);
	assert_int_equal(run("synthesize --model a.keras"), VERB_USAGE);
	assert_int_equal(run("synthesize --model a.keras --out d --goal sideways"), VERB_USAGE);
	assert_int_equal(run("synthesize --model a.keras --out d --count 0"), VERB_USAGE);
	assert_int_equal(run("synthesize --help"), VERB_OK);
}

static void missing_model_exits_1(void **state)
{
	(void)state;
	assert_int_equal(run("synthesize --model /nowhere/a.keras --out /tmp"), VERB_FAILED);
}

static void images_and_table_are_written(void **state)
{
	char model[RECORDED_PATH_SIZE], folder[] = "/tmp/synthesize_test_XXXXXX", line[2 * RECORDED_PATH_SIZE],
					path[128];
	struct image image;
	void *data;
	size_t size;
	(void)state;

	if (!recorded_path("compact/compact_model_190923_neuron0.keras", model))
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(line, sizeof line, "synthesize --model %s --out %s --neuron 1", model, folder);
	assert_int_equal(run(line), VERB_USAGE);
	snprintf(line, sizeof line,
		 "synthesize --model %s --out %s --count 2 --steps 5 --pool dead_leaves:4 --threads 1 --goal minimize",
		 model, folder);
	assert_int_equal(run(line), VERB_OK);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/neuron0_minimize_%04d.png", folder, i);
		assert_int_equal(atomic_file_read(path, IMAGE_FILE_MAX, NULL, &data, &size), 0);
		assert_int_equal(image_decode(data, size, NULL, &image), 0);
		assert_int_equal(image.width_px, 112);
		image_done(&image);
		free(data);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/synthesis.csv", folder);
	assert_int_equal(atomic_file_read(path, 10000, NULL, &data, &size), 0);
	assert_non_null(strstr(data, "image,neuron,goal,start,response_start,response,step\n"));
	assert_non_null(strstr(data, "neuron0_minimize_0000.png,0,minimize,pool,"));
	assert_non_null(strstr(data, "neuron0_minimize_0001.png,0,minimize,noise,"));
	free(data);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	recorded_use_built_converter();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_exits_2),
		cmocka_unit_test(missing_model_exits_1),
		cmocka_unit_test(images_and_table_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
