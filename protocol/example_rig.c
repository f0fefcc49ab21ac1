/* A whole rig in C, to be read first and copied: it "shows" each image that the daemon asks for and answers with
 * made-up spike counts of 20 units. README.md ("Clients") has the one command that builds it.
 *
 *	./example_rig tcp://127.0.0.1:5571 5
 *
 * Put your display and your recording system in the place of show_and_record(). */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "protocol/client.h"

enum { N_UNITS = 20, IMAGES_A_TRIAL = 8, WAIT_MS = 60000 };

static const char declaration[] =
	"{\"name\": \"example-c\", \"response_type\": \"counts\", \"arrays\": [{\"name\": \"A\"}],"
	" \"bins\": [{\"start_ms\": 50, \"end_ms\": 150}], \"units\": []}";

/* Yours: shows the image, returns when it appeared; counts: spikes of each unit, 50 to 150 ms after that. */
static int64_t show_and_record(const void *png, size_t size, uint16_t counts[N_UNITS])
{
	struct timespec now;

	(void)png;
	for (size_t i = 0; i < N_UNITS; i++)
		counts[i] = (uint16_t)((size + i) % 7);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void on_refused(void *ctx, int64_t number, const char *reason)
{
	(void)ctx;
	fprintf(stderr, "presentation %lld was refused: %s\n", (long long)number, reason);
}

static int declare(struct session_spec *ret_spec, struct error *err)
{
	json_t *object = json_loads(declaration, 0, NULL);
	int rc;

	for (int i = 0; i < N_UNITS; i++)
		json_array_append_new(json_object_get(object, "units"), json_pack("{s:i, s:i}", "id", i, "array", 0));
	rc = session_spec_parse(object, err, ret_spec);
	json_decref(object);
	return rc;
}

static int show_batch(struct client *client, const struct client_batch *batch, int64_t *number, struct error *err)
{
	for (size_t i = 0; i < batch->n_slots; i++) {
		const struct client_slot *slot = &batch->slots[i];
		uint16_t counts[N_UNITS];
		struct presentation presentation = {.number = ++*number,
						    .trial = *number / IMAGES_A_TRIAL,
						    .position = *number % IMAGES_A_TRIAL,
						    .batch = batch->batch,
						    .slot = slot->slot,
						    .onset_source = ONSET_PHOTODIODE,
						    .outcome = OUTCOME_COMPLETE,
						    .responses = counts,
						    .responses_size = sizeof counts};
		int rc;

		presentation.onset_us = show_and_record(slot->png, slot->png_size, counts);
		presentation.commanded_us = presentation.onset_us;
		while ((rc = client_push(client, &presentation, err)) == -EAGAIN)
			client_poll(client, 10, err); /* the outbox is full: this rig prefers to wait */
		if (!rc)
			rc = client_poll(client, 0, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int run(struct client *client, int n_batches, struct error *err)
{
	struct client_welcome welcome;
	struct client_opened opened;
	struct session_spec spec;
	struct client_batch batch;
	struct client_stats stats;
	int64_t number, after;
	int rc = client_hello(client, WAIT_MS, err, &welcome);

	if (rc)
		return rc;
	number = welcome.settled_through;
	after = welcome.next_after;
	rc = declare(&spec, err);
	if (rc)
		return rc;
	rc = client_open(client, &spec, WAIT_MS, err, &opened);
	session_spec_done(&spec);
	for (int i = 0; !rc && i < n_batches; i++) {
		rc = client_next_batch(client, after, WAIT_MS, err, &batch);
		if (rc)
			break;
		rc = show_batch(client, &batch, &number, err);
		after = batch.batch;
		printf("batch %lld (%s): %zu images\n", (long long)batch.batch, batch.origin, batch.n_slots);
		client_batch_done(&batch);
	}
	if (!rc)
		rc = client_flush(client, WAIT_MS, err);
	client_stats(client, &stats);
	printf("%lld presentations are on disk\n", (long long)stats.n_settled);
	return rc;
}

int main(int argc, char **argv)
{
	struct client_options options = {.endpoint = argc > 1 ? argv[1] : "tcp://127.0.0.1:5571",
					 .refused = on_refused};
	struct client *client;
	struct error err;
	int rc;

	if (getrandom(options.run, sizeof options.run, 0) != sizeof options.run)
		return 1;
	rc = client_create(&options, &err, &client);
	if (!rc) {
		rc = run(client, argc > 2 ? atoi(argv[2]) : 5, &err);
		client_destroy(client);
	}
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	return rc ? 1 : 0;
}
