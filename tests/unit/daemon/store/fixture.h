/* A session file in a folder of its own, and operations that are waited for: what the tests of the store share. */
#ifndef EVOKED_TESTS_STORE_FIXTURE_H
#define EVOKED_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/store.h"

enum { FIXTURE_UNITS = 3, FIXTURE_RESPONSES = 6 /* u16 of 3 units, one bin */ };

/* Answers are copied here by `done` before the operation goes. */
struct fixture_answer {
	int status;
	struct error error;
	int64_t seq, committed_us;
	enum store_result results[128];
	size_t n_refusals;
	struct presentation_refusal refusals[16];
	size_t n_rows;
	bool more;
	int64_t through_seq;
	struct store_row rows[256]; /* their bytes are gone */
	char first_png[64];
	char read_data[64];
	size_t read_size;
};

struct fixture {
	char dir[64], path[96];
	struct store *store;
	struct session_unit units[FIXTURE_UNITS];
	struct session_spec spec;
	sem_t woken;
	uint8_t run[RUN_SIZE];
	uint16_t counts[FIXTURE_UNITS];
	struct fixture_answer answer;
	size_t n_done;
};

void fixture_start(struct fixture *f);
/* A folder, a file, and a store that is not started. */
void fixture_init(struct fixture *f);
/* The file again, when the folder has lost it. */
void fixture_create(struct fixture *f);
void fixture_done(struct fixture *f);
void fixture_reopen(struct fixture *f);
void fixture_submit(struct fixture *f, struct store_op *op);
/* Submits and waits; the answer is in f->answer. */
const struct fixture_answer *fixture_run(struct fixture *f, struct store_op *op);
void fixture_ok(struct fixture *f, struct store_op *op);
struct hash fixture_hash(const char *name);
struct store_op *fixture_op(struct fixture *f, enum store_op_kind kind);
void fixture_hello(struct fixture *f);
/* Images named by their hash's text; their "PNG" is the name. */
void fixture_add_images(struct store_op *op, const char *const *names, size_t n, const char *kind, const char *role);
void fixture_images(struct fixture *f, const char *const *names, size_t n);
struct store_op *fixture_decision(struct fixture *f, int64_t decision, const char *kind);
/* A decision with a slot for each image. batch 0: stock. */
struct store_op *fixture_slots(struct fixture *f, int64_t decision, int64_t batch, const char *origin,
			       const char *const *names, size_t n);
struct store_op *fixture_number(struct fixture *f, int64_t batch, const char *origin, int64_t decision);
struct store_op *fixture_handover(struct fixture *f, int64_t batch, const char *origin);
/* A batch of the session's own that was handed over. */
void fixture_batch(struct fixture *f, int64_t decision, int64_t batch, const char *const *names, size_t n);
/* n presentations of batch 1 from `number` on, slot by slot; counts are number, number + 1, number + 2. */
struct store_op *fixture_presentations(struct fixture *f, int64_t number, size_t n, int64_t batch);
struct store_op *fixture_page(struct fixture *f, int64_t from, int64_t through, int64_t max_bytes);
struct store_op *fixture_amend(struct fixture *f, int64_t number, const char *outcome);
/* One value of the file, by another connection. */
int64_t fixture_read(struct fixture *f, const char *text);

#endif
