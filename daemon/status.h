/* The snapshot (README.md): built once, published twice a second and when something changed, answered on the control
 * socket. Loop thread only. */
#ifndef EVOKED_DAEMON_STATUS_H
#define EVOKED_DAEMON_STATUS_H

#include <jansson.h>

#include "support/error.h"

enum { STATUS_PERIOD_MS = 500, STATUS_COALESCE_MS = 50 };

struct daemon;
struct status;

int status_create(struct daemon *daemon, struct error *err, struct status **ret_status);
/* Stops the timers; the memory is freed once the loop has closed them. NULL is fine. */
void status_destroy(struct status *status);
/* Something changed: published within STATUS_COALESCE_MS. */
void status_changed(struct status *status);
/* The snapshot as of now, without "v", "type" and "sequence"; NULL when there is no memory. */
json_t *status_snapshot(const struct daemon *daemon);

#endif
