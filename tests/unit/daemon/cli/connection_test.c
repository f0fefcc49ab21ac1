/* Questions to a peer that answers, refuses, answers something else first, talks nonsense, or is not there. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zmq.h>

#include "daemon/cli/connection.h"

/* A ROUTER that answers one question with the given texts, "%d" being the question's id. */
struct peer {
	void *context, *router;
	char endpoint[64];
	const char *answers[3];
	pthread_t thread;
};

static void *answer_once(void *ctx)
{
	struct peer *peer = ctx;
	char identity[256], header[1024];
	int identity_size = zmq_recv(peer->router, identity, sizeof(identity), 0);
	int header_size = zmq_recv(peer->router, header, sizeof(header) - 1, 0);
	json_t *question = json_loadb(header, (size_t)header_size, 0, NULL);
	int id = (int)json_integer_value(json_object_get(question, "id"));

	json_decref(question);
	for (size_t i = 0; i < 3 && peer->answers[i]; i++) {
		char text[256];
		const char *hole = strstr(peer->answers[i], "%d");

		if (hole)
			snprintf(text, sizeof(text), "%.*s%d%s", (int)(hole - peer->answers[i]), peer->answers[i], id,
				 hole + 2);
		else
			snprintf(text, sizeof(text), "%s", peer->answers[i]);
		zmq_send(peer->router, identity, (size_t)identity_size, ZMQ_SNDMORE);
		zmq_send(peer->router, text, strlen(text), 0);
	}
	return NULL;
}

static void peer_start(struct peer *peer)
{
	size_t size = sizeof(peer->endpoint);

	peer->context = zmq_ctx_new();
	peer->router = zmq_socket(peer->context, ZMQ_ROUTER);
	assert_int_equal(zmq_bind(peer->router, "tcp://127.0.0.1:*"), 0);
	assert_int_equal(zmq_getsockopt(peer->router, ZMQ_LAST_ENDPOINT, peer->endpoint, &size), 0);
	assert_int_equal(pthread_create(&peer->thread, NULL, answer_once, peer), 0);
}

static void peer_stop(struct peer *peer)
{
	pthread_join(peer->thread, NULL);
	zmq_close(peer->router);
	zmq_ctx_term(peer->context);
}

static int ask(const char *endpoint, int timeout_ms, struct error *err, struct message *ret_answer)
{
	struct connection *connection;
	struct message question;
	int rc;

	assert_int_equal(connection_open(endpoint, err, &connection), 0);
	assert_int_equal(message_init("status", 0, &question), 0);
	rc = connection_ask(connection, &question, timeout_ms, err, ret_answer);
	message_done(&question);
	connection_close(connection);
	return rc;
}

static void takes_the_answer_to_its_question(void **state)
{
	struct peer peer = {.answers = {"{\"v\":1,\"type\":\"done\",\"id\":99,\"state\":\"old\"}",
					"{\"v\":1,\"type\":\"done\",\"id\":%d,\"state\":\"new\"}"}};
	struct message answer;

	(void)state;
	peer_start(&peer);
	assert_int_equal(ask(peer.endpoint, 5000, NULL, &answer), 0);
	assert_string_equal(json_string_value(json_object_get(answer.header, "state")), "new");
	message_done(&answer);
	peer_stop(&peer);
}

static void refusals_are_errors(void **state)
{
	static const struct {
		const char *answer, *sentence;
		int code;
	} cases[] = {
		{"{\"v\":1,\"type\":\"error\",\"id\":%d,\"code\":\"state\",\"text\":\"unit: 99 is not a unit\"}",
		 "the daemon refuses: unit: 99 is not a unit", -EREMOTEIO},
		{"{\"v\":1,\"type\":\"busy\",\"id\":%d,\"retry_ms\":10,\"reason\":\"queue full\"}", "queue full",
		 -EBUSY},
		{"{\"v\":1,", "is not a message of evoked", -EPROTO},
		{"{\"v\":2,\"type\":\"done\",\"id\":%d}", "version 1 expected, found 2", -ENOTSUP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer peer = {.answers = {cases[i].answer}};
		struct error err = {0};
		struct message answer;

		peer_start(&peer);
		assert_int_equal(ask(peer.endpoint, 5000, &err, &answer), cases[i].code);
		assert_non_null(strstr(err.text, cases[i].sentence));
		peer_stop(&peer);
	}
}

static void nobody_there_is_one_sentence(void **state)
{
	struct error err = {0};
	struct message answer;

	(void)state;
	assert_int_equal(ask("tcp://127.0.0.1:1", 50, &err, &answer), -ETIMEDOUT);
	assert_string_equal(err.text, "no daemon answers at tcp://127.0.0.1:1 (waited 0.1 s)");
}

static void not_an_endpoint(void **state)
{
	struct connection *connection;
	struct error err = {0};

	(void)state;
	assert_int_equal(connection_open("localhost", &err, &connection), -EINVAL);
	assert_non_null(strstr(err.text, "localhost"));
	assert_int_equal(connection_subscribe("", &err, &connection), -EINVAL);
	connection_close(NULL);
}

static void snapshots_come_in_order(void **state)
{
	void *context = zmq_ctx_new();
	void *publisher = zmq_socket(context, ZMQ_XPUB);
	struct connection *connection;
	struct message message;
	char endpoint[64], subscription[8];
	size_t size = sizeof(endpoint);

	(void)state;
	assert_int_equal(zmq_bind(publisher, "tcp://127.0.0.1:*"), 0);
	assert_int_equal(zmq_getsockopt(publisher, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
	assert_int_equal(connection_subscribe(endpoint, NULL, &connection), 0);
	assert_int_equal(zmq_recv(publisher, subscription, sizeof(subscription), 0), 1);
	for (int i = 0; i < 2; i++) {
		char text[64];

		snprintf(text, sizeof(text), "{\"v\":1,\"type\":\"status\",\"sequence\":%d}", i);
		zmq_send(publisher, text, strlen(text), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(connection_receive(connection, 5000, NULL, &message), 0);
		assert_int_equal(json_integer_value(json_object_get(message.header, "sequence")), i);
		message_done(&message);
	}
	connection_close(connection);
	zmq_close(publisher);
	zmq_ctx_term(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_answer_to_its_question), cmocka_unit_test(refusals_are_errors),
		cmocka_unit_test(nobody_there_is_one_sentence),	    cmocka_unit_test(not_an_endpoint),
		cmocka_unit_test(snapshots_come_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
