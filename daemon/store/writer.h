/* Writes operations into the session file inside the transaction that its caller has begun.
 *
 * Each function below writes one kind of operation whole: 0, an errno of the operation's own (then the caller takes
 * back what it wrote), or a storage error (database_is_storage_error: then the whole transaction is lost). They only
 * add rows. Thread: the store thread. */
#ifndef EVOKED_DAEMON_STORE_WRITER_H
#define EVOKED_DAEMON_STORE_WRITER_H

#include <stdint.h>

#include "daemon/store/query.h"
#include "daemon/store/store.h"

/* Values of log.kind: the names of the tables. */
#define ROW_SESSION	 "session"
#define ROW_VERSION	 "version"
#define ROW_STATE	 "state"
#define ROW_RUN		 "run"
#define ROW_UNIT_CHANGE	 "unit_change"
#define ROW_DECISION	 "decision"
#define ROW_IMAGE	 "image"
#define ROW_BATCH	 "batch"
#define ROW_HANDOVER	 "handover"
#define ROW_MODEL	 "model"
#define ROW_PRESENTATION "presentation"
#define ROW_CONFLICT	 "conflict"
#define ROW_REFUSAL	 "refusal"
#define ROW_AMENDMENT	 "amendment"
#define ROW_NOTE	 "note"
#define ROW_COMMAND	 "command"
#define ROW_EVENT	 "event"

struct writer {
	struct sql sql;
	int64_t last_seq; /* of the newest row, written but perhaps not committed */
	int64_t at_us;	  /* wall clock of this transaction */
};

/* Reads the newest seq. */
int writer_init(struct writer *writer, sqlite3 *db, struct error *err);
void writer_done(struct writer *writer);

/* Writes the row of `log` and says its seq. */
int writer_log(struct writer *writer, const char *kind, struct error *err, int64_t *ret_seq);

/* Any kind but PAGE and IMAGE_READ; fills the operation's answers but status, error and the commit's clocks. */
int writer_write(struct writer *writer, struct store_op *op, struct error *err);

/* The row that begins a session, its units and the versions of program and libraries. */
int writer_write_session(struct writer *writer, const struct store_session *session, struct error *err);
/* A row for each version that is not the one noted last. */
int writer_write_versions(struct writer *writer, struct error *err);
int writer_write_event(struct writer *writer, const char *kind, const char *detail, struct error *err,
		       int64_t *ret_seq);

/* By source file: write_session.c, write_presentations.c, write_decision.c, write_remarks.c. */
int write_run(struct writer *writer, struct store_op *op, struct error *err);
int write_units(struct writer *writer, struct store_op *op, struct error *err);
int write_state(struct writer *writer, struct store_op *op, struct error *err);
int write_presentations(struct writer *writer, struct store_op *op, struct error *err);
int write_amendment(struct writer *writer, struct store_op *op, struct error *err);
int write_images(struct writer *writer, struct store_op *op, struct error *err);
int write_decision(struct writer *writer, struct store_op *op, struct error *err);
int write_batch(struct writer *writer, struct store_op *op, struct error *err);
int write_handover(struct writer *writer, struct store_op *op, struct error *err);
int write_note(struct writer *writer, struct store_op *op, struct error *err);
int write_command(struct writer *writer, struct store_op *op, struct error *err);
int write_event(struct writer *writer, struct store_op *op, struct error *err);

/* The number (1, 2, ...) of a run that said hello; -ENOENT else. */
int writer_find_run(struct writer *writer, const uint8_t run[RUN_SIZE], struct error *err, int64_t *ret_run);
/* 0 for one that did not: an operator's note has no run. */
int writer_find_run_if_any(struct writer *writer, const uint8_t run[RUN_SIZE], struct error *err, int64_t *ret_run);
/* JSON as compact text, keys in the order they have, to be freed; NULL gives NULL. */
int writer_json_text(const json_t *json, struct error *err, char **ret_text);

#endif
