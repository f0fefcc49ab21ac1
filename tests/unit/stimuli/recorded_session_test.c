/* Repeats found by pixels, doubles joined, broken images left out, disagreeing files refused. */
#include "stimuli/recorded_session.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/stimuli/recorded.h"
#include "tests/unit/stimuli/session_folder.h"

static size_t find(const struct recorded_session *recorded, uint32_t index)
{
	struct image image = session_folder_image(index);
	struct hash hash;
	size_t i;

	image_hash(&image, &hash);
	assert_int_equal(recorded_session_find(recorded, &hash, &i), 0);
	image_done(&image);
	return i;
}

static void repeats_are_found_by_pixels(void **state)
{
	/* [2 neurons, 4 images, 2 repeats]; images 1 and 3 have the same pixels, image 2 one repeat, image 4 is broken.
	 */
	const float raw[] = {1, 2, 3, NAN, 4, 5, 6, 7, 10, 20, 30, NAN, 40, 50, 60, 70};
	const uint64_t dims[] = {2, 4, 2};
	struct recorded_session *recorded;
	struct session_folder folder;
	struct error err = {0};
	struct image unknown;
	struct hash hash;
	float values[2];
	size_t i;
	(void)state;

	session_folder_make(&folder);
	session_folder_add(&folder, 0, 0);
	session_folder_add(&folder, 1, 0);
	session_folder_add(&folder, 0, 0);
	session_folder_add(&folder, 2, 1);
	session_folder_responses(&folder, "responses_raw", 3, dims, raw);
	assert_int_equal(recorded_session_open(folder.path, "s1", &err, &recorded), 0);
	assert_true(recorded_session_has_repeats(recorded));
	assert_int_equal(recorded_session_n_neurons(recorded), 2);
	assert_int_equal(recorded_session_n_images(recorded), 2);
	assert_int_equal(recorded_session_width_px(recorded), SESSION_SIDE_PX);

	i = find(recorded, 0);
	assert_int_equal(recorded_session_n_repeats(recorded, i), 4);
	recorded_session_repeat(recorded, i, 3, values);
	assert_true(values[0] == 5 && values[1] == 50);
	recorded_session_mean(recorded, i, values);
	assert_true(values[0] == 3 && values[1] == 30);
	i = find(recorded, 1);
	assert_int_equal(recorded_session_n_repeats(recorded, i), 1);
	unknown = session_folder_image(9);
	image_hash(&unknown, &hash);
	assert_int_equal(recorded_session_find(recorded, &hash, &i), -ENOENT);
	image_done(&unknown);
	recorded_session_close(recorded);
	session_folder_remove(&folder);
}

static void disagreeing_files_are_refused(void **state)
{
	const float partly[] = {1, 2, NAN, 4}, negative[] = {1, 2, -3, 4};
	const uint64_t dims[] = {2, 2}, raw_dims[] = {2, 2, 1}, too_many[] = {1, 4};
	struct recorded_session *recorded = NULL;
	struct session_folder folder;
	struct error err = {0};
	(void)state;

	session_folder_make(&folder);
	assert_int_equal(recorded_session_open(folder.path, "s1", &err, &recorded), -ENOENT);
	assert_int_equal(recorded_session_open(folder.path, "../s1", &err, &recorded), -EINVAL);
	assert_int_equal(recorded_session_open(folder.path, "", &err, &recorded), -EINVAL);
	session_folder_add(&folder, 0, 0);
	session_folder_add(&folder, 1, 0);
	session_folder_responses(&folder, "responses", 2, dims, partly);
	assert_int_equal(recorded_session_open(folder.path, "s1", &err, &recorded), -EINVAL);
	assert_non_null(strstr(err.text, "missing for 1 of 2 neurons"));
	session_folder_responses(&folder, "responses", 2, dims, negative);
	assert_int_equal(recorded_session_open(folder.path, "s1", &err, &recorded), -EINVAL);
	assert_non_null(strstr(err.text, "-3"));
	session_folder_responses(&folder, "responses", 2, too_many, partly);
	assert_int_equal(recorded_session_open(folder.path, "s1", &err, &recorded), -EINVAL);
	assert_non_null(strstr(err.text, "2 images, but responses to 4"));
	session_folder_responses(&folder, "responses", 3, raw_dims, partly);
	assert_int_equal(recorded_session_open(folder.path, "s1", &err, &recorded), -EINVAL);
	assert_null(recorded);
	session_folder_remove(&folder);
}

static void published_session_opens(void **state)
{
	char path[RECORDED_PATH_SIZE];
	struct recorded_session *recorded;
	struct error err = {0};
	size_t n_repeats = 0;
	(void)state;

	if (!recorded_path("responses_raw", path))
		skip();
	*strrchr(path, '/') = '\0';
	assert_int_equal(recorded_session_open(path, "210325", &err, &recorded), 0);
	assert_int_equal(recorded_session_n_neurons(recorded), 50);
	assert_int_equal(recorded_session_n_images(recorded), 640);
	for (size_t i = 0; i < 640; i++) {
		size_t n = recorded_session_n_repeats(recorded, i);
		assert_true(n >= 6 && n <= 10);
		n_repeats += n;
	}
	assert_int_equal(n_repeats, 36 * 6 + 261 * 7 + 294 * 8 + 45 * 9 + 4 * 10);
	recorded_session_close(recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeats_are_found_by_pixels),
		cmocka_unit_test(disagreeing_files_are_refused),
		cmocka_unit_test(published_session_opens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
