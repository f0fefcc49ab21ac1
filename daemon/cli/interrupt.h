/* Ctrl-C and SIGTERM as something that a verb's loop looks at, so that it can leave in order. Process-wide. */
#ifndef EVOKED_DAEMON_CLI_INTERRUPT_H
#define EVOKED_DAEMON_CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on the first of each signal is remembered, and calls that wait return -EINTR; the second ends the process as
 * ever, should leaving in order take too long. */
void interrupt_catch(void);
bool interrupt_seen(void);

#endif
