/* evoke replay: makes a session's decisions again and compares their outcomes bit for bit.
 *
 * One line a decision, what differs from the time of recording before them, totals at the end. Exit codes: 0 everything
 * that was made is equal, 1 something differs or failed, 2 wrong usage. Without --verify the same is done and shown,
 * but a difference is no failure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/cli/interrupt.h"
#include "daemon/cli/options.h"
#include "daemon/cli/replay_session.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"
#include "support/thread_pool.h"

struct show {
	bool json, first_only;
	struct terminal_progress progress;
	size_t n[REPLAY_SKIPPED + 1]; /* by verdict */
	size_t n_differences;
	double seconds;
	int64_t first_divergence; /* decision; 0 without one */
};

static const char *const verdict_names[] = {
	[REPLAY_SAME] = "equal",
	[REPLAY_DIFFERS] = "differs",
	[REPLAY_FAILED] = "failed",
	[REPLAY_SKIPPED] = "skipped",
};

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void show_difference(void *ctx, const char *text)
{
	struct show *show = ctx;

	show->n_differences++;
	if (show->json)
		print_json(json_pack("{s:s}", "difference", text));
	else
		printf("not as recorded: %s\n", text);
}

static void print_line(const struct replay_decision *d)
{
	const struct reader_decision *r = d->recorded;
	enum terminal_style style = d->verdict == REPLAY_SAME	   ? TERMINAL_GOOD
				    : d->verdict == REPLAY_SKIPPED ? TERMINAL_PLAIN
								   : TERMINAL_BAD;

	printf("%5lld  %-8s  %-10s  rows %-7lld  units %lld/%lld  %s%s%s  %.16s", (long long)r->decision, r->kind,
	       r->cause, (long long)r->saw_seq, (long long)r->units_done, (long long)r->units_planned,
	       terminal_style(stdout, style), verdict_names[d->verdict], terminal_style(stdout, TERMINAL_PLAIN),
	       r->outcome_hash);
	if (d->verdict == REPLAY_DIFFERS)
		printf(" recorded, %.16s made", d->made);
	if (d->detail[0])
		printf(": %s", d->detail);
	putchar('\n');
}

static bool show_decision(void *ctx, const struct replay_decision *d)
{
	struct show *show = ctx;
	bool diverged = d->verdict == REPLAY_DIFFERS || d->verdict == REPLAY_FAILED;

	show->n[d->verdict]++;
	show->seconds += d->seconds;
	terminal_progress_clear(&show->progress);
	if (show->json)
		print_json(json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:f}", "decision",
				     (json_int_t)d->recorded->decision, "kind", d->recorded->kind, "cause",
				     d->recorded->cause, "saw_seq", (json_int_t)d->recorded->saw_seq, "units_done",
				     (json_int_t)d->recorded->units_done, "units_planned",
				     (json_int_t)d->recorded->units_planned, "verdict", verdict_names[d->verdict],
				     "recorded", d->recorded->outcome_hash, "made", d->made, "detail", d->detail,
				     "seconds", d->seconds));
	else
		print_line(d);
	fflush(stdout);
	if (diverged && !show->first_divergence)
		show->first_divergence = d->recorded->decision;
	return diverged && show->first_only;
}

static bool show_progress(void *ctx, const struct reader_decision *decision, int64_t done, int64_t planned)
{
	struct show *show = ctx;

	if (planned)
		terminal_progress_show(&show->progress, "decision %lld  %s  %lld of %lld units",
				       (long long)decision->decision, decision->kind, (long long)done,
				       (long long)planned);
	return interrupt_seen();
}

static void show_totals(const struct show *show)
{
	size_t n = 0;

	for (int v = 0; v <= REPLAY_SKIPPED; v++)
		n += show->n[v];
	if (show->json) {
		print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "decisions", (json_int_t)n, "equal",
				     (json_int_t)show->n[REPLAY_SAME], "differ", (json_int_t)show->n[REPLAY_DIFFERS],
				     "failed", (json_int_t)show->n[REPLAY_FAILED], "skipped",
				     (json_int_t)show->n[REPLAY_SKIPPED], "first_divergence",
				     (json_int_t)show->first_divergence, "seconds", show->seconds));
		return;
	}
	printf("\n%zu decisions: %zu equal, %zu differ, %zu failed, %zu skipped, in %s\n", n, show->n[REPLAY_SAME],
	       show->n[REPLAY_DIFFERS], show->n[REPLAY_FAILED], show->n[REPLAY_SKIPPED],
	       terminal_seconds(show->seconds).text);
	if (show->first_divergence)
		printf("The first divergence is decision %lld; what follows was built on the recorded models.\n",
		       (long long)show->first_divergence);
	if (show->first_divergence && show->n_differences)
		puts("Program, processor or pool are not those of the recording: then other bits are to be expected.");
}

static int run(const struct verb *verb, int argc, char **argv)
{
	bool verify = false;
	struct show show = {0};
	struct replay_options replay = {0};
	const struct options_entry entries[] = {
		{"verify", NULL, "exit with 1 when an outcome differs", OPTIONS_FLAG, .value = &verify},
		{"first", NULL, "stop at the first outcome that differs", OPTIONS_FLAG, .value = &show.first_only},
		{"threads", "N", "threads of the worker; 0: all processors", OPTIONS_INT, 0, THREAD_POOL_THREADS_MAX,
		 &replay.n_threads},
		{"pool", "SOURCE", "where the images lie now", OPTIONS_TEXT, .value = &replay.pool},
		{"worker", "PROGRAM", "evoked-worker, if it is not beside evoke", OPTIONS_TEXT,
		 .value = &replay.program},
		{"json", NULL, "one JSON object a line", OPTIONS_FLAG, .value = &show.json},
	};
	struct options options = {.entries = entries,
				  .n_entries = sizeof entries / sizeof entries[0],
				  .n_operands_min = 1,
				  .n_operands_max = 1};
	const struct replay_callbacks callbacks = {show_difference, show_decision, show_progress};
	struct error err;
	int code, status;

	if (!options_take(&options, verb, argc, argv, &code))
		return code;
	replay.path = options.operands[0];
	terminal_progress_init(&show.progress, stderr);
	interrupt_catch();
	status = replay_session_run(&replay, &callbacks, &show, &err);
	terminal_progress_clear(&show.progress);
	if (status) {
		fprintf(stderr, "evoke replay: %s\n", err.text);
		return VERB_FAILED;
	}
	show_totals(&show);
	return verify && (show.n[REPLAY_DIFFERS] || show.n[REPLAY_FAILED]) ? VERB_FAILED : VERB_OK;
}

const struct verb verb_replay = {
	.name = "replay",
	.purpose = "make a session's decisions again and compare them bit for bit",
	.operands = "SESSION.db",
	.example = "evoke replay session.db --verify",
	.run = run,
};
