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
#define COLUMN_DECISION	     "decision"
#define COLUMN_SHOWN	     "shown"
#define COLUMN_KIND	     "kind"
#define COLUMN_SAW_SEQ	     "saw_seq"
#define COLUMN_SECONDS	     "seconds"
#define COLUMN_HANDOVER_SEQ  "handover_seq"
#define COLUMN_REFIT	     "refit" /* added here */
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

static int take_batch(void *ctx, const json_t *row)
{
	struct batch_table *table = ctx;

	return json_array_append_new(table->batches, json_deep_copy(row)) < 0 ? -ENOMEM : 0;
}

/* A refit, which its score joins later. */
static int take_decision(void *ctx, const json_t *row)
{
	struct batch_table *table = ctx;
	json_t *fit;

	if (strcmp(text(row, COLUMN_KIND), "fit") != 0)
		return 0;
	fit = json_pack("{s:O, s:O, s:O}", COLUMN_DECISION, json_object_get(row, COLUMN_DECISION), COLUMN_SAW_SEQ,
			json_object_get(row, COLUMN_SAW_SEQ), COLUMN_SECONDS, json_object_get(row, COLUMN_SECONDS));
	return json_array_append_new(table->fits, fit) < 0 ? -ENOMEM : 0;
}

static int join_score(const struct batch_table *table, int64_t decision, const json_t *row)
{
	static const char *const columns[] = {COLUMN_TIER,    COLUMN_R2,     COLUMN_R2_LOW,
					      COLUMN_R2_HIGH, COLUMN_R_MEAN, COLUMN_CEILING};
	json_t *fit;
	size_t i;

	json_array_foreach(table->fits, i, fit)
	{
		if (json_integer_value(json_object_get(fit, COLUMN_DECISION)) != decision)
			continue;
		for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++)
			if (json_object_set(fit, columns[c], json_object_get(row, columns[c])) < 0)
				return -ENOMEM;
	}
	return 0;
}

static void take_median(struct batch_table_score *score, const json_t *row)
{
	score->r2 = number(row, COLUMN_R2);
	score->r2_low = number(row, COLUMN_R2_LOW);
	score->r2_high = number(row, COLUMN_R2_HIGH);
	score->r_mean = number(row, COLUMN_R_MEAN);
	score->ceiling = number(row, COLUMN_CEILING);
	score->n_images = json_integer_value(json_object_get(row, COLUMN_IMAGES));
	score->n_presentations = json_integer_value(json_object_get(row, COLUMN_PRESENTATIONS));
	snprintf(score->tier, sizeof(score->tier), "%s", text(row, COLUMN_TIER));
}

/* Rows come decision by decision: a later one begins anew, so that what stays is the newest. */
static int take_score(void *ctx, const json_t *row)
{
	struct batch_table *table = ctx;
	bool sealed = strcmp(text(row, COLUMN_SET), "sealed") == 0;
	struct batch_table_score *score = sealed ? &table->sealed : &table->monitor;
	int64_t decision = json_integer_value(json_object_get(row, COLUMN_DECISION));
	double r2 = number(row, COLUMN_R2);

	if (number(row, COLUMN_SHOWN) != 1)
		return 0;
	if (score->decision != decision)
		*score = (struct batch_table_score){.decision = decision, .r2 = NAN, .r_mean = NAN, .ceiling = NAN};
	if (strcmp(text(row, COLUMN_UNIT), "median") == 0) {
		take_median(score, row);
		if (!sealed)
			return join_score(table, decision, row);
	} else {
		score->n_units += !isnan(r2);
		score->n_positive += r2 > 0;
	}
	return 0;
}

/* Infinity behind the last batch: then every refit lies before it. */
static double handover_seq(const struct batch_table *table, size_t b)
{
	const json_t *row = json_array_get(table->batches, b);

	return row ? number(row, COLUMN_HANDOVER_SEQ) : INFINITY;
}

static int count_presentation(void *ctx, const json_t *row)
{
	struct batch_table *table = ctx;

	table->n_presentations++;
	table->n_complete += strcmp(text(row, COLUMN_OUTCOME), presentation_outcome_name(OUTCOME_COMPLETE)) == 0;
	return 0;
}

int batch_table_assign(struct batch_table *table)
{
	size_t n = json_array_size(table->batches), n_fits = json_array_size(table->fits);

	for (size_t b = 0, f = 0; b < n; b++) {
		json_t *row = json_array_get(table->batches, b), *after = json_null();
		double begin = handover_seq(table, b + 1), end = handover_seq(table, b + 2);

		while (f < n_fits && number(json_array_get(table->fits, f), COLUMN_SAW_SEQ) < begin)
			f++;
		if (f < n_fits && number(json_array_get(table->fits, f), COLUMN_SAW_SEQ) < end)
			after = json_incref(json_array_get(table->fits, f));
		if (json_object_set_new(row, COLUMN_REFIT, after) < 0)
			return -ENOMEM;
	}
	for (size_t b = n; b-- > 0;)
		if (number(json_array_get(table->batches, b), COLUMN_PRESENTATIONS) == 0)
			json_array_remove(table->batches, b);
	return 0;
}

int batch_table_read(struct reader *reader, struct error *err, struct batch_table *ret_table)
{
	struct batch_table table = {.batches = json_array(), .fits = json_array()};
	int rc = table.batches && table.fits ? 0 : error_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = reader_read_table(reader, READER_BATCHES, take_batch, &table, err);
	if (rc == 0)
		rc = reader_read_table(reader, READER_DECISIONS, take_decision, &table, err);
	if (rc == 0)
		rc = reader_read_table(reader, READER_SCORES, take_score, &table, err);
	if (rc == 0)
		rc = reader_read_table(reader, READER_PRESENTATIONS, count_presentation, &table, err);
	if (rc == 0)
		rc = batch_table_assign(&table);
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
	json_decref(table->fits);
	table->batches = table->fits = NULL;
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
	const json_t *refit = json_object_get(row, COLUMN_REFIT);

	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_BATCH), 0).text);
	terminal_table_cell(lines, "%s", text(row, COLUMN_ORIGIN));
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_PRESENTATIONS), 0).text);
	terminal_table_cell(lines, "%s", terminal_seconds(number(row, COLUMN_RIG_WAIT_MS) / 1e3).text);
	terminal_table_cell(lines, "%s", terminal_number(number(row, COLUMN_LAG), 0).text);
	terminal_table_cell(lines, "%s", terminal_number(number(refit, COLUMN_SECONDS), 1).text);
	terminal_table_cell(
		lines, "%s",
		terminal_interval(number(refit, COLUMN_R2), number(refit, COLUMN_R2_LOW), number(refit, COLUMN_R2_HIGH))
			.text);
	terminal_table_cell(lines, "%s", terminal_number(number(refit, COLUMN_CEILING), 2).text);
	terminal_table_cell(lines, "%s", text(refit, COLUMN_TIER)[0] ? text(refit, COLUMN_TIER) : "–");
}

/* Images that were shown once give no R², as their noise is not known; the plain correlation then stands alone. */
static void print_score(const char *label, const struct batch_table_score *score, FILE *out)
{
	if (score->decision == 0)
		return;
	if (score->n_units == 0) {
		fprintf(out, "  %s r %s, no R² without repeats\n", label, terminal_number(score->r_mean, 2).text);
		return;
	}
	fprintf(out, "  %s R² %s, r %s, ceiling %s, above 0 in %lld of %lld units\n", label,
		terminal_interval(score->r2, score->r2_low, score->r2_high).text,
		terminal_number(score->r_mean, 2).text, terminal_number(score->ceiling, 2).text,
		(long long)score->n_positive, (long long)score->n_units);
}

int batch_table_print(const struct batch_table *table, FILE *out)
{
	static const struct terminal_column columns[] = {
		{"batch", false},   {"made", true},	   {"presented", false}, {"rig wait", false}, {"lag", false},
		{"refit s", false}, {"R² monitor", false}, {"ceiling", false},	 {"tier", true},
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
	if (table->monitor.decision > 0)
		fprintf(out, "newest model (%s):\n", table->monitor.tier);
	print_score("monitor", &table->monitor, out);
	print_score("sealed ", &table->sealed, out);
	return 0;
}

static json_t *real_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *score_json(const struct batch_table_score *score)
{
	if (score->decision == 0)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", COLUMN_TIER, score->tier, COLUMN_R2,
			 real_or_null(score->r2), COLUMN_R2_LOW, real_or_null(score->r2_low), COLUMN_R2_HIGH,
			 real_or_null(score->r2_high), COLUMN_R_MEAN, real_or_null(score->r_mean), COLUMN_CEILING,
			 real_or_null(score->ceiling), COLUMN_IMAGES, (json_int_t)score->n_images, COLUMN_PRESENTATIONS,
			 (json_int_t)score->n_presentations, "n_units", (json_int_t)score->n_units, "n_positive",
			 (json_int_t)score->n_positive);
}

json_t *batch_table_json(const struct batch_table *table)
{
	return json_pack("{s:O, s:o, s:o, s:o, s:I, s:I}", "batches", table->batches, "monitor",
			 score_json(&table->monitor), "sealed", score_json(&table->sealed), "fallback_share",
			 real_or_null(batch_table_fallback_share(table)), "presentations",
			 (json_int_t)table->n_presentations, "complete", (json_int_t)table->n_complete);
}
