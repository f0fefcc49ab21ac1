/* What a daemon that goes on and a reader both need of a session file: its own row with all units, and slots. */
#ifndef EVOKED_DAEMON_STORE_SESSION_ROW_H
#define EVOKED_DAEMON_STORE_SESSION_ROW_H

#include "daemon/store/query.h"
#include "daemon/store/reader.h"

/* The caller frees with reader_session_done. */
int session_row_read(struct sql *sql, struct error *err, struct reader_session *ret_session);

/* The slots that a decision made; malloc'ed, NULL when it made none. */
int session_row_slots(struct sql *sql, int64_t decision, struct error *err, size_t *ret_n,
		      struct store_slot **ret_slots);

/* `text` as JSON; NULL for "". -EINVAL names `what` it is. */
int session_row_json(const char *text, const char *what, struct error *err, json_t **ret_json);

#endif
