/* The snapshot in words. Flow: one function a subject; an unknown number is "–". */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/cli/snapshot.h"
#include "daemon/cli/terminal.h"

struct lines {
	struct snapshot_line *lines;
	size_t n;
};

ERROR_FORMAT(3, 4)
static void add(struct lines *lines, const char *label, const char *format, ...)
{
	struct snapshot_line *line = &lines->lines[lines->n++];
	va_list args;

	line->label = label;
	va_start(args, format);
	vsnprintf(line->text, sizeof(line->text), format, args);
	va_end(args);
}

static struct terminal_text count(int64_t n)
{
	return terminal_number(n < 0 ? NAN : (double)n, 0);
}

static void describe_score(struct lines *lines, const char *label, const struct snapshot_score *score)
{
	add(lines, label, "R² %s, ceiling %s (%s, %s presentations)",
	    terminal_interval(score->r2, score->r2_low, score->r2_high).text, terminal_number(score->ceiling, 2).text,
	    score->tier, count(score->n_presentations).text);
}

static void describe_worker(const struct snapshot *snapshot, struct lines *lines)
{
	char lost[48] = "";

	if (snapshot->n_lost > 0)
		snprintf(lost, sizeof(lost), "; died %lld times", (long long)snapshot->n_lost);
	if (snapshot->job_kind[0])
		add(lines, "worker", "%s: %s %s of %s, %s%s", snapshot->worker_state, snapshot->job_kind,
		    count(snapshot->job_done).text, count(snapshot->job_planned).text,
		    terminal_seconds(snapshot->job_seconds).text, lost);
	else
		add(lines, "worker", "%s%s", snapshot->worker_state[0] ? snapshot->worker_state : "–", lost);
}

static void describe_batch(const struct snapshot *snapshot, struct lines *lines)
{
	if (snapshot->batch > 0)
		add(lines, "batch", "%s (%s), %s of %s shown; next: %s%s", count(snapshot->batch).text,
		    snapshot->origin, count(snapshot->n_shown).text, count(snapshot->n_slots).text,
		    snapshot->next[0] ? snapshot->next : "not ready",
		    snapshot->natural_only ? "; natural images only" : "");
	else
		add(lines, "batch", "none handed over; next: %s", snapshot->next[0] ? snapshot->next : "not ready");
	add(lines, "loop", "lag %s presentations; fallbacks %s of %s batches", count(snapshot->lag).text,
	    count(snapshot->n_fallback).text, count(snapshot->n_batches).text);
}

size_t snapshot_describe(const struct snapshot *snapshot, struct snapshot_line ret_lines[SNAPSHOT_LINES_MAX])
{
	struct lines lines = {.lines = ret_lines};

	if (snapshot->session_name[0])
		add(&lines, "session", "%s, %s", snapshot->session_name, snapshot->session_file);
	else
		add(&lines, "session", "none open");
	if (snapshot->rig_silent_ms < 0)
		add(&lines, "rig", "not connected");
	else
		add(&lines, "rig", "connected, last message %s ago",
		    terminal_seconds((double)snapshot->rig_silent_ms / 1e3).text);
	if (snapshot->n_excluded > 0)
		add(&lines, "units", "%s, %s excluded", count(snapshot->n_units).text,
		    count(snapshot->n_excluded).text);
	else
		add(&lines, "units", "%s", count(snapshot->n_units).text);
	add(&lines, "data", "%s presentations stored (%s complete), %s refused, %s conflicts",
	    count(snapshot->n_stored).text, count(snapshot->n_complete).text, count(snapshot->n_refused).text,
	    count(snapshot->n_conflicts).text);
	describe_batch(snapshot, &lines);
	if (isnan(snapshot->model.r2))
		add(&lines, "model", "none yet");
	else
		describe_score(&lines, "model", &snapshot->model);
	if (!isnan(snapshot->sealed.r2))
		describe_score(&lines, "sealed", &snapshot->sealed);
	describe_worker(snapshot, &lines);
	add(&lines, "disk", "%s; acknowledged p99 %s, in refits %s; loop late %s",
	    snapshot->store_stalled ? "STALLED" : "writing", terminal_seconds(snapshot->acknowledged_p99_us / 1e6).text,
	    terminal_seconds(snapshot->acknowledged_in_refits_p99_us / 1e6).text,
	    terminal_seconds(snapshot->lateness_p99_us / 1e6).text);
	if (snapshot->n_warnings > 0)
		add(&lines, "warning", "%s", snapshot->warnings[snapshot->n_warnings - 1]);
	return lines.n;
}

void snapshot_summarize(const struct snapshot *snapshot, size_t size, char *ret_text)
{
	const char *reason;
	bool healthy = snapshot_is_healthy(snapshot, &reason);

	snprintf(ret_text, size, "%s  batch %s %s/%s  %s presentations  R² %s  lag %s  fallbacks %s  worker %s%s%s%s",
		 snapshot->state, count(snapshot->batch).text, count(snapshot->n_shown).text,
		 count(snapshot->n_slots).text, count(snapshot->n_stored).text,
		 terminal_interval(snapshot->model.r2, snapshot->model.r2_low, snapshot->model.r2_high).text,
		 count(snapshot->lag).text, count(snapshot->n_fallback).text,
		 snapshot->job_kind[0] ? snapshot->job_kind : snapshot->worker_state, healthy ? "" : "  (",
		 healthy ? "" : reason, healthy ? "" : ")");
}
