/* Max and average pooling: outputs, gradients, and TensorFlow's count at the border. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "models/pooling.h"
#include "network_check.h"

static void sizes_strides_paddings(void **state)
{
	static const uint32_t cases[][5] = {/* height, width, channels, kernel, stride */
					    {6, 6, 3, 2, 2},
					    {7, 5, 17, 3, 2},
					    {5, 8, 1, 3, 1},
					    {4, 4, 2, 4, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (int variant = 0; variant < 4; variant++) {
			const uint32_t *c = cases[i];
			struct layer layer = {
				.kind = variant & 1 ? LAYER_MAX_POOL : LAYER_AVERAGE_POOL,
				.name = "pool",
				.kernel_height = c[3],
				.kernel_width = c[3],
				.stride_height = c[4],
				.padding = variant & 2 ? WINDOW_SAME : WINDOW_VALID,
			};
			struct network *network = network_check_one_layer((struct shape){c[0], c[1], c[2]}, &layer);
			char name[64];

			snprintf(name, sizeof name, "pooling case %zu, variant %d", i, variant);
			network_check(network, 3, i, name);
			network_destroy(network);
		}
	}
}

static void average_counts_what_is_inside(void **state)
{
	const struct window w = {{2, 2, 1}, {1, 1, 1}, 3, 3, 2, 2, 1, 1, 1};
	const float in[4] = {1, 2, 3, 6};
	float out;

	(void)state;
	pooling_average_forward(&w, in, &out);
	assert_true(out == 3.0f);
	pooling_max_forward(&w, in, &out);
	assert_true(out == 6.0f);
}

static void gradient_of_equal_maxima_goes_to_the_first(void **state)
{
	const struct window w = {{2, 2, 1}, {1, 1, 1}, 2, 2, 1, 1, 0, 0, 1};
	const float in[4] = {1, 5, 5, 5}, gradient = 2;
	float to[4] = {0};

	(void)state;
	pooling_max_gradient(&w, in, &gradient, to);
	assert_true(to[0] == 0 && to[1] == 2 && to[2] == 0 && to[3] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_strides_paddings),
		cmocka_unit_test(average_counts_what_is_inside),
		cmocka_unit_test(gradient_of_equal_maxima_goes_to_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
