/* Ranges are kept sorted; a settled number nearly always lengthens the last one, so the search starts there. */
#include "daemon/runs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void runs_init(struct runs *runs)
{
	*runs = (struct runs){0};
}

void runs_done(struct runs *runs)
{
	for (size_t i = 0; i < runs->n; i++) {
		free(runs->list[i]->ranges);
		free(runs->list[i]);
	}
	free(runs->list);
	runs_init(runs);
}

struct run *runs_find(const struct runs *runs, const uint8_t id[RUN_SIZE])
{
	for (size_t i = runs->n; i-- > 0;)
		if (memcmp(runs->list[i]->id, id, RUN_SIZE) == 0)
			return runs->list[i];
	return NULL;
}

int runs_add(struct runs *runs, const uint8_t id[RUN_SIZE], struct error *err, struct run **ret_run)
{
	struct run *run = runs_find(runs, id);

	if (run) {
		*ret_run = run;
		return 0;
	}
	if (runs->n == RUNS_MAX)
		return error_set(err, -E2BIG, "run: a session holds %d runs", RUNS_MAX);
	if (runs->n == runs->capacity) {
		size_t capacity = runs->capacity ? 2 * runs->capacity : 8;
		struct run **list = realloc(runs->list, capacity * sizeof(*list));
		if (!list)
			return error_set(err, -ENOMEM, "run: out of memory");
		runs->list = list;
		runs->capacity = capacity;
	}
	run = calloc(1, sizeof *run);
	if (!run)
		return error_set(err, -ENOMEM, "run: out of memory");
	memcpy(run->id, id, RUN_SIZE);
	runs->list[runs->n++] = run;
	*ret_run = run;
	return 0;
}

int64_t run_settled_through(const struct run *run)
{
	return run->n_ranges > 0 && run->ranges[0].first == 1 ? run->ranges[0].last : 0;
}

int run_check(const struct run *run, int64_t number, struct error *err)
{
	int64_t through = run_settled_through(run);

	if (number < 1)
		return error_set(err, -ERANGE, "number: 1 or more expected, found %" PRId64, number);
	if (number > through + LIMIT_OUT_OF_ORDER)
		return error_set(err, -ERANGE,
				 "number: at most %d after the last settled one (%" PRId64 ") expected, found %" PRId64,
				 LIMIT_OUT_OF_ORDER, through, number);
	return 0;
}

/* The first range that ends at `number` - 1 or later: the one that holds, touches or follows it. */
static size_t find_range(const struct run *run, int64_t number)
{
	size_t low = 0, high = run->n_ranges;

	if (high > 0 && run->ranges[high - 1].first <= number)
		low = high - (run->ranges[high - 1].last >= number - 1);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (run->ranges[middle].last >= number - 1)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool run_has(const struct run *run, int64_t number)
{
	size_t at = find_range(run, number);

	/* find_range may give the range that only touches it from below */
	while (at < run->n_ranges && run->ranges[at].last < number)
		at++;
	return at < run->n_ranges && run->ranges[at].first <= number;
}

uint32_t runs_index(const struct runs *runs, const struct run *run)
{
	uint32_t i = 0;

	while (i < runs->n && runs->list[i] != run)
		i++;
	return i + 1;
}

int run_settle(struct run *run, int64_t first, int64_t last)
{
	size_t at = find_range(run, first);

	if (at == run->n_ranges || run->ranges[at].first > last + 1) {
		if (run->n_ranges == run->capacity) {
			size_t capacity = run->capacity ? 2 * run->capacity : 4;
			struct runs_range *ranges = realloc(run->ranges, capacity * sizeof(*ranges));
			if (!ranges)
				return -ENOMEM;
			run->ranges = ranges;
			run->capacity = capacity;
		}
		memmove(run->ranges + at + 1, run->ranges + at, (run->n_ranges - at) * sizeof(*run->ranges));
		run->ranges[at] = (struct runs_range){first, last};
		run->n_ranges++;
		return 0;
	}
	struct runs_range *range = &run->ranges[at];
	if (first < range->first)
		range->first = first;
	if (last > range->last)
		range->last = last;
	size_t next = at + 1;
	while (next < run->n_ranges && run->ranges[next].first <= range->last + 1) {
		if (run->ranges[next].last > range->last)
			range->last = run->ranges[next].last;
		next++;
	}
	memmove(run->ranges + at + 1, run->ranges + next, (run->n_ranges - next) * sizeof(*run->ranges));
	run->n_ranges -= next - at - 1;
	return 0;
}

size_t run_missing(const struct run *run, size_t max, int64_t *ret_numbers)
{
	int64_t number = 1;
	size_t n = 0;

	for (size_t r = 0; r < run->n_ranges; r++) {
		for (; number < run->ranges[r].first; number++) {
			if (n == max)
				return n;
			ret_numbers[n++] = number;
		}
		number = run->ranges[r].last + 1;
	}
	return n;
}
