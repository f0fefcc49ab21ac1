/* A subject from model files: opens each, joins them into one response model, labels its units by file. What fails
 * names the file; whatever was open by then is closed. */
#include "stimuli/subject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_SIZE = 12 }; /* "[4095]" and a NUL fit */

/* The file's name without folder and ending; several outputs of one file are numbered. ret_labels [n]. */
static void label_outputs(const char *path, uint32_t n, char (*ret_labels)[SUBJECT_LABEL_SIZE])
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const char *dot = strrchr(name, '.');
	size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);

	if (length > SUBJECT_LABEL_SIZE - NUMBER_SIZE)
		length = SUBJECT_LABEL_SIZE - NUMBER_SIZE;
	for (uint32_t k = 0; k < n; k++)
		if (n == 1)
			snprintf(ret_labels[k], SUBJECT_LABEL_SIZE, "%.*s", (int)length, name);
		else
			snprintf(ret_labels[k], SUBJECT_LABEL_SIZE, "%.*s[%u]", (int)length, name, k);
}

/* Opens the files into models [n_paths]; what was not opened is NULL. */
static int open_all(const char *const *paths, size_t n_paths, struct error *err, struct response_model **models,
		    uint32_t *ret_n_units)
{
	uint64_t n_units = 0;

	for (size_t i = 0; i < n_paths; i++) {
		int rc = response_model_open(paths[i], err, &models[i]);
		if (rc < 0)
			return rc;
		n_units += models[i]->n_units;
	}
	if (n_units > SUBJECT_UNITS_MAX)
		return error_set(err, -EINVAL, "%zu model files with %llu outputs: a subject may have at most %d units",
				 n_paths, (unsigned long long)n_units, SUBJECT_UNITS_MAX);
	*ret_n_units = (uint32_t)n_units;
	return 0;
}

int subject_open_models(const char *const *paths, size_t n_paths, const struct subject_settings *settings,
			struct thread_pool *threads, struct error *err, struct subject **ret_subject)
{
	struct response_model **models, *joined = NULL;
	char(*labels)[SUBJECT_LABEL_SIZE] = NULL;
	char description[SUBJECT_LABEL_SIZE];
	uint32_t n_units = 0, first = 0;

	if (n_paths < 1 || n_paths > SUBJECT_UNITS_MAX)
		return error_set(err, -EINVAL, "%zu model files: 1 to %d expected", n_paths, SUBJECT_UNITS_MAX);
	models = calloc(n_paths, sizeof *models);
	if (!models)
		return error_set(err, -ENOMEM, "no memory for %zu models", n_paths);
	int rc = open_all(paths, n_paths, err, models, &n_units);
	if (rc < 0)
		goto out_models;
	labels = calloc(n_units, sizeof *labels);
	if (!labels) {
		rc = error_set(err, -ENOMEM, "no memory for %u units", n_units);
		goto out_models;
	}
	for (size_t i = 0; i < n_paths; first += models[i++]->n_units)
		label_outputs(paths[i], models[i]->n_units, labels + first);
	rc = response_model_join(models, n_paths, err, &joined);
	if (rc < 0)
		goto out_models;
	/* Now the joined model owns them. */
	memset(models, 0, n_paths * sizeof *models);
	snprintf(description, sizeof description, "%u neurons from %zu model files, spiking noise", n_units, n_paths);
	rc = subject_create(joined, labels, description, settings, threads, err, ret_subject);
	if (rc < 0)
		response_model_destroy(joined);
out_models:
	for (size_t i = 0; i < n_paths; i++)
		response_model_destroy(models[i]);
	free(labels);
	free(models);
	return rc;
}
