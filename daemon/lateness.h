/* How late the loop thread comes to what is due: the measure of "the loop never blocks".
 *
 * A timer of the kernel is due every LATENESS_PERIOD_NS; each due time counts, also those that passed while the loop
 * was kept from looking, so one long stall counts as many late samples. Two windows alternate: what is reported is
 * the last full window and the one that runs. Loop thread only. */
#ifndef EVOKED_DAEMON_LATENESS_H
#define EVOKED_DAEMON_LATENESS_H

#include <stdint.h>

#include "daemon/histogram.h"
#include "support/error.h"

enum { LATENESS_PERIOD_NS = 5000000, LATENESS_WINDOW_S = 60 };

struct uv_loop_s;
struct lateness;

/* Starts measuring. -errno of the timer. */
int lateness_start(struct uv_loop_s *loop, struct error *err, struct lateness **ret_lateness);
/* Stops; the memory is freed once the loop has closed the handle. NULL is fine. */
void lateness_stop(struct lateness *lateness);
/* Lateness over the last full window (the one that runs, until there is one). */
const struct histogram *lateness_histogram(const struct lateness *lateness);

#endif
