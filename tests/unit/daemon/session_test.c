/* The whole table of moves, each pair of state and event, and the way back from a stall. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/session.h"

/* Where each event leads from each state; "." refused. Order: idle open running paused draining closed stalled. */
static const char *const expected[SESSION_EVENTS] = {
	[SESSION_EVENT_OPEN] = "o......",   [SESSION_EVENT_READY] = ".r.....", [SESSION_EVENT_PAUSE] = "..p....",
	[SESSION_EVENT_RESUME] = "...r...", [SESSION_EVENT_CLOSE] = ".ddd...", [SESSION_EVENT_END] = "....c..",
	[SESSION_EVENT_FORGET] = ".....i.", [SESSION_EVENT_STALL] = ".ssss..", [SESSION_EVENT_RECOVER] = "......b",
};

static void test_table(void **state)
{
	(void)state;
	for (int event = 0; event < SESSION_EVENTS; event++) {
		for (int from = 0; from < SESSION_STATES; from++) {
			struct session_machine machine = {.state = (enum session_state)from,
							  .before_stall = SESSION_PAUSED};
			struct error err = {0};
			char to = expected[event][from];
			int status = session_move(&machine, (enum session_event)event, &err);
			if (to == '.') {
				assert_true(status < 0);
				assert_int_equal(machine.state, from);
				assert_non_null(strstr(err.text, session_state_name((enum session_state)from)));
			} else {
				assert_int_equal(status, 0);
				assert_int_equal(session_state_name(machine.state)[0], to == 'b' ? 'p' : to);
			}
		}
	}
}

static void test_stall_goes_back(void **state)
{
	const enum session_state states[] = {SESSION_OPEN, SESSION_RUNNING, SESSION_PAUSED, SESSION_DRAINING};

	(void)state;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct session_machine machine = {.state = states[i]};
		assert_int_equal(session_move(&machine, SESSION_EVENT_STALL, NULL), 0);
		assert_false(session_may(&machine, SESSION_EVENT_STALL));
		assert_false(session_may(&machine, SESSION_EVENT_PAUSE));
		assert_int_equal(session_move(&machine, SESSION_EVENT_RECOVER, NULL), 0);
		assert_int_equal(machine.state, states[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_stall_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
