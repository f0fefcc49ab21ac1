/* Convolutions of odd sizes, kernels, strides, paddings and groups: outputs and gradients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "models/convolution.h"
#include "network_check.h"

static void check(struct shape in, uint32_t kernel_height, uint32_t kernel_width, uint32_t stride, uint32_t groups,
		  uint32_t n_channels, bool has_bias, bool relu)
{
	for (int same = 0; same < 2; same++) {
		struct layer layer = {
			.kind = LAYER_CONVOLUTION,
			.name = "conv",
			.kernel_height = kernel_height,
			.kernel_width = kernel_width,
			.stride_height = stride,
			.padding = same ? WINDOW_SAME : WINDOW_VALID,
			.groups = groups,
			.n_channels = n_channels,
			.has_bias = has_bias,
			.relu = relu,
		};
		struct network *network = network_check_one_layer(in, &layer);
		char name[128];

		snprintf(name, sizeof name, "%u x %u x %u, kernel %u x %u, stride %u, groups %u, channels %u, same %d",
			 in.height, in.width, in.channels, kernel_height, kernel_width, stride, groups, n_channels,
			 same);
		network_check(network, 5, 1, name);
		network_destroy(network);
	}
}

static void pointwise(void **state)
{
	(void)state;
	check((struct shape){1, 1, 1}, 1, 1, 1, 1, 1, true, false);
	check((struct shape){7, 5, 3}, 1, 1, 1, 1, 9, true, true);
	check((struct shape){3, 2, 33}, 1, 1, 1, 1, 17, false, false);
	check((struct shape){5, 6, 3}, 1, 1, 2, 1, 4, true, false);
}

static void kernels_and_strides(void **state)
{
	(void)state;
	check((struct shape){8, 8, 3}, 5, 5, 2, 1, 7, true, true);
	check((struct shape){9, 7, 3}, 5, 5, 2, 1, 4, true, false);
	check((struct shape){7, 9, 2}, 3, 3, 1, 1, 5, false, true);
	check((struct shape){6, 11, 1}, 2, 4, 3, 1, 3, true, false);
	check((struct shape){5, 5, 2}, 5, 5, 1, 1, 3, true, false);
}

static void groups(void **state)
{
	(void)state;
	check((struct shape){6, 5, 6}, 3, 3, 2, 2, 4, true, true);
	check((struct shape){5, 5, 4}, 3, 2, 1, 4, 8, true, false);
	check((struct shape){4, 4, 6}, 1, 1, 1, 3, 6, true, false);
}

/* More positions than one block holds, the last block partial. */
static void several_blocks(void **state)
{
	struct layer layer = {
		.kind = LAYER_CONVOLUTION, .name = "conv", .kernel_height = 5, .kernel_width = 5, .n_channels = 30};

	(void)state;
	layer.padding = WINDOW_SAME;
	layer.has_bias = true;
	struct network *network = network_check_one_layer((struct shape){23, 25, 8}, &layer);
	const struct window *w = &network->layers[1].window;
	size_t block = convolution_scratch(w) / (5 * 5 * 8);
	assert_true(block < 23 * 25 && 23 * 25 % block);
	network_check(network, 1, 2, "several blocks");
	network_destroy(network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointwise),
		cmocka_unit_test(kernels_and_strides),
		cmocka_unit_test(groups),
		cmocka_unit_test(several_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
