/* One flag, set by the handler of both signals and never taken back: whoever sees it, leaves. */
#include "daemon/cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A signal handler can reach nothing but what is static. */
static volatile sig_atomic_t seen;

static void remember(int signal_number)
{
	(void)signal_number;
	seen = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool interrupt_seen(void)
{
	return seen;
}
