/* A ROUTER and a PUB in a loop of their own, and plain ZeroMQ sockets of a rig on the other side. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <zmq.h>

#include <cmocka.h>

#include "daemon/endpoint.h"
#include "protocol/fields.h"

enum { PATIENCE_MS = 10000 };

struct fixture {
	uv_loop_t loop;
	void *zmq, *client;
	struct endpoint *endpoint;
	unsigned n_messages, n_refused;
	struct endpoint_peer peer;
	struct error refused;
};

static void on_message(void *ctx, const struct endpoint_peer *peer, const struct message *message)
{
	struct fixture *f = ctx;
	struct message answer;

	f->n_messages++;
	f->peer = *peer;
	assert_int_equal(message_init(TYPE_NOTED, message_id(message), &answer), 0);
	endpoint_send(f->endpoint, peer, &answer);
	message_done(&answer);
}

static void on_refused(void *ctx, const struct endpoint_peer *peer, const struct error *reason)
{
	struct fixture *f = ctx;

	(void)peer;
	f->n_refused++;
	f->refused = *reason;
}

static const struct endpoint_callbacks callbacks = {on_message, on_refused};

static void *connect_client(struct fixture *f, int type)
{
	void *socket = zmq_socket(f->zmq, type);
	int zero = 0;

	zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
	if (type == ZMQ_SUB)
		zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
	assert_int_equal(zmq_connect(socket, endpoint_address(f->endpoint)), 0);
	return socket;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->zmq = zmq_ctx_new();
	uv_loop_init(&f->loop);
	assert_int_equal(endpoint_open_router(&f->loop, f->zmq, "tcp://127.0.0.1:*", &callbacks, f, NULL, &f->endpoint),
			 0);
	f->client = connect_client(f, ZMQ_DEALER);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	zmq_close(f->client);
	endpoint_close(f->endpoint);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	zmq_ctx_term(f->zmq);
	free(f);
	return 0;
}

static void give_up(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Turns the loop until the count is reached. */
static void run_until(struct fixture *f, const unsigned *count, unsigned n)
{
	uv_timer_t timer;
	bool expired = false;

	uv_timer_init(&f->loop, &timer);
	timer.data = &expired;
	uv_timer_start(&timer, give_up, PATIENCE_MS, 0);
	while (*count < n && !expired)
		uv_run(&f->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_true(*count >= n);
}

static void send_text(void *socket, const char *text)
{
	assert_int_equal(zmq_send(socket, text, strlen(text), 0), (int)strlen(text));
}

static json_t *receive_json(void *socket)
{
	static char text[65536];
	int timeout = PATIENCE_MS;

	zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
	int n = zmq_recv(socket, text, sizeof text, 0);
	assert_true(n > 0);
	json_t *object = json_loadb(text, (size_t)n, 0, NULL);
	assert_non_null(object);
	return object;
}

static void test_the_port_is_known(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(endpoint_address(f->endpoint), "tcp://127.0.0.1:"));
	assert_null(strchr(endpoint_address(f->endpoint), '*'));
}

static void test_a_question_is_answered(void **state)
{
	struct fixture *f = *state;

	send_text(f->client, "{\"v\":1,\"type\":\"note\",\"id\":7}");
	run_until(f, &f->n_messages, 1);
	json_t *answer = receive_json(f->client);
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 7);
	json_decref(answer);
	assert_int_equal(endpoint_n_clients(f->endpoint), 1);
}

static void test_more_than_a_turn_all_come(void **state)
{
	struct fixture *f = *state;
	const unsigned n = 5 * ENDPOINT_TURN + 3;

	for (unsigned i = 0; i < n; i++)
		send_text(f->client, "{\"v\":1,\"type\":\"note\"}");
	run_until(f, &f->n_messages, n);
	for (unsigned i = 0; i < n; i++)
		json_decref(receive_json(f->client));
	assert_int_equal(endpoint_n_dropped(f->endpoint), 0);
}

static void assert_refused(struct fixture *f, const char *code, const char *word)
{
	unsigned before = f->n_refused;

	run_until(f, &f->n_refused, before + 1);
	json_t *answer = receive_json(f->client);
	assert_string_equal(json_string_value(json_object_get(answer, FIELD_TYPE)), TYPE_ERROR);
	assert_string_equal(json_string_value(json_object_get(answer, FIELD_CODE)), code);
	assert_non_null(strstr(json_string_value(json_object_get(answer, FIELD_TEXT)), word));
	assert_non_null(strstr(f->refused.text, word));
	json_decref(answer);
}

static void test_what_is_no_message_is_refused(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, LIMIT_MESSAGE_BYTES + 1);

	send_text(f->client, "{");
	assert_refused(f, CODE_MALFORMED, "");
	send_text(f->client, "{\"v\":2,\"type\":\"note\"}");
	assert_refused(f, CODE_VERSION, "2");
	for (int i = 0; i < LIMIT_FRAMES + 4; i++)
		assert_int_equal(zmq_send(f->client, "{}", 2, i < LIMIT_FRAMES + 3 ? ZMQ_SNDMORE : 0), 2);
	assert_refused(f, CODE_TOO_LARGE, "20");
	assert_int_equal(zmq_send(f->client, large, LIMIT_MESSAGE_BYTES + 1, 0), LIMIT_MESSAGE_BYTES + 1);
	assert_refused(f, CODE_TOO_LARGE, "8388608");
	free(large);
	send_text(f->client, "{\"v\":1,\"type\":\"note\"}");
	run_until(f, &f->n_messages, 1);
}

static void test_a_peer_that_is_gone_is_counted(void **state)
{
	struct fixture *f = *state;
	const struct endpoint_peer nobody = {.size = 5, .bytes = "\0abcd"};
	struct message message;

	assert_int_equal(message_init(TYPE_NOTED, -1, &message), 0);
	assert_int_equal(endpoint_send(f->endpoint, &nobody, &message), -EHOSTUNREACH);
	assert_int_equal(endpoint_n_dropped(f->endpoint), 1);
	message_done(&message);
}

static void test_an_address_in_use_is_named(void **state)
{
	struct fixture *f = *state;
	struct endpoint *second;
	struct error err;

	assert_int_equal(
		endpoint_open_router(&f->loop, f->zmq, endpoint_address(f->endpoint), &callbacks, f, &err, &second),
		-EADDRINUSE);
	assert_non_null(strstr(err.text, endpoint_address(f->endpoint)));
	assert_true(endpoint_open_pub(&f->loop, f->zmq, "nonsense", &err, &second) < 0);
	assert_non_null(strstr(err.text, "nonsense"));
}

static void test_what_is_published_is_heard(void **state)
{
	struct fixture *f = *state;
	struct endpoint *pub, *router = f->endpoint;
	char text[64];
	int n = -1;

	assert_int_equal(endpoint_open_pub(&f->loop, f->zmq, "tcp://127.0.0.1:*", NULL, &pub), 0);
	f->endpoint = pub;
	void *listener = connect_client(f, ZMQ_SUB);
	f->endpoint = router;
	/* A subscription takes effect some time after connecting: publish until it is heard. */
	for (int i = 0; i < PATIENCE_MS && n < 0; i++) {
		assert_int_equal(endpoint_publish(pub, "{\"v\":1}", 7), 0);
		uv_run(&f->loop, UV_RUN_NOWAIT);
		zmq_pollitem_t item = {.socket = listener, .events = ZMQ_POLLIN};
		zmq_poll(&item, 1, 1);
		n = zmq_recv(listener, text, sizeof text, ZMQ_DONTWAIT);
	}
	assert_int_equal(n, 7);
	zmq_close(listener);
	endpoint_close(pub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_port_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_question_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_a_turn_all_come, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_message_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_peer_that_is_gone_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_address_in_use_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_published_is_heard, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
