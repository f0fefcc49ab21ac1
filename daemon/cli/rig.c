/* evoke rig: the simulated rig as a program of its own, on the real protocol.
 *
 * Flow: hello (the daemon says how large images are), then the subject is made for that size, then the rig runs to its
 * limit and reports. Failure: exit code 1 when the rig could not go on, or when anything that was shown was refused,
 * kept aside as a conflict, or never acknowledged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/connection.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/options.h"
#include "daemon/cli/simulated_rig.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"
#include "stimuli/pool.h"
#include "support/thread_pool.h"

struct rig_options {
	const char *endpoint, *dataset, *recorded, *name, *calibrate;
	struct options_list neurons;
	int64_t n_builtin, n_units, seed, trials, presentations, batches, restart_after, timeout_s, threads;
	double rate_hz, p_break, p_drop, fano;
	bool close, json;
};

static int open_subject(const struct rig_options *o, const struct subject_settings *settings,
			struct thread_pool *threads, struct error *err, struct subject **ret_subject)
{
	if (o->neurons.n > 0)
		return subject_open_models(o->neurons.items, o->neurons.n, settings, threads, err, ret_subject);
	if (o->dataset)
		return subject_open_dataset(o->dataset, o->recorded, settings, threads, err, ret_subject);
	return subject_create_builtin((uint32_t)o->n_builtin, settings, threads, err, ret_subject);
}

/* Images over which the neurons' means and signal are set; an array of SUBJECT_CALIBRATION_IMAGES. */
static int read_calibration(const struct rig_options *o, uint32_t width_px, uint32_t height_px,
			    struct thread_pool *threads, struct error *err, struct image *images, size_t *ret_n)
{
	struct pool *pool;
	size_t n, i = 0;
	int rc;

	if (!o->calibrate) {
		*ret_n = 0;
		return 0;
	}
	rc = pool_open(o->calibrate, width_px, height_px, true, (uint64_t)o->seed, threads, err, &pool);
	if (rc < 0)
		return error_prefix(err, rc, "--calibrate");
	n = pool_n_images(pool);
	if (n > SUBJECT_CALIBRATION_IMAGES)
		n = SUBJECT_CALIBRATION_IMAGES;
	while (rc == 0 && i < n) {
		rc = pool_read(pool, i, err, &images[i]);
		i += rc == 0;
	}
	pool_close(pool);
	*ret_n = i;
	return rc;
}

static int make_subject(const struct rig_options *o, uint32_t width_px, uint32_t height_px, struct thread_pool *threads,
			struct error *err, struct subject **ret_subject)
{
	struct image calibration[SUBJECT_CALIBRATION_IMAGES];
	size_t n_calibration = 0;
	int rc = read_calibration(o, width_px, height_px, threads, err, calibration, &n_calibration);

	if (rc == 0) {
		const struct subject_settings settings = {
			.seed = (uint64_t)o->seed,
			.fano = o->fano,
			.width_px = width_px,
			.height_px = height_px,
			.calibration = n_calibration > 0 ? calibration : NULL,
			.n_calibration = n_calibration,
		};
		rc = open_subject(o, &settings, threads, err, ret_subject);
	}
	for (size_t i = 0; i < n_calibration; i++)
		image_done(&calibration[i]);
	return rc;
}

static void show_progress(void *ctx, const struct rig_report *report)
{
	terminal_progress_show(ctx, "batch %lld  %lld presentations  %lld acknowledged  %.1f a second",
			       (long long)report->n_batches + 1, (long long)report->n_shown,
			       (long long)report->n_acknowledged,
			       report->seconds > 0 ? (double)report->n_shown / report->seconds : 0);
}

static struct simulated_rig_settings rig_settings(const struct rig_options *o, struct terminal_progress *progress)
{
	return (struct simulated_rig_settings){
		.endpoint = o->endpoint,
		.session_name = o->name,
		.seed = (uint64_t)o->seed,
		.rate_hz = o->rate_hz,
		.odds = {.p_break = o->p_break, .p_drop = o->p_drop},
		.max_trials = o->trials,
		.max_presentations = o->presentations,
		.max_batches = o->batches,
		.restart_after = o->restart_after,
		.max_units = (uint32_t)o->n_units,
		.timeout_ms = (int)(o->timeout_s * 1000),
		.close = o->close,
		.stop = interrupt_seen,
		.progress = o->json ? NULL : show_progress,
		.ctx = progress,
	};
}

static int print_report(const struct rig_options *o, const struct rig_report *report, const struct subject *subject)
{
	json_t *object;

	if (!o->json) {
		rig_report_print(report, stdout);
		printf("  subject         %s\n", subject_description(subject));
		if (subject_n_wraps(subject) > 0)
			printf("  take care       %llu times all recorded repeats of an image had been used, and began "
			       "again\n",
			       (unsigned long long)subject_n_wraps(subject));
		return 0;
	}
	object = rig_report_json(report);
	if (!object || json_object_set_new(object, "subject", json_string(subject_description(subject))) < 0 ||
	    json_object_set_new(object, "repeats_used_again", json_integer((json_int_t)subject_n_wraps(subject))) < 0 ||
	    json_object_set_new(object, "seed", json_integer(o->seed)) < 0) {
		json_decref(object);
		return -1;
	}
	json_dumpf(object, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(object);
	return 0;
}

static int run_rig(const struct rig_options *o)
{
	struct thread_pool *threads = NULL;
	struct simulated_rig *rig = NULL;
	struct subject *subject = NULL;
	struct terminal_progress progress;
	struct error err = {0};
	bool clean = false;
	int rc;

	terminal_progress_init(&progress, stderr);
	rc = thread_pool_create((unsigned)o->threads, &err, &threads);
	if (rc == 0) {
		const struct simulated_rig_settings settings = rig_settings(o, &progress);

		if (terminal_is_interactive(stderr))
			terminal_progress_show(&progress, "waiting for the daemon at %s", o->endpoint);
		rc = simulated_rig_create(&settings, &err, &rig);
	}
	if (rc == 0)
		rc = make_subject(o, simulated_rig_width_px(rig), simulated_rig_height_px(rig), threads, &err,
				  &subject);
	if (rc == 0) {
		rc = simulated_rig_run(rig, subject, &err);
		terminal_progress_clear(&progress);
		clean = rig_report_is_clean(simulated_rig_report(rig));
		if (print_report(o, simulated_rig_report(rig), subject) < 0)
			rc = error_set(&err, -1, "out of memory for the report");
	}
	terminal_progress_clear(&progress);
	subject_destroy(subject);
	simulated_rig_destroy(rig);
	thread_pool_destroy(threads);
	if (rc < 0)
		fprintf(stderr, "evoke rig: %s\n", err.text);
	else if (!clean)
		fprintf(stderr, "evoke rig: not everything that was shown has been taken: see the report\n");
	return rc == 0 && clean ? VERB_OK : VERB_FAILED;
}

/* Exactly one kind of subject; the built-in neurons when none is named. */
static int check_subject(struct rig_options *o, struct error *err)
{
	int n = (o->neurons.n > 0) + (o->n_builtin > 0) + (o->dataset != NULL);

	if (n > 1)
		return error_set(err, -1, "one of --neurons, --builtin, --dataset expected, found %d of them", n);
	if ((o->dataset != NULL) != (o->recorded != NULL))
		return error_set(err, -1, "--dataset DIR and --session ID go together");
	if (n == 0)
		o->n_builtin = 24;
	return 0;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	static struct rig_options o; /* large: the list of neurons */
	o = (struct rig_options){.endpoint = CONNECTION_RIG,
				 .name = "simulated",
				 .rate_hz = 4,
				 .seed = 1,
				 .timeout_s = 120,
				 .threads = 1,
				 .fano = SUBJECT_FANO_DEFAULT};
	const struct options_entry entries[] = {
		{"connect", "ENDPOINT", "the daemon's rig socket", OPTIONS_TEXT, .value = &o.endpoint},
		{"neurons", "FILE", "published models as the neurons", OPTIONS_LIST, .value = &o.neurons},
		{"builtin", "N", "neurons of our own; 24 when no subject is named", OPTIONS_INT, 0, LIMIT_UNITS,
		 &o.n_builtin},
		{"dataset", "DIR", "recorded responses; the daemon's pool must be its images", OPTIONS_TEXT,
		 .value = &o.dataset},
		{"session", "ID", "which recorded session", OPTIONS_TEXT, .value = &o.recorded},
		{"calibrate", "ZIP_OR_DIR", "natural images that set the neurons' rates; else dead leaves",
		 OPTIONS_TEXT, .value = &o.calibrate},
		{"fano", "F", "variance of the counts over their mean", OPTIONS_REAL, 0.01, 100, &o.fano},
		{"name", "NAME", "name of the session, given at open", OPTIONS_TEXT, .value = &o.name},
		{"units", "N", "only the first N neurons; 0: all", OPTIONS_INT, 0, LIMIT_UNITS, &o.n_units},
		{"rate", "HZ", "presentations a second; 0: as fast as possible", OPTIONS_REAL, 0, 10000, &o.rate_hz},
		{"seed", "N", "of all that is random in rig and neurons", OPTIONS_INT, 0, LIMIT_INTEGER - 1, &o.seed},
		{"trials", "N", "stop after N trials; 0: no limit", OPTIONS_INT, 0, 1e9, &o.trials},
		{"presentations", "N", "stop after N presentations were shown; 0: no limit", OPTIONS_INT, 0, 1e9,
		 &o.presentations},
		{"batches", "N", "stop after N batches; 0: no limit", OPTIONS_INT, 0, 1e9, &o.batches},
		{"p-break", "P", "chance of a broken fixation in a trial", OPTIONS_REAL, 0, 1, &o.p_break},
		{"p-drop", "P", "chance of a dropped frame in a presentation", OPTIONS_REAL, 0, 1, &o.p_drop},
		{"restart-after", "N", "start again with a new run after N presentations; 0: never", OPTIONS_INT, 0,
		 1e9, &o.restart_after},
		{"timeout", "S", "how long the daemon may take for a batch", OPTIONS_INT, 1, 86400, &o.timeout_s},
		{"threads", "N", "for the neurons; 0: one a processor", OPTIONS_INT, 0, THREAD_POOL_THREADS_MAX,
		 &o.threads},
		{"close", NULL, "end the session at the end", OPTIONS_FLAG, .value = &o.close},
		{"json", NULL, "the report as JSON", OPTIONS_FLAG, .value = &o.json},
	};
	struct options options = {.entries = entries, .n_entries = sizeof(entries) / sizeof(entries[0])};
	struct error err = {0};
	int exit_code;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	if (check_subject(&o, &err) < 0) {
		fprintf(stderr, "evoke rig: %s\n", err.text);
		return VERB_USAGE;
	}
	interrupt_catch();
	return run_rig(&o);
}

const struct verb verb_rig = {
	.name = "rig",
	.purpose = "a simulated rig: shows batches to simulated or recorded neurons",
	.operands = "",
	.example = "evoke rig --builtin 24 --rate 10 --batches 5 --p-break 0.1",
	.run = run,
};
