/* A simulated subject: neurons that answer an image with spike counts, for the simulated rig and for tests.
 *
 * From models (published or built in): the true rate of a neuron is its model's answer, mapped so that over calibration
 * images it has a given mean and a given ratio of signal to noise (rate_mapping.h); a presentation draws a count with
 * that mean and Fano factor (rng_count, RNG_SPIKES, by presentation number and unit). From recorded responses: what was
 * recorded. The same settings and calls give the same counts. Thread: one caller. */
#ifndef EVOKED_STIMULI_SUBJECT_H
#define EVOKED_STIMULI_SUBJECT_H

#include <stddef.h>
#include <stdint.h>

#include "models/response_model.h"
#include "stimuli/image.h"
#include "support/error.h"
#include "support/thread_pool.h"

enum {
	SUBJECT_UNITS_MAX = 4096,
	SUBJECT_CALIBRATION_IMAGES = 64, /* dead leaves, where the caller gives none */
	SUBJECT_CACHED_IMAGES = 1024,	 /* rates kept, by image hash; a new image takes the place of an old one */
	SUBJECT_BATCH = 32,		 /* images that a model sees at once */
	SUBJECT_LABEL_SIZE = 64,
};
#define SUBJECT_FANO_DEFAULT 0.9 /* method.md §1 */

/* Streams of RNG_SUBJECT (the `sub` of rng_make). */
enum { RNG_SUBJECT_NEURONS = 0, RNG_SUBJECT_MAPPING = 1, RNG_SUBJECT_REPEATS = 2 };

struct subject;

struct subject_settings {
	uint64_t seed;
	double fano;		      /* 0: SUBJECT_FANO_DEFAULT */
	uint32_t width_px, height_px; /* of the images; 0: what the models or recordings want */
	const struct image
		*calibration; /* [n_calibration], natural images of that size, or NULL; only read at opening */
	size_t n_calibration;
	const double *means; /* [n_means]: mean counts of the units, or NULL: drawn, 0.55 to 6.6 */
	size_t n_means;	     /* must be the number of units if means are given */
};

/* Neurons that answer as `model` (one member) does. labels [n_units], only read. The subject owns the model on success
 * only. `threads` (may be NULL) is borrowed. -EINVAL: a limit, or settings that do not fit the model; what the model
 * returns.
 */
int subject_create(struct response_model *model, char (*labels)[SUBJECT_LABEL_SIZE], const char *description,
		   const struct subject_settings *settings, struct thread_pool *threads, struct error *err,
		   struct subject **ret_subject);

/* Neurons from model files (response_model_open), one after another. Means and SNR are drawn by seed
 * (rate_mapping_draw). Each unit is
 * labelled by its file. -EINVAL, and what response_model_open returns. */
int subject_open_models(const char *const *paths, size_t n_paths, const struct subject_settings *settings,
			struct thread_pool *threads, struct error *err, struct subject **ret_subject);

/* Neurons of our own (builtin_neurons.h), drawn by seed, for images of settings' size. */
int subject_create_builtin(uint32_t n_neurons, const struct subject_settings *settings, struct thread_pool *threads,
			   struct error *err, struct subject **ret_subject);

/* A recorded session (recorded_session.h). With single counts, the k-th showing of an image answers with one of its
 * recorded repeats, in an order shuffled by seed, and begins again when all are used (subject_n_wraps counts that).
 * With averages only, counts are drawn around them with the Fano factor: semi-synthetic. Calibration and means are not
 * used. */
int subject_open_dataset(const char *dir, const char *session, const struct subject_settings *settings,
			 struct thread_pool *threads, struct error *err, struct subject **ret_subject);

void subject_destroy(struct subject *subject);

uint32_t subject_n_units(const struct subject *subject);
uint32_t subject_width_px(const struct subject *subject);
uint32_t subject_height_px(const struct subject *subject);
const char *subject_unit_label(const struct subject *subject, uint32_t unit); /* valid until destroyed */

/* One sentence on what answers, for reports: "session 210325, recorded single counts". */
const char *subject_description(const struct subject *subject);

/* Works out the rates of images that will be shown, many at a time: quicker than one by one, with the same results. */
int subject_prepare(struct subject *subject, const struct image *images, size_t n, struct error *err);

/* The true rates, ret_rates [n_units]: mean counts a window. Recorded: the mean of the repeats. -EINVAL: another size;
 * -ENOENT: an image that was not shown in the recorded session. */
int subject_rates(struct subject *subject, const struct image *image, struct error *err, float *ret_rates);

/* Counts of one presentation, ret_counts [n_units]. Errors as subject_rates. */
int subject_respond(struct subject *subject, const struct image *image, uint64_t presentation_number, struct error *err,
		    uint16_t *ret_counts);

/* How often a recorded image was shown again after all its repeats had been used. */
uint64_t subject_n_wraps(const struct subject *subject);

#endif
