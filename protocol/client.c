/* One connection, with at most one `hello`, one call, one question for a batch, and CLIENT_BLOCKS_MAX blocks of
 * presentations under way. Everything that waits has a time at which it goes (again).
 *
 *	not greeted --hello/welcome--> greeted --connection lost, or no answer in resend_ms--> not greeted
 *
 * Until greeted only `hello` is sent. When the greeting is lost, blocks wait in the outbox again and calls become due:
 * after the next `welcome`, whoever sent it, all of it goes again.
 *
 * Failure modes: a daemon that is not there (nothing goes, callers time out), that is busy (waited out), that restarts
 *(as above), that refuses a block (its presentations are settled as refused), answers that cannot be read or are not
 *awaited (ignored: the question goes again). */
#include "protocol/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/client_internal.h"
#include "protocol/fields.h"

int64_t client_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void on_settled(void *ctx, const struct outbox_entry *entry)
{
	struct client *client = ctx;

	client->stats.n_settled++;
	if (client->options.settled)
		client->options.settled(client->options.ctx, entry->presentation.number,
					entry->first_sent_ns ? client_now_ns() - entry->first_sent_ns : 0);
}

int client_create(const struct client_options *options, struct error *err, struct client **ret_client)
{
	struct client *client = calloc(1, sizeof *client);
	int rc;

	if (!client)
		return error_set(err, -ENOMEM, "client: out of memory");
	client->options = *options;
	if (client->options.resend_ms <= 0)
		client->options.resend_ms = CLIENT_RESEND_MS;
	client->next_id = 1;
	message_hex(options->run, RUN_SIZE, client->run);
	client->endpoint = strdup(options->endpoint);
	rc = outbox_init(CLIENT_OUTBOX_MAX, CLIENT_OUTBOX_BYTES_MAX, &client->outbox);
	if (rc || !client->endpoint) {
		rc = error_set(err, -ENOMEM, "client: out of memory");
		goto out_client;
	}
	client->outbox.settled = on_settled;
	client->outbox.ctx = client;
	rc = client_socket_open(client->endpoint, err, &client->socket);
	if (rc)
		goto out_client;
	*ret_client = client;
	return 0;

out_client:
	client_destroy(client);
	return rc;
}

void client_destroy(struct client *client)
{
	if (!client)
		return;
	client_forget(&client->hello);
	client_forget(&client->call);
	client_forget(&client->batch);
	client_socket_close(&client->socket);
	outbox_done(&client->outbox);
	session_spec_done(&client->spec);
	free(client->endpoint);
	free(client);
}

void client_stats(const struct client *client, struct client_stats *ret_stats)
{
	*ret_stats = client->stats;
	ret_stats->n_outbox = client->outbox.n_unsettled;
}

void client_forget(struct request *request)
{
	message_done(&request->question);
	message_done(&request->answer);
	*request = (struct request){0};
}

void client_begin(struct client *client, struct request *request, struct message *question)
{
	client_forget(request);
	request->question = *question;
	*question = (struct message){0};
	request->id = message_id(&request->question);
	request->state = REQUEST_DUE;
	request->at_ns = client_now_ns();
	client->trouble_code = 0;
}

int client_question(struct client *client, const char *type, struct error *err, struct message *ret_message)
{
	struct message message;

	if (message_init(type, client->next_id, &message))
		return error_set(err, -ENOMEM, "%s: out of memory", type);
	if (json_object_set_new(message.header, FIELD_RUN, json_string(client->run))) {
		message_done(&message);
		return error_set(err, -ENOMEM, "%s: out of memory", type);
	}
	client->next_id++;
	*ret_message = message;
	return 0;
}

void client_lose_greeting(struct client *client)
{
	struct request *requests[] = {&client->call, &client->batch};
	const int64_t now = client_now_ns();

	client->greeted = false;
	client_forget(&client->hello);
	outbox_return_all(&client->outbox);
	memset(client->blocks, 0, sizeof client->blocks);
	for (size_t i = 0; i < 2; i++) {
		if (requests[i]->state == REQUEST_SENT && !requests[i]->once) {
			requests[i]->state = REQUEST_DUE;
			requests[i]->at_ns = now;
		}
	}
}

static void send_request(struct client *client, struct request *request, int64_t now)
{
	int rc;

	if (request->state != REQUEST_DUE || now < request->at_ns)
		return;
	rc = client_socket_send(&client->socket, &request->question, NULL);
	if (rc) {
		client->want_send = rc == -EAGAIN;
		return;
	}
	request->state = REQUEST_SENT;
	request->at_ns = now + client->options.resend_ms * NS_PER_MS;
}

static void send_hello(struct client *client, int64_t now)
{
	struct message question;

	if (client->hello.state == REQUEST_NONE && !client_question(client, TYPE_HELLO, NULL, &question)) {
		client_forget(&client->hello);
		client->hello =
			(struct request){.state = REQUEST_DUE, .id = message_id(&question), .question = question};
		client->stats.n_hellos++;
	}
	send_request(client, &client->hello, now);
}

struct block *client_find_block(struct client *client, int64_t id)
{
	for (size_t i = 0; i < CLIENT_BLOCKS_MAX; i++) {
		if (client->blocks[i].id == id)
			return &client->blocks[i];
	}
	return NULL;
}

static bool outbox_has_waiting(const struct client *client)
{
	for (size_t i = 0; i < client->outbox.n; i++) {
		if (outbox_entry(&client->outbox, i)->state == OUTBOX_WAITING)
			return true;
	}
	return false;
}

/* False when there is nothing to send, or it cannot be sent now. */
static bool send_block(struct client *client, struct block *block, int64_t now)
{
	struct presentation presentations[CLIENT_BLOCK_MAX];
	const int64_t id = client->next_id;
	struct message message;
	size_t n, n_again;
	int rc;

	n = outbox_take_block(&client->outbox, &client->spec, id, now, CLIENT_BLOCK_MAX, CLIENT_BLOCK_BYTES_MAX,
			      presentations, &n_again);
	if (n == 0)
		return false;
	rc = presentation_encode_block(client->options.run, presentations, n, &client->spec, id, NULL, &message);
	if (!rc) {
		rc = client_socket_send(&client->socket, &message, NULL);
		message_done(&message);
	}
	if (rc) {
		client->want_send = rc == -EAGAIN;
		outbox_return_block(&client->outbox, id);
		return false;
	}
	client->next_id++;
	client->stats.n_resent += (int64_t)n_again;
	*block = (struct block){.id = id, .deadline_ns = now + client->options.resend_ms * NS_PER_MS};
	return true;
}

static void send_due(struct client *client, int64_t now)
{
	struct block *block;

	client->want_send = false;
	if (!client->greeted)
		send_hello(client, now);
	if (!client->greeted)
		return;
	send_request(client, &client->call, now);
	send_request(client, &client->batch, now);
	while (client->opened && now >= client->outbox_at_ns && (block = client_find_block(client, 0))) {
		if (!send_block(client, block, now))
			break;
	}
}

/* No answer in resend_ms: the daemon may be another one by now, so greet it first. */
static void check_deadlines(struct client *client, int64_t now)
{
	bool late = false;

	if (client->hello.state == REQUEST_SENT && now >= client->hello.at_ns)
		late = true;
	if (client->call.state == REQUEST_SENT && !client->call.once && now >= client->call.at_ns)
		late = true;
	if (client->batch.state == REQUEST_SENT && now >= client->batch.at_ns)
		late = true;
	for (size_t i = 0; i < CLIENT_BLOCKS_MAX; i++)
		late = late || (client->blocks[i].id && now >= client->blocks[i].deadline_ns);
	if (late)
		client_lose_greeting(client);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When something is due by itself. */
static int64_t next_due_ns(const struct client *client)
{
	const struct request *requests[] = {&client->hello, &client->call, &client->batch};
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < 3; i++) {
		const struct request *r = requests[i];
		bool may_go = r == &client->hello || client->greeted;

		if ((r->state == REQUEST_DUE && may_go && !client->want_send) || (r->state == REQUEST_SENT && !r->once))
			due = earlier(due, r->at_ns);
	}
	for (size_t i = 0; i < CLIENT_BLOCKS_MAX; i++) {
		if (client->blocks[i].id)
			due = earlier(due, client->blocks[i].deadline_ns);
	}
	if (client->greeted && client->opened && !client->want_send && client_now_ns() < client->outbox_at_ns &&
	    outbox_has_waiting(client))
		due = earlier(due, client->outbox_at_ns);
	return due;
}

/* Everything that is there. Answers that cannot be read are as good as lost: their question goes again. */
static bool receive_all(struct client *client)
{
	struct message answer;
	bool any = false;
	int rc;

	while ((rc = client_socket_receive(&client->socket, NULL, &answer)) != -EAGAIN) {
		if (rc == -EPROTO || rc == -E2BIG || rc == -ENOTSUP || rc == -ERANGE)
			continue;
		if (rc)
			break;
		client_dispatch(client, &answer);
		message_done(&answer);
		any = true;
	}
	return any;
}

/* Milliseconds until the earlier of the two, rounded up; -1: for ever. */
static int wait_ms(int64_t now, int64_t a, int64_t b)
{
	int64_t until = earlier(a, b), ms;

	if (until == INT64_MAX)
		return -1;
	ms = until <= now ? 0 : (until - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int client_poll(struct client *client, int timeout_ms, struct error *err)
{
	int64_t now = client_now_ns();
	const int64_t end = timeout_ms < 0 ? INT64_MAX : now + timeout_ms * NS_PER_MS;
	bool any = false, lost;

	do {
		int rc;

		check_deadlines(client, now);
		send_due(client, now);
		rc = client_socket_wait(&client->socket, wait_ms(now, end, next_due_ns(client)), client->want_send, err,
					&lost);
		if (rc)
			return rc;
		if (lost)
			client_lose_greeting(client);
		any = receive_all(client);
		now = client_now_ns();
	} while (!any && now < end);
	send_due(client, now);
	return 0;
}

int client_wait(struct client *client, struct request *request, const char *type, int timeout_ms, struct error *err)
{
	const int64_t end = timeout_ms < 0 ? INT64_MAX : client_now_ns() + timeout_ms * NS_PER_MS;
	int rc = 0;

	while (!rc && request->state != REQUEST_ANSWERED) {
		int64_t now = client_now_ns();

		rc = client_poll(client, wait_ms(now, end, INT64_MAX), err);
		if (rc || request->state == REQUEST_ANSWERED)
			break;
		/* A daemon that refuses the greeting will not answer anything else. */
		if (client->trouble_code && client->trouble_code != -EBUSY && !client->greeted) {
			rc = client->trouble_code;
			if (err)
				*err = client->trouble;
		} else if (client_now_ns() >= end && client->trouble_code) {
			rc = error_set(err, client->trouble_code, "%s: %s", client->endpoint, client->trouble.text);
		} else if (client_now_ns() >= end) {
			rc = error_set(err, -ETIMEDOUT, "%s: no answer in %d ms", client->endpoint, timeout_ms);
		}
	}
	if (!rc)
		rc = client_check_answer(&request->answer, type, err);
	if (rc)
		client_forget(request);
	return rc;
}

int client_flush(struct client *client, int timeout_ms, struct error *err)
{
	const int64_t end = timeout_ms < 0 ? INT64_MAX : client_now_ns() + timeout_ms * NS_PER_MS;

	while (client->outbox.n_unsettled > 0) {
		int rc = client_poll(client, wait_ms(client_now_ns(), end, INT64_MAX), err);

		if (rc)
			return rc;
		if (client->outbox.n_unsettled > 0 && client_now_ns() >= end)
			return error_set(err, -ETIMEDOUT, "%s: %zu presentations are not settled after %d ms%s%s",
					 client->endpoint, client->outbox.n_unsettled, timeout_ms,
					 client->outbox_trouble.text[0] ? ": " : "", client->outbox_trouble.text);
	}
	return 0;
}
