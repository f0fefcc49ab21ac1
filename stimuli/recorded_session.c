/* Reads responses first, then every image for its hash, then sorts the repeats by image. Responses stay in the array
 * that was read. Fails where shapes disagree, a response is not a count or a repeat is there for some neurons only. */
#include "stimuli/recorded_session.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stimuli/image.h"
#include "support/archive.h"
#include "support/npy.h"

/* One column of the responses, and one repeat in it. */
struct repeat {
	struct hash image;
	uint32_t column, number;
};

struct recorded_session {
	struct npy responses; /* [neurons, images] or [neurons, images, repeats] */
	uint32_t n_neurons, n_columns, n_repeats_max;
	uint32_t width_px, height_px;
	struct repeat *repeats; /* sorted by image, column, number */
	size_t n_repeats;
	size_t *first; /* [n_images + 1]: where each image's repeats begin */
	size_t n_images;
};

static double response(const struct recorded_session *r, uint32_t neuron, uint32_t column, uint32_t number)
{
	return npy_value(&r->responses, ((uint64_t)neuron * r->n_columns + column) * r->n_repeats_max + number);
}

static int read_responses(struct recorded_session *r, const char *dir, const char *session, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/responses_raw/responses_%s.npy", dir, session);
	bool is_raw = access(path, F_OK) == 0;
	if (!is_raw)
		snprintf(path, sizeof path, "%s/responses/responses_%s.npy", dir, session);
	int rc = npy_read(path, err, &r->responses);
	if (rc < 0)
		return rc;
	uint32_t n_dims_wanted = is_raw ? 3 : 2;
	const uint64_t *dims = r->responses.dims;
	if (r->responses.n_dims != n_dims_wanted)
		return error_set(err, -EINVAL, "%s: %u dimensions, %u expected", path, r->responses.n_dims,
				 n_dims_wanted);
	if (dims[0] < 1 || dims[0] > RECORDED_SESSION_NEURONS_MAX || dims[1] < 1 || dims[1] > UINT32_MAX ||
	    (is_raw && (dims[2] < 1 || dims[2] > UINT32_MAX)))
		return error_set(err, -EINVAL, "%s: %llu neurons, %llu images: 1 to %d neurons and an image expected",
				 path, (unsigned long long)dims[0], (unsigned long long)dims[1],
				 RECORDED_SESSION_NEURONS_MAX);
	r->n_neurons = (uint32_t)dims[0];
	r->n_columns = (uint32_t)dims[1];
	r->n_repeats_max = is_raw ? (uint32_t)dims[2] : 1;
	return 0;
}

/* 1: there, 0: no neuron has it, or -EINVAL. */
static int repeat_exists(const struct recorded_session *r, uint32_t column, uint32_t number, struct error *err)
{
	uint32_t n_missing = 0;

	for (uint32_t u = 0; u < r->n_neurons; u++) {
		double value = response(r, u, column, number);
		if (isnan(value))
			n_missing++;
		else if (!(value >= 0 && value <= RECORDED_SESSION_RESPONSE_MAX))
			return error_set(err, -EINVAL, "neuron %u, image %u, repeat %u: response %g, 0 to %d expected",
					 u, column + 1, number, value, RECORDED_SESSION_RESPONSE_MAX);
	}
	if (n_missing != 0 && n_missing != r->n_neurons)
		return error_set(err, -EINVAL, "image %u, repeat %u: missing for %u of %u neurons", column + 1, number,
				 n_missing, r->n_neurons);
	return n_missing == 0;
}

static int add_column(struct recorded_session *r, uint32_t column, const struct hash *image, struct error *err)
{
	for (uint32_t number = 0; number < r->n_repeats_max; number++) {
		int rc = repeat_exists(r, column, number, err);
		if (rc < 0)
			return rc;
		if (rc == 1)
			r->repeats[r->n_repeats++] =
				(struct repeat){.image = *image, .column = column, .number = number};
	}
	return 0;
}

/* Decodes the image of one column for its hash; one that is broken is left out. */
static int read_column(struct recorded_session *r, struct archive *archive, uint32_t column, struct error *err)
{
	struct image image;
	struct hash hash;
	void *data;
	size_t size;

	int rc = archive_read(archive, column, IMAGE_FILE_MAX, err, &data, &size);
	if (rc == 0) {
		rc = image_decode(data, size, err, &image);
		free(data);
	}
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	if (r->width_px == 0) {
		r->width_px = image.width_px;
		r->height_px = image.height_px;
	}
	if (image.width_px != r->width_px || image.height_px != r->height_px)
		rc = error_set(err, -EINVAL, "%s: %u×%u px, those before have %u×%u", archive_name(archive, column),
			       image.width_px, image.height_px, r->width_px, r->height_px);
	image_hash(&image, &hash);
	image_done(&image);
	return rc < 0 ? rc : add_column(r, column, &hash, err);
}

static int read_images(struct recorded_session *r, const char *dir, const char *session, struct error *err)
{
	char path[PATH_MAX];
	struct archive *archive;

	snprintf(path, sizeof path, "%s/images/images_%s.zip", dir, session);
	int rc = archive_open(path, err, &archive);
	if (rc < 0)
		return rc;
	if (archive_n_entries(archive) != r->n_columns)
		rc = error_set(err, -EINVAL, "%s: %zu images, but responses to %u", path, archive_n_entries(archive),
			       r->n_columns);
	r->repeats = reallocarray(NULL, (size_t)r->n_columns * r->n_repeats_max, sizeof *r->repeats);
	if (rc == 0 && !r->repeats)
		rc = error_set(err, -ENOMEM, "no memory for %u images", r->n_columns);
	for (uint32_t column = 0; column < r->n_columns && rc == 0; column++)
		rc = read_column(r, archive, column, err);
	archive_close(archive);
	return rc;
}

static int by_image(const void *a, const void *b)
{
	const struct repeat *x = a, *y = b;
	int order = memcmp(x->image.bytes, y->image.bytes, HASH_SIZE);

	if (order == 0)
		order = (x->column > y->column) - (x->column < y->column);
	return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int sort_by_image(struct recorded_session *r, struct error *err)
{
	if (r->n_repeats == 0)
		return error_set(err, -EINVAL, "no image that can be decoded has a response");
	qsort(r->repeats, r->n_repeats, sizeof *r->repeats, by_image);
	r->first = reallocarray(NULL, r->n_repeats + 1, sizeof *r->first);
	if (!r->first)
		return error_set(err, -ENOMEM, "no memory for %zu repeats", r->n_repeats);
	for (size_t k = 0; k < r->n_repeats; k++)
		if (k == 0 || !hash_equal(&r->repeats[k].image, &r->repeats[k - 1].image))
			r->first[r->n_images++] = k;
	r->first[r->n_images] = r->n_repeats;
	return 0;
}

int recorded_session_open(const char *dir, const char *session, struct error *err,
			  struct recorded_session **ret_recorded)
{
	if (strlen(session) < 1 || strlen(session) > RECORDED_SESSION_NAME_MAX || strchr(session, '/'))
		return error_set(err, -EINVAL, "session \"%.64s\": a plain name such as 210325 expected", session);
	struct recorded_session *r = calloc(1, sizeof *r);
	if (!r)
		return error_set(err, -ENOMEM, "no memory for a recorded session");
	int rc = read_responses(r, dir, session, err);
	if (rc == 0)
		rc = read_images(r, dir, session, err);
	if (rc == 0)
		rc = sort_by_image(r, err);
	if (rc < 0) {
		recorded_session_close(r);
		return error_prefix(err, rc, "recorded session %s", session);
	}
	*ret_recorded = r;
	return 0;
}

void recorded_session_close(struct recorded_session *recorded)
{
	if (!recorded)
		return;
	npy_done(&recorded->responses);
	free(recorded->repeats);
	free(recorded->first);
	free(recorded);
}

uint32_t recorded_session_n_neurons(const struct recorded_session *recorded)
{
	return recorded->n_neurons;
}

size_t recorded_session_n_images(const struct recorded_session *recorded)
{
	return recorded->n_images;
}

uint32_t recorded_session_width_px(const struct recorded_session *recorded)
{
	return recorded->width_px;
}

uint32_t recorded_session_height_px(const struct recorded_session *recorded)
{
	return recorded->height_px;
}

bool recorded_session_has_repeats(const struct recorded_session *recorded)
{
	return recorded->responses.n_dims == 3;
}

int recorded_session_find(const struct recorded_session *recorded, const struct hash *image, size_t *ret_i)
{
	size_t low = 0, high = recorded->n_images;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(image->bytes, recorded->repeats[recorded->first[middle]].image.bytes, HASH_SIZE);
		if (order == 0) {
			*ret_i = middle;
			return 0;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}

size_t recorded_session_n_repeats(const struct recorded_session *recorded, size_t i)
{
	return recorded->first[i + 1] - recorded->first[i];
}

void recorded_session_repeat(const struct recorded_session *recorded, size_t i, size_t r, float *ret_responses)
{
	const struct repeat *repeat = &recorded->repeats[recorded->first[i] + r];

	for (uint32_t u = 0; u < recorded->n_neurons; u++)
		ret_responses[u] = (float)response(recorded, u, repeat->column, repeat->number);
}

void recorded_session_mean(const struct recorded_session *recorded, size_t i, float *ret_means)
{
	size_t n = recorded_session_n_repeats(recorded, i);

	for (uint32_t u = 0; u < recorded->n_neurons; u++) {
		double sum = 0;
		for (size_t k = recorded->first[i]; k < recorded->first[i + 1]; k++)
			sum += response(recorded, u, recorded->repeats[k].column, recorded->repeats[k].number);
		ret_means[u] = (float)(sum / (double)n);
	}
}
