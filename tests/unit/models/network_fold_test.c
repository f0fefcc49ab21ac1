/* What is folded, what may not be, and that the function stays the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "network_check.h"
#include <cmocka.h>

static const struct layer conv = {
	.kind = LAYER_CONVOLUTION, .name = "conv", .kernel_height = 1, .kernel_width = 1, .n_channels = 4};

static struct network *chain(struct layer first, const struct layer *rest, size_t n)
{
	struct network *network;

	assert_int_equal(network_create((struct shape){3, 3, 2}, NULL, &network), 0);
	uint32_t at = network_check_add(network, &first);
	for (size_t i = 0; i < n; i++) {
		struct layer layer = rest[i];

		layer.inputs[0] = at;
		at = network_check_add(network, &layer);
	}
	assert_int_equal(network_complete(network, NULL), 0);
	return network;
}

static void check_fold(struct network *network, uint32_t n_layers, const char *last)
{
	struct network *folded;

	assert_int_equal(network_fold(network, NULL, &folded), 0);
	assert_int_equal(folded->n_layers, n_layers);
	assert_string_equal(folded->layers[n_layers - 1].name, last);
	network_destroy(folded);
	/* Inference runs the folded network: it is measured against the unfolded reference. */
	network_check(network, 3, 11, last);
	network_destroy(network);
}

static void norm_and_relu_go_into_the_layer_before(void **state)
{
	const struct layer rest[] = {{.kind = LAYER_BATCH_NORM, .name = "norm"}, {.kind = LAYER_RELU, .name = "relu"}};
	struct layer biased = conv,
		     depth = {.kind = LAYER_DEPTHWISE, .name = "d", .kernel_height = 2, .kernel_width = 2};
	struct layer dense = {.kind = LAYER_DENSE, .name = "dense", .n_channels = 3, .has_bias = true};

	(void)state;
	biased.has_bias = true;
	check_fold(chain(conv, rest, 2), 2, "relu");
	check_fold(chain(biased, rest, 2), 2, "relu");
	check_fold(chain(biased, rest, 1), 2, "norm");
	check_fold(chain(depth, rest, 2), 2, "relu");
	check_fold(chain(dense, rest, 2), 2, "relu");
}

static void order_matters(void **state)
{
	const struct layer relu_first[] = {{.kind = LAYER_RELU, .name = "relu"},
					   {.kind = LAYER_BATCH_NORM, .name = "norm"}};
	const struct layer twice[] = {{.kind = LAYER_BATCH_NORM, .name = "norm", .relu = true},
				      {.kind = LAYER_BATCH_NORM, .name = "second"},
				      {.kind = LAYER_RELU, .name = "relu"}};

	(void)state;
	check_fold(chain(conv, relu_first, 2), 3, "norm");
	check_fold(chain(conv, twice, 3), 3, "relu");
}

/* The convolution is read by the norm and by the sum: it must stay as it is. */
static void a_layer_that_others_read_stays(void **state)
{
	struct network *network;
	struct layer sum = {.kind = LAYER_ADD, .name = "sum", .n_inputs = 2, .inputs = {1, 2}};

	(void)state;
	assert_int_equal(network_create((struct shape){3, 3, 2}, NULL, &network), 0);
	network_check_add(network, &conv);
	network_check_add(network, &(struct layer){.kind = LAYER_BATCH_NORM, .name = "norm", .inputs = {1}});
	network_check_add(network, &sum);
	network_check_add(network, &(struct layer){.kind = LAYER_RELU, .name = "relu", .inputs = {3}});
	assert_int_equal(network_complete(network, NULL), 0);
	check_fold(network, 4, "relu");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(norm_and_relu_go_into_the_layer_before),
		cmocka_unit_test(order_matters),
		cmocka_unit_test(a_layer_that_others_read_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
