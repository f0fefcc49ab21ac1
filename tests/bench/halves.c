/* The paper's halves, offline: fits a session's models on its first images and scores them on the rest by plain r² to
 *the recorded averages. Choices are made by cross-validation inside the first half (--folds); the second half is for
 * the end.
 *
 *	halves --session 190923 --train 600 --folds 5
 *	halves --session 190923 --train 600
 *
 * Responses are the recorded averages, or (--single) one semi-synthetic presentation an image: mean as recorded, Fano
 * 0.9. Data: EVOKED_V4_DATA or ../shared/v4. */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/backbone.h"
#include "models/front_end.h"
#include "models/session_model.h"
#include "models/session_model_defaults.h"
#include "stimuli/image.h"
#include "support/archive.h"
#include "support/npy.h"

enum { PATH_BYTES = 4096, N_TIERS = 2 };
#define FANO 0.9

struct options {
	const char *session, *backbone;
	size_t n_train;
	unsigned long n_folds, n_threads;
	bool single;
	struct session_model_settings settings;
};

struct recording {
	size_t n_images;
	uint32_t n_units;
	uint32_t height_px, width_px;
	float *pixels;	 /* [n_images, height, width, 3] */
	float *features; /* [n_images, n_features] */
	float *averages; /* [n_images, n_units] */
	float *counts;	 /* [n_images, n_units]: what the models see */
};

static _Noreturn void die(const char *what, const struct error *err)
{
	fprintf(stderr, "halves: %s: %s\n", what, err->text);
	exit(1);
}

static void *allocate(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (!memory)
		die("memory", &(struct error){"there is not enough"});
	return memory;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- data -------------------------------------------------------------------------------------------------------- */

static void read_image(struct archive *archive, size_t i, struct recording *recording)
{
	struct error err = {""};
	struct image image;
	void *data;
	size_t size;

	if (archive_read(archive, i, IMAGE_FILE_MAX, &err, &data, &size) < 0 ||
	    image_decode(data, size, &err, &image) < 0)
		die(archive_name(archive, i), &err);
	free(data);
	if (i == 0) {
		recording->height_px = image.height_px;
		recording->width_px = image.width_px;
		recording->pixels = allocate(recording->n_images * image.height_px * image.width_px * 3, sizeof(float));
	}
	if (image.height_px != recording->height_px || image.width_px != recording->width_px)
		die(archive_name(archive, i), &(struct error){"of another size than the first"});
	image_to_float(&image, recording->pixels + i * image.height_px * image.width_px * 3);
	image_done(&image);
}

static void read_recording(const struct options *options, struct recording *recording)
{
	const char *root = getenv("EVOKED_V4_DATA") ? getenv("EVOKED_V4_DATA") : "../shared/v4";
	char path[PATH_BYTES];
	struct error err = {""};
	struct archive *archive;
	struct npy responses;

	snprintf(path, sizeof path, "%s/images/images_%s.zip", root, options->session);
	if (archive_open(path, &err, &archive) < 0)
		die(path, &err);
	recording->n_images = archive_n_entries(archive);
	for (size_t i = 0; i < recording->n_images; i++)
		read_image(archive, i, recording);
	archive_close(archive);

	snprintf(path, sizeof path, "%s/responses/responses_%s.npy", root, options->session);
	if (npy_read(path, &err, &responses) < 0)
		die(path, &err);
	if (responses.n_dims != 2 || responses.dims[1] != recording->n_images)
		die(path, &(struct error){"must be [units, images]"});
	recording->n_units = (uint32_t)responses.dims[0];
	recording->averages = allocate(recording->n_images * recording->n_units, sizeof(float));
	recording->counts = allocate(recording->n_images * recording->n_units, sizeof(float));
	struct rng spikes = rng_make(options->settings.seed, 0, RNG_SPIKES, 0);
	for (size_t i = 0; i < recording->n_images; i++) {
		for (size_t u = 0; u < recording->n_units; u++) {
			const size_t at = i * recording->n_units + u;
			const double mean = npy_value(&responses, u * recording->n_images + i);
			recording->averages[at] = (float)mean;
			recording->counts[at] =
				options->single ? (float)rng_count(&spikes, at, fmax(mean, 0.0), FANO) : (float)mean;
		}
	}
	npy_done(&responses);
}

/* --- fits -------------------------------------------------------------------------------------------------------- */

/* Fits on the images of 0 .. n - 1 that `monitor` leaves, and writes the predictions of all n for both tiers,
 * ret_predictions [N_TIERS, n, n_units]. */
static void fit_and_predict(const struct options *options, const struct recording *recording,
			    const struct backbone *backbone, const uint8_t *monitor, size_t n, struct thread_pool *pool,
			    float *ret_predictions)
{
	const size_t n_units = recording->n_units;
	uint32_t *image = allocate(n, sizeof *image);
	uint8_t *valid = allocate(n * n_units, 1), *held_out = allocate(n, 1);
	struct session_model *model;
	struct error err = {""};
	uint32_t n_steps;

	for (size_t i = 0; i < n; i++)
		image[i] = (uint32_t)i;
	memset(valid, 1, n * n_units);
	const struct session_data data = {
		.n_units = recording->n_units,
		.n_images = n,
		.features = recording->features,
		.n_presentations = n,
		.image = image,
		.counts = recording->counts,
		.valid = valid,
		.monitor = monitor,
		.held_out = held_out,
	};
	double start = seconds();
	if (session_model_fit(backbone, &data, NULL, &options->settings, pool, NULL, NULL, &err, &model, &n_steps) < 0)
		die("fit", &err);
	fprintf(stderr, "fit: %.2f s\n", seconds() - start);
	for (int tier = 0; tier < N_TIERS; tier++)
		if (tier == SESSION_MODEL_RIDGE || options->settings.n_members > 0)
			if (session_model_predict(model, (enum session_model_tier)tier, pool, recording->features, n,
						  &err, ret_predictions + tier * n * n_units, NULL) < 0)
				die("predict", &err);
	session_model_destroy(model);
	free(image);
	free(valid);
	free(held_out);
}

/* Median and mean over units of plain r² between predictions [n, n_units] and averages, over the scored images. */
static void report(const char *tier, const struct recording *recording, const float *predictions, const uint8_t *scored,
		   size_t n)
{
	float *x = allocate(n, sizeof *x), *y = allocate(n, sizeof *y);
	double *r2 = allocate(recording->n_units, sizeof *r2), sum = 0.0;

	for (size_t u = 0; u < recording->n_units; u++) {
		size_t m = 0;
		for (size_t i = 0; i < n; i++) {
			if (!scored[i])
				continue;
			x[m] = predictions[i * recording->n_units + u];
			y[m++] = recording->averages[i * recording->n_units + u];
		}
		r2[u] = metrics_r2_plain(x, y, m);
		r2[u] = isnan(r2[u]) ? 0.0 : r2[u];
		sum += r2[u] / recording->n_units;
	}
	printf("%-9s median r2 %.3f  mean %.3f\n", tier, metrics_median(r2, recording->n_units), sum);
	free(x);
	free(y);
	free(r2);
}

static void run(const struct options *options, const struct recording *recording, const struct backbone *backbone,
		struct thread_pool *pool)
{
	const size_t n = options->n_folds > 0 ? options->n_train : recording->n_images;
	const size_t n_values = N_TIERS * n * recording->n_units;
	uint8_t *monitor = allocate(n, 1), *scored = allocate(n, 1);
	float *of_fold = allocate(n_values, sizeof *of_fold), *predictions = allocate(n_values, sizeof *predictions);

	for (size_t fold = 0; fold < (options->n_folds > 0 ? options->n_folds : 1); fold++) {
		for (size_t i = 0; i < n; i++) {
			bool is_out = options->n_folds > 0 ? i % options->n_folds == fold : i >= options->n_train;

			monitor[i] = is_out;
		}
		fit_and_predict(options, recording, backbone, monitor, n, pool, of_fold);
		for (size_t i = 0; i < n_values; i++)
			if (monitor[i / recording->n_units % n])
				predictions[i] = of_fold[i];
		for (size_t i = 0; i < n; i++)
			scored[i] |= monitor[i];
	}
	report("ridge", recording, predictions, scored, n);
	if (options->settings.n_members > 0)
		report("ensemble", recording, predictions + n * recording->n_units, scored, n);
	free(monitor);
	free(scored);
	free(of_fold);
	free(predictions);
}

/* --- command line ------------------------------------------------------------------------------------------------- */

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"session", required_argument, NULL, 's'}, {"train", required_argument, NULL, 't'},
		{"folds", required_argument, NULL, 'f'},   {"backbone", required_argument, NULL, 'b'},
		{"members", required_argument, NULL, 'k'}, {"mixing", required_argument, NULL, 'm'},
		{"steps", required_argument, NULL, 'n'},   {"batch", required_argument, NULL, 'B'},
		{"rate", required_argument, NULL, 'r'},	   {"decay", required_argument, NULL, 'd'},
		{"threads", required_argument, NULL, 'j'}, {"seed", required_argument, NULL, 'S'},
		{"single", no_argument, NULL, '1'},	   {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			options->session = optarg;
			break;
		case 't':
			options->n_train = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			options->n_folds = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			options->backbone = optarg;
			break;
		case 'k':
			options->settings.n_members = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			options->settings.mixing_channels = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			options->settings.n_steps = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'B':
			options->settings.batch_size = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			options->settings.learning_rate = strtod(optarg, NULL);
			break;
		case 'd':
			options->settings.weight_decay = strtod(optarg, NULL);
			break;
		case 'j':
			options->n_threads = strtoul(optarg, NULL, 10);
			break;
		case 'S':
			options->settings.seed = strtoull(optarg, NULL, 10);
			break;
		case '1':
			options->single = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options options = {
		.session = "190923", .backbone = FRONT_END_NAME, .n_train = 600, .settings = SESSION_MODEL_DEFAULTS};
	struct recording recording = {0};
	struct thread_pool *pool;
	struct backbone *backbone;
	struct error err = {""};

	parse(argc, argv, &options);
	read_recording(&options, &recording);
	if (options.n_train < 2 || options.n_train >= recording.n_images)
		die("--train", &(struct error){"must leave images to score on"});
	if (thread_pool_create((unsigned)options.n_threads, &err, &pool) < 0)
		die("threads", &err);
	if (backbone_open(options.backbone, NULL, recording.height_px, recording.width_px, &err, &backbone) < 0)
		die(options.backbone, &err);
	recording.features = allocate(recording.n_images * backbone_n_features(backbone), sizeof(float));
	double start = seconds();
	if (backbone->ops->features(backbone, pool, recording.pixels, recording.n_images, &err, recording.features) < 0)
		die("features", &err);
	fprintf(stderr, "features: %zu an image, %.2f s\n", backbone_n_features(backbone), seconds() - start);
	run(&options, &recording, backbone, pool);
	backbone_destroy(backbone);
	thread_pool_destroy(pool);
	free(recording.pixels);
	free(recording.features);
	free(recording.averages);
	free(recording.counts);
	return 0;
}
