/* evoke demo: the whole loop on this machine, with nothing but the programs that were just built.
 *
 * Flow: a session with the loop, the same again with random images, a table of each, one honest sentence on the
 * difference, the images, and the replay of the first session. Failure: what went wrong and in which log, exit code 1;
 * Ctrl-C ends it and leaves no process behind. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/cli/demo_images.h"
#include "daemon/cli/demo_session.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/options.h"
#include "daemon/cli/path.h"
#include "daemon/cli/process.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"

enum { DEMO_REPLAY_MS = 90000 };

enum replay_result { REPLAY_EQUAL, REPLAY_DIFFERENT, REPLAY_UNFINISHED };

struct demo {
	struct demo_settings settings;
	char dir[PATH_TEXT_MAX], images[PATH_TEXT_MAX], replay_log[PATH_TEXT_MAX];
	struct demo_result loop, random;
	size_t n_last_batch;
	enum replay_result replay;
};

/* The folder, made if it is not there: named by date and time when none is given. */
static int make_dir(const char *given, char ret_dir[PATH_TEXT_MAX], struct error *err)
{
	char name[64];
	time_t now = time(NULL);
	struct tm local;
	char *absolute;
	int rc;

	strftime(name, sizeof(name), "evoked-demo-%Y%m%d-%H%M%S", localtime_r(&now, &local));
	if (!given)
		given = name;
	rc = path_make_folder(given, err);
	if (rc < 0)
		return rc;
	absolute = realpath(given, NULL);
	if (!absolute)
		return error_set(err, -errno, "%s: %s", given, strerror(errno));
	rc = path_format(err, ret_dir, "%s", absolute);
	free(absolute);
	return rc;
}

static int write_images(struct demo *demo, struct error *err)
{
	struct reader *reader;
	int rc = reader_open(demo->loop.file, err, &reader);

	if (rc < 0)
		return rc;
	rc = demo_images_write(reader, demo->images, err, &demo->n_last_batch);
	reader_close(reader);
	return rc;
}

/* Makes every decision of the session again, in a process of its own and within a time limit. */
static int replay(struct demo *demo, struct error *err)
{
	char program[PATH_TEXT_MAX];
	const char *argv[] = {program, "replay", demo->loop.file, "--verify", NULL};
	struct process process;
	int rc = process_beside("evoke", sizeof(program), program);

	if (rc < 0)
		return error_set(err, rc, "evoke: not found");
	terminal_progress_show(demo->settings.progress, "making every decision of the loop session again, to compare");
	rc = process_start(argv, demo->replay_log, demo->replay_log, err, &process);
	if (rc < 0)
		return rc;
	rc = process_wait(&process, DEMO_REPLAY_MS);
	process_stop(&process);
	if (rc == -EINTR)
		return error_set(err, rc, "interrupted");
	demo->replay = rc < 0 ? REPLAY_UNFINISHED : process.exit_code == 0 ? REPLAY_EQUAL : REPLAY_DIFFERENT;
	return 0;
}

static int run_demo(struct demo *demo, struct error *err)
{
	int rc = demo_session_run(&demo->settings, DEMO_LOOP, err, &demo->loop);

	if (rc == 0)
		rc = demo_session_run(&demo->settings, DEMO_RANDOM, err, &demo->random);
	if (rc == 0)
		rc = write_images(demo, err);
	if (rc == 0)
		rc = replay(demo, err);
	terminal_progress_clear(demo->settings.progress);
	return rc;
}

/* What may be said of two medians with their intervals, and no more. */
static const char *verdict(const struct batch_table_score *loop, const struct batch_table_score *random)
{
	if (isnan(loop->r2_low) || isnan(loop->r2_high) || isnan(random->r2_low) || isnan(random->r2_high))
		return "without an interval for both, nothing can be said";
	if (loop->r2_low > random->r2_high)
		return "the loop's models are better";
	if (random->r2_low > loop->r2_high)
		return "the random session's models are better";
	return "their intervals overlap, so this run does not tell them apart";
}

static void print_comparison(const struct batch_table_score *loop, const struct batch_table_score *random,
			     const char *set)
{
	if (loop->decision == 0 || random->decision == 0 || isnan(loop->r2) || isnan(random->r2))
		return;
	printf("%s: loop R² %s, random R² %s:\n  %s.\n", set,
	       terminal_interval(loop->r2, loop->r2_low, loop->r2_high).text,
	       terminal_interval(random->r2, random->r2_low, random->r2_high).text, verdict(loop, random));
}

static const char *replay_sentence(const struct demo *demo)
{
	switch (demo->replay) {
	case REPLAY_EQUAL:
		return "every decision of the loop session was made again with the same bits";
	case REPLAY_DIFFERENT:
		return "NOT every decision of the loop session came out the same";
	case REPLAY_UNFINISHED:
		return "not finished in the time that the demo gives it";
	}
	return "";
}

static int print_session(const char *title, const struct demo_result *result)
{
	const json_t *acknowledgement = json_object_get(result->rig, "acknowledgement");
	int rc;

	printf("%s%s%s (%lld presentations, %s)\n", terminal_style(stdout, TERMINAL_BOLD), title,
	       terminal_style(stdout, TERMINAL_PLAIN), (long long)result->table.n_presentations,
	       terminal_seconds(result->seconds).text);
	rc = batch_table_print(&result->table, stdout);
	printf("fallbacks: %s of the batches after the first; acknowledgement p99 %s\n\n",
	       terminal_percent(batch_table_fallback_share(&result->table)).text,
	       terminal_seconds(json_number_value(json_object_get(acknowledgement, "p99_ms")) / 1e3).text);
	return rc;
}

static int print_demo(const struct demo *demo)
{
	int rc = print_session("With the loop", &demo->loop);

	if (rc == 0)
		rc = print_session("Random images only, with the same seed", &demo->random);
	print_comparison(&demo->loop.table.monitor, &demo->random.table.monitor, "Monitor set");
	print_comparison(&demo->loop.table.sealed, &demo->random.table.sealed, "Sealed test");
	printf("Replay: %s\n  (%s)\n\n", replay_sentence(demo), demo->replay_log);
	printf("Session files  %s\n               %s\n", demo->loop.file, demo->random.file);
	printf("Images         %s/kinds.png  what each kind looks like\n", demo->images);
	printf("               %s/last_batch  the %zu images shown last\n", demo->images, demo->n_last_batch);
	printf("Try            evoke report %s\n", demo->loop.file);
	return rc;
}

static int print_demo_json(const struct demo *demo)
{
	json_t *object = json_pack("{s:{s:s, s:o, s:O}, s:{s:s, s:o, s:O}, s:s, s:s, s:b}", "loop", "file",
				   demo->loop.file, "table", batch_table_json(&demo->loop.table), "rig", demo->loop.rig,
				   "random", "file", demo->random.file, "table", batch_table_json(&demo->random.table),
				   "rig", demo->random.rig, "images", demo->images, "replay", replay_sentence(demo),
				   "replay_equal", demo->replay == REPLAY_EQUAL);

	if (!object)
		return -ENOMEM;
	json_dumpf(object, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(object);
	return 0;
}

struct demo_options {
	const char *dir, *pool;
	int64_t n_batches, batch_size, n_builtin, seed;
	double rate_hz;
	bool quick, json;
	struct options_list neurons;
};

static int run_and_print(const struct demo_options *o)
{
	struct terminal_progress progress;
	struct error err = {0};
	struct demo *demo = calloc(1, sizeof(*demo)); /* paths make it large */
	int rc;

	terminal_progress_init(&progress, stderr);
	if (!demo) {
		fputs("evoke demo: out of memory\n", stderr);
		return VERB_FAILED;
	}
	demo->settings = (struct demo_settings){
		.dir = demo->dir,
		.pool = o->pool,
		.n_batches = o->n_batches,
		.batch_size = o->batch_size,
		.n_builtin = o->n_builtin,
		.rate_hz = o->rate_hz,
		.seed = (uint64_t)o->seed,
		.neurons = &o->neurons,
		.quick = o->quick,
		.progress = &progress,
	};
	rc = make_dir(o->dir, demo->dir, &err);
	if (rc == 0)
		rc = path_format(&err, demo->images, "%s/images", demo->dir);
	if (rc == 0)
		rc = path_format(&err, demo->replay_log, "%s/loop.replay.log", demo->dir);
	if (rc == 0)
		rc = run_demo(demo, &err);
	if (rc == 0 && (o->json ? print_demo_json(demo) : print_demo(demo)) < 0)
		rc = error_set(&err, -ENOMEM, "out of memory for the table");
	if (rc == 0 && demo->replay == REPLAY_DIFFERENT)
		rc = error_set(&err, -EILSEQ, "the replay differs: see %s", demo->replay_log);
	if (rc < 0)
		fprintf(stderr, "evoke demo: %s\n", err.text);
	demo_result_done(&demo->loop);
	demo_result_done(&demo->random);
	free(demo);
	return rc < 0 ? VERB_FAILED : VERB_OK;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	static struct demo_options o; /* large: the list of neurons */
	o = (struct demo_options){
		.pool = NULL, .n_batches = 5, .batch_size = 200, .n_builtin = 24, .seed = 1, .rate_hz = 20};
	const struct options_entry entries[] = {
		{"dir", "DIR", "where everything goes; else ./evoked-demo-<date>", OPTIONS_TEXT, .value = &o.dir},
		{"batches", "N", "batches of each session", OPTIONS_INT, 2, 100, &o.n_batches},
		{"batch-size", "N", "presentations of a batch", OPTIONS_INT, 8, 1000, &o.batch_size},
		{"rate", "HZ", "presentations a second; 0: as fast as possible", OPTIONS_REAL, 0, 1000, &o.rate_hz},
		{"neurons", "FILE", "published models as the subject, in place of built-in neurons", OPTIONS_LIST,
		 .value = &o.neurons},
		{"builtin", "N", "how many built-in neurons", OPTIONS_INT, 1, 512, &o.n_builtin},
		{"pool", "SOURCE", "natural images: a folder, a zip or dead_leaves:N; else dead leaves", OPTIONS_TEXT,
		 .value = &o.pool},
		{"seed", "N", "of everything that is random", OPTIONS_INT, 1, LIMIT_INTEGER - 1, &o.seed},
		{"quick", NULL, "small models and few images: for tests", OPTIONS_FLAG, .value = &o.quick},
		{"json", NULL, "the tables as JSON", OPTIONS_FLAG, .value = &o.json},
	};
	struct options options = {.entries = entries, .n_entries = sizeof(entries) / sizeof(entries[0])};
	int exit_code;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	if (!o.pool)
		o.pool = o.quick ? "dead_leaves:120" : "dead_leaves:1500";
	interrupt_catch();
	return run_and_print(&o);
}

const struct verb verb_demo = {
	.name = "demo",
	.purpose = "the whole loop on this machine, in a few minutes",
	.operands = "",
	.example = "evoke demo --batches 5 --batch-size 200 --rate 20",
	.run = run,
};
