/* Columns in one block of memory that the message owns; `bytes` last. Reading checks every column's type and length
 * and that the sizes add up to `bytes` before a pointer is made, so a row never reaches outside the message.
 * Failure modes: -ENOMEM, -E2BIG (frame too large), -EPROTO (not such a message). */
#include "daemon/worker/data_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/worker/pipe_fields.h"

enum column {
	COLUMN_SEQ,
	COLUMN_RUN,
	COLUMN_NUMBER,
	COLUMN_SUBJECT_SEQ,
	COLUMN_PNG_SIZE,
	COLUMN_RESPONSES_SIZE,
	COLUMN_MASK_SIZE,
	COLUMN_ROW,
	COLUMN_ROLE,
	COLUMN_IMAGE,
};
enum { N_COLUMNS = COLUMN_IMAGE + 1 };

/* Wide elements first: each column then begins at a multiple of its element's size. */
static const struct {
	const char *name;
	enum message_dtype dtype;
	size_t size; /* bytes a row */
} columns[N_COLUMNS] = {
	[COLUMN_SEQ] = {DATA_SEQ, MESSAGE_I64, 8},
	[COLUMN_RUN] = {DATA_RUN, MESSAGE_I64, 8},
	[COLUMN_NUMBER] = {DATA_NUMBER, MESSAGE_I64, 8},
	[COLUMN_SUBJECT_SEQ] = {DATA_SUBJECT_SEQ, MESSAGE_I64, 8},
	[COLUMN_PNG_SIZE] = {DATA_PNG_SIZE, MESSAGE_U32, 4},
	[COLUMN_RESPONSES_SIZE] = {DATA_RESPONSES_SIZE, MESSAGE_U32, 4},
	[COLUMN_MASK_SIZE] = {DATA_MASK_SIZE, MESSAGE_U32, 4},
	[COLUMN_ROW] = {DATA_ROW, MESSAGE_U8, 1},
	[COLUMN_ROLE] = {DATA_ROLE, MESSAGE_U8, 1},
	[COLUMN_IMAGE] = {DATA_IMAGE, MESSAGE_U8, HASH_SIZE},
};

static const char *const roles[] = {"", ROLE_MONITOR, ROLE_SEALED};
enum { N_ROLES = sizeof roles / sizeof roles[0] };

static uint8_t role_number(const char *role)
{
	for (uint8_t i = 1; i < N_ROLES; i++) {
		if (!strcmp(role, roles[i]))
			return i;
	}
	return 0;
}

static uint8_t *append(uint8_t *at, const void *data, size_t size)
{
	if (size)
		memcpy(at, data, size);
	return at + size;
}

static void fill_columns(const struct store_page *page, uint8_t *const at[N_COLUMNS], uint8_t *bytes)
{
	for (size_t i = 0; i < page->n_rows; i++) {
		const struct store_row *row = &page->rows[i];
		uint32_t sizes[] = {(uint32_t)row->png_size, (uint32_t)row->responses_size, (uint32_t)row->mask_size};

		memcpy(at[COLUMN_SEQ] + 8 * i, &row->seq, 8);
		memcpy(at[COLUMN_RUN] + 8 * i, &row->run_index, 8);
		memcpy(at[COLUMN_NUMBER] + 8 * i, &row->number, 8);
		memcpy(at[COLUMN_SUBJECT_SEQ] + 8 * i, &row->subject_seq, 8);
		memcpy(at[COLUMN_PNG_SIZE] + 4 * i, &sizes[0], 4);
		memcpy(at[COLUMN_RESPONSES_SIZE] + 4 * i, &sizes[1], 4);
		memcpy(at[COLUMN_MASK_SIZE] + 4 * i, &sizes[2], 4);
		at[COLUMN_ROW][i] = (uint8_t)row->kind;
		at[COLUMN_ROLE][i] = role_number(row->role);
		memcpy(at[COLUMN_IMAGE] + HASH_SIZE * i, row->image.bytes, HASH_SIZE);
		bytes = append(bytes, row->png, row->png_size);
		bytes = append(bytes, row->responses, row->responses_size);
		bytes = append(bytes, row->mask, row->mask_size);
	}
}

int data_frame_make(const struct store_page *page, struct error *err, struct message *ret_message)
{
	struct message message;
	uint64_t n = page->n_rows, n_bytes = 0;
	size_t row_size = 0;
	uint8_t *at[N_COLUMNS], *next;
	int r = message_init(WORKER_TYPE_DATA, -1, &message);

	if (r)
		return error_set(err, r, "data: out of memory");
	for (int c = 0; c < N_COLUMNS; c++)
		row_size += columns[c].size;
	for (size_t i = 0; i < n; i++)
		n_bytes += page->rows[i].png_size + page->rows[i].responses_size + page->rows[i].mask_size;
	message.buffer = next = malloc(n * row_size + n_bytes + 1);
	if (!next || json_object_set_new(message.header, DATA_THROUGH_SEQ, json_integer(page->through_seq))) {
		r = error_set(err, -ENOMEM, "data: out of memory (%llu rows)", (unsigned long long)n);
		goto out_message;
	}
	for (int c = 0; c < N_COLUMNS; c++) {
		at[c] = next;
		next += n * columns[c].size;
		r = message_add_array(&message, columns[c].name, columns[c].dtype, c == COLUMN_IMAGE ? 2 : 1,
				      (uint64_t[]){n, HASH_SIZE}, at[c], err);
		if (r)
			goto out_message;
	}
	r = message_add_array(&message, DATA_BYTES, MESSAGE_BYTES, 1, &n_bytes, next, err);
	if (r)
		goto out_message;
	fill_columns(page, at, next);
	*ret_message = message;
	return 0;

out_message:
	message_done(&message);
	return r;
}

static int find_columns(const struct message *message, struct error *err, size_t *ret_n,
			const uint8_t *ret_at[N_COLUMNS], const struct message_array **ret_bytes)
{
	size_t n = 0;

	for (int c = 0; c < N_COLUMNS; c++) {
		const struct message_array *array = message_find_array(message, columns[c].name);

		if (!array || array->dtype != columns[c].dtype)
			return error_set(err, -EPROTO, "data: an array %s of %s expected", columns[c].name,
					 message_dtype_name(columns[c].dtype));
		if (c == 0)
			n = array->size / columns[c].size;
		if (array->size != n * columns[c].size)
			return error_set(err, -EPROTO, "data.%s: %zu bytes for %zu rows expected, found %zu",
					 columns[c].name, n * columns[c].size, n, array->size);
		ret_at[c] = array->data;
	}
	*ret_bytes = message_find_array(message, DATA_BYTES);
	if (!*ret_bytes)
		return error_set(err, -EPROTO, "data: an array %s expected", DATA_BYTES);
	*ret_n = n;
	return 0;
}

static uint32_t read_u32(const uint8_t *at, size_t i)
{
	uint32_t value;

	memcpy(&value, at + i * sizeof value, sizeof value);
	return value;
}

/* The next `size` bytes, or NULL when there are none. */
static const void *take(const uint8_t **at, size_t size)
{
	const uint8_t *data = *at;

	*at += size;
	return size ? data : NULL;
}

static int read_row(const uint8_t *const at[N_COLUMNS], size_t i, const uint8_t **bytes, const uint8_t *end,
		    struct error *err, struct store_row *ret_row)
{
	uint64_t total;

	*ret_row = (struct store_row){
		.png_size = read_u32(at[COLUMN_PNG_SIZE], i),
		.responses_size = read_u32(at[COLUMN_RESPONSES_SIZE], i),
		.mask_size = read_u32(at[COLUMN_MASK_SIZE], i),
	};
	total = (uint64_t)ret_row->png_size + ret_row->responses_size + ret_row->mask_size;
	if (total > (size_t)(end - *bytes))
		return error_set(err, -EPROTO, "data.%s: row %zu goes beyond its end", DATA_BYTES, i);
	if (at[COLUMN_ROW][i] > STORE_ROW_WITHDRAWN)
		return error_set(err, -EPROTO, "data.%s[%zu]: 0 to %d expected, found %d", DATA_ROW, i,
				 STORE_ROW_WITHDRAWN, at[COLUMN_ROW][i]);
	if (at[COLUMN_ROLE][i] >= N_ROLES)
		return error_set(err, -EPROTO, "data.%s[%zu]: 0 to %d expected, found %d", DATA_ROLE, i, N_ROLES - 1,
				 at[COLUMN_ROLE][i]);
	memcpy(&ret_row->seq, at[COLUMN_SEQ] + 8 * i, 8);
	memcpy(&ret_row->run_index, at[COLUMN_RUN] + 8 * i, 8);
	memcpy(&ret_row->number, at[COLUMN_NUMBER] + 8 * i, 8);
	memcpy(&ret_row->subject_seq, at[COLUMN_SUBJECT_SEQ] + 8 * i, 8);
	memcpy(ret_row->image.bytes, at[COLUMN_IMAGE] + HASH_SIZE * i, HASH_SIZE);
	ret_row->kind = (enum store_row_kind)at[COLUMN_ROW][i];
	strcpy(ret_row->role, roles[at[COLUMN_ROLE][i]]);
	ret_row->png = take(bytes, ret_row->png_size);
	ret_row->responses = take(bytes, ret_row->responses_size);
	ret_row->mask = take(bytes, ret_row->mask_size);
	return 0;
}

int data_frame_rows(const struct message *message, struct error *err, int64_t *ret_through_seq, size_t *ret_n_rows,
		    struct store_row **ret_rows)
{
	const uint8_t *at[N_COLUMNS];
	const struct message_array *bytes = NULL;
	int64_t through_seq;
	size_t n = 0;
	int r = message_get_int(message->header, "data", DATA_THROUGH_SEQ, 0, LIMIT_INTEGER - 1, err, &through_seq);

	if (r)
		return r;
	r = find_columns(message, err, &n, at, &bytes);
	if (r)
		return r;
	struct store_row *rows = n ? calloc(n, sizeof *rows) : NULL;
	if (n && !rows)
		return error_set(err, -ENOMEM, "data: out of memory (%zu rows)", n);
	const uint8_t *next = bytes->data, *end = next + bytes->size;
	for (size_t i = 0; i < n && !r; i++)
		r = read_row(at, i, &next, end, err, &rows[i]);
	if (!r && next != end)
		r = error_set(err, -EPROTO, "data.%s: %zu bytes behind the last row", DATA_BYTES, (size_t)(end - next));
	if (r) {
		free(rows);
		return r;
	}
	*ret_through_seq = through_seq;
	*ret_n_rows = n;
	*ret_rows = rows;
	return 0;
}
