/* Times are kept in histograms and turned into milliseconds only here; JSON has null where nothing was measured. */
#include "daemon/cli/rig_report.h"

#include <math.h>

#include "daemon/cli/terminal.h"

bool rig_report_is_clean(const struct rig_report *report)
{
	return report->n_refused == 0 && report->n_conflicts == 0 && report->n_unsettled == 0;
}

static double quantile_ms(const struct histogram *histogram, double quantile)
{
	return histogram->n > 0 ? (double)histogram_quantile_ns(histogram, quantile) / 1e6 : NAN;
}

static double max_ms(const struct histogram *histogram)
{
	return histogram->n > 0 ? (double)histogram->max_ns / 1e6 : NAN;
}

/* JSON knows no NaN: what was not measured is null. */
static json_t *real_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *histogram_json(const struct histogram *histogram)
{
	return json_pack("{s:I, s:o, s:o, s:o}", "n", (json_int_t)histogram->n, "p50_ms",
			 real_or_null(quantile_ms(histogram, 0.5)), "p99_ms",
			 real_or_null(quantile_ms(histogram, 0.99)), "max_ms", real_or_null(max_ms(histogram)));
}

static json_t *outcomes_json(const struct rig_report *report)
{
	json_t *outcomes = json_object();

	for (int i = 0; i <= OUTCOME_NOT_SHOWN; i++)
		json_object_set_new(outcomes, presentation_outcome_name((enum presentation_outcome)i),
				    json_integer(report->n_outcomes[i]));
	return outcomes;
}

static json_t *refusals_json(const struct rig_report *report)
{
	json_t *refusals = json_array();

	for (size_t i = 0; i < report->n_refusals; i++)
		json_array_append_new(refusals, json_string(report->refusals[i]));
	return refusals;
}

static json_t *shown_json(const struct rig_report *report)
{
	return json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:f}", "shown", (json_int_t)report->n_shown, "outcomes",
			 outcomes_json(report), "trials", (json_int_t)report->n_trials, "batches",
			 (json_int_t)report->n_batches, "fallbacks", (json_int_t)report->n_fallbacks, "runs",
			 (json_int_t)report->n_runs, "seconds", report->seconds);
}

static json_t *settled_json(const struct rig_report *report)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "acknowledged", (json_int_t)report->n_acknowledged,
			 "refused", (json_int_t)report->n_refused, "conflicts", (json_int_t)report->n_conflicts,
			 "unsettled", (json_int_t)report->n_unsettled, "resent", (json_int_t)report->n_resent, "busy",
			 (json_int_t)report->n_busy, "outbox_full", (json_int_t)report->n_outbox_full, "refusals",
			 refusals_json(report));
}

static json_t *times_json(const struct rig_report *report)
{
	return json_pack("{s:o, s:o, s:o, s:f}", "wait", histogram_json(&report->wait), "acknowledgement",
			 histogram_json(&report->acknowledgement), "round_trip", histogram_json(&report->round_trip),
			 "first_wait_s", report->first_wait_s);
}

json_t *rig_report_json(const struct rig_report *report)
{
	json_t *object = shown_json(report), *settled = settled_json(report), *times = times_json(report);
	bool complete = object && settled && times && json_object_update(object, settled) == 0 &&
			json_object_update(object, times) == 0;

	json_decref(settled);
	json_decref(times);
	if (complete)
		return object;
	json_decref(object);
	return NULL;
}

static void print_histogram(const char *label, const struct histogram *histogram, FILE *out)
{
	fprintf(out, "  %-16s", label);
	if (histogram->n == 0)
		fputs("not measured\n", out);
	else
		fprintf(out, "p50 %s, p99 %s, max %s (%llu)\n",
			terminal_seconds(quantile_ms(histogram, 0.5) / 1e3).text,
			terminal_seconds(quantile_ms(histogram, 0.99) / 1e3).text,
			terminal_seconds(max_ms(histogram) / 1e3).text, (unsigned long long)histogram->n);
}

void rig_report_print(const struct rig_report *report, FILE *out)
{
	fprintf(out, "%lld presentations in %s", (long long)report->n_shown, terminal_seconds(report->seconds).text);
	if (report->seconds > 0)
		fprintf(out, " (%.1f a second)", (double)report->n_shown / report->seconds);
	fprintf(out, ": %lld trials, %lld batches (%lld fallback), %lld %s of the rig\n", (long long)report->n_trials,
		(long long)report->n_batches, (long long)report->n_fallbacks, (long long)report->n_runs,
		report->n_runs == 1 ? "run" : "runs");
	fputs("  outcomes        ", out);
	for (int i = 0; i <= OUTCOME_NOT_SHOWN; i++)
		if (report->n_outcomes[i] > 0)
			fprintf(out, "%lld %s  ", (long long)report->n_outcomes[i],
				presentation_outcome_name((enum presentation_outcome)i));
	fprintf(out, "\n  acknowledged    %lld; refused %lld, conflicts %lld, unsettled %lld, sent again %lld\n",
		(long long)report->n_acknowledged, (long long)report->n_refused, (long long)report->n_conflicts,
		(long long)report->n_unsettled, (long long)report->n_resent);
	print_histogram("wait for batch", &report->wait, out);
	print_histogram("acknowledgement", &report->acknowledgement, out);
	print_histogram("round trip", &report->round_trip, out);
	for (size_t i = 0; i < report->n_refusals; i++)
		fprintf(out, "  refused         %s\n", report->refusals[i]);
}
