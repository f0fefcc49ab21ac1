/* An answer that cannot be made for want of memory, or sent, is dropped: the asker asks again, which is always safe. */
#include "daemon/answer.h"

#include "protocol/fields.h"

void answer_send(const struct asker *asker, const char *type, json_t *fields)
{
	struct message message;

	if (message_init(type, asker->id, &message) == 0) {
		if (!fields || json_object_update(message.header, fields) == 0)
			endpoint_send(asker->endpoint, &asker->peer, &message);
		message_done(&message);
	}
	json_decref(fields);
}

void answer_error(const struct asker *asker, const char *code, const char *field, const char *text)
{
	struct error reason;

	error_set(&reason, 0, "%s", text);
	endpoint_refuse(asker->endpoint, &asker->peer, asker->id, code, field, &reason);
}

void answer_refuse(const struct asker *asker, int status, const struct error *reason)
{
	endpoint_refuse(asker->endpoint, &asker->peer, asker->id, message_error_code(status), NULL, reason);
}

void answer_busy(const struct asker *asker, int retry_ms, const char *reason, const char *holder)
{
	json_t *fields = json_pack("{s:i, s:s}", FIELD_RETRY_MS, retry_ms, FIELD_REASON, reason);

	if (holder)
		json_object_set_new(fields, FIELD_HOLDER, json_string(holder));
	answer_send(asker, TYPE_BUSY, fields);
}
