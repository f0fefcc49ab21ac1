/* evoke synthesize: images that drive one neuron of a model most or least, without a session.
 *
 * Flow: models opened and joined, the pool (if there is one) answered whole, images made in groups, each written as
 * PNG, the table to stdout and to DIR/synthesis.csv. Half of the images start from the best ones of the pool, the
 * others from faint pink noise. Ctrl-C ends a group early with the best so far; what was made is still written.
 * Failure: exit code 1; images already written stay. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/cli/interrupt.h"
#include "daemon/cli/options.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"
#include "models/response_model.h"
#include "stimuli/pool.h"
#include "stimuli/selection.h"
#include "stimuli/synthesis.h"
#include "support/atomic_file.h"
#include "support/thread_pool.h"

enum { COUNT_MAX = 10000, GROUP = 16, POOL_BATCH = 32, PATH_SIZE = 4096, FILE_NAME_SIZE = 64, ROW_SIZE = 160 };
#define TABLE_FILE "synthesis.csv"

struct synthesize_options {
	struct options_list models;
	const char *goal, *dir, *pool, *backbone, *cut;
	int64_t neuron, count, steps, seed, threads;
	double contrast, mean;
};

/* The pool's images that drive the neuron most (or least), best first. */
struct natural {
	struct pool *pool; /* NULL: none was given */
	uint32_t *best;	   /* [n_best]: indices in the pool */
	size_t n_best;
	double value; /* of best[0] */
};

struct synthesize {
	const struct synthesize_options *options;
	enum synthesis_goal goal;
	struct thread_pool *threads;
	struct response_model *model;
	struct natural natural;
	struct terminal_progress progress;
	struct terminal_table table;
	size_t n_done; /* images written */
	bool is_usage; /* what failed is the command line's fault */
	char *csv;
	size_t csv_size;
};

static int parse_goal(const char *text, struct error *err, enum synthesis_goal *ret_goal)
{
	if (strcmp(text, "maximize") == 0)
		*ret_goal = SYNTHESIS_MAXIMIZE;
	else if (strcmp(text, "minimize") == 0)
		*ret_goal = SYNTHESIS_MINIMIZE;
	else
		return error_set(err, -EINVAL, "--goal: maximize or minimize expected, found \"%s\"", text);
	return 0;
}

static int open_models(const struct synthesize_options *o, struct error *err, struct response_model **ret_model)
{
	const struct options_list *paths = &o->models;
	struct response_model **models = calloc(paths->n, sizeof *models);
	int rc = models ? 0 : error_set(err, -ENOMEM, "no memory for %zu models", paths->n);

	for (size_t i = 0; i < paths->n && rc == 0; i++)
		rc = response_model_open_on(paths->items[i], o->backbone, o->cut, err, &models[i]);
	if (rc == 0 && paths->n == 1)
		*ret_model = models[0];
	else if (rc == 0)
		rc = response_model_join(models, paths->n, err, ret_model);
	for (size_t i = 0; models && i < paths->n && rc < 0; i++)
		response_model_destroy(models[i]);
	free(models);
	return rc;
}

/* What the neuron answers (mean over members) to images first .. first + n - 1 of the pool. */
static int answer_pool(struct synthesize *s, size_t first, size_t n, float *pixels, float *responses, struct error *err,
		       double *ret_values)
{
	size_t n_values = (size_t)s->model->width_px * s->model->height_px * 3;
	uint32_t n_members = s->model->n_members, n_units = s->model->n_units;
	struct image image;

	for (size_t i = 0; i < n; i++) {
		int rc = pool_read(s->natural.pool, first + i, err, &image);
		if (rc < 0)
			return rc;
		image_to_float(&image, pixels + i * n_values);
		image_done(&image);
	}
	int rc = s->model->ops->predict(s->model, s->threads, pixels, n, err, responses);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		ret_values[i] = 0;
		for (uint32_t m = 0; m < n_members; m++)
			ret_values[i] += responses[(i * n_members + m) * n_units + (size_t)s->options->neuron];
		ret_values[i] /= n_members;
	}
	return 0;
}

static int rank_pool(struct synthesize *s, struct error *err)
{
	size_t n = pool_n_images(s->natural.pool),
	       n_best = n < (size_t)s->options->count ? n : (size_t)s->options->count;
	size_t n_values = (size_t)s->model->width_px * s->model->height_px * 3;
	double *values = calloc(n, sizeof *values);
	float *pixels = calloc(POOL_BATCH * n_values, sizeof *pixels);
	float *responses = calloc((size_t)POOL_BATCH * s->model->n_members * s->model->n_units, sizeof *responses);
	int rc = 0;

	s->natural.best = calloc(n_best, sizeof *s->natural.best);
	if (!values || !pixels || !responses || !s->natural.best)
		rc = error_set(err, -ENOMEM, "no memory to answer a pool of %zu images", n);
	for (size_t first = 0; first < n && rc == 0; first += POOL_BATCH) {
		size_t n_now = n - first < POOL_BATCH ? n - first : POOL_BATCH;
		rc = answer_pool(s, first, n_now, pixels, responses, err, values + first);
		terminal_progress_show(&s->progress, "pool: %zu of %zu images", first + n_now, n);
		if (rc == 0 && interrupt_seen())
			rc = error_set(err, -EINTR, "interrupted");
	}
	if (rc == 0) {
		double sign = s->goal == SYNTHESIS_MINIMIZE ? -1 : 1;
		for (size_t i = 0; i < n; i++)
			values[i] *= sign;
		s->natural.n_best = selection_top(values, n, n_best, s->natural.best);
		s->natural.value = sign * values[s->natural.best[0]];
	}
	free(values);
	free(pixels);
	free(responses);
	return rc;
}

static bool on_step(void *ctx, uint32_t done, uint32_t planned)
{
	struct synthesize *s = ctx;

	terminal_progress_show(&s->progress, "image %zu of %" PRId64 ": step %u of %u", s->n_done + 1,
			       s->options->count, done, planned);
	return interrupt_seen();
}

static int write_image(struct synthesize *s, const struct synthesis_result *result, const char *start,
		       struct error *err)
{
	char name[FILE_NAME_SIZE], path[PATH_SIZE], row[ROW_SIZE];
	void *png;
	size_t size;

	snprintf(name, sizeof name, "neuron%" PRId64 "_%s_%04zu.png", s->options->neuron, s->options->goal, s->n_done);
	if (snprintf(path, sizeof path, "%s/%s", s->options->dir, name) >= (int)sizeof path)
		return error_set(err, -ENAMETOOLONG, "--out: a path of at most %d bytes expected", PATH_SIZE);
	int rc = image_encode_png(&result->image, err, &png, &size);
	if (rc < 0)
		return rc;
	rc = atomic_file_write(path, png, size, err);
	free(png);
	if (rc < 0)
		return rc;
	int n = snprintf(row, sizeof row, "%s,%" PRId64 ",%s,%s,%.6g,%.6g,%u\n", name, s->options->neuron,
			 s->options->goal, start, result->value_start, result->value, result->step);
	char *csv = realloc(s->csv, s->csv_size + (size_t)n + 1);
	if (!csv)
		return error_set(err, -ENOMEM, "no memory for the table");
	memcpy(csv + s->csv_size, row, (size_t)n + 1);
	s->csv = csv;
	s->csv_size += (size_t)n;
	s->n_done++;
	terminal_table_cell(&s->table, "%s", name);
	terminal_table_cell(&s->table, "%s", start);
	terminal_table_cell(&s->table, "%.3f", result->value_start);
	terminal_table_cell(&s->table, "%.3f", result->value);
	terminal_table_cell(&s->table, "%u", result->step);
	return 0;
}

/* Makes and writes images n_done .. n_done + n - 1; the even ones from the pool, if there is one. */
static int make_group(struct synthesize *s, size_t n, struct error *err)
{
	struct synthesis_settings settings = {
		.goal = s->goal,
		.unit = (uint32_t)s->options->neuron,
		.n_steps = (uint32_t)s->options->steps,
		.rms_contrast = s->options->contrast,
		.mean_luminance = s->options->mean,
		.seed = (uint64_t)s->options->seed,
		/* Each group of images draws numbers of its own. */
		.decision = (uint32_t)(s->n_done / GROUP),
	};
	struct synthesis_result results[GROUP] = {0};
	const struct image *starts[GROUP] = {NULL};
	struct image natural[GROUP] = {0};
	uint32_t n_steps;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t rank = (s->n_done + i) / 2;
		if ((s->n_done + i) % 2 != 0 || rank >= s->natural.n_best)
			continue;
		rc = pool_read(s->natural.pool, s->natural.best[rank], err, &natural[i]);
		starts[i] = &natural[i];
	}
	if (rc == 0)
		rc = synthesis_run(s->model, &settings, starts, n, s->threads, on_step, s, err, results, &n_steps);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = write_image(s, &results[i], starts[i] ? "pool" : "noise", err);
	for (size_t i = 0; i < n; i++) {
		image_done(&natural[i]);
		image_done(&results[i].image);
	}
	return rc;
}

static int write_table(struct synthesize *s, struct error *err)
{
	static const char head[] = "image,neuron,goal,start,response_start,response,step\n";
	char path[PATH_SIZE];
	char *text;
	int size;

	if (terminal_table_print(&s->table, stdout) < 0)
		return error_set(err, -ENOMEM, "no memory for the table");
	if (s->natural.pool)
		printf("natural %s: %.3f (%s)\n", s->goal == SYNTHESIS_MINIMIZE ? "minimum" : "maximum",
		       s->natural.value, pool_image_name(s->natural.pool, s->natural.best[0]));
	if (snprintf(path, sizeof path, "%s/" TABLE_FILE, s->options->dir) >= (int)sizeof path)
		return error_set(err, -ENAMETOOLONG, "--out: a path of at most %d bytes expected", PATH_SIZE);
	size = asprintf(&text, "%s%s", head, s->csv ? s->csv : "");
	if (size < 0)
		return error_set(err, -ENOMEM, "no memory for the table");
	int rc = atomic_file_write(path, text, (size_t)size, err);
	free(text);
	return rc;
}

static int synthesize(struct synthesize *s, struct error *err)
{
	const struct synthesize_options *o = s->options;

	int rc = thread_pool_create((unsigned)o->threads, err, &s->threads);
	if (rc == 0)
		rc = open_models(o, err, &s->model);
	if (rc < 0)
		return rc;
	s->is_usage = o->neuron >= s->model->n_units;
	if (s->is_usage)
		return error_set(err, -EINVAL, "--neuron: 0 to %u expected (%u outputs), found %" PRId64,
				 s->model->n_units - 1, s->model->n_units, o->neuron);
	if (mkdir(o->dir, 0777) < 0 && errno != EEXIST)
		return error_set(err, -errno, "--out %s: %s", o->dir, strerror(errno));
	interrupt_catch();
	if (o->pool) {
		rc = pool_open(o->pool, s->model->width_px, s->model->height_px, true, (uint64_t)o->seed, s->threads,
			       err, &s->natural.pool);
		if (rc == 0)
			rc = rank_pool(s, err);
		if (rc < 0)
			return rc;
	}
	while (s->n_done < (size_t)o->count && rc == 0 && !interrupt_seen()) {
		size_t left = (size_t)o->count - s->n_done;
		rc = make_group(s, left < GROUP ? left : GROUP, err);
	}
	terminal_progress_clear(&s->progress);
	return rc < 0 ? rc : write_table(s, err);
}

static int run(const struct verb *verb, int argc, char **argv)
{
	static const struct terminal_column columns[] = {
		{"image", true}, {"start", true}, {"response at start", false}, {"response", false}, {"step", false}};
	struct synthesize_options o = {
		.goal = "maximize", .count = 8, .steps = 200, .seed = 1, .contrast = 50, .mean = 110};
	const struct options_entry entries[] = {
		{"model", "FILE", "model files, .keras, safetensors, a session's; their outputs one after another",
		 OPTIONS_LIST, .value = &o.models, .required = true},
		{"out", "DIR", "folder for the images and " TABLE_FILE "; made if it is not there", OPTIONS_TEXT,
		 .value = &o.dir, .required = true},
		{"backbone", "FILE", "of a session's models that were not fitted on the front end", OPTIONS_TEXT,
		 .value = &o.backbone},
		{"backbone-cut", "LAYER", "last layer of it that the session used", OPTIONS_TEXT, .value = &o.cut},
		{"neuron", "N", "which output", OPTIONS_INT, 0, UINT32_MAX - 1, &o.neuron},
		{"goal", "GOAL", "maximize or minimize", OPTIONS_TEXT, .value = &o.goal},
		{"count", "M", "how many images", OPTIONS_INT, 1, COUNT_MAX, &o.count},
		{"steps", "N", "of the optimizer", OPTIONS_INT, 1, SYNTHESIS_STEPS_MAX, &o.steps},
		{"contrast", "X", "RMS about the mean, over pixels and colours, of 255; 0: free", OPTIONS_REAL, 0, 128,
		 &o.contrast},
		{"mean", "X", "mean luminance, of 255; 0: free", OPTIONS_REAL, 0, 255, &o.mean},
		{"pool", "SOURCE", "folder, zip or dead_leaves:N: starts and natural maximum", OPTIONS_TEXT,
		 .value = &o.pool},
		{"seed", "N", "the same seed makes the same images", OPTIONS_INT, 0, 9007199254740991.0, &o.seed},
		{"threads", "N", "0: all processors", OPTIONS_INT, 0, THREAD_POOL_THREADS_MAX, &o.threads},
	};
	struct options options = {.entries = entries, .n_entries = sizeof(entries) / sizeof(entries[0])};
	struct synthesize s = {.options = &o};
	struct error err = {0};
	int exit_code;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	if (parse_goal(o.goal, &err, &s.goal) < 0) {
		fprintf(stderr, "evoke synthesize: %s\n", err.text);
		return VERB_USAGE;
	}
	terminal_progress_init(&s.progress, stderr);
	terminal_table_init(&s.table, columns, sizeof(columns) / sizeof(columns[0]));
	int rc = synthesize(&s, &err);
	terminal_progress_clear(&s.progress);
	if (rc < 0)
		fprintf(stderr, "evoke synthesize: %s\n", err.text);
	terminal_table_done(&s.table);
	free(s.csv);
	free(s.natural.best);
	pool_close(s.natural.pool);
	response_model_destroy(s.model);
	thread_pool_destroy(s.threads);
	if (s.is_usage)
		return VERB_USAGE;
	return rc < 0 ? VERB_FAILED : VERB_OK;
}

const struct verb verb_synthesize = {
	.name = "synthesize",
	.purpose = "make images that drive a neuron of a model most or least",
	.operands = "",
	.example = "evoke synthesize --model core.keras --neuron 3 --count 4 --pool images.zip --out neuron3",
	.run = run,
};
