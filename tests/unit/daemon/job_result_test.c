/* A whole result becomes an operation; one that is wrong in any place is refused by the field's name. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/job_result.h"
#include "daemon/worker/pipe_fields.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char batch_json[] =
	"{\"outcome\":{\"n_slots\":2},\"outcome_hash\":\"" HASH_A "\",\"units_done\":2,\"units_planned\":2,"
	"\"images\":[{\"image\":\"" HASH_A "\",\"kind\":\"natural\",\"role\":\"\",\"offset\":0,\"size\":3,"
	"\"provenance\":{\"pool\":\"x\"}},{\"image\":\"" HASH_B
	"\",\"kind\":\"monitor\",\"role\":\"monitor\",\"offset\":3,\"size\":2,\"provenance\":null}],"
	"\"slots\":[{\"image\":\"" HASH_B "\",\"kind\":\"monitor\",\"repeat\":4,\"requeued\":0},"
	"{\"image\":\"" HASH_A "\",\"kind\":\"natural\",\"repeat\":0,\"requeued\":1}]}";

/* A result with the fields of `json` and 5 bytes of PNG. */
static struct message make_result(const char *json)
{
	static const uint64_t size = 5;
	json_t *fields = json_loads(json, 0, NULL);
	struct message message;

	assert_non_null(fields);
	assert_int_equal(message_init(WORKER_TYPE_RESULT, -1, &message), 0);
	json_object_update(message.header, fields);
	json_decref(fields);
	assert_int_equal(message_add_array(&message, RESULT_PNG, MESSAGE_BYTES, 1, &size, "abcde", NULL), 0);
	return message;
}

static struct store_op *new_op(const char *kind)
{
	struct store_op *op = store_op_create(STORE_OP_DECISION);

	op->decision.kind = kind;
	return op;
}

static void test_a_batch(void **state)
{
	struct message result = make_result(batch_json);
	struct store_op *op = new_op(JOB_KIND_BATCH);
	struct batch *batch;

	(void)state;
	assert_int_equal(job_result_store(&result, 32, 32, op, NULL), 0);
	message_done(&result);
	assert_int_equal(op->n_images, 2);
	assert_memory_equal(op->images[1].png, "de", 2);
	assert_string_equal(op->images[1].role, "monitor");
	assert_int_equal(op->images[0].width_px, 32);
	assert_int_equal(op->batch.n_slots, 2);
	assert_int_equal(op->batch.slots[0].repeat, 4);
	assert_int_equal(op->batch.slots[1].requeued, 1);
	assert_string_equal(op->decision.outcome_hash, HASH_A);
	assert_int_equal(job_result_batch(op, &batch), 0);
	assert_null(batch_unread(batch));
	batch_destroy(batch);
	store_op_destroy(op);
}

static void assert_refused(const char *kind, const char *found, const char *in_its_place, const char *field)
{
	char text[2 * sizeof batch_json];
	const char *at = strstr(batch_json, found);
	struct error err;

	assert_non_null(at);
	memcpy(text, batch_json, (size_t)(at - batch_json));
	strcpy(text + (at - batch_json), in_its_place);
	strcat(text, at + strlen(found));
	struct message result = make_result(text);
	struct store_op *op = new_op(kind);
	assert_true(job_result_store(&result, 32, 32, op, &err) < 0);
	assert_non_null(strstr(err.text, field));
	store_op_destroy(op);
	message_done(&result);
}

static void test_what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_refused(JOB_KIND_BATCH, "{\"n_slots\":2}", "[]", "outcome");
	assert_refused(JOB_KIND_BATCH, "\"outcome_hash\":\"" HASH_A "\"", "\"outcome_hash\":3", "outcome_hash");
	assert_refused(JOB_KIND_BATCH, "\"offset\":3", "\"offset\":4", "images[1].size");
	assert_refused(JOB_KIND_BATCH, "\"offset\":3", "\"offset\":-1", "images[1].offset");
	assert_refused(JOB_KIND_BATCH, "\"kind\":\"natural\"", "\"kind\":7", "images[0].kind");
	assert_refused(JOB_KIND_BATCH, "\"requeued\":1", "\"requeued\":-1", "slots[1].requeued");
	assert_refused(JOB_KIND_BATCH, "\"image\":\"" HASH_B "\",\"kind\":\"monitor\",\"repeat\"",
		       "\"image\":\"bb\",\"kind\":\"monitor\",\"repeat\"", "slots[0].image");
	assert_refused(JOB_KIND_FIT, "\"n_slots\":2", "\"n_slots\":2", "model");
}

static void test_scores(void **state)
{
	struct message result =
		make_result("{\"outcome\":{\"model\":\"" HASH_B "\",\"best\":\"ensemble\",\"tiers\":[\"ridge\","
			    "\"ensemble\"],\"unit_ids\":[4]},\"outcome_hash\":\"" HASH_B "\","
			    "\"units_done\":7,\"units_planned\":9}");
	struct store_op *op = new_op(JOB_KIND_FIT);
	const uint64_t dims[] = {2, 2, SCORE_COLUMNS};
	double values[2 * 2 * SCORE_COLUMNS];
	struct batch_score score;

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		values[i] = (double)i / 100;
	values[SCORE_SNR] = NAN;
	assert_int_equal(message_add_array(&result, RESULT_SCORES, MESSAGE_F64, 3, dims, values, NULL), 0);
	assert_int_equal(job_result_store(&result, 32, 32, op, NULL), 0);
	assert_string_equal(op->model_hash, HASH_B);
	assert_int_equal(op->decision.units_done, 7);
	assert_int_equal(op->n_scores, 4);
	assert_int_equal(op->scores[0].unit, -1);
	assert_int_equal(op->scores[1].unit, 4);
	assert_false(op->scores[0].shown);
	assert_true(op->scores[2].shown);
	assert_true(isnan(op->scores[0].snr));
	assert_string_equal(op->scores[0].set, ROLE_MONITOR);
	job_result_score(op, &score);
	assert_string_equal(score.tier, "ensemble");
	assert_true(score.r2 == values[2 * SCORE_COLUMNS + SCORE_R2]);
	store_op_destroy(op);
	message_done(&result);
}

static void test_scores_of_another_shape(void **state)
{
	struct message result =
		make_result("{\"outcome\":{\"model\":\"" HASH_B "\",\"best\":\"ridge\",\"tiers\":[\"ridge\"],"
			    "\"unit_ids\":[4,5]},\"outcome_hash\":\"" HASH_B "\","
			    "\"units_done\":7,\"units_planned\":9}");
	struct store_op *op = new_op(JOB_KIND_FIT);
	const uint64_t dims[] = {1, 2, SCORE_COLUMNS};
	double values[2 * SCORE_COLUMNS] = {0};
	struct batch_score score;
	struct error err;

	(void)state;
	assert_int_equal(message_add_array(&result, RESULT_SCORES, MESSAGE_F64, 3, dims, values, NULL), 0);
	assert_int_equal(job_result_store(&result, 32, 32, op, &err), -EPROTO);
	assert_non_null(strstr(err.text, "scores: f64 [1, 3, 9]"));
	job_result_score(op, &score);
	assert_true(isnan(score.r2));
	store_op_destroy(op);
	message_done(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_batch),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_scores),
		cmocka_unit_test(test_scores_of_another_shape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
