/* What an answer does: it goes to the question with its id, or it is the last word on a block of presentations.
 *
 * Failure modes: answers that nobody waits for any more are ignored; a block that the daemon refuses for good is
 * settled as refused, one that it may take later waits again. */
#include <errno.h>
#include <string.h>

#include "protocol/client.h"
#include "protocol/client_internal.h"
#include "protocol/fields.h"

enum { RETRY_MS_MAX = 10000, RETRY_STORAGE_MS = 1000 };

static int64_t retry_ns(const struct message *answer)
{
	json_int_t ms = json_integer_value(json_object_get(answer->header, FIELD_RETRY_MS));

	return (ms < 1 ? 1 : ms > RETRY_MS_MAX ? RETRY_MS_MAX : ms) * NS_PER_MS;
}

static void note_busy(struct client *client, const struct message *answer, struct error *trouble)
{
	const char *reason = json_string_value(json_object_get(answer->header, FIELD_REASON));
	const char *holder = json_string_value(json_object_get(answer->header, FIELD_HOLDER));

	client->stats.n_busy++;
	error_set(trouble, -EBUSY, "busy: %s%s%s", reason ? reason : "no reason given", holder ? ", held by " : "",
		  holder ? holder : "");
}

static bool is_type(const struct message *message, const char *type)
{
	return !strcmp(message_type(message), type);
}

/* Takes the answer over, or waits out a busy one. */
static void take_answer(struct client *client, struct request *request, struct message *answer, int64_t now)
{
	if (is_type(answer, TYPE_BUSY)) {
		note_busy(client, answer, &client->trouble);
		client->trouble_code = -EBUSY;
		request->state = REQUEST_DUE;
		request->at_ns = now + retry_ns(answer);
		return;
	}
	client->trouble_code = 0;
	request->answer = *answer;
	*answer = (struct message){0};
	request->state = REQUEST_ANSWERED;
}

/* After a `welcome` the answer stays for client_hello(); a refusal is kept as trouble, and `hello` goes again later. */
static void after_hello(struct client *client, int64_t now)
{
	struct request *hello = &client->hello;

	if (hello->state != REQUEST_ANSWERED)
		return;
	client->trouble_code = client_check_answer(&hello->answer, TYPE_WELCOME, &client->trouble);
	if (client->trouble_code) {
		message_done(&hello->answer);
		hello->state = REQUEST_DUE;
		hello->at_ns = now + client->options.resend_ms * NS_PER_MS;
		return;
	}
	client->greeted = true;
	outbox_settle_through(&client->outbox,
			      json_integer_value(json_object_get(hello->answer.header, FIELD_SETTLED_THROUGH)));
}

static void refuse(struct client *client, int64_t number, const char *reason)
{
	client->stats.n_refused++;
	if (client->options.refused)
		client->options.refused(client->options.ctx, number, reason ? reason : "no reason given");
}

static void after_settled(struct client *client, const struct message *answer, int64_t id)
{
	const json_t *header = answer->header, *entry;
	int64_t missing[LIMIT_MISSING_REPORTED];
	size_t i, n_missing = 0;

	json_array_foreach(json_object_get(header, FIELD_REFUSED), i, entry)
		refuse(client, json_integer_value(json_object_get(entry, FIELD_NUMBER)),
		       json_string_value(json_object_get(entry, FIELD_REASON)));
	json_array_foreach(json_object_get(header, FIELD_CONFLICTS), i, entry)
	{
		client->stats.n_conflicts++;
		if (client->options.conflict)
			client->options.conflict(client->options.ctx, json_integer_value(entry));
	}
	json_array_foreach(json_object_get(header, FIELD_MISSING), i, entry)
	{
		if (n_missing < LIMIT_MISSING_REPORTED)
			missing[n_missing++] = json_integer_value(entry);
	}
	client->outbox_trouble.text[0] = '\0';
	outbox_settle_block(&client->outbox, id, missing, n_missing);
	outbox_settle_through(&client->outbox, json_integer_value(json_object_get(header, FIELD_SETTLED_THROUGH)));
}

/* The block will never be taken: each of its presentations is refused with the daemon's sentence. */
static void refuse_block(struct client *client, int64_t id, const char *reason)
{
	for (size_t i = 0; i < client->outbox.n; i++) {
		const struct outbox_entry *entry = outbox_entry(&client->outbox, i);

		if (entry->state == OUTBOX_SENT && entry->block == id)
			refuse(client, entry->presentation.number, reason);
	}
	outbox_settle_block(&client->outbox, id, NULL, 0);
}

static void after_block(struct client *client, struct block *block, const struct message *answer, int64_t now)
{
	const int64_t id = block->id;
	struct error err;
	int code;

	*block = (struct block){0};
	if (is_type(answer, TYPE_SETTLED)) {
		after_settled(client, answer, id);
		return;
	}
	if (is_type(answer, TYPE_BUSY)) {
		note_busy(client, answer, &client->outbox_trouble);
		outbox_return_block(&client->outbox, id);
		client->outbox_at_ns = now + retry_ns(answer);
		return;
	}
	code = client_check_answer(answer, TYPE_SETTLED, &err);
	if (code == -EIO || code == -EPERM || code == -ESTALE) {
		/* It may take them later: storage that recovers, a session that is opened again. */
		client->outbox_trouble = err;
		outbox_return_block(&client->outbox, id);
		client->outbox_at_ns = now + RETRY_STORAGE_MS * NS_PER_MS;
		if (code != -EIO)
			client_lose_greeting(client);
		return;
	}
	refuse_block(client, id, err.text);
}

void client_dispatch(struct client *client, struct message *answer)
{
	const int64_t now = client_now_ns();
	const int64_t id = message_id(answer);
	struct block *block;

	if (id <= 0)
		return;
	if (client->hello.state == REQUEST_SENT && client->hello.id == id) {
		take_answer(client, &client->hello, answer, now);
		after_hello(client, now);
	} else if (client->call.state == REQUEST_SENT && client->call.id == id) {
		take_answer(client, &client->call, answer, now);
	} else if (client->batch.state == REQUEST_SENT && client->batch.id == id) {
		take_answer(client, &client->batch, answer, now);
	} else if ((block = client_find_block(client, id))) {
		after_block(client, block, answer, now);
	}
}
