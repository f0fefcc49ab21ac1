/* Depthwise convolutions of odd sizes, kernels, strides and paddings: outputs and gradients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "network_check.h"

static void check(struct shape in, uint32_t kernel_height, uint32_t kernel_width, uint32_t stride, bool has_bias,
		  bool relu)
{
	for (int same = 0; same < 2; same++) {
		struct layer layer = {
			.kind = LAYER_DEPTHWISE,
			.name = "depthwise",
			.kernel_height = kernel_height,
			.kernel_width = kernel_width,
			.stride_height = stride,
			.padding = same ? WINDOW_SAME : WINDOW_VALID,
			.has_bias = has_bias,
			.relu = relu,
		};
		struct network *network = network_check_one_layer(in, &layer);
		char name[128];

		snprintf(name, sizeof name, "%u x %u x %u, kernel %u x %u, stride %u, same %d", in.height, in.width,
			 in.channels, kernel_height, kernel_width, stride, same);
		network_check(network, 5, 1, name);
		network_destroy(network);
	}
}

static void channels(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 40; c += 6)
		check((struct shape){6, 7, c}, 3, 3, 1, true, c % 4 == 1);
	check((struct shape){6, 6, 16}, 3, 3, 1, true, false);
	check((struct shape){6, 6, 32}, 3, 3, 1, false, true);
}

static void kernels_and_strides(void **state)
{
	(void)state;
	check((struct shape){8, 8, 3}, 5, 5, 2, true, true);
	check((struct shape){9, 7, 20}, 5, 5, 2, false, false);
	check((struct shape){7, 10, 3}, 2, 4, 3, true, false);
	check((struct shape){4, 5, 18}, 1, 1, 1, true, false);
	/* A readout's spatial pool: the window is the whole map. */
	check((struct shape){7, 7, 21}, 7, 7, 1, true, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channels),
		cmocka_unit_test(kernels_and_strides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
