/* Formats into the caller's buffer; a sentence that is too long is cut, never overflows. */
#include "support/error.h"

#include <stdio.h>
#include <string.h>

int error_set_va(struct error *err, int code, const char *format, va_list args)
{
	if (err)
		vsnprintf(err->text, sizeof err->text, format, args);
	return code;
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_set_va(err, code, format, args);
	va_end(args);
	return code;
}

int error_prefix(struct error *err, int code, const char *format, ...)
{
	char rest[ERROR_TEXT_MAX];
	va_list args;

	if (!err)
		return code;
	memcpy(rest, err->text, sizeof rest);
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	size_t at = strlen(err->text);
	snprintf(err->text + at, sizeof err->text - at, ": %.*s", (int)(sizeof rest - 1), rest);
	return code;
}
