/* Backbones by name: the front end, a file whole or cut, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/backbone.h"
#include "models/front_end.h"
#include "models/graph.h"
#include "network_check.h"
#include "support/atomic_file.h"

static char path[40];

/* A file: input 8 x 8 x 3, "first", "second" (both convolutions), dense. */
static int make_file(void **state)
{
	struct network *network;
	struct layer layer = {
		.kind = LAYER_CONVOLUTION, .name = "first", .kernel_height = 1, .kernel_width = 1, .n_channels = 2};
	void *data;
	size_t size;

	(void)state;
	snprintf(path, sizeof path, "/tmp/backbone_test.XXXXXX");
	close(mkstemp(path));
	assert_int_equal(network_create((struct shape){8, 8, 3}, NULL, &network), 0);
	layer.inputs[0] = network_check_add(network, &layer);
	strcpy(layer.name, "second");
	layer.n_channels = 4;
	network_check_add(network, &layer);
	network_check_add(network,
			  &(struct layer){.kind = LAYER_DENSE, .name = "dense", .inputs = {2}, .n_channels = 1});
	assert_int_equal(network_complete(network, NULL), 0);
	assert_int_equal(graph_encode(network, NULL, &data, &size), 0);
	assert_int_equal(atomic_file_write(path, data, size, NULL), 0);
	free(data);
	network_destroy(network);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void by_file_and_layer(void **state)
{
	struct backbone *backbone;

	(void)state;
	assert_int_equal(backbone_open(path, NULL, 8, 8, NULL, &backbone), 0);
	assert_int_equal(backbone->n_channels, 4);
	backbone_destroy(backbone);
	assert_int_equal(backbone_open(path, "", 8, 8, NULL, &backbone), 0);
	assert_int_equal(backbone->n_channels, 4);
	backbone_destroy(backbone);
	assert_int_equal(backbone_open(path, "first", 8, 8, NULL, &backbone), 0);
	assert_int_equal(backbone->n_channels, 2);
	backbone_destroy(backbone);
}

static void what_does_not_fit_is_named(void **state)
{
	struct backbone *backbone = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(backbone_open(path, "third", 8, 8, &err, &backbone), -EINVAL);
	assert_non_null(strstr(err.text, "third"));
	assert_non_null(strstr(err.text, path));
	assert_int_equal(backbone_open(path, NULL, 112, 112, &err, &backbone), -EINVAL);
	assert_non_null(strstr(err.text, "112 x 112"));
	assert_int_equal(backbone_open("/nowhere", NULL, 8, 8, &err, &backbone), -ENOENT);
	assert_null(backbone);
	backbone_destroy(NULL);
}

static void the_front_end_by_its_name(void **state)
{
	struct backbone *backbone;

	(void)state;
	assert_int_equal(backbone_open(FRONT_END_NAME, NULL, 64, 64, NULL, &backbone), 0);
	assert_int_equal(backbone->n_channels, FRONT_END_CHANNELS);
	backbone_destroy(backbone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_file_and_layer),
		cmocka_unit_test(what_does_not_fit_is_named),
		cmocka_unit_test(the_front_end_by_its_name),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
