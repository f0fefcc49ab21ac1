/* Results become messages that the daemon's side reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/worker/job.h"
#include "daemon/worker/pipe_fields.h"
#include "samples.h"

static void add_image(struct job_result *result, uint8_t level, struct hash *ret_hash)
{
	struct image image;

	assert_int_equal(image_init(SAMPLE_SIDE_PX, SAMPLE_SIDE_PX, NULL, &image), 0);
	memset(image.rgb, level, (size_t)SAMPLE_SIDE_PX * SAMPLE_SIDE_PX * 3);
	image_hash(&image, ret_hash);
	assert_int_equal(job_result_add_image(result, &image, ret_hash, KIND_GAUDY, ROLE_MONITOR,
					      json_pack("{s:i}", "level", level), NULL),
			 0);
	image_done(&image);
}

static void images_and_scores(void **state)
{
	struct job_result result = {.units_done = 3, .units_planned = 4, .n_tiers = 1, .n_score_rows = 2};
	struct message message;
	struct hash hashes[2];
	char hex[HASH_HEX_SIZE];

	(void)state;
	result.outcome = json_pack("{s:i}", "a", 1);
	result.scores = calloc(2, SCORE_COLUMNS * sizeof(double));
	add_image(&result, 40, &hashes[0]);
	add_image(&result, 50, &hashes[1]);
	assert_int_equal(job_result_message(&result, NULL, &message), 0);
	assert_string_equal(message_type(&message), WORKER_TYPE_RESULT);
	assert_int_equal(json_integer_value(json_object_get(message.header, RESULT_UNITS_DONE)), 3);
	assert_int_equal(json_array_size(json_object_get(message.header, RESULT_IMAGES)), 2);
	const struct message_array *png = message_find_array(&message, RESULT_PNG);
	const struct message_array *scores = message_find_array(&message, RESULT_SCORES);
	assert_non_null(png);
	assert_non_null(scores);
	assert_int_equal(scores->dims[0], 1);
	assert_int_equal(scores->dims[1], 2);
	assert_int_equal(scores->dims[2], SCORE_COLUMNS);
	for (size_t i = 0; i < 2; i++) {
		const json_t *entry = json_array_get(json_object_get(message.header, RESULT_IMAGES), i);
		json_int_t offset = json_integer_value(json_object_get(entry, IMAGE_OFFSET));
		json_int_t size = json_integer_value(json_object_get(entry, IMAGE_SIZE));
		struct image image;
		struct hash hash;

		assert_int_equal(image_decode((const uint8_t *)png->data + offset, (size_t)size, NULL, &image), 0);
		image_hash(&image, &hash);
		image_done(&image);
		hash_to_hex(&hashes[i], hex);
		assert_true(hash_equal(&hash, &hashes[i]));
		assert_string_equal(json_string_value(json_object_get(entry, IMAGE_HASH)), hex);
		assert_string_equal(json_string_value(json_object_get(entry, IMAGE_KIND)), "gaudy");
		assert_string_equal(json_string_value(json_object_get(entry, IMAGE_ROLE)), ROLE_MONITOR);
	}
	message_done(&message);
	job_result_done(&result);
	assert_null(result.outcome);
}

/* No images, no slots, no scores: no arrays either. */
static void bare_result(void **state)
{
	struct job_result result = {.outcome = json_object()};
	struct message message;

	(void)state;
	assert_int_equal(job_result_message(&result, NULL, &message), 0);
	assert_int_equal(message.n_arrays, 0);
	assert_null(json_object_get(message.header, RESULT_SLOTS));
	message_done(&message);
	job_result_done(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_and_scores),
		cmocka_unit_test(bare_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
