/* The session file through its contract: created, opened, written, read again, refused, and alive after a kill. */
#include "tests/unit/daemon/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const images[] = {"a", "b", "c"};

static void a_new_file_has_its_session(void **state)
{
	struct fixture f;
	struct store_session session = {.spec = &f.spec, .config_text = ""};
	struct error err;
	struct store *second = NULL;
	struct stat at;
	char lock[112];

	(void)state;
	fixture_init(&f);
	assert_int_equal(fixture_read(&f,
				      "SELECT count(*) FROM session WHERE seed = 'fedcba9876543210' AND width_px = 112 "
				      "AND height_px = 104 AND session = 'abababababababababababababababab'"),
			 1);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM unit WHERE label = 'ünit ' || unit AND from_number = 1"), 3);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM version WHERE name = 'evoked'"), 1);
	assert_int_equal(fixture_read(&f, "PRAGMA application_id"), 0x45564b44);
	assert_int_equal(fixture_read(&f, "PRAGMA user_version"), 1);
	assert_int_equal(store_open(f.path, &err, &second), -EBUSY);
	snprintf(lock, sizeof lock, "(process %ld)", (long)getpid());
	assert_non_null(strstr(err.text, lock));
	store_close(f.store);
	f.store = NULL;
	assert_int_equal(store_create(f.path, &session, &err, &second), -EEXIST);
	assert_non_null(strstr(err.text, f.path));
	/* Closed, it is one file. */
	snprintf(lock, sizeof lock, "%s.lock", f.path);
	assert_int_equal(stat(lock, &at), -1);
	snprintf(lock, sizeof lock, "%s-wal", f.path);
	assert_int_equal(stat(lock, &at), -1);
	fixture_done(&f);
}

static void what_is_no_session_file_is_refused(void **state)
{
	struct fixture f;
	struct error err;
	struct store *store = NULL;
	char path[128];
	FILE *file;

	(void)state;
	fixture_init(&f);
	assert_int_equal(store_open("/nonexistent/x.db", &err, &store), -ENOENT);
	snprintf(path, sizeof path, "%s/text.db", f.dir);
	file = fopen(path, "w");
	for (int i = 0; i < 100; i++)
		fputs("this is text and no database\n", file);
	fclose(file);
	assert_int_equal(store_open(path, &err, &store), -EINVAL);
	file = fopen(path, "w");
	fclose(file);
	assert_int_equal(store_open(path, &err, &store), -EINVAL);
	assert_non_null(strstr(err.text, "no session in it"));
	assert_null(store);
	fixture_done(&f);
}

static void a_newer_file_is_refused(void **state)
{
	struct fixture f;
	struct error err;
	struct store *store = NULL;
	char command[256];

	(void)state;
	fixture_init(&f);
	store_close(f.store);
	f.store = NULL;
	/* user_version: big-endian at byte 60. */
	snprintf(command, sizeof command,
		 "printf '\\000\\000\\000\\011' | dd of='%s' bs=1 seek=60 conv=notrunc status=none", f.path);
	assert_int_equal(system(command), 0);
	assert_int_equal(store_open(f.path, &err, &store), -ENOTSUP);
	assert_non_null(strstr(err.text, "version 9 of the session file, this program knows up to 1"));
	fixture_done(&f);
}

static void presentations_are_stored_once(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;
	int64_t seq;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	answer = fixture_run(&f, fixture_presentations(&f, 1, 6, 1));
	assert_int_equal(answer->status, 0);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(answer->results[i], STORE_STORED);
	assert_true(answer->committed_us > 0);
	seq = answer->seq;
	answer = fixture_run(&f, fixture_presentations(&f, 4, 6, 1));
	assert_int_equal(answer->results[0], STORE_SAME);
	assert_int_equal(answer->results[2], STORE_SAME);
	assert_int_equal(answer->results[3], STORE_STORED);
	assert_int_equal(answer->seq, seq + 3);
	answer = fixture_run(&f, fixture_presentations(&f, 1, 9, 1));
	assert_int_equal(answer->results[8], STORE_SAME);
	assert_int_equal(answer->seq, seq + 3);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentation"), 9);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM presentation AS p JOIN image AS i ON i.seq = p.image "
				 "WHERE p.number = 5 AND p.trial = 1 AND p.position = 1 AND p.slot = 1 AND "
				 "p.onset_us = 5013 AND p.onset_source = 'photodiode' AND p.outcome = 'complete' AND "
				 "hex(p.responses) = '050006000700' AND p.mask IS NULL AND CAST(i.png AS TEXT) = 'b'"),
		1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) - max(seq) FROM log"), 0);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	fixture_done(&f);
}

static void other_content_is_a_conflict_kept_aside(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	fixture_ok(&f, fixture_presentations(&f, 1, 3, 1));
	for (int again = 0; again < 2; again++) {
		op = fixture_presentations(&f, 1, 3, 1);
		op->presentations[1].outcome = OUTCOME_ARTIFACT;
		answer = fixture_run(&f, op);
		assert_int_equal(answer->status, 0);
		assert_int_equal(answer->results[0], STORE_SAME);
		assert_int_equal(answer->results[1], STORE_CONFLICT);
		assert_int_equal(answer->results[2], STORE_SAME);
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM conflict WHERE number = 2 AND fields ->> 'outcome' = "
					  "'artifact' AND hex(responses) = '020003000400'"),
			 1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentation WHERE outcome = 'complete'"), 3);
	/* A mask that hides nothing is no other content; one that hides something is. */
	op = fixture_presentations(&f, 1, 2, 1);
	op->presentations[0].mask = store_op_copy(op, "\0\0\0", 3);
	op->presentations[0].mask_size = 3;
	op->presentations[1].mask = store_op_copy(op, "\0\1\0", 3);
	op->presentations[1].mask_size = 3;
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_SAME);
	assert_int_equal(answer->results[1], STORE_CONFLICT);
	/* Twice in one block. */
	op = fixture_presentations(&f, 10, 2, 1);
	op->presentations[1].number = 10;
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_STORED);
	assert_int_equal(answer->results[1], STORE_CONFLICT);
	fixture_done(&f);
}

static void unknown_slots_and_images_are_refused_and_settled(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	/* Planned, but not handed over. */
	fixture_ok(&f, fixture_slots(&f, 2, 2, "chosen", images, 3));
	for (int again = 0; again < 2; again++) {
		op = fixture_presentations(&f, 1, 5, 1);
		op->presentations[0].slot = 3;
		op->presentations[1].batch = 2;
		op->presentations[2].batch = 0;
		op->presentations[2].has_image = true;
		memset(op->presentations[2].image, 7, 32);
		op->presentations[3].has_image = true;
		memset(op->presentations[3].image, 9, 32);
		answer = fixture_run(&f, op);
		assert_int_equal(answer->status, 0);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(answer->results[i], STORE_REFUSED);
		assert_int_equal(answer->results[4], again ? STORE_SAME : STORE_STORED);
		assert_int_equal(answer->n_refusals, 4);
		assert_int_equal(answer->refusals[0].number, 1);
		assert_string_equal(answer->refusals[0].error.text,
				    "batch, slot: one that was handed over expected, found batch 1, slot 3");
		assert_string_equal(answer->refusals[1].error.text,
				    "batch, slot: one that was handed over expected, found batch 2, slot 1");
		assert_string_equal(answer->refusals[2].error.text,
				    "image: one of the session expected, found "
				    "0707070707070707070707070707070707070707070707070707070707070707");
		assert_non_null(strstr(answer->refusals[3].error.text, " of batch 1, slot 0 expected, found 0909"));
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM refusal WHERE length(responses) = 6"), 4);
	/* Settled: what was refused stays so, although the image is there now. */
	op = fixture_op(&f, STORE_OP_IMAGES);
	fixture_add_images(op, images, 1, "rig", "");
	memset(op->images[0].hash.bytes, 7, 32);
	fixture_ok(&f, op);
	op = fixture_presentations(&f, 3, 1, 0);
	op->presentations[0].has_image = true;
	memset(op->presentations[0].image, 7, 32);
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_REFUSED);
	op = fixture_presentations(&f, 6, 1, 0);
	op->presentations[0].has_image = true;
	memset(op->presentations[0].image, 7, 32);
	answer = fixture_run(&f, op);
	assert_int_equal(answer->results[0], STORE_STORED);
	fixture_done(&f);
}

static void refusals_of_the_parser_are_stored_with_their_reason(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	for (int again = 0; again < 2; again++) {
		op = fixture_presentations(&f, 1, 2, 1);
		op->presentations[1].slot = 99;
		op->n_refusals = 2;
		op->refusals = store_op_alloc(op, 2 * sizeof *op->refusals);
		op->refusals[0].number = 7;
		error_set(&op->refusals[0].error, 0, "%s", again ? "another reason" : "presentations[2]: 20001 spikes");
		op->refusals[1].number = -1;
		error_set(&op->refusals[1].error, 0, "no number");
		answer = fixture_run(&f, op);
		assert_int_equal(answer->status, 0);
		assert_int_equal(answer->n_refusals, 3);
		assert_string_equal(answer->refusals[0].error.text, "presentations[2]: 20001 spikes");
		assert_int_equal(answer->refusals[2].number, 2);
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM refusal WHERE number = 7 AND reason LIKE '%20001%'"),
			 1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM refusal WHERE number IS NULL"), 2);
	fixture_done(&f);
}

static void an_unknown_run_is_an_error_of_its_own_operation(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	/* Before the thread runs, so that all three are one transaction. */
	op = fixture_presentations(&f, 1, 1, 1);
	memset(op->run, 0xee, RUN_SIZE);
	fixture_submit(&f, fixture_op(&f, STORE_OP_RUN));
	fixture_submit(&f, op);
	op = fixture_op(&f, STORE_OP_NOTE);
	op->text = "nöte";
	fixture_submit(&f, op);
	fixture_start(&f);
	while (f.n_done < 3) {
		sem_wait(&f.woken);
		store_drain(f.store);
	}
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM note WHERE text = 'nöte' AND run = 1"), 1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM log"), fixture_read(&f, "SELECT max(seq) FROM log"));
	assert_int_equal(fixture_run(&f, fixture_presentations(&f, 1, 1, 1))->status, 0);
	fixture_done(&f);
}

static void batches_go_from_stock_to_number_to_hand_over(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_ok(&f, fixture_slots(&f, 1, 0, "fallback", images, 3));
	assert_int_equal(fixture_run(&f, fixture_number(&f, 1, "fallback", 9))->status, -ENOENT);
	assert_int_equal(fixture_run(&f, fixture_handover(&f, 1, "fallback"))->status, -ENOENT);
	fixture_ok(&f, fixture_number(&f, 1, "fallback", 1));
	fixture_ok(&f, fixture_number(&f, 1, "fallback", 1));
	fixture_ok(&f, fixture_slots(&f, 2, 1, "chosen", images, 2));
	answer = fixture_run(&f, fixture_number(&f, 1, "chosen", 1));
	assert_int_equal(answer->status, -EEXIST);
	assert_string_equal(answer->error.text, "batch 1 (chosen): made by decision 2 already");
	fixture_ok(&f, fixture_handover(&f, 1, "fallback"));
	fixture_ok(&f, fixture_handover(&f, 1, "fallback"));
	assert_int_equal(fixture_run(&f, fixture_handover(&f, 1, "chosen"))->status, -EEXIST);
	/* A result that came too late becomes a later batch. */
	fixture_ok(&f, fixture_number(&f, 2, "chosen", 2));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM batch"), 3);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM handover"), 1);
	/* Slot 2 is of the fallback, which was shown; the chosen one has two slots. */
	answer = fixture_run(&f, fixture_presentations(&f, 1, 3, 1));
	assert_int_equal(answer->results[2], STORE_STORED);
	fixture_done(&f);
}

static void a_decision_is_whole_or_not_at_all(void **state)
{
	struct fixture f;
	struct store_op *op;
	const struct fixture_answer *answer;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	op = fixture_slots(&f, 1, 1, "chosen", images, 3);
	op->batch.slots[2].image = fixture_hash("unknown");
	answer = fixture_run(&f, op);
	assert_int_equal(answer->status, -ENOENT);
	assert_non_null(strstr(answer->error.text, "slot 2: image: one of the session expected, found "));
	assert_int_equal(fixture_read(&f, "SELECT (SELECT count(*) FROM decision) + (SELECT count(*) FROM image) + "
					  "(SELECT count(*) FROM slot)"),
			 0);
	op = fixture_decision(&f, 1, "fit");
	strcpy(op->model_hash, "feed");
	op->n_scores = 2;
	op->scores = store_op_alloc(op, 2 * sizeof *op->scores);
	op->scores[0] = (struct store_score){.set = "monitor",
					     .tier = "ridge",
					     .shown = true,
					     .unit = -1,
					     .r2 = 0.5,
					     .r2_low = 0.25,
					     .r2_high = 0.75,
					     .snr = 0.0 / 0.0,
					     .n_images = 24};
	op->scores[1] = op->scores[0];
	op->scores[1].unit = 2;
	fixture_ok(&f, op);
	assert_int_equal(fixture_read(&f,
				      "SELECT count(*) FROM scores WHERE unit IN ('median', 'ünit 2') AND r2 = 0.5 AND "
				      "snr IS NULL AND shown"),
			 2);
	assert_int_equal(fixture_read(&f, "SELECT decision FROM model WHERE model = 'feed'"), 1);
	/* The batch that came of it, as people see it. */
	fixture_hello(&f);
	op = fixture_slots(&f, 2, 1, "chosen", images, 3);
	strcpy(op->decision.parent_model, "feed");
	op->batch.saw_seq = 3;
	fixture_ok(&f, op);
	fixture_ok(&f, fixture_handover(&f, 1, "chosen"));
	fixture_ok(&f, fixture_presentations(&f, 1, 2, 1));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM batches WHERE batch = 1 AND fit = 1 AND r2 = 0.5 AND "
					  "fit_seconds = 2.5 AND n_slots = 3 AND n_presentations = 2 AND lag = 0"),
			 1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentations WHERE kind = 'gaudy' AND trial = 0"), 2);
	assert_int_equal(fixture_run(&f, fixture_decision(&f, 2, "fit"))->status, -EEXIST);
	fixture_done(&f);
}

static void rows_cannot_be_edited(void **state)
{
	static const char *const edits[] = {"UPDATE presentation SET outcome = 'artifact'", "DELETE FROM presentation",
					    "DELETE FROM log", "UPDATE session SET name = 'x'", "DELETE FROM image"};
	struct fixture f;
	sqlite3 *db;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	fixture_ok(&f, fixture_presentations(&f, 1, 2, 1));
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
		assert_int_equal(sqlite3_exec(db, edits[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
	sqlite3_close(db);
	fixture_done(&f);
}

static void amendments_stand_beside_the_presentation(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	fixture_ok(&f, fixture_presentations(&f, 1, 2, 1));
	fixture_ok(&f, fixture_amend(&f, 2, "artifact"));
	fixture_ok(&f, fixture_amend(&f, 2, "artifact"));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM amendment"), 1);
	assert_int_equal(fixture_run(&f, fixture_amend(&f, 3, "artifact"))->status, -ENOENT);
	assert_int_equal(fixture_run(&f, fixture_amend(&f, 2, "sleepy"))->status, -EINVAL);
	op = fixture_amend(&f, 2, "artifact");
	json_object_clear(op->object);
	assert_int_equal(fixture_run(&f, op)->status, -EINVAL);
	op = fixture_amend(&f, 2, "artifact");
	json_object_clear(op->object);
	json_object_set_new(op->object, "trial", json_integer(77));
	fixture_ok(&f, op);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM presentations WHERE number = 2 AND outcome = 'artifact' AND "
				 "outcome_sent = 'complete' AND trial = 77"),
		1);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM presentation WHERE number = 2 AND outcome = 'complete'"), 1);
	fixture_done(&f);
}

static void a_full_queue_gives_the_operation_back(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < STORE_QUEUE_MAX; i++) {
		op = fixture_op(&f, STORE_OP_NOTE);
		op->text = "x";
		fixture_submit(&f, op);
	}
	op = fixture_op(&f, STORE_OP_NOTE);
	op->text = "one too many";
	assert_int_equal(store_submit(f.store, op), -EAGAIN);
	assert_int_equal(store_queue_length(f.store), STORE_QUEUE_MAX);
	fixture_start(&f);
	while (f.n_done < STORE_QUEUE_MAX) {
		sem_wait(&f.woken);
		store_drain(f.store);
	}
	assert_int_equal(store_queue_length(f.store), 0);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM note"), STORE_QUEUE_MAX);
	fixture_ok(&f, op);
	fixture_done(&f);
}

static void the_queue_is_bounded_in_bytes_but_one_operation_passes(void **state)
{
	struct fixture f;
	struct store_op *op;
	size_t n = 0;
	int r;

	(void)state;
	fixture_init(&f);
	for (;;) {
		op = fixture_op(&f, STORE_OP_EVENT);
		op->text = "x";
		assert_non_null(store_op_alloc(op, n ? STORE_QUEUE_BYTES_MAX / 4 : STORE_QUEUE_BYTES_MAX / 2));
		r = store_submit(f.store, op);
		if (r)
			break;
		n++;
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(n, 2);
	store_op_destroy(op);
	fixture_start(&f);
	store_stop(f.store);
	store_drain(f.store);
	op = fixture_op(&f, STORE_OP_EVENT);
	op->text = "x";
	assert_non_null(store_op_alloc(op, STORE_QUEUE_BYTES_MAX + 1));
	assert_int_equal(store_submit(f.store, op), 0);
	fixture_start(&f);
	fixture_done(&f);
}

static void stopping_commits_what_is_queued(void **state)
{
	struct fixture f;
	struct store_op *op;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	for (int i = 0; i < 50; i++) {
		op = fixture_op(&f, STORE_OP_STATE);
		op->text = "open";
		op->detail = "näh";
		fixture_submit(&f, op);
	}
	store_stop(f.store);
	store_drain(f.store);
	assert_int_equal(f.n_done, 50);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM state WHERE reason = 'näh'"), 50);
	fixture_done(&f);
}

/* A file size limit is what a full disk is to a write: it fails, and later it does not. */
static void failing_storage_acknowledges_nothing_and_recovers(void **state)
{
	struct fixture f;
	const struct fixture_answer *answer;
	struct rlimit before, small;
	struct stat at;
	char wal[128];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	snprintf(wal, sizeof wal, "%s-wal", f.path);
	assert_int_equal(stat(wal, &at), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = (rlim_t)at.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 3; i++) {
		answer = fixture_run(&f, fixture_presentations(&f, 1, 9, 1));
		assert_true(answer->status == -EIO || answer->status == -ENOSPC);
		assert_true(answer->error.text[0]);
		assert_int_equal(answer->seq, 0);
		assert_true(store_is_stalled(f.store));
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	answer = fixture_run(&f, fixture_presentations(&f, 1, 9, 1));
	assert_int_equal(answer->status, 0);
	assert_int_equal(answer->results[8], STORE_STORED);
	assert_false(store_is_stalled(f.store));
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM presentation"), 9);
	assert_int_equal(
		fixture_read(&f, "SELECT count(*) FROM event WHERE kind = 'storage' AND detail LIKE 'failed for %'"),
		1);
	assert_int_equal(fixture_read(&f, "SELECT count(*) - max(seq) FROM log"), 0);
	fixture_done(&f);
}

static void storage_that_comes_back_is_seen_without_work(void **state)
{
	struct fixture f;
	struct rlimit before, small;
	struct stat at;
	char wal[128];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	snprintf(wal, sizeof wal, "%s-wal", f.path);
	assert_int_equal(stat(wal, &at), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = (rlim_t)at.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(fixture_run(&f, fixture_slots(&f, 1, 1, "chosen", images, 3))->status < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	while (store_is_stalled(f.store))
		sem_wait(&f.woken);
	assert_int_equal(fixture_read(&f, "SELECT count(*) FROM event WHERE kind = 'storage'"), 1);
	fixture_done(&f);
}

/* The child acknowledges by writing the number of each block into a pipe, and is killed in the middle of it. */
static void child_writes(struct fixture *f, int pipe_fd)
{
	fixture_reopen(f);
	fixture_start(f);
	for (int64_t number = 1;; number += 3) {
		const struct fixture_answer *answer = fixture_run(f, fixture_presentations(f, number, 3, 1));

		if (answer->status || write(pipe_fd, &number, sizeof number) != sizeof number)
			_exit(1);
	}
}

static void a_killed_daemon_has_kept_what_it_acknowledged(void **state)
{
	struct fixture f;
	int64_t acknowledged, last = 0;
	char text[200];

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	fixture_hello(&f);
	fixture_batch(&f, 1, 1, images, 3);
	store_close(f.store);
	f.store = NULL;
	for (int round = 0; round < 3; round++) {
		int fds[2];
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child)
			child_writes(&f, fds[1]);
		close(fds[1]);
		for (int i = 0; i < 20 + round; i++)
			assert_int_equal(read(fds[0], &last, sizeof last), sizeof last);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		while (read(fds[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged)
			last = acknowledged;
		close(fds[0]);
		/* The holder died: its lock went with it. */
		fixture_reopen(&f);
		snprintf(text, sizeof text, "SELECT count(DISTINCT number) FROM presentation WHERE number < %lld",
			 (long long)last + 3);
		assert_int_equal(fixture_read(&f, text), last + 2);
		assert_int_equal(fixture_read(&f, "SELECT count(*) - count(DISTINCT number) FROM presentation"), 0);
		assert_int_equal(fixture_read(&f, "SELECT count(*) % 3 FROM presentation"), 0);
		assert_int_equal(fixture_read(&f, "SELECT count(*) FROM conflict"), 0);
		assert_int_equal(
			fixture_read(&f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
			0);
		store_close(f.store);
		f.store = NULL;
	}
	fixture_done(&f);
}

static void a_creation_cut_short_can_be_done_again(void **state)
{
	struct fixture f;
	struct store_session session = {.spec = &f.spec, .config_text = "x"};
	struct error err = {""};
	char path[128];
	sqlite3 *db;

	(void)state;
	fixture_init(&f);
	snprintf(path, sizeof path, "%s/cut.db", f.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	store_close(f.store);
	f.store = NULL;
	if (store_create(path, &session, &err, &f.store))
		fail_msg("%s", err.text);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_file_has_its_session),
		cmocka_unit_test(what_is_no_session_file_is_refused),
		cmocka_unit_test(a_newer_file_is_refused),
		cmocka_unit_test(presentations_are_stored_once),
		cmocka_unit_test(other_content_is_a_conflict_kept_aside),
		cmocka_unit_test(unknown_slots_and_images_are_refused_and_settled),
		cmocka_unit_test(refusals_of_the_parser_are_stored_with_their_reason),
		cmocka_unit_test(an_unknown_run_is_an_error_of_its_own_operation),
		cmocka_unit_test(batches_go_from_stock_to_number_to_hand_over),
		cmocka_unit_test(a_decision_is_whole_or_not_at_all),
		cmocka_unit_test(rows_cannot_be_edited),
		cmocka_unit_test(amendments_stand_beside_the_presentation),
		cmocka_unit_test(a_full_queue_gives_the_operation_back),
		cmocka_unit_test(the_queue_is_bounded_in_bytes_but_one_operation_passes),
		cmocka_unit_test(stopping_commits_what_is_queued),
		cmocka_unit_test(failing_storage_acknowledges_nothing_and_recovers),
		cmocka_unit_test(storage_that_comes_back_is_seen_without_work),
		cmocka_unit_test(a_killed_daemon_has_kept_what_it_acknowledged),
		cmocka_unit_test(a_creation_cut_short_can_be_done_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
