/* evoke predict: what models answer to the images of a folder or zip, as one NumPy array.
 *
 * Flow: models opened, images listed in the order of their names, answered in batches, the array written whole at the
 * end. An image that cannot be decoded is named on stderr and its column is NaN, so that the others keep their places.
 * Failure: exit code 1 and no file; an image of another size than the models take is one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/cli/interrupt.h"
#include "daemon/cli/options.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"
#include "models/predict.h"
#include "stimuli/image.h"
#include "support/archive.h"
#include "support/npy.h"
#include "support/thread_pool.h"

struct predict_options {
	struct options_list models;
	const char *images, *out, *backbone, *cut;
	int64_t first, count, threads;
};

struct predict {
	const struct predict_options *options;
	struct thread_pool *threads;
	struct response_model *models[OPTIONS_LIST_MAX];
	size_t n_models;
	struct archive *archive;
	size_t *entries; /* [n_images]: entries of the archive that are asked about */
	size_t n_images, n_broken;
	struct terminal_progress progress;
	bool is_usage; /* what failed is the command line's fault */
};

static bool is_image_name(const char *name)
{
	static const char *const endings[] = {".png", ".jpg", ".jpeg"};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++) {
		if (strcasecmp(dot, endings[i]) == 0)
			return true;
	}
	return false;
}

static int open_models(struct predict *p, struct error *err)
{
	for (size_t i = 0; i < p->options->models.n; i++) {
		const struct predict_options *o = p->options;
		int rc = response_model_open_on(o->models.items[i], o->backbone, o->cut, err, &p->models[i]);

		if (rc < 0)
			return rc;
		p->n_models++;
	}
	return 0;
}

/* Images first .. first + count - 1 of the archive, by name. */
static int list_images(struct predict *p, struct error *err)
{
	const struct predict_options *o = p->options;
	size_t n = 0;

	int rc = archive_open(o->images, err, &p->archive);
	if (rc < 0)
		return rc;
	p->entries = calloc(archive_n_entries(p->archive) + 1, sizeof *p->entries);
	if (!p->entries)
		return error_set(err, -ENOMEM, "%s: no memory for its list of images", o->images);
	for (size_t i = 0; i < archive_n_entries(p->archive); i++) {
		if (!is_image_name(archive_name(p->archive, i)))
			continue;
		if (n >= (size_t)o->first && (o->count == 0 || p->n_images < (size_t)o->count))
			p->entries[p->n_images++] = i;
		n++;
	}
	if (n == 0)
		return error_set(err, -EINVAL, "%s: no PNG or JPEG in it", o->images);
	p->is_usage = (size_t)o->first >= n || (o->count > 0 && p->n_images < (size_t)o->count);
	if (p->is_usage)
		return error_set(err, -EINVAL, "--first %" PRId64 " --count %" PRId64 ": %s has %zu images", o->first,
				 o->count, o->images, n);
	return 0;
}

static int load(void *ctx, size_t i, struct error *err, float *ret_pixels)
{
	struct predict *p = ctx;
	const struct response_model *model = p->models[0];
	const char *name = archive_name(p->archive, p->entries[i]);
	struct image image;
	void *data;
	size_t size;
	int result = 0;

	int rc = archive_read(p->archive, p->entries[i], IMAGE_FILE_MAX, err, &data, &size);
	if (rc == 0) {
		rc = image_decode(data, size, err, &image);
		free(data);
	}
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0) {
		terminal_progress_clear(&p->progress);
		fprintf(stderr, "evoke predict: %s: left out (its column is NaN): %s\n", name, err->text);
		p->n_broken++;
		return 1;
	}
	if (image.width_px != model->width_px || image.height_px != model->height_px)
		result = error_set(err, -EINVAL, "%s: %s has %u x %u pixels, the models take %u x %u",
				   p->options->images, name, image.width_px, image.height_px, model->width_px,
				   model->height_px);
	else
		image_to_float(&image, ret_pixels);
	image_done(&image);
	return result;
}

static bool on_progress(void *ctx, size_t n_done)
{
	struct predict *p = ctx;

	terminal_progress_show(&p->progress, "%zu of %zu images through %zu models", n_done, p->n_images, p->n_models);
	return interrupt_seen();
}

static int predict(struct predict *p, struct error *err)
{
	const struct predict_source source = {
		.n_images = p->n_images,
		.load = load,
		.progress = on_progress,
		.ctx = p,
	};
	const uint64_t dims[] = {predict_n_units(p->models, p->n_models), p->n_images};
	float *responses = calloc(dims[0] * dims[1] + 1, sizeof *responses);

	if (!responses)
		return error_set(err, -ENOMEM, "no memory for %" PRIu64 " outputs of %" PRIu64 " images", dims[0],
				 dims[1]);
	int rc = predict_images(p->models, p->n_models, &source, p->threads, err, responses);
	if (rc == 0)
		rc = npy_write_f32(p->options->out, 2, dims, responses, err);
	free(responses);
	terminal_progress_clear(&p->progress);
	if (rc == 0)
		printf("%s: %" PRIu64 " outputs of %" PRIu64 " images\n", p->options->out, dims[0], dims[1]);
	return rc;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	struct predict_options o = {0};
	const struct options_entry entries[] = {
		{"model", "FILE...", "model files, .keras, safetensors, a session's; their outputs one after another",
		 OPTIONS_LIST, .value = &o.models, .required = true},
		{"images", "ZIP_OR_DIR", "PNG and JPEG images, in the order of their names", OPTIONS_TEXT,
		 .value = &o.images, .required = true},
		{"out", "FILE.npy", "float32 (outputs, images)", OPTIONS_TEXT, .value = &o.out, .required = true},
		{"backbone", "FILE", "of a session's models that were not fitted on the front end", OPTIONS_TEXT,
		 .value = &o.backbone},
		{"backbone-cut", "LAYER", "last layer of it that the session used", OPTIONS_TEXT, .value = &o.cut},
		{"first", "N", "number of the first image, from 0", OPTIONS_INT, 0, ARCHIVE_ENTRIES_MAX, &o.first},
		{"count", "M", "how many images; 0: all from the first", OPTIONS_INT, 0, ARCHIVE_ENTRIES_MAX, &o.count},
		{"threads", "N", "0: all processors", OPTIONS_INT, 0, THREAD_POOL_THREADS_MAX, &o.threads},
	};
	struct options options = {.entries = entries, .n_entries = sizeof(entries) / sizeof(entries[0])};
	struct predict p = {.options = &o};
	struct error err = {0};
	int exit_code;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	terminal_progress_init(&p.progress, stderr);
	interrupt_catch();
	int rc = thread_pool_create((unsigned)o.threads, &err, &p.threads);
	if (rc == 0)
		rc = open_models(&p, &err);
	if (rc == 0)
		rc = list_images(&p, &err);
	if (rc == 0)
		rc = predict(&p, &err);
	if (rc < 0)
		fprintf(stderr, "evoke predict: %s\n", err.text);
	free(p.entries);
	archive_close(p.archive);
	for (size_t i = 0; i < p.n_models; i++)
		response_model_destroy(p.models[i]);
	thread_pool_destroy(p.threads);
	if (p.is_usage)
		return VERB_USAGE;
	return rc < 0 ? VERB_FAILED : VERB_OK;
}

const struct verb verb_predict = {
	.name = "predict",
	.purpose = "answers of model files to images, as a NumPy array",
	.operands = "",
	.example = "evoke predict --model core.keras --images images.zip --out responses.npy",
	.run = run,
};
