/* Flow: all images are decoded, the subject works their rates out together, then each that is shown gets its counts.
 * Failure modes: an image that is none, one that the subject does not know; kept until rig_preparation_finish. */
#include "daemon/cli/rig_preparation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rig_preparation_init(struct subject *subject, struct error *err, struct rig_preparation *ret_preparation)
{
	uint16_t *counts = calloc((size_t)RIG_TRIAL_MAX * subject_n_units(subject), sizeof(*counts));

	if (!counts)
		return error_set(err, -ENOMEM, "out of memory for a trial");
	*ret_preparation = (struct rig_preparation){.subject = subject, .counts = counts};
	return 0;
}

void rig_preparation_done(struct rig_preparation *preparation)
{
	if (preparation->running)
		pthread_join(preparation->thread, NULL);
	preparation->running = false;
	free(preparation->counts);
	preparation->counts = NULL;
}

static int decode(const struct rig_preparation *preparation, struct error *err, struct image *images,
		  size_t *ret_n_decoded)
{
	for (*ret_n_decoded = 0; *ret_n_decoded < preparation->trial.n_images; ++*ret_n_decoded) {
		const struct client_slot *slot = &preparation->slots[*ret_n_decoded];
		int rc = image_decode(slot->png, slot->png_size, err, &images[*ret_n_decoded]);

		if (rc < 0)
			return error_prefix(err, rc, "slot %lld", (long long)slot->slot);
	}
	return 0;
}

static int respond(struct rig_preparation *preparation, const struct image *images, struct error *err)
{
	uint32_t n_units = subject_n_units(preparation->subject);
	uint64_t number = preparation->n_shown;

	memset(preparation->counts, 0, sizeof(*preparation->counts) * RIG_TRIAL_MAX * n_units);
	for (size_t i = 0; i < preparation->trial.n_images; i++) {
		int rc;

		if (preparation->trial.outcomes[i] == OUTCOME_NOT_SHOWN)
			continue;
		rc = subject_respond(preparation->subject, &images[i], number++, err,
				     &preparation->counts[i * n_units]);
		if (rc < 0)
			return error_prefix(err, rc, "slot %lld", (long long)preparation->slots[i].slot);
	}
	return 0;
}

static void *work_out(void *ctx)
{
	struct rig_preparation *preparation = ctx;
	struct image images[RIG_TRIAL_MAX] = {0};
	size_t n_decoded = 0;
	int rc = decode(preparation, &preparation->error, images, &n_decoded);

	if (rc == 0)
		rc = subject_prepare(preparation->subject, images, n_decoded, &preparation->error);
	if (rc == 0)
		rc = respond(preparation, images, &preparation->error);
	for (size_t i = 0; i < n_decoded; i++)
		image_done(&images[i]);
	preparation->status = rc;
	atomic_store(&preparation->worked_out, true);
	return NULL;
}

int rig_preparation_start(struct rig_preparation *preparation, const struct rig_trial *trial,
			  const struct client_slot *slots, uint64_t n_shown, struct error *err)
{
	int rc;

	preparation->trial = *trial;
	preparation->slots = slots;
	preparation->n_shown = n_shown;
	atomic_store(&preparation->worked_out, false);
	rc = pthread_create(&preparation->thread, NULL, work_out, preparation);
	if (rc != 0)
		return error_set(err, -rc, "no thread for the neurons: %s", strerror(rc));
	preparation->running = true;
	return 0;
}

bool rig_preparation_is_ready(const struct rig_preparation *preparation)
{
	return !preparation->running || atomic_load(&preparation->worked_out);
}

int rig_preparation_finish(struct rig_preparation *preparation, struct error *err)
{
	if (preparation->running)
		pthread_join(preparation->thread, NULL);
	preparation->running = false;
	if (preparation->status < 0)
		return error_set(err, preparation->status, "%s", preparation->error.text);
	return 0;
}
