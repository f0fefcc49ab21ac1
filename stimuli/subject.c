/* Two sources behind one interface. A model gives answers in arbitrary units, which a line per unit maps to rates;
 * rates of recent images are kept by hash (direct-mapped: a collision costs time, never a wrong rate, as the whole hash
 * is compared). A recorded session gives its repeats.
 *
 * Fails on images of another size or, recorded, on images that were never shown; then no showing is counted. */
#include "stimuli/subject.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/response_model.h"
#include "stimuli/builtin_neurons.h"
#include "stimuli/dead_leaves.h"
#include "stimuli/rate_mapping.h"
#include "stimuli/recorded_session.h"
#include "support/hash.h"
#include "support/rng.h"

enum { DESCRIPTION_SIZE = 160 };

struct cached {
	struct hash hash;
	int is_used;
};

struct subject {
	struct thread_pool *threads;
	uint64_t seed;
	double fano;
	uint32_t width_px, height_px, n_units;
	char description[DESCRIPTION_SIZE];
	char (*labels)[SUBJECT_LABEL_SIZE]; /* [n_units] */

	struct response_model *model;  /* NULL: recorded */
	struct rate_mapping *mappings; /* [n_units] */
	struct cached *cached;	       /* [SUBJECT_CACHED_IMAGES] */
	float *cached_rates;	       /* [SUBJECT_CACHED_IMAGES, n_units] */
	float *pixels;		       /* [SUBJECT_BATCH, height, width, 3] */
	float *answers;		       /* [SUBJECT_BATCH, n_units] */

	struct recorded_session *recorded;
	uint32_t *n_shown; /* [images of the session] */
	uint64_t n_wraps;
	float *rates; /* [n_units]: scratch */
};

static size_t n_values(const struct subject *s)
{
	return (size_t)s->width_px * s->height_px * 3;
}

static int check_size(const struct subject *s, const struct image *image, struct error *err)
{
	if (image->width_px == s->width_px && image->height_px == s->height_px)
		return 0;
	return error_set(err, -EINVAL, "image of %u×%u px: the subject sees %u×%u", image->width_px, image->height_px,
			 s->width_px, s->height_px);
}

/* Answers of up to SUBJECT_BATCH images, s->answers [n, n_units]. */
static int ask_model(struct subject *s, const struct image *const *images, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++)
		image_to_float(images[i], s->pixels + i * n_values(s));
	return s->model->ops->predict(s->model, s->threads, s->pixels, n, err, s->answers);
}

/* calibration answers [n, n_units] -> s->mappings. */
static int fit_mappings(struct subject *s, const struct subject_settings *settings, const float *answers, size_t n,
			struct error *err)
{
	float *of_unit = reallocarray(NULL, n, sizeof *of_unit);

	if (!of_unit)
		return error_set(err, -ENOMEM, "no memory to calibrate the subject");
	for (uint32_t u = 0; u < s->n_units; u++) {
		double mean, snr;
		rate_mapping_draw(s->seed, u, &mean, &snr);
		if (settings->means)
			mean = settings->means[u];
		for (size_t i = 0; i < n; i++)
			of_unit[i] = answers[i * s->n_units + u];
		s->mappings[u] = rate_mapping_fit(of_unit, n, mean, sqrt(snr * s->fano * mean));
	}
	free(of_unit);
	return 0;
}

/* Answers to all calibration images, [n, n_units]. */
static int answer_calibration(struct subject *s, const struct image *const *images, size_t n, struct error *err,
			      float *ret_answers)
{
	for (size_t first = 0; first < n; first += SUBJECT_BATCH) {
		size_t n_now = n - first < SUBJECT_BATCH ? n - first : SUBJECT_BATCH;
		for (size_t i = first; i < first + n_now; i++) {
			int rc = check_size(s, images[i], err);
			if (rc < 0)
				return error_prefix(err, rc, "calibration image %zu", i);
		}
		int rc = ask_model(s, images + first, n_now, err);
		if (rc < 0)
			return rc;
		memcpy(ret_answers + first * s->n_units, s->answers, n_now * s->n_units * sizeof *ret_answers);
	}
	return 0;
}

static int calibrate(struct subject *s, const struct subject_settings *settings, struct error *err)
{
	size_t n = settings->n_calibration ? settings->n_calibration : SUBJECT_CALIBRATION_IMAGES;
	const struct image **images = calloc(n, sizeof *images);
	struct image *leaves = calloc(n, sizeof *leaves);
	float *answers = calloc(n * s->n_units, sizeof *answers);
	int rc = 0;

	if (!images || !leaves || !answers)
		rc = error_set(err, -ENOMEM, "no memory to calibrate the subject");
	for (size_t i = 0; i < n && rc == 0; i++) {
		images[i] = settings->n_calibration ? &settings->calibration[i] : &leaves[i];
		if (!settings->n_calibration)
			rc = dead_leaves_make(s->width_px, s->height_px, s->seed, (uint32_t)i, err, &leaves[i]);
	}
	if (rc == 0)
		rc = answer_calibration(s, images, n, err, answers);
	if (rc == 0)
		rc = fit_mappings(s, settings, answers, n, err);
	for (size_t i = 0; i < n && leaves; i++)
		image_done(&leaves[i]);
	free(leaves);
	free(images);
	free(answers);
	return rc;
}

static int create(const struct subject_settings *settings, struct thread_pool *threads, struct error *err,
		  struct subject **ret_subject)
{
	if (settings->fano < 0 || !isfinite(settings->fano))
		return error_set(err, -EINVAL, "Fano factor %g: expected above 0", settings->fano);
	struct subject *s = calloc(1, sizeof *s);
	if (!s)
		return error_set(err, -ENOMEM, "no memory for a subject");
	s->threads = threads;
	s->seed = settings->seed;
	s->fano = settings->fano > 0 ? settings->fano : SUBJECT_FANO_DEFAULT;
	*ret_subject = s;
	return 0;
}

/* What all subjects need once units and size are known. */
static int allocate_units(struct subject *s, const struct subject_settings *settings, struct error *err)
{
	if (s->n_units > SUBJECT_UNITS_MAX)
		return error_set(err, -EINVAL, "%u units: a subject may have at most %d", s->n_units,
				 SUBJECT_UNITS_MAX);
	if ((settings->width_px && settings->width_px != s->width_px) ||
	    (settings->height_px && settings->height_px != s->height_px))
		return error_set(err, -EINVAL, "the subject sees images of %u×%u px, not %u×%u", s->width_px,
				 s->height_px, settings->width_px, settings->height_px);
	s->labels = calloc(s->n_units, sizeof *s->labels);
	s->rates = calloc(s->n_units, sizeof *s->rates);
	if (!s->labels || !s->rates)
		return error_set(err, -ENOMEM, "no memory for %u units", s->n_units);
	return 0;
}

/* Everything that a subject with s->model needs, ending with its calibration. */
static int finish_model(struct subject *s, const struct subject_settings *settings, struct error *err)
{
	s->width_px = s->model->width_px;
	s->height_px = s->model->height_px;
	s->n_units = s->model->n_units;
	int rc = allocate_units(s, settings, err);
	if (rc < 0)
		return rc;
	if (s->model->n_members != 1)
		return error_set(err, -EINVAL, "a subject's model has one member, not %u", s->model->n_members);
	if (settings->means && settings->n_means != s->n_units)
		return error_set(err, -EINVAL, "%zu means for %u units", settings->n_means, s->n_units);
	s->mappings = calloc(s->n_units, sizeof *s->mappings);
	s->cached = calloc(SUBJECT_CACHED_IMAGES, sizeof *s->cached);
	s->cached_rates = calloc((size_t)SUBJECT_CACHED_IMAGES * s->n_units, sizeof *s->cached_rates);
	s->pixels = calloc(SUBJECT_BATCH * n_values(s), sizeof *s->pixels);
	s->answers = calloc((size_t)SUBJECT_BATCH * s->n_units, sizeof *s->answers);
	if (!s->mappings || !s->cached || !s->cached_rates || !s->pixels || !s->answers)
		return error_set(err, -ENOMEM, "no memory for %u units", s->n_units);
	return calibrate(s, settings, err);
}

int subject_create(struct response_model *model, char (*labels)[SUBJECT_LABEL_SIZE], const char *description,
		   const struct subject_settings *settings, struct thread_pool *threads, struct error *err,
		   struct subject **ret_subject)
{
	struct subject *s = NULL;

	int rc = create(settings, threads, err, &s);
	if (rc < 0)
		return rc;
	s->model = model;
	rc = finish_model(s, settings, err);
	if (rc < 0) {
		s->model = NULL;
		subject_destroy(s);
		return rc;
	}
	memcpy(s->labels, labels, s->n_units * sizeof *s->labels);
	snprintf(s->description, sizeof s->description, "%s", description);
	*ret_subject = s;
	return 0;
}

int subject_create_builtin(uint32_t n_neurons, const struct subject_settings *settings, struct thread_pool *threads,
			   struct error *err, struct subject **ret_subject)
{
	static const char *const families[] = {"oriented", "curve", "dot"};
	char labels[BUILTIN_NEURONS_MAX][SUBJECT_LABEL_SIZE];
	char description[DESCRIPTION_SIZE];
	struct response_model *model;

	int rc =
		builtin_neurons_create(n_neurons, settings->height_px, settings->width_px, settings->seed, err, &model);
	if (rc < 0)
		return rc;
	for (uint32_t u = 0; u < n_neurons; u++)
		snprintf(labels[u], sizeof labels[u], "%s-%u", families[u % 3], u);
	snprintf(description, sizeof description, "%u built-in neurons, spiking noise", n_neurons);
	rc = subject_create(model, labels, description, settings, threads, err, ret_subject);
	if (rc < 0)
		response_model_destroy(model);
	return rc;
}

int subject_open_dataset(const char *dir, const char *session, const struct subject_settings *settings,
			 struct thread_pool *threads, struct error *err, struct subject **ret_subject)
{
	struct subject *s = NULL;

	int rc = create(settings, threads, err, &s);
	if (rc < 0)
		return rc;
	rc = recorded_session_open(dir, session, err, &s->recorded);
	if (rc < 0)
		goto out_subject;
	s->width_px = recorded_session_width_px(s->recorded);
	s->height_px = recorded_session_height_px(s->recorded);
	s->n_units = recorded_session_n_neurons(s->recorded);
	rc = allocate_units(s, settings, err);
	if (rc < 0)
		goto out_subject;
	s->n_shown = calloc(recorded_session_n_images(s->recorded), sizeof *s->n_shown);
	if (!s->n_shown) {
		rc = error_set(err, -ENOMEM, "no memory for the showings of each image");
		goto out_subject;
	}
	for (uint32_t u = 0; u < s->n_units; u++)
		snprintf(s->labels[u], SUBJECT_LABEL_SIZE, "%.48s-%u", session, u);
	snprintf(s->description, sizeof s->description, "session %s, %s", session,
		 recorded_session_has_repeats(s->recorded) ? "recorded single counts"
							   : "semi-synthetic: recorded averages with spiking noise");
	*ret_subject = s;
	return 0;
out_subject:
	subject_destroy(s);
	return rc;
}

void subject_destroy(struct subject *subject)
{
	if (!subject)
		return;
	response_model_destroy(subject->model);
	recorded_session_close(subject->recorded);
	free(subject->labels);
	free(subject->mappings);
	free(subject->cached);
	free(subject->cached_rates);
	free(subject->pixels);
	free(subject->answers);
	free(subject->n_shown);
	free(subject->rates);
	free(subject);
}

uint32_t subject_n_units(const struct subject *subject)
{
	return subject->n_units;
}

uint32_t subject_width_px(const struct subject *subject)
{
	return subject->width_px;
}

uint32_t subject_height_px(const struct subject *subject)
{
	return subject->height_px;
}

const char *subject_unit_label(const struct subject *subject, uint32_t unit)
{
	return subject->labels[unit];
}

const char *subject_description(const struct subject *subject)
{
	return subject->description;
}

static size_t cache_slot(const struct hash *hash)
{
	uint64_t word;

	memcpy(&word, hash->bytes, sizeof word);
	return word % SUBJECT_CACHED_IMAGES;
}

static bool is_cached(const struct subject *s, const struct hash *hash)
{
	const struct cached *cached = &s->cached[cache_slot(hash)];

	return cached->is_used && hash_equal(&cached->hash, hash);
}

/* Rates of up to SUBJECT_BATCH images into the cache. */
static int fill_cache(struct subject *s, const struct image *const *images, const struct hash *hashes, size_t n,
		      struct error *err)
{
	int rc = ask_model(s, images, n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		size_t slot = cache_slot(&hashes[i]);
		s->cached[slot] = (struct cached){.hash = hashes[i], .is_used = 1};
		for (uint32_t u = 0; u < s->n_units; u++)
			s->cached_rates[slot * s->n_units + u] =
				rate_mapping_rate(&s->mappings[u], s->answers[i * s->n_units + u]);
	}
	return 0;
}

int subject_prepare(struct subject *subject, const struct image *images, size_t n, struct error *err)
{
	const struct image *missing[SUBJECT_BATCH];
	struct hash hashes[SUBJECT_BATCH];
	size_t n_missing = 0;

	if (!subject->model)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int rc = check_size(subject, &images[i], err);
		if (rc < 0)
			return rc;
		image_hash(&images[i], &hashes[n_missing]);
		if (!is_cached(subject, &hashes[n_missing]))
			missing[n_missing++] = &images[i];
		if (n_missing == SUBJECT_BATCH || (i + 1 == n && n_missing > 0)) {
			rc = fill_cache(subject, missing, hashes, n_missing, err);
			if (rc < 0)
				return rc;
			n_missing = 0;
		}
	}
	return 0;
}

static int find_recorded(const struct subject *s, const struct image *image, struct error *err, size_t *ret_i)
{
	char hex[HASH_HEX_SIZE];
	struct hash hash;

	image_hash(image, &hash);
	if (recorded_session_find(s->recorded, &hash, ret_i) == 0)
		return 0;
	hash_to_hex(&hash, hex);
	return error_set(err, -ENOENT, "image %.12s was not shown in the recorded session", hex);
}

int subject_rates(struct subject *subject, const struct image *image, struct error *err, float *ret_rates)
{
	struct hash hash;
	size_t i;

	int rc = check_size(subject, image, err);
	if (rc < 0)
		return rc;
	if (subject->recorded) {
		rc = find_recorded(subject, image, err, &i);
		if (rc < 0)
			return rc;
		recorded_session_mean(subject->recorded, i, ret_rates);
		return 0;
	}
	image_hash(image, &hash);
	if (!is_cached(subject, &hash))
		rc = fill_cache(subject, &image, &hash, 1, err);
	if (rc < 0)
		return rc;
	memcpy(ret_rates, subject->cached_rates + cache_slot(&hash) * subject->n_units,
	       subject->n_units * sizeof *ret_rates);
	return 0;
}

/* Which repeat the k-th showing of image i gives: repeats in the order of a random number each, over and over. */
static size_t repeat_of_showing(const struct subject *s, size_t i, uint32_t k)
{
	uint32_t n = (uint32_t)recorded_session_n_repeats(s->recorded, i), found = 0;
	struct rng rng = rng_make(s->seed, (uint32_t)i, RNG_SUBJECT, RNG_SUBJECT_REPEATS);

	for (uint32_t r = 0; r < n; r++) {
		uint32_t rank = 0, mine = rng_u32(&rng, r);
		for (uint32_t other = 0; other < n; other++) {
			uint32_t theirs = rng_u32(&rng, other);
			rank += theirs < mine || (theirs == mine && other < r);
		}
		if (rank == k % n)
			found = r;
	}
	return found;
}

static int respond_recorded(struct subject *s, const struct image *image, struct error *err, uint16_t *ret_counts)
{
	size_t i;

	int rc = find_recorded(s, image, err, &i);
	if (rc < 0)
		return rc;
	uint32_t k = s->n_shown[i]++;
	if (k >= recorded_session_n_repeats(s->recorded, i))
		s->n_wraps++;
	recorded_session_repeat(s->recorded, i, repeat_of_showing(s, i, k), s->rates);
	for (uint32_t u = 0; u < s->n_units; u++)
		ret_counts[u] = (uint16_t)lrintf(s->rates[u]);
	return 0;
}

int subject_respond(struct subject *subject, const struct image *image, uint64_t presentation_number, struct error *err,
		    uint16_t *ret_counts)
{
	struct rng rng = rng_make(subject->seed, 0, RNG_SPIKES, 0);

	if (subject->recorded && recorded_session_has_repeats(subject->recorded))
		return respond_recorded(subject, image, err, ret_counts);
	int rc = subject_rates(subject, image, err, subject->rates);
	if (rc < 0)
		return rc;
	for (uint32_t u = 0; u < subject->n_units; u++) {
		double mean = fmax(subject->rates[u], RATE_MAPPING_MIN);
		uint32_t count = rng_count(&rng, presentation_number * SUBJECT_UNITS_MAX + u, mean, subject->fano);
		ret_counts[u] = (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX);
	}
	return 0;
}

uint64_t subject_n_wraps(const struct subject *subject)
{
	return subject->n_wraps;
}
