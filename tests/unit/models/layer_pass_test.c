/* The layers without a file of their own: dense, ReLU, add, flatten, centre, batch norm by moving statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/layer_pass.h"
#include "network_check.h"

static void check_one(struct shape in, struct layer layer)
{
	struct network *network;

	network = network_check_one_layer(in, &layer);
	network_check(network, 5, 3, layer.name);
	network_destroy(network);
}

static void dense(void **state)
{
	(void)state;
	check_one((struct shape){1, 1, 7},
		  (struct layer){.kind = LAYER_DENSE, .name = "dense", .n_channels = 1, .has_bias = true});
	check_one((struct shape){3, 5, 7},
		  (struct layer){
			  .kind = LAYER_DENSE, .name = "dense relu", .n_channels = 13, .has_bias = true, .relu = true});
	check_one((struct shape){3, 5, 7},
		  (struct layer){.kind = LAYER_DENSE, .name = "dense without bias", .n_channels = 3});
}

static void elementwise(void **state)
{
	(void)state;
	check_one((struct shape){5, 3, 7}, (struct layer){.kind = LAYER_RELU, .name = "relu"});
	check_one((struct shape){5, 3, 7}, (struct layer){.kind = LAYER_FLATTEN, .name = "flatten"});
	check_one((struct shape){5, 3, 3}, (struct layer){.kind = LAYER_CENTER, .name = "center"});
	check_one((struct shape){5, 3, 7}, (struct layer){.kind = LAYER_BATCH_NORM, .name = "norm", .epsilon = 0.1f});
	check_one((struct shape){5, 3, 7}, (struct layer){.kind = LAYER_BATCH_NORM, .name = "norm relu", .relu = true});
}

static void add_of_one_map_to_itself(void **state)
{
	(void)state;
	check_one((struct shape){4, 3, 5},
		  (struct layer){.kind = LAYER_ADD, .name = "add", .n_inputs = 2, .relu = true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dense),
		cmocka_unit_test(elementwise),
		cmocka_unit_test(add_of_one_map_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
