/* What the files of the client share: client.c (the connection and what is under way), client_calls.c (the questions),
 * and client_batch.c. Not for others. */
#ifndef EVOKED_PROTOCOL_CLIENT_INTERNAL_H
#define EVOKED_PROTOCOL_CLIENT_INTERNAL_H

#include "protocol/client.h"
#include "protocol/client_socket.h"
#include "protocol/message.h"
#include "protocol/outbox.h"

#define NS_PER_MS 1000000LL

enum request_state { REQUEST_NONE, REQUEST_DUE, REQUEST_SENT, REQUEST_ANSWERED };

/* A question under way. Due or sent: it goes (again) at at_ns. */
struct request {
#define NS_PER_MS 1000000LL

	enum request_state state;
	bool once; /* never sent twice */
	int64_t id, at_ns;
	struct message question, answer;
};

/* Presentations under way. id 0: the place is free. */
struct block {
	int64_t id, deadline_ns;
};

struct client {
	struct client_options options;
	char *endpoint;
	char run[2 * RUN_SIZE + 1];
	struct client_socket socket;
	bool want_send; /* something could not be sent: wait until it can */
	bool greeted;	/* a `welcome` came on this connection */
	struct request hello, call, batch;
	struct session_spec spec; /* after `open` */
	bool opened;
	struct outbox outbox;
	struct block blocks[CLIENT_BLOCKS_MAX];
	int64_t outbox_at_ns; /* not before: the daemon was busy */
	int64_t next_id;
	struct error trouble;	     /* last busy or error of a hello or a call, for the sentence of a timeout */
	int trouble_code;	     /* 0: none since the last good answer */
	struct error outbox_trouble; /* the same of presentations; "": none */
	struct client_stats stats;
};

int64_t client_now_ns(void);
/* The block under way with that id (0: a free place), or NULL. */
struct block *client_find_block(struct client *client, int64_t id);
/* Gives an answer to whatever waits for it; may take its contents over. */
void client_dispatch(struct client *client, struct message *answer);

/* Begins a question: takes the message over. The one that was under way in this place is forgotten. */
void client_begin(struct client *client, struct request *request, struct message *question);
void client_forget(struct request *request);
/* The greeting no longer holds: `hello` goes, and everything that was sent goes again behind its answer. */
void client_lose_greeting(struct client *client);
/* Polls until the answer is there, checks its type. The answer stays in the request until client_forget(), which has
 * been called on failure. */
int client_wait(struct client *client, struct request *request, const char *type, int timeout_ms, struct error *err);
/* 0 when the answer has this type; else what the daemon said. */
int client_check_answer(const struct message *answer, const char *type, struct error *err);
/* A question of that type with the run in it. */
int client_question(struct client *client, const char *type, struct error *err, struct message *ret_message);

int client_batch_parse(const struct message *message, struct error *err, struct client_batch *ret_batch);

#endif
