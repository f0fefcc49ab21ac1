/* The daemon's snapshot as a struct, read from the JSON of daemon/README.md ("The snapshot").
 *
 * What the daemon does not know, or an older daemon does not say, is NaN, -1 or "": viewers then show "–". */
#ifndef EVOKED_DAEMON_CLI_SNAPSHOT_H
#define EVOKED_DAEMON_CLI_SNAPSHOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SNAPSHOT_BATCHES_MAX = 64, SNAPSHOT_WARNINGS_MAX = 8 };

struct snapshot_score {
	const char *tier;
	double r2, r2_low, r2_high, r_mean, ceiling;
	int64_t n_presentations;
};

struct snapshot_batch {
	int64_t batch, n_slots, n_presentations, lag;
	const char *origin, *cause, *tier;
	double fit_seconds, batch_seconds, r2, r2_low, r2_high, ceiling, rig_wait_ms;
};

struct snapshot {
	int64_t sequence, time_us;
	const char *state;
	const char *status_endpoint;		 /* where snapshots are published */
	const char *session_name, *session_file; /* "" without a session */
	int64_t n_units, n_excluded;
	int64_t rig_silent_ms; /* -1: no rig */
	int64_t n_stored, n_complete, n_refused, n_conflicts;
	int64_t store_queue;
	bool store_stalled;
	const char *worker_state, *job_kind; /* job_kind "": none */
	int64_t n_lost, job_done, job_planned;
	double job_seconds;
	int64_t batch, n_slots, n_shown, n_batches, n_fallback, lag;
	const char *origin, *next;
	const char *failure; /* why there will be no batch; "" */
	bool natural_only;
	double fallback_share, budget;
	struct snapshot_score model, sealed;
	size_t n_batch_rows; /* the newest last */
	struct snapshot_batch batches[SNAPSHOT_BATCHES_MAX];
	double lateness_p99_us, acknowledged_p99_us, acknowledged_in_refits_p99_us;
	size_t n_warnings;
	const char *warnings[SNAPSHOT_WARNINGS_MAX]; /* the newest last */
	int64_t warning_times_us[SNAPSHOT_WARNINGS_MAX];
};

/* Texts are borrowed from `header`, which must outlive the snapshot. */
void snapshot_read(const json_t *header, struct snapshot *ret_snapshot);

enum { SNAPSHOT_LINES_MAX = 12 };

struct snapshot_line {
	const char *label;
	char text[256];
};

/* The snapshot in words, a line a subject. Returns how many. */
size_t snapshot_describe(const struct snapshot *snapshot, struct snapshot_line ret_lines[SNAPSHOT_LINES_MAX]);
/* The same in one line, for logs and progress. */
void snapshot_summarize(const struct snapshot *snapshot, size_t size, char *ret_text);

/* Whether the loop is well: a state in which it works, storage and worker there, and no rig that has gone silent. The
 * sentence says so, or what is wrong. */
bool snapshot_is_healthy(const struct snapshot *snapshot, const char **ret_reason);

#endif
