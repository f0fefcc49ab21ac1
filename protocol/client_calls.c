/* The questions that a rig asks one at a time: each builds its message, waits, and reads the answer.
 *
 * Failure modes: as client_wait(); an answer with fields that are missing or of another type is -EPROTO. */
#include <errno.h>
#include <string.h>

#include "protocol/client.h"
#include "protocol/client_internal.h"
#include "protocol/fields.h"

static const struct {
	const char *code;
	int status;
} codes[] = {
	{CODE_MALFORMED, -EPROTO},    {CODE_VERSION, -ENOTSUP},	       {CODE_UNKNOWN_TYPE, -ENOTSUP},
	{CODE_TOO_LARGE, -E2BIG},     {CODE_UNKNOWN_SESSION, -ESTALE}, {CODE_UNKNOWN_IMAGE, -ENOENT},
	{CODE_UNKNOWN_UNIT, -ENOENT}, {CODE_INVALID, -EINVAL},	       {CODE_STATE, -EPERM},
	{CODE_STORAGE, -EIO},
};

static int code_status(const char *code)
{
	for (size_t i = 0; code && i < sizeof codes / sizeof codes[0]; i++) {
		if (!strcmp(code, codes[i].code))
			return codes[i].status;
	}
	return -EPROTO;
}

int client_check_answer(const struct message *answer, const char *type, struct error *err)
{
	const char *found = message_type(answer), *text;

	if (!strcmp(found, type))
		return 0;
	if (strcmp(found, TYPE_ERROR) != 0)
		return error_set(err, -EPROTO, FIELD_TYPE ": answer %s expected, found %s", type, found);
	text = json_string_value(json_object_get(answer->header, FIELD_TEXT));
	return error_set(err, code_status(json_string_value(json_object_get(answer->header, FIELD_CODE))), "%s",
			 text ? text : "the daemon gave no reason");
}

/* Sends `question` and waits; frees nothing of the answer, which stays in client->call. */
static int call(struct client *client, struct message *question, const char *type, int timeout_ms, struct error *err)
{
	client_begin(client, &client->call, question);
	return client_wait(client, &client->call, type, timeout_ms, err);
}

/* For answers in which there is nothing to read. */
static int call_and_forget(struct client *client, struct message *question, const char *type, int timeout_ms,
			   struct error *err)
{
	int rc = call(client, question, type, timeout_ms, err);

	client_forget(&client->call);
	return rc;
}

/* Moves `fields` into the question's header. */
static int add_fields(struct message *question, json_t *fields, struct error *err)
{
	int rc = fields ? json_object_update(question->header, fields) : -1;

	json_decref(fields);
	if (rc) {
		error_set(err, -ENOMEM, "%s: out of memory", message_type(question));
		message_done(question);
		return -ENOMEM;
	}
	return 0;
}

static int read_image_size(const json_t *header, struct error *err, uint32_t *ret_width_px, uint32_t *ret_height_px)
{
	const json_t *image;
	int64_t width_px, height_px;
	int rc = message_get_object(header, "", FIELD_IMAGE, err, &image);

	if (rc)
		return rc;
	rc = message_get_int(image, FIELD_IMAGE, FIELD_WIDTH_PX, 1, LIMIT_IMAGE_SIDE_PX, err, &width_px);
	if (rc)
		return rc;
	rc = message_get_int(image, FIELD_IMAGE, FIELD_HEIGHT_PX, 1, LIMIT_IMAGE_SIDE_PX, err, &height_px);
	if (rc)
		return rc;
	*ret_width_px = (uint32_t)width_px;
	*ret_height_px = (uint32_t)height_px;
	return 0;
}

static int read_welcome(const json_t *header, struct error *err, struct client_welcome *welcome)
{
	const char *server, *state, *session_name = "";
	int rc = message_get_string(header, "", FIELD_SERVER, sizeof welcome->server - 1, err, &server);

	if (!rc)
		rc = message_get_string(header, "", FIELD_STATE, sizeof welcome->state - 1, err, &state);
	if (!rc && message_has(header, FIELD_SESSION_NAME))
		rc = message_get_string(header, "", FIELD_SESSION_NAME, LIMIT_LABEL_BYTES, err, &session_name);
	if (!rc)
		rc = message_get_int(header, "", FIELD_SETTLED_THROUGH, 0, LIMIT_INTEGER - 1, err,
				     &welcome->settled_through);
	if (!rc)
		rc = message_get_int(header, "", FIELD_NEXT_AFTER, 0, LIMIT_INTEGER - 1, err, &welcome->next_after);
	if (!rc)
		rc = read_image_size(header, err, &welcome->width_px, &welcome->height_px);
	if (rc)
		return rc;
	strcpy(welcome->server, server);
	strcpy(welcome->state, state);
	strcpy(welcome->session_name, session_name);
	return 0;
}

int client_hello(struct client *client, int timeout_ms, struct error *err, struct client_welcome *ret_welcome)
{
	struct client_welcome welcome = {0};
	int rc;

	client_lose_greeting(client);
	client->trouble_code = 0;
	rc = client_wait(client, &client->hello, TYPE_WELCOME, timeout_ms, err);
	if (rc)
		return rc;
	rc = read_welcome(client->hello.answer.header, err, &welcome);
	if (rc)
		return rc;
	if (welcome.settled_through > client->outbox.last_number)
		client->outbox.last_number = welcome.settled_through;
	*ret_welcome = welcome;
	return 0;
}

/* The client's own copy, so that the caller's may go. Opened again, its units stay as they have become. */
static int keep_spec(struct client *client, const struct session_spec *spec, struct error *err)
{
	struct session_spec copy;
	json_t *object;
	int rc;

	if (client->opened)
		return 0;
	rc = session_spec_encode(spec, err, &object);
	if (rc)
		return rc;
	rc = session_spec_parse(object, err, &copy);
	json_decref(object);
	if (rc)
		return rc;
	session_spec_done(&client->spec);
	client->spec = copy;
	return 0;
}

static int read_opened(const json_t *header, struct error *err, struct client_opened *opened)
{
	const char *session;
	int rc = message_get_string(header, "", FIELD_SESSION, sizeof opened->session - 1, err, &session);

	if (rc)
		return rc;
	strcpy(opened->session, session);
	return read_image_size(header, err, &opened->width_px, &opened->height_px);
}

int client_open(struct client *client, const struct session_spec *spec, int timeout_ms, struct error *err,
		struct client_opened *ret_opened)
{
	struct client_opened opened = {0};
	struct message question;
	json_t *object;
	int rc = keep_spec(client, spec, err);

	if (rc)
		return rc;
	rc = client_question(client, TYPE_OPEN, err, &question);
	if (rc)
		return rc;
	if (session_spec_encode(spec, err, &object))
		object = NULL;
	rc = add_fields(&question, object, err);
	if (rc)
		return rc;
	rc = call(client, &question, TYPE_OPENED, timeout_ms, err);
	if (rc)
		return rc;
	rc = read_opened(client->call.answer.header, err, &opened);
	client_forget(&client->call);
	if (rc)
		return rc;
	client->opened = true;
	*ret_opened = opened;
	return 0;
}

static json_t *units_fields(int64_t from_number, const struct session_unit *add, size_t n_add, const uint32_t *retire,
			    size_t n_retire)
{
	json_t *added = json_array(), *retired = json_array();
	int rc = 0;

	for (size_t i = 0; i < n_add; i++)
		rc |= json_array_append_new(added,
					    json_pack("{s:I, s:s, s:I}", FIELD_ID, (json_int_t)add[i].id, FIELD_LABEL,
						      add[i].label, FIELD_ARRAY, (json_int_t)add[i].array));
	for (size_t i = 0; i < n_retire; i++)
		rc |= json_array_append_new(retired, json_integer(retire[i]));
	if (rc) {
		json_decref(added);
		json_decref(retired);
		return NULL;
	}
	return json_pack("{s:I, s:o, s:o}", FIELD_FROM_NUMBER, (json_int_t)from_number, FIELD_ADD, added, FIELD_RETIRE,
			 retired);
}

int client_units(struct client *client, int64_t from_number, const struct session_unit *add, size_t n_add,
		 const uint32_t *retire, size_t n_retire, int timeout_ms, struct error *err)
{
	json_t *fields = units_fields(from_number, add, n_add, retire, n_retire);
	struct message question;
	int rc;

	rc = client_question(client, TYPE_UNITS, err, &question);
	if (rc) {
		json_decref(fields);
		return rc;
	}
	json_incref(fields);
	rc = add_fields(&question, fields, err);
	if (rc)
		goto out_fields;
	rc = client_flush(client, timeout_ms, err);
	if (rc) {
		message_done(&question);
		goto out_fields;
	}
	rc = call_and_forget(client, &question, TYPE_UNITS_SET, timeout_ms, err);
	if (!rc)
		rc = session_spec_change_units(&client->spec, fields, err);
out_fields:
	json_decref(fields);
	return rc;
}

int client_push(struct client *client, const struct presentation *presentation, struct error *err)
{
	uint32_t units[LIMIT_UNITS];
	size_t size, value = client->spec.response_type == RESPONSE_COUNTS ? sizeof(uint16_t) : sizeof(float);
	int rc;

	if (!client->opened)
		return error_set(err, -EPERM, "presentation %lld: the session is not open",
				 (long long)presentation->number);
	size = session_spec_units_at(&client->spec, presentation->number, units) * client->spec.n_bins * value;
	if (presentation->responses_size != size || (presentation->mask && presentation->mask_size * value != size))
		return error_set(
			err, -EINVAL, ARRAY_RESPONSES ": presentation %lld: %zu bytes expected, found %zu (mask: %zu)",
			(long long)presentation->number, size, presentation->responses_size, presentation->mask_size);
	rc = outbox_push(&client->outbox, presentation, err);
	if (!rc)
		client->stats.n_pushed++;
	return rc;
}

int client_ask_batch(struct client *client, int64_t after, struct error *err)
{
	struct message question;
	int rc = client_question(client, TYPE_NEXT_BATCH, err, &question);

	if (rc)
		return rc;
	rc = add_fields(&question, json_pack("{s:I}", FIELD_AFTER, (json_int_t)after), err);
	if (rc)
		return rc;
	client_begin(client, &client->batch, &question);
	return 0;
}

int client_take_batch(struct client *client, struct error *err, struct client_batch *ret_batch)
{
	int rc;

	if (client->batch.state == REQUEST_NONE)
		return error_set(err, -EINVAL, TYPE_BATCH ": none was asked for");
	if (client->batch.state != REQUEST_ANSWERED)
		return error_set(err, -EAGAIN, TYPE_BATCH ": not there yet");
	rc = client_check_answer(&client->batch.answer, TYPE_BATCH, err);
	if (!rc)
		rc = client_batch_parse(&client->batch.answer, err, ret_batch);
	client_forget(&client->batch);
	return rc;
}

int client_next_batch(struct client *client, int64_t after, int timeout_ms, struct error *err,
		      struct client_batch *ret_batch)
{
	int rc = client_ask_batch(client, after, err);

	if (!rc)
		rc = client_wait(client, &client->batch, TYPE_BATCH, timeout_ms, err);
	return rc ? rc : client_take_batch(client, err, ret_batch);
}

int client_image(struct client *client, uint32_t width_px, uint32_t height_px, const void *png, size_t size,
		 int timeout_ms, struct error *err, uint8_t ret_image[32])
{
	const uint64_t dims = size;
	struct message question;
	int rc = client_question(client, TYPE_IMAGE, err, &question);

	if (rc)
		return rc;
	rc = add_fields(
		&question,
		json_pack("{s:I, s:I}", FIELD_WIDTH_PX, (json_int_t)width_px, FIELD_HEIGHT_PX, (json_int_t)height_px),
		err);
	if (rc)
		return rc;
	rc = message_add_array(&question, ARRAY_PNG, MESSAGE_BYTES, 1, &dims, png, err);
	if (rc) {
		message_done(&question);
		return rc;
	}
	rc = call(client, &question, TYPE_IMAGE_STORED, timeout_ms, err);
	if (rc)
		return rc;
	rc = message_get_hex(client->call.answer.header, "", FIELD_IMAGE, 32, err, ret_image);
	client_forget(&client->call);
	return rc;
}

int client_amend(struct client *client, int64_t number, const enum presentation_outcome *outcome, const int64_t *trial,
		 const char *reason, int timeout_ms, struct error *err)
{
	struct message question;
	json_t *fields;
	int rc = client_question(client, TYPE_AMEND, err, &question);

	if (rc)
		return rc;
	fields = json_pack("{s:I, s:s}", FIELD_NUMBER, (json_int_t)number, FIELD_REASON, reason);
	if (fields && outcome)
		json_object_set_new(fields, FIELD_OUTCOME, json_string(presentation_outcome_name(*outcome)));
	if (fields && trial)
		json_object_set_new(fields, FIELD_TRIAL, json_integer(*trial));
	rc = add_fields(&question, fields, err);
	if (rc)
		return rc;
	return call_and_forget(client, &question, TYPE_AMENDED, timeout_ms, err);
}

int client_note(struct client *client, const char *text, int timeout_ms, struct error *err)
{
	struct message question;
	int rc = client_question(client, TYPE_NOTE, err, &question);

	if (rc)
		return rc;
	rc = add_fields(&question, json_pack("{s:s}", FIELD_TEXT, text), err);
	if (rc)
		return rc;
	client_begin(client, &client->call, &question);
	client->call.once = true;
	rc = client_wait(client, &client->call, TYPE_NOTED, timeout_ms, err);
	client_forget(&client->call);
	return rc;
}

int client_close(struct client *client, int timeout_ms, struct error *err)
{
	struct message question;
	int rc = client_question(client, TYPE_CLOSE, err, &question);

	return rc ? rc : call_and_forget(client, &question, TYPE_CLOSED, timeout_ms, err);
}
