/* Flow: create says hello; run opens the session, then goes batch by batch and, within one, trial by trial:
 *
 *	wait for the neurons             worked out in a thread of their own, one trial ahead (rig_preparation.h)
 *	begin with the next trial's, or, in the last trial of the batch, ask for the next batch
 *	show one image after another     at the pace; waiting is client_poll, so that answers are taken
 *	push the whole trial             the outbox sends it
 *
 * At the end the outbox is flushed. A restart drops the batch in the middle, as a crash would after the last trial was
 * sent: the new run goes on with the batch after the newest one; what was not shown comes back if the daemon plans it
 * again.
 *
 * Failure modes: no daemon or no batch within timeout_ms; a refusal of open or of a batch; an image that cannot be
 * decoded or answered. Refused presentations are counted, not fatal: the report says so. */
#include "daemon/cli/simulated_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/cli/rig_preparation.h"
#include "daemon/cli/rig_spec.h"
#include "daemon/clock.h"
#include "protocol/client.h"

enum { POLL_MS = 20, HELLO_MS = 1000, HELLOS_BEFORE = 20 };

struct simulated_rig {
	struct simulated_rig_settings settings;
	struct client *client;
	struct client_welcome welcome;
	struct session_spec spec;
	struct subject *subject; /* borrowed by run */
	uint32_t n_units;

	int64_t number; /* of the newest presentation in this run */
	struct client_batch batch;
	size_t next_slot;
	bool has_batch, asked;
	int64_t next_trial_ns; /* when the next trial may begin */
	int64_t started_ns;
	bool restarted;
	struct rig_preparation preparations[2]; /* the trial that is shown, and the next one of the batch */
	bool current;				/* which of them is shown, or comes next */
	bool is_ahead;				/* that one is being worked out already */
	uint8_t *all_missing;			/* [n_units], ones: responses to what was not shown */
	struct rig_report report;
	struct client_stats before; /* of the runs that are over */
};

static void note_settled(void *ctx, int64_t number, int64_t latency_ns)
{
	struct simulated_rig *rig = ctx;

	(void)number;
	histogram_add(&rig->report.acknowledgement, latency_ns);
}

static void note_refused(void *ctx, int64_t number, const char *reason)
{
	struct simulated_rig *rig = ctx;

	if (rig->report.n_refusals < RIG_REFUSALS_NAMED_MAX)
		snprintf(rig->report.refusals[rig->report.n_refusals++], RIG_REFUSAL_TEXT_MAX, "%lld: %s",
			 (long long)number, reason);
}

static bool must_stop(const struct simulated_rig *rig)
{
	return rig->settings.stop && rig->settings.stop();
}

/* The daemon may come later than the rig; until then `stop` is heard. */
static int say_hello(struct simulated_rig *rig, struct error *err)
{
	int left_ms = rig->settings.timeout_ms, rc;

	do {
		int now_ms = left_ms < HELLO_MS ? left_ms : HELLO_MS;

		rc = client_hello(rig->client, now_ms, err, &rig->welcome);
		left_ms -= now_ms;
	} while ((rc == -ETIMEDOUT || rc == -EBUSY) && left_ms > 0 && !must_stop(rig));
	if (rc == -ETIMEDOUT)
		return error_set(err, rc, "no daemon answers at %s (waited %.1f s)", rig->settings.endpoint,
				 (rig->settings.timeout_ms - left_ms) / 1e3);
	return rc;
}

/* A client with a new run, and the daemon's welcome. */
static int begin_run(struct simulated_rig *rig, struct error *err)
{
	struct client_options options = {
		.endpoint = rig->settings.endpoint, .settled = note_settled, .refused = note_refused, .ctx = rig};
	int rc;

	if (getrandom(options.run, sizeof(options.run), 0) != (ssize_t)sizeof(options.run))
		return error_set(err, -errno, "no random bytes for the run's id: %s", strerror(errno));
	rc = client_create(&options, err, &rig->client);
	if (rc < 0)
		return rc;
	rc = say_hello(rig, err);
	if (rc < 0)
		return rc;
	rig->number = rig->welcome.settled_through;
	rig->report.n_runs++;
	return 0;
}

/* Adds what the client counted to the report's totals of earlier runs. */
static void take_stats(struct simulated_rig *rig, bool run_is_over)
{
	struct client_stats stats;

	if (!rig->client)
		return;
	client_stats(rig->client, &stats);
	rig->report.n_acknowledged = rig->before.n_settled + stats.n_settled;
	rig->report.n_refused = rig->before.n_refused + stats.n_refused;
	rig->report.n_conflicts = rig->before.n_conflicts + stats.n_conflicts;
	rig->report.n_resent = rig->before.n_resent + stats.n_resent;
	rig->report.n_busy = rig->before.n_busy + stats.n_busy;
	rig->report.n_unsettled = (int64_t)(rig->before.n_outbox + stats.n_outbox);
	if (!run_is_over)
		return;
	rig->before.n_settled += stats.n_settled;
	rig->before.n_refused += stats.n_refused;
	rig->before.n_conflicts += stats.n_conflicts;
	rig->before.n_resent += stats.n_resent;
	rig->before.n_busy += stats.n_busy;
	rig->before.n_outbox += stats.n_outbox;
}

int simulated_rig_create(const struct simulated_rig_settings *settings, struct error *err,
			 struct simulated_rig **ret_rig)
{
	struct simulated_rig *rig = calloc(1, sizeof(*rig));
	int rc;

	if (!rig)
		return error_set(err, -ENOMEM, "out of memory for the rig");
	rig->settings = *settings;
	rc = begin_run(rig, err);
	if (rc < 0) {
		simulated_rig_destroy(rig);
		return rc;
	}
	*ret_rig = rig;
	return 0;
}

void simulated_rig_destroy(struct simulated_rig *rig)
{
	if (!rig)
		return;
	for (size_t i = 0; i < 2; i++)
		rig_preparation_done(&rig->preparations[i]);
	if (rig->has_batch)
		client_batch_done(&rig->batch);
	client_destroy(rig->client);
	session_spec_done(&rig->spec);
	free(rig->all_missing);
	free(rig);
}

uint32_t simulated_rig_width_px(const struct simulated_rig *rig)
{
	return rig->welcome.width_px;
}

uint32_t simulated_rig_height_px(const struct simulated_rig *rig)
{
	return rig->welcome.height_px;
}

const struct rig_report *simulated_rig_report(const struct simulated_rig *rig)
{
	return &rig->report;
}

static int open_session(struct simulated_rig *rig, struct error *err)
{
	struct client_opened opened;
	int rc;

	/* A session that is open already goes on under its own name. */
	if (rig->welcome.session_name[0])
		strcpy(rig->spec.name, rig->welcome.session_name);
	rc = client_open(rig->client, &rig->spec, rig->settings.timeout_ms, err, &opened);
	if (rc < 0)
		return error_prefix(err, rc, "open");
	return 0;
}

/* Lets the client work until the given time of the monotonic clock. */
static int wait_until(struct simulated_rig *rig, int64_t until_ns, struct error *err)
{
	int64_t left_ns;
	int rc;

	do {
		left_ns = until_ns - clock_monotonic_ns();
		rc = client_poll(rig->client, left_ns > 0 ? (int)((left_ns + 999999) / 1000000) : 0, err);
	} while (rc == 0 && left_ns > 0 && !must_stop(rig));
	return rc;
}

/* How long a message and its answer take. Only while nothing is under way: a hello makes the client send it again. */
static int measure_round_trip(struct simulated_rig *rig, struct error *err)
{
	struct client_welcome welcome;
	struct client_stats stats;
	int64_t begin_ns = clock_monotonic_ns();
	int rc;

	client_stats(rig->client, &stats);
	if (stats.n_outbox > 0 || rig->asked)
		return 0;
	rc = client_hello(rig->client, rig->settings.timeout_ms, err, &welcome);
	if (rc == 0)
		histogram_add(&rig->report.round_trip, clock_monotonic_ns() - begin_ns);
	return rc;
}

static int ask_next(struct simulated_rig *rig, struct error *err)
{
	int64_t after = rig->has_batch ? rig->batch.batch : rig->welcome.next_after;

	if (rig->asked)
		return 0;
	rig->asked = true;
	return client_ask_batch(rig->client, after, err);
}

/* Waits for the batch that was asked for, and puts it in the place of the one that is over. */
static int take_next(struct simulated_rig *rig, struct error *err)
{
	int64_t begin_ns = clock_monotonic_ns();
	int64_t deadline_ns = begin_ns + (int64_t)rig->settings.timeout_ms * 1000000;
	struct client_batch batch;
	int rc = ask_next(rig, err);

	while (rc == 0) {
		rc = client_take_batch(rig->client, err, &batch);
		if (rc != -EAGAIN)
			break;
		if (must_stop(rig))
			return error_set(err, -EINTR, "interrupted");
		if (clock_monotonic_ns() > deadline_ns)
			return error_set(err, -ETIMEDOUT, "no batch came within %.0f s",
					 rig->settings.timeout_ms / 1e3);
		rc = client_poll(rig->client, POLL_MS, err);
	}
	if (rc < 0)
		return error_prefix(err, rc, "next batch");
	if (!rig->has_batch)
		rig->report.first_wait_s = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
	else
		histogram_add(&rig->report.wait, clock_monotonic_ns() - begin_ns);
	if (rig->has_batch)
		client_batch_done(&rig->batch);
	rig->batch = batch;
	rig->has_batch = true;
	rig->asked = false;
	rig->next_slot = 0;
	rig->report.n_fallbacks += strcmp(batch.origin, "fallback") == 0;
	return 0;
}

static int push(struct simulated_rig *rig, const struct presentation *presentation, struct error *err)
{
	int rc = client_push(rig->client, presentation, err);

	while (rc == -EAGAIN) {
		rig->report.n_outbox_full++;
		rc = client_poll(rig->client, POLL_MS, err);
		if (rc == 0)
			rc = client_push(rig->client, presentation, err);
		if (rc == -EAGAIN && must_stop(rig))
			return error_set(err, -EINTR, "interrupted");
	}
	return rc;
}

/* One image: waits for its onset, and makes the presentation as the rig will report it. */
static int show_image(struct simulated_rig *rig, const struct rig_preparation *trial, size_t position, int64_t onset_ns,
		      struct error *err, struct presentation *ret_presentation)
{
	enum presentation_outcome outcome = trial->trial.outcomes[position];
	bool shown = outcome != OUTCOME_NOT_SHOWN;
	int rc = shown ? wait_until(rig, onset_ns, err) : 0;

	if (rc < 0)
		return rc;
	*ret_presentation = (struct presentation){
		.trial = rig->report.n_trials + 1,
		.position = (int64_t)position,
		.batch = rig->batch.batch,
		.slot = trial->slots[position].slot,
		.commanded_us = (onset_ns > 0 ? onset_ns : clock_monotonic_ns()) / 1000,
		.onset_us = shown ? clock_monotonic_ns() / 1000 : PRESENTATION_NO_ONSET,
		.onset_source = ONSET_SOFTWARE,
		.outcome = outcome,
		.responses = &trial->counts[position * subject_n_units(rig->subject)],
		.responses_size = rig->n_units * sizeof(*trial->counts),
		.mask = shown ? NULL : rig->all_missing,
		.mask_size = shown ? 0 : rig->n_units,
	};
	rig->report.n_shown += shown;
	rig->report.n_outcomes[outcome]++;
	return 0;
}

/* Shows the images of a trial at their pace, and sends them together when it is over. */
static int show_images(struct simulated_rig *rig, const struct rig_preparation *trial, struct error *err)
{
	size_t n = trial->trial.n_images;
	struct rig_pace pace = rig_pace_at(rig->settings.rate_hz, n);
	struct presentation presentations[RIG_TRIAL_MAX];
	int64_t begin_ns = clock_monotonic_ns();
	int rc = 0;

	if (begin_ns < rig->next_trial_ns)
		begin_ns = rig->next_trial_ns;
	rig->next_trial_ns = begin_ns + pace.trial_ns;
	if (rig->report.n_trials == 0)
		rig->started_ns = begin_ns;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		/* By now the trial before has been acknowledged, if the pace is one of a rig. */
		if (i + 1 == n)
			rc = measure_round_trip(rig, err);
		if (rc == 0)
			rc = show_image(rig, trial, i, begin_ns + (int64_t)i * pace.onset_ns, err, &presentations[i]);
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		presentations[i].number = ++rig->number;
		rc = push(rig, &presentations[i], err);
	}
	return rc < 0 ? rc : client_poll(rig->client, 0, err);
}

/* Begins to work a trial of this batch out: the one from `first_slot` on, before which n_shown images were shown. */
static int prepare(struct simulated_rig *rig, struct rig_preparation *preparation, int64_t trial_number,
		   size_t first_slot, int64_t n_shown, struct error *err)
{
	size_t n_max = rig->batch.n_slots - first_slot;
	int64_t left = rig->settings.max_presentations - n_shown;
	struct rig_trial trial;

	if (rig->settings.max_presentations > 0 && (size_t)left < n_max)
		n_max = (size_t)left;
	rig_trial_draw(rig->settings.seed, (uint64_t)trial_number, &rig->settings.odds, n_max, &trial);
	return rig_preparation_start(preparation, &trial, &rig->batch.slots[first_slot], (uint64_t)n_shown, err);
}

/* While this trial is shown the next one is worked out, or, behind the last one of the batch, the next batch comes. */
static int look_ahead(struct simulated_rig *rig, const struct rig_preparation *now, struct error *err)
{
	size_t next_slot = rig->next_slot + now->trial.n_images;
	int64_t n_shown = rig->report.n_shown;
	int rc;

	for (size_t i = 0; i < now->trial.n_images; i++)
		n_shown += now->trial.outcomes[i] != OUTCOME_NOT_SHOWN;
	if (next_slot == rig->batch.n_slots)
		return ask_next(rig, err);
	if (rig->settings.max_presentations > 0 && n_shown >= rig->settings.max_presentations)
		return 0;
	rc = prepare(rig, &rig->preparations[!rig->current], rig->report.n_trials + 1, next_slot, n_shown, err);
	rig->is_ahead = rc == 0;
	return rc;
}

static int wait_for_neurons(struct simulated_rig *rig, struct rig_preparation *preparation, struct error *err)
{
	int rc = 0;

	while (rc == 0 && !rig_preparation_is_ready(preparation))
		rc = client_poll(rig->client, 1, err);
	if (rc == 0)
		rc = rig_preparation_finish(preparation, err);
	return rc < 0 ? error_prefix(err, rc, "batch %lld", (long long)rig->batch.batch) : 0;
}

static int run_trial(struct simulated_rig *rig, struct error *err)
{
	struct rig_preparation *now = &rig->preparations[rig->current];
	int rc = 0;

	if (!rig->is_ahead)
		rc = prepare(rig, now, rig->report.n_trials, rig->next_slot, rig->report.n_shown, err);
	rig->is_ahead = false;
	if (rc == 0)
		rc = wait_for_neurons(rig, now, err);
	if (rc == 0)
		rc = look_ahead(rig, now, err);
	if (rc == 0)
		rc = show_images(rig, now, err);
	if (rc < 0)
		return rc;
	rig->current = !rig->current;
	rig->next_slot += now->trial.n_images;
	rig->report.n_trials++;
	rig->report.n_batches += rig->next_slot == rig->batch.n_slots;
	rig->report.seconds = (double)(clock_monotonic_ns() - rig->started_ns) / 1e9;
	take_stats(rig, false);
	if (rig->settings.progress)
		rig->settings.progress(rig->settings.ctx, &rig->report);
	return 0;
}

/* The rig's program ends and starts again: what was pushed is sent before, the batch in hand is forgotten. */
static int restart(struct simulated_rig *rig, struct error *err)
{
	int rc = client_flush(rig->client, rig->settings.timeout_ms, err);

	if (rc == 0 && rig->is_ahead)
		rc = wait_for_neurons(rig, &rig->preparations[rig->current], err);
	if (rc < 0)
		return error_prefix(err, rc, "settling what was shown before the restart");
	rig->is_ahead = false;
	take_stats(rig, true);
	client_destroy(rig->client);
	rig->client = NULL;
	client_batch_done(&rig->batch);
	rig->has_batch = rig->asked = false;
	rig->restarted = true;
	rc = begin_run(rig, err);
	return rc < 0 ? rc : open_session(rig, err);
}

static bool is_finished(const struct simulated_rig *rig)
{
	const struct simulated_rig_settings *settings = &rig->settings;
	const struct rig_report *report = &rig->report;

	return must_stop(rig) || (settings->max_trials > 0 && report->n_trials >= settings->max_trials) ||
	       (settings->max_presentations > 0 && report->n_shown >= settings->max_presentations) ||
	       (settings->max_batches > 0 && report->n_batches >= settings->max_batches);
}

static int run_trials(struct simulated_rig *rig, struct error *err)
{
	int rc = 0;

	while (rc == 0 && !is_finished(rig)) {
		if (rig->settings.restart_after > 0 && !rig->restarted &&
		    rig->report.n_shown >= rig->settings.restart_after)
			rc = restart(rig, err);
		if (rc == 0 && (!rig->has_batch || rig->next_slot == rig->batch.n_slots))
			rc = take_next(rig, err);
		if (rc == 0)
			rc = run_trial(rig, err);
	}
	return rc == -EINTR && must_stop(rig) ? 0 : rc;
}

int simulated_rig_run(struct simulated_rig *rig, struct subject *subject, struct error *err)
{
	int rc;

	rig->subject = subject;
	rig->n_units = subject_n_units(subject);
	if (rig->settings.max_units > 0 && rig->settings.max_units < rig->n_units)
		rig->n_units = rig->settings.max_units;
	rig->all_missing = malloc(rig->n_units);
	if (!rig->all_missing)
		return error_set(err, -ENOMEM, "out of memory for %u units", rig->n_units);
	memset(rig->all_missing, 1, rig->n_units);
	rc = rig_spec_make(subject, rig->n_units, rig->settings.session_name, err, &rig->spec);
	for (size_t i = 0; rc == 0 && i < 2; i++)
		rc = rig_preparation_init(subject, err, &rig->preparations[i]);
	if (rc == 0)
		rc = open_session(rig, err);
	for (int i = 0; rc == 0 && i < HELLOS_BEFORE; i++)
		rc = measure_round_trip(rig, err);
	if (rc == 0)
		rc = run_trials(rig, err);
	if (rc == 0)
		rc = client_flush(rig->client, rig->settings.timeout_ms, err);
	if (rc == 0 && rig->settings.close)
		rc = client_close(rig->client, rig->settings.timeout_ms, err);
	take_stats(rig, false);
	return rc;
}
