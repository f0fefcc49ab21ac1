/* Bytes from a socket: taken apart as a message, then by each parser that a message of any type may reach.
 *
 * An input is the header up to the first NUL, then frames, each with its size as u16 before it; the last takes what is
 * left. What was accepted must come out of the encoder as it went in. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/client_internal.h"
#include "protocol/presentation.h"
#include "protocol/session_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct frames {
	const void *data[LIMIT_FRAMES + 2];
	size_t sizes[LIMIT_FRAMES + 2];
	size_t n;
};

static void cut(const uint8_t *data, size_t size, struct frames *frames)
{
	const uint8_t *end = memchr(data, 0, size);
	size_t header = end ? (size_t)(end - data) : size, at = header + 1;

	*frames = (struct frames){.data = {data}, .sizes = {header}, .n = 1};
	while (at + 2 <= size && frames->n < LIMIT_FRAMES + 2) {
		size_t n = (size_t)data[at] | (size_t)data[at + 1] << 8;

		at += 2;
		if (n > size - at)
			n = size - at;
		frames->data[frames->n] = data + at; /* at any address, as ZeroMQ may give it */
		frames->sizes[frames->n++] = n;
		at += n;
	}
}

/* Two bins of two units, one of which goes and one of which comes. */
static void make_spec(enum response_type type, struct session_spec *spec)
{
	json_t *object =
		json_pack("{s:s, s:s, s:[{s:s}], s:[{s:i, s:i}, {s:i, s:i, s:i}], s:[{s:i, s:i}, {s:i, s:i}]}", "name",
			  "fuzz", "response_type", type == RESPONSE_COUNTS ? "counts" : "continuous", "arrays", "name",
			  "A", "units", "id", 17, "array", 0, "id", 18, "array", 0, "until_number", 200, "bins",
			  "start_ms", 0, "end_ms", 50, "start_ms", 50, "end_ms", 150);

	if (session_spec_parse(object, NULL, spec))
		abort();
	json_decref(object);
}

static void parse_block(const struct message *message, enum response_type type)
{
	static struct presentation presentations[LIMIT_PRESENTATIONS];
	static struct presentation_refusal refusals[LIMIT_PRESENTATIONS];
	struct session_spec spec;
	uint8_t run[RUN_SIZE];
	size_t n, n_refusals;
	struct error err;

	make_spec(type, &spec);
	if (!presentation_parse_block(message, &spec, &err, run, presentations, &n, refusals, &n_refusals) && n > 0) {
		struct message again;

		if (presentation_encode_block(run, presentations, n, &spec, 1, &err, &again))
			abort();
		message_done(&again);
	}
	session_spec_change_units(&spec, message->header, &err);
	session_spec_done(&spec);
}

static void parse_spec(const struct message *message)
{
	struct session_spec spec, again;
	json_t *object;
	struct error err;

	if (session_spec_parse(message->header, &err, &spec))
		return;
	if (session_spec_encode(&spec, &err, &object) || session_spec_parse(object, &err, &again))
		abort();
	session_spec_done(&again);
	session_spec_done(&spec);
	json_decref(object);
}

static void encode_again(const struct message *message)
{
	struct message again;
	struct error err;
	const void *frames[LIMIT_FRAMES];
	size_t sizes[LIMIT_FRAMES];
	int64_t id;
	char *text;

	if (message_encode_header(message, &err, &text, &sizes[0]))
		abort();
	frames[0] = text;
	for (size_t i = 0; i < message->n_arrays; i++) {
		frames[i + 1] = message->arrays[i].data;
		sizes[i + 1] = message->arrays[i].size;
	}
	/* Escapes may make a header longer than it came, and then too long. */
	if (!message_parse(frames, sizes, message->n_arrays + 1, &err, &again, &id)) {
		if (id != message_id(message) || !json_equal(again.header, message->header))
			abort();
		message_done(&again);
	} else if (sizes[0] <= LIMIT_HEADER_BYTES) {
		abort();
	}
	free(text);
}

static void refuse(const struct error *cause)
{
	struct message message;
	char *text;
	size_t size;

	if (message_init_error(1, message_error_code(-1), cause, &message))
		abort();
	if (message_encode_header(&message, NULL, &text, &size))
		abort();
	free(text);
	message_done(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_batch batch;
	struct message message;
	struct frames frames;
	struct error err = {0};
	int64_t id;

	cut(data, size, &frames);
	if (message_parse(frames.data, frames.sizes, frames.n, &err, &message, &id)) {
		if (!err.text[0])
			abort(); /* a refusal without a reason */
		refuse(&err);
		return 0;
	}
	encode_again(&message);
	parse_spec(&message);
	parse_block(&message, RESPONSE_COUNTS);
	parse_block(&message, RESPONSE_CONTINUOUS);
	if (!client_batch_parse(&message, &err, &batch))
		client_batch_done(&batch);
	client_check_answer(&message, "settled", &err);
	message_done(&message);
	return 0;
}
