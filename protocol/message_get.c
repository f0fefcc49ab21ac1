/* Typed access to JSON fields. Every refusal names the path, what was expected and what was found; strings from
 * outside are shown by their length or an excerpt, never whole. */
#include "protocol/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *message_json_type(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_REAL:
		return "real number";
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	}
	return "nothing";
}

/* "presentations[3]." before a key; nothing before a key of the header itself. */
static const char *dot(const char *path)
{
	return path[0] ? "." : "";
}

static int wrong_type(const char *path, const char *key, const char *expected, const json_t *found, struct error *err)
{
	return error_set(err, -EPROTO, "%s%s%s: %s expected, found %s", path, dot(path), key, expected,
			 message_json_type(found));
}

bool message_has(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

int message_get_int(const json_t *object, const char *path, const char *key, int64_t min, int64_t max,
		    struct error *err, int64_t *ret_value)
{
	const json_t *field = json_object_get(object, key);
	int64_t value = json_integer_value(field);

	if (!json_is_integer(field))
		return wrong_type(path, key, "integer", field, err);
	if (value < min || value > max)
		return error_set(err, -ERANGE, "%s%s%s: integer from %lld to %lld expected, found %lld", path,
				 dot(path), key, (long long)min, (long long)max, (long long)value);
	*ret_value = value;
	return 0;
}

int message_get_string(const json_t *object, const char *path, const char *key, size_t max_bytes, struct error *err,
		       const char **ret_value)
{
	const json_t *field = json_object_get(object, key);

	if (!json_is_string(field))
		return wrong_type(path, key, "string", field, err);
	if (json_string_length(field) > max_bytes)
		return error_set(err, -E2BIG, "%s%s%s: at most %zu bytes, found %zu", path, dot(path), key, max_bytes,
				 json_string_length(field));
	*ret_value = json_string_value(field);
	return 0;
}

int message_get_double(const json_t *object, const char *path, const char *key, double min, double max,
		       struct error *err, double *ret_value)
{
	const json_t *field = json_object_get(object, key);
	double value = json_number_value(field);

	if (!json_is_number(field))
		return wrong_type(path, key, "number", field, err);
	if (value < min || value > max)
		return error_set(err, -ERANGE, "%s%s%s: number from %g to %g expected, found %g", path, dot(path), key,
				 min, max, value);
	*ret_value = value;
	return 0;
}

int message_get_bool(const json_t *object, const char *path, const char *key, struct error *err, bool *ret_value)
{
	const json_t *field = json_object_get(object, key);

	if (!json_is_boolean(field))
		return wrong_type(path, key, "true or false", field, err);
	*ret_value = json_is_true(field);
	return 0;
}

int message_get_array(const json_t *object, const char *path, const char *key, size_t min, size_t max,
		      struct error *err, const json_t **ret_array)
{
	const json_t *field = json_object_get(object, key);
	size_t n = json_array_size(field);

	if (!json_is_array(field))
		return wrong_type(path, key, "array", field, err);
	if (n > max)
		return error_set(err, -E2BIG, "%s%s%s: at most %zu elements, found %zu", path, dot(path), key, max, n);
	if (n < min)
		return error_set(err, -ERANGE, "%s%s%s: at least %zu elements, found %zu", path, dot(path), key, min,
				 n);
	*ret_array = field;
	return 0;
}

int message_get_object(const json_t *object, const char *path, const char *key, struct error *err,
		       const json_t **ret_object)
{
	const json_t *field = json_object_get(object, key);

	if (!json_is_object(field))
		return wrong_type(path, key, "object", field, err);
	*ret_object = field;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int message_get_hex(const json_t *object, const char *path, const char *key, size_t size, struct error *err,
		    uint8_t *ret_bytes)
{
	const json_t *field = json_object_get(object, key);
	const char *text = json_string_value(field);

	if (!text)
		return wrong_type(path, key, "string of hex digits", field, err);
	if (json_string_length(field) != 2 * size || strspn(text, "0123456789abcdefABCDEF") != 2 * size)
		return error_set(err, -EPROTO, "%s%s%s: %zu hex digits expected, found \"%.40s\" (%zu bytes)", path,
				 dot(path), key, 2 * size, text, json_string_length(field));
	for (size_t i = 0; i < size; i++)
		ret_bytes[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return 0;
}

void message_hex(const uint8_t *bytes, size_t size, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * size] = '\0';
}
