/* One statement gives the rows of all kinds in order; a page ends when the next row would not fit. */
#include "daemon/store/page.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* Columns of SQL_PAGE. */
enum {
	COLUMN_SEQ,
	COLUMN_KIND,
	COLUMN_IMAGE,
	COLUMN_IMAGE_KIND,
	COLUMN_ROLE,
	COLUMN_PNG,
	COLUMN_RUN_INDEX,
	COLUMN_RUN,
	COLUMN_NUMBER,
	COLUMN_BATCH,
	COLUMN_SLOT,
	COLUMN_RESPONSES,
	COLUMN_MASK,
	COLUMN_SUBJECT,
};

enum { FIRST_ROWS = 64 };

/* Appends a zeroed row; the array doubles, so the arena holds at most twice what is used. */
static struct store_row *add_row(struct store_page *page, size_t *n_room, struct arena *arena)
{
	if (page->n_rows == *n_room) {
		size_t n = *n_room ? 2 * *n_room : FIRST_ROWS;
		struct store_row *rows = arena_alloc(arena, n * sizeof *rows);

		if (!rows)
			return NULL;
		if (page->n_rows)
			memcpy(rows, page->rows, page->n_rows * sizeof *rows);
		page->rows = rows;
		*n_room = n;
	}
	memset(&page->rows[page->n_rows], 0, sizeof *page->rows);
	return &page->rows[page->n_rows];
}

static int copy_blob(const struct query *query, int column, struct arena *arena, const void **ret_data,
		     size_t *ret_size)
{
	size_t size;
	const void *data = query_get_blob(query, column, &size);

	if (!size)
		return 0;
	*ret_data = arena_copy(arena, data, size);
	*ret_size = size;
	return *ret_data ? 0 : -ENOMEM;
}

static size_t row_bytes(const struct query *query)
{
	size_t png, responses, mask;

	query_get_blob(query, COLUMN_PNG, &png);
	query_get_blob(query, COLUMN_RESPONSES, &responses);
	query_get_blob(query, COLUMN_MASK, &mask);
	return sizeof(struct store_row) + png + responses + mask;
}

static int read_presentation(const struct query *query, struct arena *arena, struct error *err, struct store_row *row)
{
	size_t n;

	if (sodium_hex2bin(row->run, RUN_SIZE, query_get_text(query, COLUMN_RUN), 2 * RUN_SIZE, NULL, &n, NULL) ||
	    n != RUN_SIZE)
		return error_set(err, -EIO, "run: %d hex digits expected, found \"%.64s\"", 2 * RUN_SIZE,
				 query_get_text(query, COLUMN_RUN));
	row->run_index = query_get_int(query, COLUMN_RUN_INDEX);
	row->number = query_get_int(query, COLUMN_NUMBER);
	row->batch = query_get_int(query, COLUMN_BATCH);
	row->slot = query_is_null(query, COLUMN_SLOT) ? -1 : query_get_int(query, COLUMN_SLOT);
	row->subject_seq = row->kind == STORE_ROW_WITHDRAWN ? query_get_int(query, COLUMN_SUBJECT) : 0;
	if (row->kind == STORE_ROW_WITHDRAWN)
		return 0;
	if (copy_blob(query, COLUMN_RESPONSES, arena, &row->responses, &row->responses_size) ||
	    copy_blob(query, COLUMN_MASK, arena, &row->mask, &row->mask_size))
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int read_row(const struct query *query, struct arena *arena, struct error *err, struct store_row *row)
{
	row->seq = query_get_int(query, COLUMN_SEQ);
	row->kind = (enum store_row_kind)query_get_int(query, COLUMN_KIND);
	if (hash_from_hex(query_get_text(query, COLUMN_IMAGE), &row->image))
		return error_set(err, -EIO, "image: 64 hex digits expected, found \"%.80s\"",
				 query_get_text(query, COLUMN_IMAGE));
	switch (row->kind) {
	case STORE_ROW_IMAGE:
		snprintf(row->image_kind, sizeof row->image_kind, "%s", query_get_text(query, COLUMN_IMAGE_KIND));
		snprintf(row->role, sizeof row->role, "%s", query_get_text(query, COLUMN_ROLE));
		if (copy_blob(query, COLUMN_PNG, arena, &row->png, &row->png_size))
			return error_set(err, -ENOMEM, "out of memory");
		return 0;
	case STORE_ROW_PRESENTATION:
	case STORE_ROW_WITHDRAWN:
		return read_presentation(query, arena, err, row);
	}
	return 0;
}

/* Through what seq rows may be given: nothing that is not committed yet can be promised. */
static int last_committed(struct sql *sql, int64_t through_seq, struct error *err, int64_t *ret_through)
{
	int64_t last;
	int r = sql_read_int(sql, SQL_LAST_SEQ, err, &last);

	if (!r)
		*ret_through = last < through_seq ? last : through_seq;
	return r;
}

int page_read(struct sql *sql, int64_t from_seq, int64_t through_seq, int64_t max_bytes, struct arena *arena,
	      struct error *err, struct store_page *ret_page)
{
	struct store_page page = {.through_seq = from_seq};
	size_t n_room = 0, n_bytes = 0;
	size_t limit = max_bytes <= 0 || max_bytes > STORE_PAGE_BYTES_MAX ? STORE_PAGE_BYTES_MAX : (size_t)max_bytes;
	struct query query;
	int64_t through;
	int r = last_committed(sql, through_seq, err, &through);

	if (r)
		return r;
	query = query_begin(sql, SQL_PAGE);
	query_int(&query, from_seq);
	query_int(&query, through);
	while ((r = query_step(&query, err)) == 1) {
		struct store_row *row;

		n_bytes += row_bytes(&query);
		if (page.n_rows && n_bytes > limit) {
			page.more = true;
			break;
		}
		row = add_row(&page, &n_room, arena);
		r = row ? read_row(&query, arena, err, row) : error_set(err, -ENOMEM, "out of memory");
		if (r)
			break;
		page.through_seq = row->seq;
		page.n_rows++;
	}
	if (r) /* the statement still has rows: the page is full, or a row could not be taken */
		query_end(&query);
	if (r < 0)
		return r;
	if (!page.more && through > from_seq)
		page.through_seq = through;
	*ret_page = page;
	return 0;
}

int page_read_image(struct sql *sql, const struct hash *image, struct arena *arena, struct error *err,
		    const void **ret_png, size_t *ret_size)
{
	struct query query = query_begin(sql, SQL_READ_IMAGE);
	char hex[HASH_HEX_SIZE];
	const void *png = NULL;
	size_t size = 0;
	int r;

	hash_to_hex(image, hex);
	query_text(&query, hex);
	r = query_step(&query, err);
	if (r < 0)
		return r;
	if (!r)
		return error_set(err, -ENOENT, "image: one of the session expected, found %s", hex);
	r = copy_blob(&query, 0, arena, &png, &size);
	query_end(&query);
	if (r)
		return error_set(err, r, "out of memory");
	*ret_png = png;
	*ret_size = size;
	return 0;
}
