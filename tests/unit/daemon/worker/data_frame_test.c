/* Rows as columns and back, and columns that do not fit together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/data_frame.h"
#include "daemon/worker/pipe_fields.h"

static const uint8_t png[] = {0x89, 'P', 'N', 'G'}, responses[] = {3, 0, 1, 0}, mask[] = {0, 1};

static void make_sample(struct message *ret_message)
{
	struct store_row rows[4] = {
		{.seq = 5, .kind = STORE_ROW_IMAGE, .role = ROLE_MONITOR, .png = png, .png_size = sizeof png},
		{.seq = 6,
		 .kind = STORE_ROW_PRESENTATION,
		 .number = 12,
		 .responses = responses,
		 .responses_size = sizeof responses,
		 .mask = mask,
		 .mask_size = sizeof mask},
		{.seq = 9,
		 .kind = STORE_ROW_PRESENTATION,
		 .run_index = 2,
		 .number = 13,
		 .responses = responses,
		 .responses_size = sizeof responses},
		{.seq = 11, .kind = STORE_ROW_WITHDRAWN, .run_index = 1, .number = 12, .subject_seq = 6},
	};
	struct store_page page = {.through_seq = 11, .n_rows = 4, .rows = rows};

	rows[1].image.bytes[31] = 7;
	assert_int_equal(data_frame_make(&page, NULL, ret_message), 0);
}

static void there_and_back(void **state)
{
	struct message message;
	struct store_row *rows;
	int64_t through_seq;
	size_t n;

	(void)state;
	make_sample(&message);
	assert_int_equal(data_frame_rows(&message, NULL, &through_seq, &n, &rows), 0);
	assert_int_equal(through_seq, 11);
	assert_int_equal(n, 4);
	assert_int_equal(rows[0].seq, 5);
	assert_int_equal(rows[0].kind, STORE_ROW_IMAGE);
	assert_string_equal(rows[0].role, ROLE_MONITOR);
	assert_int_equal(rows[0].png_size, sizeof png);
	assert_memory_equal(rows[0].png, png, sizeof png);
	assert_int_equal(rows[1].number, 12);
	assert_int_equal(rows[1].image.bytes[31], 7);
	assert_memory_equal(rows[1].mask, mask, sizeof mask);
	assert_memory_equal(rows[2].responses, responses, sizeof responses);
	assert_null(rows[2].mask);
	assert_null(rows[2].png);
	assert_int_equal(rows[2].run_index, 2);
	assert_int_equal(rows[3].kind, STORE_ROW_WITHDRAWN);
	assert_int_equal(rows[3].subject_seq, 6);
	free(rows);
	message_done(&message);
}

static void no_rows(void **state)
{
	struct store_page page = {.through_seq = 3};
	struct message message;
	struct store_row *rows;
	int64_t through_seq;
	size_t n;

	(void)state;
	assert_int_equal(data_frame_make(&page, NULL, &message), 0);
	assert_int_equal(data_frame_rows(&message, NULL, &through_seq, &n, &rows), 0);
	assert_int_equal(through_seq, 3);
	assert_int_equal(n, 0);
	assert_null(rows);
	message_done(&message);
}

static struct message_array *array_named(struct message *message, const char *name)
{
	for (size_t i = 0; i < message->n_arrays; i++) {
		if (!strcmp(message->arrays[i].name, name))
			return &message->arrays[i];
	}
	fail_msg("no array %s", name);
	return NULL;
}

static void assert_refused(struct message *message, const char *word)
{
	struct store_row *rows = NULL;
	struct error err;
	int64_t through_seq;
	size_t n;

	assert_int_equal(data_frame_rows(message, &err, &through_seq, &n, &rows), -EPROTO);
	assert_non_null(strstr(err.text, word));
	assert_null(rows);
	message_done(message);
}

static void hostile_columns(void **state)
{
	static const uint32_t huge[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
	static const uint8_t bad[5] = {0, 3, 9, 9, 9};
	struct message message;

	(void)state;
	make_sample(&message);
	array_named(&message, DATA_NUMBER)->size -= 8;
	assert_refused(&message, DATA_NUMBER);

	make_sample(&message);
	array_named(&message, DATA_IMAGE)->dtype = MESSAGE_U16;
	assert_refused(&message, DATA_IMAGE);

	make_sample(&message);
	strcpy(array_named(&message, DATA_BYTES)->name, "other");
	assert_refused(&message, DATA_BYTES);

	make_sample(&message);
	array_named(&message, DATA_PNG_SIZE)->data = huge;
	assert_refused(&message, "beyond its end");

	make_sample(&message);
	array_named(&message, DATA_BYTES)->size -= 1;
	assert_refused(&message, "beyond its end");

	make_sample(&message);
	array_named(&message, DATA_ROW)->data = bad;
	assert_refused(&message, DATA_ROW);

	make_sample(&message);
	array_named(&message, DATA_ROLE)->data = bad + 1;
	assert_refused(&message, DATA_ROLE);

	make_sample(&message);
	json_object_set_new(message.header, DATA_THROUGH_SEQ, json_string("11"));
	assert_refused(&message, DATA_THROUGH_SEQ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(no_rows),
		cmocka_unit_test(hostile_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
