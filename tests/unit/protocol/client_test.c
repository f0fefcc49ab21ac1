/* The client against a daemon that loses, refuses, is busy, and restarts: whatever happens, each presentation is
 * stored, and settled once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "mock_daemon.h"
#include "protocol/client.h"

/* Nothing is sent again by time alone, however slow the machine, but where a test shortens resend_ms. */
enum { WAIT_MS = 20000, RESEND_NEVER_MS = 60000, RESEND_SOON_MS = 60 };

static struct mock mock;
static int resend_ms;
static struct client *client;
static struct error err;
static struct session_spec spec;
static struct client_welcome welcome;
static struct client_opened opened;

static int settled[MOCK_NUMBERS];
static int64_t refused_number;
static char refused_reason[256];

static void on_settled(void *ctx, int64_t number, int64_t latency_ns)
{
	(void)ctx;
	assert_true(latency_ns >= 0);
	settled[number]++;
}

static void on_refused(void *ctx, int64_t number, const char *reason)
{
	(void)ctx;
	refused_number = number;
	snprintf(refused_reason, sizeof refused_reason, "%s", reason);
}

static int setup(void **state)
{
	json_t *object = json_pack("{s:s, s:s, s:[{s:s}], s:[{s:i, s:i}, {s:i, s:i}], s:[{s:i, s:i}]}", "name", "test",
				   "response_type", "counts", "arrays", "name", "A", "units", "id", 1, "array", 0, "id",
				   2, "array", 0, "bins", "start_ms", 50, "end_ms", 150);

	(void)state;
	memset(&mock, 0, sizeof mock);
	memset(settled, 0, sizeof settled);
	refused_number = 0;
	resend_ms = RESEND_NEVER_MS;
	assert_int_equal(session_spec_parse(object, &err, &spec), 0);
	json_decref(object);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	client_destroy(client);
	client = NULL;
	if (mock.context)
		mock_stop(&mock);
	session_spec_done(&mock.spec);
	session_spec_done(&spec);
	return 0;
}

static void create(void)
{
	const struct client_options options = {.endpoint = mock.endpoint,
					       .run = {1, 2, 3},
					       .resend_ms = resend_ms,
					       .settled = on_settled,
					       .refused = on_refused};

	assert_int_equal(client_create(&options, &err, &client), 0);
}

static void begin(void)
{
	mock_start(&mock);
	create();
	assert_int_equal(client_hello(client, WAIT_MS, &err, &welcome), 0);
	assert_int_equal(client_open(client, &spec, WAIT_MS, &err, &opened), 0);
}

static int push_n_units(int64_t number, size_t n_units)
{
	const uint16_t counts[3] = {(uint16_t)number, 5, 6};
	const struct presentation p = {.number = number,
				       .trial = 1,
				       .batch = 1,
				       .slot = 3,
				       .commanded_us = 5,
				       .onset_us = 6,
				       .responses = counts,
				       .responses_size = n_units * sizeof counts[0]};

	return client_push(client, &p, &err);
}

static int push(int64_t number)
{
	return push_n_units(number, 2);
}

static void push_all(int64_t first, int64_t last)
{
	for (int64_t i = first; i <= last; i++)
		assert_int_equal(push(i), 0);
}

static void assert_settled_once(int64_t first, int64_t last)
{
	for (int64_t i = first; i <= last; i++) {
		assert_true(mock.stored[i] >= 1);
		assert_int_equal(settled[i], 1);
	}
}

static struct client_stats stats(void)
{
	struct client_stats s;

	client_stats(client, &s);
	return s;
}

static void a_session(void **state)
{
	(void)state;
	begin();
	assert_string_equal(welcome.server, "mock 1");
	assert_string_equal(welcome.session_name, "");
	assert_int_equal(welcome.width_px, 112);
	assert_int_equal(welcome.height_px, 96);
	assert_string_equal(opened.session, "0123");
	push_all(1, 500);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_settled_once(1, 500);
	assert_int_equal(stats().n_settled, 500);
	assert_int_equal(stats().n_outbox, 0);
	assert_int_equal(stats().n_resent, 0);
	assert_int_equal(client_hello(client, WAIT_MS, &err, &welcome), 0);
	assert_int_equal(welcome.settled_through, 500);
	assert_string_equal(welcome.session_name, "test");
	assert_int_equal(push(500), -EINVAL);
	assert_int_equal(client_note(client, "the animal is tired", WAIT_MS, &err), 0);
	assert_int_equal(client_amend(client, 3, &(enum presentation_outcome){OUTCOME_ARTIFACT}, &(int64_t){4}, "drift",
				      WAIT_MS, &err),
			 0);
	assert_int_equal(client_close(client, WAIT_MS, &err), 0);
	assert_string_equal(mock.last_type, "close");
	assert_int_equal(mock.n_notes, 1);
}

static void busy_is_waited_out(void **state)
{
	(void)state;
	mock.n_busy = 4;
	begin();
	push_all(1, 200);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_settled_once(1, 200);
	assert_int_equal(stats().n_busy, 4);
}

static void lost_answers_are_asked_for_again(void **state)
{
	(void)state;
	resend_ms = RESEND_SOON_MS;
	mock.n_swallowed = 5; /* all of them: later answers would settle what came before */
	begin();
	push_all(1, 300);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_settled_once(1, 300);
	assert_true(stats().n_hellos > 1);
}

static void missing_ones_are_sent_again(void **state)
{
	(void)state;
	mock.missing_number = 7;
	begin();
	push_all(1, 20);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_settled_once(1, 20);
	assert_int_equal(stats().n_resent, 1);
}

static void survives_restarts(void **state)
{
	(void)state;
	begin();
	for (int64_t round = 0; round < 3; round++) {
		push_all(1 + 100 * round, 50 + 100 * round);
		assert_int_equal(client_poll(client, 1, &err), 0);
		mock_stop(&mock);
		push_all(51 + 100 * round, 100 + 100 * round);
		assert_int_equal(client_poll(client, 20, &err), 0);
		mock_start(&mock);
		assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	}
	assert_settled_once(1, 300);
	assert_int_equal(mock.n_hellos, 4);
}

static void a_call_survives_a_restart(void **state)
{
	struct client_batch batch;

	(void)state;
	begin();
	mock_stop(&mock);
	assert_int_equal(client_ask_batch(client, 4, &err), 0);
	assert_int_equal(client_take_batch(client, &err, &batch), -EAGAIN);
	assert_int_equal(client_poll(client, 20, &err), 0);
	mock_start(&mock);
	while (client_take_batch(client, &err, &batch) == -EAGAIN)
		assert_int_equal(client_poll(client, WAIT_MS, &err), 0);
	assert_int_equal(batch.batch, 5);
	client_batch_done(&batch);
	assert_int_equal(client_take_batch(client, &err, &batch), -EINVAL);
}

static void a_full_outbox_says_so(void **state)
{
	(void)state;
	begin();
	mock_stop(&mock);
	push_all(1, CLIENT_OUTBOX_MAX);
	assert_int_equal(push(CLIENT_OUTBOX_MAX + 1), -EAGAIN);
	assert_non_null(strstr(err.text, "outbox: at most 8192 presentations"));
	assert_int_equal(client_flush(client, 1, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "8192 presentations are not settled"));
	mock_start(&mock);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_settled_once(1, CLIENT_OUTBOX_MAX);
	assert_int_equal(push(CLIENT_OUTBOX_MAX + 1), 0);
}

static void refusals_are_told(void **state)
{
	(void)state;
	mock.refused_number = 3;
	begin();
	push_all(1, 5);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_int_equal(refused_number, 3);
	assert_string_equal(refused_reason, "because");
	assert_int_equal(stats().n_refused, 1);
	assert_settled_once(1, 5);
}

static void a_refused_block_is_told(void **state)
{
	(void)state;
	mock.error_type = TYPE_PRESENTATIONS;
	mock.error_code = CODE_INVALID;
	mock.n_errors = 1;
	begin();
	push_all(1, 5);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_int_equal(stats().n_refused, 5);
	assert_string_equal(refused_reason, "the reason why");
	push_all(6, 9);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_settled_once(6, 9);
}

/* A daemon that has forgotten the session, or whose disk is full, may take them later: nothing is dropped. */
static void state_and_storage_errors_keep_them(void **state)
{
	(void)state;
	mock.error_type = TYPE_PRESENTATIONS;
	mock.error_code = CODE_STATE;
	mock.n_errors = 1;
	begin();
	push_all(1, 5);
	assert_int_equal(client_flush(client, 200, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "the reason why"));
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_int_equal(stats().n_refused, 0);
	assert_settled_once(1, 5);
}

static void batches(void **state)
{
	struct client_batch batch;

	(void)state;
	begin();
	assert_int_equal(client_next_batch(client, 0, WAIT_MS, &err, &batch), 0);
	assert_int_equal(batch.batch, 1);
	assert_string_equal(batch.origin, "chosen");
	assert_int_equal(batch.n_slots, 2);
	assert_int_equal(batch.slots[1].slot, 1);
	assert_string_equal(batch.slots[1].kind, "gaudy");
	assert_int_equal(batch.slots[1].repeat, 3);
	assert_int_equal(batch.slots[1].image[31], 0xff);
	assert_int_equal(batch.slots[1].png_size, 6);
	assert_memory_equal(batch.slots[1].png, "pixels", 6);
	client_batch_done(&batch);
	client_batch_done(NULL);
}

static void bad_batches(void **state)
{
	struct client_batch batch;

	(void)state;
	mock.bad_slots = "[{\"slot\":0,\"image\":\"0000000000000000000000000000000000000000000000000000000000000001\","
			 "\"kind\":\"natural\",\"repeat\":0}]";
	begin();
	assert_int_equal(client_next_batch(client, 0, WAIT_MS, &err, &batch), -EPROTO);
	assert_string_equal(err.text, "slots[0].image: it is not among the images");
	mock_stop(&mock);
	mock.bad_slots = "[]";
	mock_start(&mock);
	assert_int_equal(client_next_batch(client, 0, WAIT_MS, &err, &batch), -ERANGE);
	assert_string_equal(err.text, "slots: at least 1 elements, found 0");
}

static void nobody_there(void **state)
{
	(void)state;
	strcpy(mock.endpoint, "tcp://127.0.0.1:1");
	create();
	assert_int_equal(push(1), -EPERM);
	assert_int_equal(client_hello(client, 30, &err, &welcome), -ETIMEDOUT);
	assert_string_equal(err.text, "tcp://127.0.0.1:1: no answer in 30 ms");
	client_destroy(client);
	client = NULL;
	const struct client_options options = {.endpoint = "no endpoint"};
	assert_int_equal(client_create(&options, &err, &client), -EINVAL);
	assert_non_null(strstr(err.text, "no endpoint: "));
}

static void held_by_another_rig(void **state)
{
	(void)state;
	mock.n_busy = 1000000;
	mock_start(&mock);
	create();
	assert_int_equal(client_hello(client, 60, &err, &welcome), -EBUSY);
	assert_non_null(strstr(err.text, "busy: another rig writes, held by rig 7"));
}

static void refused_by_the_daemon(void **state)
{
	static const struct {
		const char *code;
		int status;
	} codes[] = {{CODE_VERSION, -ENOTSUP},
		     {CODE_STATE, -EPERM},
		     {CODE_UNKNOWN_SESSION, -ESTALE},
		     {"unheard of", -EPROTO}};

	(void)state;
	mock.error_type = TYPE_HELLO;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		mock.error_code = codes[i].code;
		mock.n_errors = 1;
		mock_start(&mock);
		if (!client)
			create();
		assert_int_equal(client_hello(client, WAIT_MS, &err, &welcome), codes[i].status);
		assert_string_equal(err.text, "the reason why");
		mock_stop(&mock);
	}
	mock.error_type = TYPE_OPEN;
	mock.error_code = CODE_INVALID;
	mock.n_errors = 1;
	mock_start(&mock);
	assert_int_equal(client_open(client, &spec, WAIT_MS, &err, &opened), -EINVAL);
	assert_int_equal(client_open(client, &spec, WAIT_MS, &err, &opened), 0);
}

static void units_and_images(void **state)
{
	const struct session_unit added = {.id = 3, .label = "new"};
	const uint32_t retired = 1;
	uint8_t image[32];

	(void)state;
	begin();
	push_all(1, 10);
	assert_int_equal(client_units(client, 11, &added, 1, NULL, 0, WAIT_MS, &err), 0);
	assert_int_equal(push(11), -EINVAL);
	assert_int_equal(push_n_units(11, 3), 0);
	assert_int_equal(client_units(client, 12, NULL, 0, &retired, 1, WAIT_MS, &err), 0);
	assert_int_equal(push(12), 0);
	assert_int_equal(client_flush(client, WAIT_MS, &err), 0);
	assert_settled_once(1, 12);
	assert_int_equal(client_image(client, 112, 96, "png", 3, WAIT_MS, &err, image), 0);
	assert_int_equal(image[31], 0xaa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session, setup, teardown),
		cmocka_unit_test_setup_teardown(busy_is_waited_out, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_answers_are_asked_for_again, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_ones_are_sent_again, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(a_call_survives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_outbox_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refused_block_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(state_and_storage_errors_keep_them, setup, teardown),
		cmocka_unit_test_setup_teardown(batches, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(held_by_another_rig, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_by_the_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(units_and_images, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
