/* Three growing lists (images, presentations, responses) and one matrix of features, all in order of seq, so that "at
 * or before saw_seq" is a prefix of each. An image enters the list of shown ones with its first presentation, and only
 * those get features. A withdrawal marks its presentation with the seq from which it no longer counts.
 *
 * Failure modes: rows that contradict each other (-EPROTO: nothing of the failing row is kept), an image that cannot be
 * decoded, no memory. */
#include "daemon/worker/dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/float_rows.h"
#include "daemon/worker/hash_table.h"
#include "daemon/worker/pipe_fields.h"
#include "stimuli/image.h"

struct presentation_entry {
	int64_t seq, withdrawn_seq; /* withdrawn_seq 0: it counts */
	int64_t number;
	uint32_t run, image; /* image: place among the shown ones */
	uint32_t n_values;
	size_t first_value; /* in values and valid */
};

struct dataset {
	int64_t through_seq;
	uint32_t n_images, images_capacity;
	struct dataset_image *images;
	struct hash_table by_hash;
	uint32_t n_shown, shown_capacity;
	uint32_t *shown; /* -> images */
	int64_t *shown_seq;
	size_t n_presentations, presentations_capacity;
	struct presentation_entry *presentations;
	size_t n_values, values_capacity;
	float *values; /* target responses, in the order of the units of their presentation */
	uint8_t *valid;
	struct float_rows features; /* [shown images with features, n_features]; width 0 before the first */
};

int dataset_create(struct error *err, struct dataset **ret_dataset)
{
	struct dataset *d = calloc(1, sizeof *d);

	if (!d)
		return error_set(err, -ENOMEM, "rows: out of memory");
	*ret_dataset = d;
	return 0;
}

void dataset_destroy(struct dataset *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < d->n_images; i++)
		free(d->images[i].png);
	free(d->images);
	hash_table_done(&d->by_hash);
	free(d->shown);
	free(d->shown_seq);
	free(d->presentations);
	free(d->values);
	free(d->valid);
	float_rows_done(&d->features);
	free(d);
}

/* Makes room for n elements in *array; a failure leaves it as it was. */
static int grow(void **array, size_t n, size_t element, size_t capacity)
{
	if (n <= capacity)
		return 0;
	void *larger = realloc(*array, 2 * n * element);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	return 0;
}

static enum dataset_role role_of(const char *role)
{
	return !strcmp(role, ROLE_MONITOR)  ? DATASET_MONITOR
	       : !strcmp(role, ROLE_SEALED) ? DATASET_SEALED
					    : DATASET_NO_ROLE;
}

static int take_image(struct dataset *d, const struct store_row *row, struct error *err)
{
	if (hash_table_find(&d->by_hash, &row->image) != HASH_TABLE_ABSENT)
		return 0;
	if (grow((void **)&d->images, d->n_images + 1, sizeof *d->images, d->images_capacity))
		return error_set(err, -ENOMEM, "rows: out of memory");
	if (d->n_images == d->images_capacity)
		d->images_capacity = 2 * (d->n_images + 1);
	uint8_t *png = malloc(row->png_size + 1);
	if (!png || hash_table_put(&d->by_hash, &row->image, d->n_images)) {
		free(png);
		return error_set(err, -ENOMEM, "rows: out of memory");
	}
	if (row->png_size)
		memcpy(png, row->png, row->png_size);
	d->images[d->n_images++] = (struct dataset_image){.hash = row->image,
							  .seq = row->seq,
							  .role = role_of(row->role),
							  .shown = DATASET_ABSENT,
							  .png = png,
							  .png_size = row->png_size};
	return 0;
}

static int mark_shown(struct dataset *d, struct dataset_image *image, int64_t seq, struct error *err)
{
	if (image->shown != DATASET_ABSENT)
		return 0;
	if (grow((void **)&d->shown, d->n_shown + 1, sizeof *d->shown, d->shown_capacity) ||
	    grow((void **)&d->shown_seq, d->n_shown + 1, sizeof *d->shown_seq, d->shown_capacity))
		return error_set(err, -ENOMEM, "rows: out of memory");
	if (d->n_shown == d->shown_capacity)
		d->shown_capacity = 2 * (d->n_shown + 1);
	image->shown = d->n_shown;
	d->shown[d->n_shown] = (uint32_t)(image - d->images);
	d->shown_seq[d->n_shown++] = seq;
	return 0;
}

static float response_at(const struct session_spec *spec, const void *responses, size_t i)
{
	return spec->response_type == RESPONSE_COUNTS ? (float)message_read_u16(responses, i)
						      : message_read_f32(responses, i);
}

/* The sum over the target bins of each of n units. */
static void sum_target(const struct session_spec *spec, const struct store_row *row, size_t n, float *ret_values,
		       uint8_t *ret_valid)
{
	const uint8_t *mask = row->mask_size ? row->mask : NULL;

	for (size_t u = 0; u < n; u++) {
		double sum = 0.0;
		uint8_t valid = 1;

		for (uint32_t b = 0; b < spec->target_n_bins; b++) {
			size_t i = u * spec->n_bins + spec->target_first_bin + b;

			if (mask && mask[i])
				valid = 0;
			else
				sum += (double)response_at(spec, row->responses, i);
		}
		ret_values[u] = valid ? (float)sum : 0.0F;
		ret_valid[u] = valid;
	}
}

static int take_presentation(struct dataset *d, const struct session_spec *spec, const struct store_row *row,
			     struct error *err)
{
	size_t element = spec->response_type == RESPONSE_COUNTS ? sizeof(uint16_t) : sizeof(float);
	size_t n_bytes = spec->n_bins * element, n = row->responses_size / n_bytes;
	uint32_t image = hash_table_find(&d->by_hash, &row->image);

	if (image == HASH_TABLE_ABSENT)
		return error_set(err, -EPROTO, "row %lld: a presentation of an image that no row brought",
				 (long long)row->seq);
	if (n * n_bytes != row->responses_size || (row->mask_size && row->mask_size != n * spec->n_bins))
		return error_set(err, -EPROTO, "row %lld: %zu bytes of responses and %zu of mask do not fit %u bins",
				 (long long)row->seq, row->responses_size, row->mask_size, spec->n_bins);
	if (grow((void **)&d->presentations, d->n_presentations + 1, sizeof *d->presentations,
		 d->presentations_capacity) ||
	    grow((void **)&d->values, d->n_values + n, sizeof *d->values, d->values_capacity) ||
	    grow((void **)&d->valid, d->n_values + n, sizeof *d->valid, d->values_capacity))
		return error_set(err, -ENOMEM, "rows: out of memory");
	if (d->n_presentations == d->presentations_capacity)
		d->presentations_capacity = 2 * (d->n_presentations + 1);
	if (d->n_values + n > d->values_capacity)
		d->values_capacity = 2 * (d->n_values + n);
	int r = mark_shown(d, &d->images[image], row->seq, err);
	if (r)
		return r;
	sum_target(spec, row, n, d->values + d->n_values, d->valid + d->n_values);
	d->presentations[d->n_presentations++] = (struct presentation_entry){.seq = row->seq,
									     .number = row->number,
									     .run = (uint32_t)row->run_index,
									     .image = d->images[image].shown,
									     .n_values = (uint32_t)n,
									     .first_value = d->n_values};
	d->n_values += n;
	return 0;
}

static int take_withdrawal(struct dataset *d, const struct store_row *row, struct error *err)
{
	size_t low = 0, high = d->n_presentations;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (d->presentations[middle].seq < row->subject_seq)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == d->n_presentations || d->presentations[low].seq != row->subject_seq)
		return error_set(err, -EPROTO, "row %lld: it withdraws row %lld, which is no presentation",
				 (long long)row->seq, (long long)row->subject_seq);
	if (!d->presentations[low].withdrawn_seq)
		d->presentations[low].withdrawn_seq = row->seq;
	return 0;
}

int dataset_take(struct dataset *d, const struct session_spec *spec, const struct store_row *rows, size_t n,
		 int64_t through_seq, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = 0;

		if (rows[i].seq <= d->through_seq)
			continue;
		switch (rows[i].kind) {
		case STORE_ROW_IMAGE:
			r = take_image(d, &rows[i], err);
			break;
		case STORE_ROW_PRESENTATION:
			r = take_presentation(d, spec, &rows[i], err);
			break;
		case STORE_ROW_WITHDRAWN:
			r = take_withdrawal(d, &rows[i], err);
			break;
		}
		if (r)
			return r;
		d->through_seq = rows[i].seq;
	}
	if (through_seq > d->through_seq)
		d->through_seq = through_seq;
	return 0;
}

int64_t dataset_through_seq(const struct dataset *d)
{
	return d->through_seq;
}

uint32_t dataset_n_images(const struct dataset *d, int64_t saw_seq)
{
	uint32_t n = d->n_images;

	while (n && d->images[n - 1].seq > saw_seq)
		n--;
	return n;
}

const struct dataset_image *dataset_image(const struct dataset *d, uint32_t i)
{
	return &d->images[i];
}

uint32_t dataset_find(const struct dataset *d, const struct hash *hash, int64_t saw_seq)
{
	uint32_t i = hash_table_find(&d->by_hash, hash);

	return i == HASH_TABLE_ABSENT || d->images[i].seq > saw_seq ? DATASET_ABSENT : i;
}

static bool counts_at(const struct presentation_entry *p, int64_t saw_seq)
{
	return p->seq <= saw_seq && !(p->withdrawn_seq && p->withdrawn_seq <= saw_seq);
}

void dataset_count_shown(const struct dataset *d, int64_t saw_seq, uint32_t *ret_counts)
{
	memset(ret_counts, 0, dataset_n_images(d, saw_seq) * sizeof *ret_counts);
	for (size_t i = 0; i < d->n_presentations; i++) {
		if (counts_at(&d->presentations[i], saw_seq))
			ret_counts[d->shown[d->presentations[i].image]]++;
	}
}

static int decode_pixels(const struct dataset_image *entry, const struct backbone *backbone, float *ret_pixels,
			 struct error *err)
{
	char hex[HASH_HEX_SIZE];
	struct image image;
	int r = image_decode(entry->png, entry->png_size, err, &image);

	if (!r && (image.width_px != backbone->width_px || image.height_px != backbone->height_px)) {
		r = error_set(err, -EINVAL, "%u x %u px, the backbone takes %u x %u", image.width_px, image.height_px,
			      backbone->width_px, backbone->height_px);
		image_done(&image);
	}
	if (r) {
		hash_to_hex(&entry->hash, hex);
		return error_prefix(err, r, "image %s", hex);
	}
	image_to_float(&image, ret_pixels);
	image_done(&image);
	return 0;
}

/* Features of the shown images [first, first + n), n at most DATASET_CHUNK_IMAGES; pixels: room for as many. */
static int compute_chunk(struct dataset *d, struct backbone *backbone, struct thread_pool *threads, uint32_t first,
			 uint32_t n, float *pixels, struct error *err)
{
	size_t n_pixels = (size_t)backbone->width_px * backbone->height_px * 3;
	int r;

	for (uint32_t i = 0; i < n; i++) {
		r = decode_pixels(&d->images[d->shown[first + i]], backbone, pixels + i * n_pixels, err);
		if (r)
			return r;
	}
	if (float_rows_resize(&d->features, first + n))
		return error_set(err, -ENOMEM, "features: out of memory (%u images)", first + n);
	r = backbone->ops->features(backbone, threads, pixels, n, err,
				    d->features.data + (size_t)first * d->features.width);
	if (r) {
		d->features.n = first;
		return r;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct dataset_image *image = &d->images[d->shown[first + i]];

		free(image->png);
		image->png = NULL;
	}
	return 0;
}

static int compute_features(struct dataset *d, struct backbone *backbone, struct thread_pool *threads,
			    uint32_t n_wanted, struct job_work *work, struct error *err)
{
	size_t n_pixels = (size_t)backbone->width_px * backbone->height_px * 3;
	int r = 0;

	if (!d->features.width)
		float_rows_init(&d->features, backbone_n_features(backbone));
	if (d->features.n >= n_wanted)
		return 0;
	float *pixels = aligned_alloc(64, (DATASET_CHUNK_IMAGES * n_pixels * sizeof(float) + 63) / 64 * 64);
	if (!pixels)
		return error_set(err, -ENOMEM, "features: out of memory");
	while (d->features.n < n_wanted && !r) {
		uint32_t first = (uint32_t)d->features.n, left = n_wanted - first;

		r = compute_chunk(d, backbone, threads, first,
				  left < DATASET_CHUNK_IMAGES ? left : DATASET_CHUNK_IMAGES, pixels, err);
		if (!r && work)
			r = job_work_pulse(work, "features");
	}
	free(pixels);
	return r;
}

static int fill_presentation(const struct dataset *d, const struct session_spec *spec,
			     const struct presentation_entry *p, uint32_t n_units, struct error *err, float *ret_counts,
			     uint8_t *ret_valid)
{
	uint32_t index[LIMIT_UNITS];
	uint32_t n = session_spec_units_in(spec, p->run, p->number, index);

	if (n != p->n_values)
		return error_set(err, -EPROTO, "row %lld: responses of %u units, the session had %u then",
				 (long long)p->seq, p->n_values, n);
	for (uint32_t u = 0; u < n; u++) {
		if (index[u] >= n_units)
			continue;
		ret_counts[index[u]] = d->values[p->first_value + u];
		ret_valid[index[u]] = d->valid[p->first_value + u];
	}
	return 0;
}

static int fill_view(const struct dataset *d, const struct session_spec *spec, int64_t saw_seq, struct error *err,
		     struct dataset_view *view)
{
	uint32_t n_units = view->data.n_units;
	size_t n = 0;

	for (size_t i = 0; i < d->n_presentations; i++) {
		const struct presentation_entry *p = &d->presentations[i];

		if (!counts_at(p, saw_seq))
			continue;
		int r = fill_presentation(d, spec, p, n_units, err, view->counts + n * n_units,
					  view->valid + n * n_units);
		if (r)
			return r;
		view->image[n++] = p->image;
	}
	for (size_t i = 0; i < view->data.n_images; i++) {
		enum dataset_role role = d->images[d->shown[i]].role;

		view->monitor[i] = role == DATASET_MONITOR;
		view->held_out[i] = role == DATASET_SEALED;
	}
	view->data.n_presentations = n;
	return 0;
}

int dataset_view_init(struct dataset *d, const struct session_spec *spec, struct backbone *backbone,
		      struct thread_pool *threads, uint32_t n_units, int64_t saw_seq, struct job_work *work,
		      struct error *err, struct dataset_view *ret_view)
{
	struct dataset_view view = {.data.n_units = n_units};
	uint32_t n_images = d->n_shown;

	while (n_images && d->shown_seq[n_images - 1] > saw_seq)
		n_images--;
	int r = compute_features(d, backbone, threads, n_images, work, err);
	if (r)
		return r;
	size_t n_cells = d->n_presentations * n_units + 1;
	view.data.n_images = n_images;
	view.data.features = d->features.data;
	view.data.image = view.image = calloc(d->n_presentations + 1, sizeof *view.image);
	view.data.counts = view.counts = calloc(n_cells, sizeof *view.counts);
	view.data.valid = view.valid = calloc(n_cells, 1);
	view.data.monitor = view.monitor = calloc(n_images + 1, 1);
	view.data.held_out = view.held_out = calloc(n_images + 1, 1);
	if (!view.image || !view.counts || !view.valid || !view.monitor || !view.held_out)
		r = error_set(err, -ENOMEM, "rows: out of memory (%zu presentations)", d->n_presentations);
	else
		r = fill_view(d, spec, saw_seq, err, &view);
	if (r) {
		dataset_view_done(&view);
		return r;
	}
	*ret_view = view;
	return 0;
}

void dataset_view_done(struct dataset_view *view)
{
	free(view->image);
	free(view->counts);
	free(view->valid);
	free(view->monitor);
	free(view->held_out);
	*view = (struct dataset_view){0};
}
