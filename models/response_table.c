/* Two passes over the presentations: sums and numbers for means, then squared deviations about them. Both run in the
 * order of the presentations, in double. Failure modes: memory, an image number out of range. */
#include "models/response_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum { NO_ROW = UINT32_MAX };

static bool usable(const struct session_data *data, size_t presentation)
{
	uint32_t image = data->image[presentation];
	const uint8_t *valid = data->valid + presentation * data->n_units;

	if (data->monitor[image] || data->held_out[image])
		return false;
	for (uint32_t u = 0; u < data->n_units; u++)
		if (valid[u])
			return true;
	return false;
}

/* row_of[image] and table->image, in the order of image numbers; table->n_images. */
static void number_rows(const struct session_data *data, struct response_table *table, uint32_t *row_of)
{
	for (size_t i = 0; i < data->n_images; i++)
		row_of[i] = NO_ROW;
	for (size_t p = 0; p < data->n_presentations; p++)
		if (usable(data, p))
			row_of[data->image[p]] = 0;
	for (size_t i = 0; i < data->n_images; i++) {
		if (row_of[i] == NO_ROW)
			continue;
		row_of[i] = (uint32_t)table->n_images;
		table->image[table->n_images++] = (uint32_t)i;
	}
}

static void fill(const struct session_data *data, const uint32_t *row_of, double *sums, struct response_table *table)
{
	const uint32_t n_units = data->n_units;

	for (size_t p = 0; p < data->n_presentations; p++) {
		size_t row = row_of[data->image[p]];
		for (uint32_t u = 0; row != NO_ROW && u < n_units; u++) {
			if (!data->valid[p * n_units + u])
				continue;
			sums[row * n_units + u] += data->counts[p * n_units + u];
			table->n[row * n_units + u] += 1.0f;
		}
	}
	for (size_t row = 0; row < table->n_images; row++) {
		for (uint32_t u = 0; u < n_units; u++) {
			size_t at = row * n_units + u;
			if (table->n[at] == 0.0f)
				continue;
			sums[at] /= table->n[at];
			table->mean[at] = (float)sums[at];
			table->freedom[u] += table->n[at] - 1.0f;
		}
	}
	for (size_t p = 0; p < data->n_presentations; p++) {
		size_t row = row_of[data->image[p]];
		for (uint32_t u = 0; row != NO_ROW && u < n_units; u++) {
			double deviation = data->counts[p * n_units + u] - sums[row * n_units + u];
			if (data->valid[p * n_units + u])
				table->deviations[u] += deviation * deviation;
		}
	}
}

int response_table_init(const struct session_data *data, struct error *err, struct response_table *ret_table)
{
	struct response_table table = {.n_units = data->n_units};
	uint32_t *row_of = NULL;
	double *sums = NULL;
	int r = 0;

	for (size_t p = 0; p < data->n_presentations; p++)
		if (data->image[p] >= data->n_images)
			return error_set(err, -EINVAL, "presentations[%zu].image: %u, the session has %zu images", p,
					 data->image[p], data->n_images);

	row_of = malloc((data->n_images + 1) * sizeof *row_of);
	table.image = malloc((data->n_images + 1) * sizeof *table.image);
	if (!row_of || !table.image)
		goto out_of_memory;
	number_rows(data, &table, row_of);
	const size_t n_cells = table.n_images * table.n_units + 1;
	sums = calloc(n_cells, sizeof *sums);
	table.mean = calloc(n_cells, sizeof *table.mean);
	table.n = calloc(n_cells, sizeof *table.n);
	table.deviations = calloc(table.n_units + 1, sizeof *table.deviations);
	table.freedom = calloc(table.n_units + 1, sizeof *table.freedom);
	if (!sums || !table.mean || !table.n || !table.deviations || !table.freedom)
		goto out_of_memory;
	fill(data, row_of, sums, &table);
	*ret_table = table;
	goto out_free;

out_of_memory:
	r = error_set(err, -ENOMEM, "fit: no memory for the responses of %zu images", data->n_images);
	response_table_done(&table);
out_free:
	free(row_of);
	free(sums);
	return r;
}

void response_table_done(struct response_table *table)
{
	if (!table)
		return;
	free(table->image);
	free(table->mean);
	free(table->n);
	free(table->deviations);
	free(table->freedom);
	*table = (struct response_table){0};
}
