/* The first of each signal ends no process and is remembered. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/cli/interrupt.h"

static void signals_are_remembered(void **state)
{
	(void)state;
	interrupt_catch();
	assert_false(interrupt_seen());
	raise(SIGTERM);
	assert_true(interrupt_seen());
	raise(SIGINT);
	assert_true(interrupt_seen());
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(signals_are_remembered)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
