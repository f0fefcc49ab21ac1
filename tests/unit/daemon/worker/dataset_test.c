/* Rows to arrays: what is seen at a seq depends on the rows at or before it alone; missing, withdrawn, contradicting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/worker/dataset.h"
#include "daemon/worker/pipe_fields.h"
#include "samples.h"

enum { N_IMAGES = 4, N_UNITS = 2 };

struct fixture {
	struct session_spec spec;
	struct sample_backbone backbone;
	struct thread_pool *threads;
	struct dataset *dataset;
	void *png[N_IMAGES];
	size_t png_size[N_IMAGES];
	struct hash hash[N_IMAGES];
};

/* [unit, bin]; the target is the sum of bins 1 and 2. */
static const uint16_t responses[3][6] = {{9, 1, 2, 9, 3, 4}, {0, 5, 5, 0, 6, 0}, {1, 0, 0, 1, 1, 1}};
static const uint8_t mask[6] = {1, 0, 0, 0, 0, 1}; /* a bin outside the target, and one inside of unit 1 */

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_int_equal(sample_spec(&f->spec, NULL), 0);
	sample_backbone_init(&f->backbone);
	assert_int_equal(thread_pool_create(1, NULL, &f->threads), 0);
	assert_int_equal(dataset_create(NULL, &f->dataset), 0);
	for (int i = 0; i < N_IMAGES; i++)
		assert_int_equal(sample_png((uint8_t)(10 * i), &f->png[i], &f->png_size[i], &f->hash[i]), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < N_IMAGES; i++)
		free(f->png[i]);
	dataset_destroy(f->dataset);
	thread_pool_destroy(f->threads);
	session_spec_done(&f->spec);
	free(f);
	return 0;
}

static struct store_row image_row(const struct fixture *f, int64_t seq, int image, const char *role)
{
	struct store_row row = {.seq = seq, .kind = STORE_ROW_IMAGE, .image = f->hash[image]};

	strcpy(row.role, role);
	row.png = f->png[image];
	row.png_size = f->png_size[image];
	return row;
}

static struct store_row presentation_row(const struct fixture *f, int64_t seq, int image, int r)
{
	return (struct store_row){.seq = seq,
				  .kind = STORE_ROW_PRESENTATION,
				  .image = f->hash[image],
				  .number = seq,
				  .responses = responses[r],
				  .responses_size = sizeof responses[r]};
}

static void take(struct fixture *f, const struct store_row *rows, size_t n)
{
	struct error err;
	int r = dataset_take(f->dataset, &f->spec, rows, n, n ? rows[n - 1].seq : 0, &err);

	if (r)
		fail_msg("%s", err.text);
}

/* Two monitor images, one to train on, one sealed; five presentations. */
static void take_sample(struct fixture *f)
{
	struct store_row rows[] = {
		image_row(f, 1, 0, ROLE_MONITOR), image_row(f, 2, 1, ""),	image_row(f, 3, 2, ROLE_SEALED),
		presentation_row(f, 5, 1, 0),	  presentation_row(f, 6, 0, 1), image_row(f, 7, 3, ""),
		presentation_row(f, 8, 1, 2),	  presentation_row(f, 9, 2, 0), presentation_row(f, 12, 3, 1),
	};

	rows[6].mask = mask;
	rows[6].mask_size = sizeof mask;
	take(f, rows, sizeof rows / sizeof rows[0]);
}

static void view(struct fixture *f, int64_t saw_seq, struct dataset_view *ret_view)
{
	struct error err;
	int r = dataset_view_init(f->dataset, &f->spec, &f->backbone.base, f->threads, N_UNITS, saw_seq, NULL, &err,
				  ret_view);

	if (r)
		fail_msg("%s", err.text);
}

static void arrays_of_all(void **state)
{
	struct fixture *f = *state;
	struct dataset_view v;

	take_sample(f);
	assert_int_equal(dataset_through_seq(f->dataset), 12);
	view(f, 12, &v);
	assert_int_equal(v.data.n_presentations, 5);
	assert_int_equal(v.data.n_images, 4);
	/* Numbered as first shown: images 1, 0, 2, 3. */
	assert_int_equal(v.image[0], 0);
	assert_int_equal(v.image[1], 1);
	assert_int_equal(v.image[2], 0);
	assert_int_equal(v.image[4], 3);
	assert_float_equal(v.data.features[0], 10.0F, 0.0F);
	assert_float_equal(v.data.features[SAMPLE_FEATURES], 0.0F, 0.0F);
	assert_float_equal(v.data.features[3 * SAMPLE_FEATURES], 30.0F, 0.0F);
	assert_int_equal(v.monitor[1], 1);
	assert_int_equal(v.monitor[0] + v.monitor[2] + v.monitor[3], 0);
	assert_int_equal(v.held_out[2], 1);
	assert_int_equal(v.held_out[0] + v.held_out[1] + v.held_out[3], 0);
	/* Sums over the target bins. */
	assert_float_equal(v.counts[0], 3.0F, 0.0F);
	assert_float_equal(v.counts[1], 7.0F, 0.0F);
	assert_float_equal(v.counts[2], 10.0F, 0.0F);
	assert_float_equal(v.counts[3], 6.0F, 0.0F);
	/* A missing bin outside the target costs nothing, one inside makes the response missing. */
	assert_int_equal(v.valid[4], 1);
	assert_int_equal(v.valid[5], 0);
	dataset_view_done(&v);
}

static void only_what_was_seen(void **state)
{
	struct fixture *f = *state;
	uint32_t shown[N_IMAGES];
	struct dataset_view v;

	take_sample(f);
	view(f, 7, &v);
	assert_int_equal(v.data.n_presentations, 2);
	assert_int_equal(v.data.n_images, 2);
	assert_int_equal(f->backbone.n_images, 2); /* features of what was shown only */
	dataset_view_done(&v);
	assert_int_equal(dataset_n_images(f->dataset, 6), 3);
	assert_int_equal(dataset_n_images(f->dataset, 7), 4);
	assert_int_equal(dataset_find(f->dataset, &f->hash[3], 6), DATASET_ABSENT);
	assert_int_equal(dataset_find(f->dataset, &f->hash[3], 7), 3);
	dataset_count_shown(f->dataset, 8, shown);
	assert_int_equal(shown[0], 1);
	assert_int_equal(shown[1], 2);
	assert_int_equal(shown[2], 0);
	assert_int_equal(shown[3], 0);
	/* Later: only what is missing is computed. */
	view(f, 12, &v);
	dataset_view_done(&v);
	view(f, 12, &v);
	dataset_view_done(&v);
	assert_int_equal(f->backbone.n_images, 4);
}

static void withdrawn_from_its_seq_on(void **state)
{
	struct fixture *f = *state;
	struct store_row row = {.seq = 14, .kind = STORE_ROW_WITHDRAWN, .image = f->hash[1], .subject_seq = 5};
	struct dataset_view v;
	uint32_t shown[N_IMAGES];

	take_sample(f);
	take(f, &row, 1);
	view(f, 13, &v);
	assert_int_equal(v.data.n_presentations, 5);
	dataset_view_done(&v);
	view(f, 14, &v);
	assert_int_equal(v.data.n_presentations, 4);
	assert_int_equal(v.image[0], 1);
	dataset_view_done(&v);
	dataset_count_shown(f->dataset, 14, shown);
	assert_int_equal(shown[1], 1);
}

static void a_page_again_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct dataset_view v;

	take_sample(f);
	take_sample(f);
	view(f, 12, &v);
	assert_int_equal(v.data.n_presentations, 5);
	assert_int_equal(v.data.n_images, 4);
	dataset_view_done(&v);
}

/* A unit added later: what was recorded before is missing for it; a fit for the units of then does not see it. */
static void units_added(void **state)
{
	struct fixture *f = *state;
	static const uint16_t three_units[9] = {0, 1, 1, 0, 2, 2, 0, 3, 3};
	json_t *change = json_loads("{\"from_number\": 20, \"add\": [{\"id\": 11, \"label\": \"u11\", \"array\": 0}], "
				    "\"retire\": []}",
				    0, NULL);
	struct store_row row;
	struct dataset_view v;

	take_sample(f);
	assert_int_equal(session_spec_change_units(&f->spec, change, NULL), 0);
	row = presentation_row(f, 20, 1, 0);
	row.responses = three_units;
	row.responses_size = sizeof three_units;
	take(f, &row, 1);
	assert_int_equal(dataset_view_init(f->dataset, &f->spec, &f->backbone.base, f->threads, 3, 20, NULL, NULL, &v),
			 0);
	assert_int_equal(v.data.n_presentations, 6);
	assert_int_equal(v.valid[2], 0);
	assert_int_equal(v.valid[5 * 3 + 2], 1);
	assert_float_equal(v.counts[5 * 3 + 2], 6.0F, 0.0F);
	dataset_view_done(&v);
	view(f, 20, &v);
	assert_float_equal(v.counts[5 * 2 + 1], 4.0F, 0.0F);
	dataset_view_done(&v);
	json_decref(change);
}

static void assert_refused(struct fixture *f, struct store_row row, const char *word)
{
	struct error err;

	assert_int_equal(dataset_take(f->dataset, &f->spec, &row, 1, row.seq, &err), -EPROTO);
	assert_non_null(strstr(err.text, word));
}

static void contradicting_rows(void **state)
{
	struct fixture *f = *state;
	struct store_row row = image_row(f, 1, 0, "");
	struct dataset_view v;
	struct error err;

	take(f, &row, 1);
	assert_refused(f, presentation_row(f, 2, 1, 0), "no row brought");
	row = presentation_row(f, 2, 0, 0);
	row.responses_size--;
	assert_refused(f, row, "do not fit");
	row = presentation_row(f, 2, 0, 0);
	row.mask = mask;
	row.mask_size = 5;
	assert_refused(f, row, "do not fit");
	assert_refused(f, (struct store_row){.seq = 2, .kind = STORE_ROW_WITHDRAWN, .subject_seq = 1}, "withdraws");
	/* One unit where the session has two: known when the arrays are made. */
	row = presentation_row(f, 2, 0, 0);
	row.responses_size = 6;
	take(f, &row, 1);
	assert_int_equal(
		dataset_view_init(f->dataset, &f->spec, &f->backbone.base, f->threads, N_UNITS, 2, NULL, &err, &v),
		-EPROTO);
	assert_non_null(strstr(err.text, "responses of 1 units"));
}

static void image_that_is_none(void **state)
{
	struct fixture *f = *state;
	struct store_row rows[] = {image_row(f, 1, 0, ""), presentation_row(f, 2, 0, 0)};
	struct dataset_view v;
	struct error err;

	rows[0].png_size /= 2;
	take(f, rows, 2);
	assert_int_equal(
		dataset_view_init(f->dataset, &f->spec, &f->backbone.base, f->threads, N_UNITS, 2, NULL, &err, &v),
		-EINVAL);
	assert_non_null(strstr(err.text, "image "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(arrays_of_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_what_was_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(withdrawn_from_its_seq_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_page_again_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(units_added, set_up, tear_down),
		cmocka_unit_test_setup_teardown(contradicting_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(image_that_is_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
