/* Rows of a session in order of seq, for whoever fits models to them: images with their PNG, presentations when they
 * are complete, withdrawals (store.h, enum store_row_kind). */
#ifndef EVOKED_DAEMON_STORE_PAGE_H
#define EVOKED_DAEMON_STORE_PAGE_H

#include "daemon/store/arena.h"
#include "daemon/store/query.h"
#include "daemon/store/store.h"

/* Committed rows of (from_seq, through_seq], at least one if there is one, then up to max_bytes (0 or more than
 * STORE_PAGE_BYTES_MAX: that) of rows, PNG, responses and masks. ret_page lives in the arena. */
int page_read(struct sql *sql, int64_t from_seq, int64_t through_seq, int64_t max_bytes, struct arena *arena,
	      struct error *err, struct store_page *ret_page);

/* The PNG of an image, in the arena. -ENOENT. */
int page_read_image(struct sql *sql, const struct hash *image, struct arena *arena, struct error *err,
		    const void **ret_png, size_t *ret_size);

#endif
