/* Rows of the session file as they travel to the worker: columns of a `data` message (README.md).
 *
 * One JSON object a row would cost the loop thread milliseconds; columns cost it a copy. */
#ifndef EVOKED_DAEMON_WORKER_DATA_FRAME_H
#define EVOKED_DAEMON_WORKER_DATA_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/store/store.h"
#include "protocol/message.h"
#include "support/error.h"

/* A `data` message with the rows of a page. On success the message owns all of its memory. -ENOMEM, -E2BIG. */
int data_frame_make(const struct store_page *page, struct error *err, struct message *ret_message);

/* The rows of a `data` message; they borrow the message's bytes. Fields that do not travel (image_kind, run, batch,
 * slot) are empty. ret_rows is malloc'ed (NULL when there is no row). -EPROTO names the column. */
int data_frame_rows(const struct message *message, struct error *err, int64_t *ret_through_seq, size_t *ret_n_rows,
		    struct store_row **ret_rows);

#endif
