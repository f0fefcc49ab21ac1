/* Which presentation numbers of each run are settled: rising ranges that do not touch, so that gaps never block. Loop
 * thread only. */
#ifndef EVOKED_DAEMON_RUNS_H
#define EVOKED_DAEMON_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/limits.h"
#include "protocol/presentation.h"
#include "support/error.h"

enum { RUNS_MAX = 4096 }; /* starts of the rig's software in one session */

struct runs_range {
	int64_t first, last;
};

/* One run. Numbers are at most LIMIT_OUT_OF_ORDER ahead of settled_through, which bounds the ranges. */
struct run {
	uint8_t id[RUN_SIZE];
	size_t n_ranges, capacity;
	struct runs_range *ranges;
};

/* All runs of the session, the newest last. */
struct runs {
	size_t n, capacity;
	struct run **list;
};

void runs_init(struct runs *runs);
void runs_done(struct runs *runs);
/* NULL when the run is not known. */
struct run *runs_find(const struct runs *runs, const uint8_t id[RUN_SIZE]);
/* The run of that id, made when it is new. -E2BIG over RUNS_MAX, -ENOMEM. */
int runs_add(struct runs *runs, const uint8_t id[RUN_SIZE], struct error *err, struct run **ret_run);

/* All numbers from 1 to this one are settled; 0 when 1 is not. */
int64_t run_settled_through(const struct run *run);
/* `number` is settled. */
bool run_has(const struct run *run, int64_t number);
/* The place of a run in the order in which they came, from 1. */
uint32_t runs_index(const struct runs *runs, const struct run *run);
/* 0 when `number` may be settled now, -ERANGE when it is below 1 or more than LIMIT_OUT_OF_ORDER ahead. */
int run_check(const struct run *run, int64_t number, struct error *err);
/* Marks first..last (a single number: twice the same); again is fine. -ENOMEM. */
int run_settle(struct run *run, int64_t first, int64_t last);
/* The lowest numbers below the highest settled one that are not settled, at most `max`; returns how many. */
size_t run_missing(const struct run *run, size_t max, int64_t *ret_numbers);

#endif
