/* Flow: the rows of the reader's tables are taken as they are; what is printed is picked by the names of their columns.
 * The R² of a batch is that of the model behind it, so the newest model, which has seen the last data, has its own
 * line. */
#include "daemon/cli/batch_table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/cli/terminal.h"

/* Columns of the reader's tables (daemon/store/migrations.c). */
#define COLUMN_BATCH	     "batch"
#define COLUMN_ORIGIN	     "origin"
#define COLUMN_PRESENTATIONS "n_presentations"
#define COLUMN_IMAGES	     "n_images"
#define COLUMN_FIT_SECONDS   "fit_seconds"
#define COLUMN_BATCH_SECONDS "batch_seconds"
#define COLUMN_LAG	     "lag"
#define COLUMN_RIG_WAIT_MS   "rig_wait_ms"
#define COLUMN_TIER	     "tier"
#define COLUMN_R2	     "r2"
#define COLUMN_R2_LOW	     "r2_low"
#define COLUMN_R2_HIGH	     "r2_high"
#define COLUMN_R_MEAN	     "r_mean"
#define COLUMN_CEILING	     "ceiling"
#define COLUMN_SET	     "image_set"
#define COLUMN_UNIT	     "unit"
#define COLUMN_SHOWN	     "shown"
#define COLUMN_OUTCOME	     "outcome"

static double number(const json_t *row, const char *column)
{
	const json_t *value = json_object_get(row, column);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *text(const json_t *row, const char *column)
{
	const char *value = json_string_value(json_object_get(row, column));

	return value ? value : "";
}

/* A batch that was handed over at the very end and not shown is left out. */
static int take_batch(void *ctx, const json_t *row)
{
	struct batch_table *table = ctx;

	if (number(row, COLUMN_PRESENTATIONS) == 0)
		return 0;
	return json_array_append_new(table->batches, json_deep_copy(row)) < 0 ? -ENOMEM : 0;
}

/* Later rows take the place of earlier ones: what stays is the newest. */
static int take_score(void *ctx, const json_t *row)
{
	struct batch_table *table = ctx;
	struct batch_table_score *score =
		strcmp(text(row, COLUMN_SET), "sealed") == 0 ? &table->sealed : &table->monitor;

	if (strcmp(text(row, COLUMN_UNIT), "median") != 0 || number(row, COLUMN_SHOWN) != 1)
		return 0;
	*score = (struct batch_table_score){
		.r2 = number(row, COLUMN_R2),
		.r2_low = number(row, COLUMN_R2_LOW),
		.r2_high = number(row, COLUMN_R2_HIGH),
		.r_mean = number(row, COLUMN_R_MEAN),
		.ceiling = number(row, COLUMN_CEILING),
		.n_images = json_integer_value(json_object_get(row, COLUMN_IMAGES)),
		.n_presentations = json_integer_value(json_object_get(row, COLUMN_PRESENTATIONS)),
	};
	snprintf(score->tier, sizeof(score->tier), "%s", text(row, COLUMN_TIER));
	return 0;
}

static int count_presentation(void *ctx, const json_t *row)
{
	struct batch_table *table = ctx;

	table->n_presentations++;
	table->n_complete += strcmp(text(row, COLUMN_OUTCOME), presentation_outcome_name(OUTCOME_COMPLETE)) == 0;
	return 0;
}

int batch_table_read(struct reader *reader, struct error *err, struct batch_table *ret_table)
{
	struct batch_table table = {.batches = json_array(), .monitor = {.r2 = NAN}, .sealed = {.r2 = NAN}};
	int rc = table.batches ? 0 : error_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = reader_read_table(reader, READER_BATCHES, take_batch, &table, err);
	if (rc == 0)
		rc = reader_read_table(reader, READER_SCORES, take_score, &table, err);
	if (rc == 0)
		rc = reader_read_table(reader, READER_PRESENTATIONS, count_presentation, &table, err);
	if (rc != 0) {
		batch_table_done(&table);
		return rc;
	}
	*ret_table = table;
	return 0;
}

void batch_table_done(struct batch_table *table)
{
	if (!table)
		return;
	json_decref(table->batches);
	table->batches = NULL;
}

static bool is_fallback(const json_t *row)
{
	return strcmp(text(row, COLUMN_ORIGIN), "fallback") == 0;
}

double batch_table_fallback_share(const struct batch_table *table)
{
	size_t n = json_array_size(table->batches), n_fallback = 0;

	for (size_t i = 1; i < n; i++)
		n_fallback += is_fallback(json_array_get(table->batches, i));
	return n > 1 ? (double)n_fallback / (double)(n - 1) : NAN;
}

static void add_row(struct terminal_table *lines, const json_t *row)
{
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_BATCH), 0).text);
	terminal_table_cell(lines, "%s", text(row, COLUMN_ORIGIN));
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_PRESENTATIONS), 0).text);
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_FIT_SECONDS), 1).text);
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_BATCH_SECONDS), 1).text);
	terminal_table_cell(
		lines, "%s",
		terminal_interval(number(row, COLUMN_R2), number(row, COLUMN_R2_LOW), number(row, COLUMN_R2_HIGH))
			.text);
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_CEILING), 2).text);
	terminal_table_cell(lines, "%s", text(row, COLUMN_TIER));
	terminal_table_cell(lines, "%s", terminal_seconds(number(row, COLUMN_RIG_WAIT_MS) / 1e3).text);
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_LAG), 0).text);
}

static void print_score(const char *label, const struct batch_table_score *score, FILE *out)
{
	if (isnan(score->r2))
		return;
	fprintf(out, "%s R² %s, ceiling %s (%s; %lld images, %lld presentations)\n", label,
		terminal_interval(score->r2, score->r2_low, score->r2_high).text,
		terminal_number(score->ceiling, 2).text, score->tier, (long long)score->n_images,
		(long long)score->n_presentations);
}

int batch_table_print(const struct batch_table *table, FILE *out)
{
	static const struct terminal_column columns[] = {
		{"batch", false},    {"made", true},	    {"presentations", false}, {"refit s", false},
		{"choice s", false}, {"R² monitor", false}, {"ceiling", false},	      {"tier", true},
		{"rig wait", false}, {"lag", false},
	};
	struct terminal_table lines;
	const json_t *row;
	size_t i;
	int rc;

	terminal_table_init(&lines, columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach(table->batches, i, row) add_row(&lines, row);
	rc = terminal_table_print(&lines, out);
	terminal_table_done(&lines);
	if (rc < 0)
		return rc;
	print_score("newest model, monitor set:", &table->monitor, out);
	print_score("newest model, sealed test:", &table->sealed, out);
	return 0;
}

static json_t *real_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *score_json(const struct batch_table_score *score)
{
	if (isnan(score->r2))
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", COLUMN_TIER, score->tier, COLUMN_R2,
			 real_or_null(score->r2), COLUMN_R2_LOW, real_or_null(score->r2_low), COLUMN_R2_HIGH,
			 real_or_null(score->r2_high), COLUMN_R_MEAN, real_or_null(score->r_mean), COLUMN_CEILING,
			 real_or_null(score->ceiling), COLUMN_IMAGES, (json_int_t)score->n_images, COLUMN_PRESENTATIONS,
			 (json_int_t)score->n_presentations);
}

json_t *batch_table_json(const struct batch_table *table)
{
	return json_pack("{s:O, s:o, s:o, s:o, s:I, s:I}", "batches", table->batches, "monitor",
			 score_json(&table->monitor), "sealed", score_json(&table->sealed), "fallback_share",
			 real_or_null(batch_table_fallback_share(table)), "presentations",
			 (json_int_t)table->n_presentations, "complete", (json_int_t)table->n_complete);
}
