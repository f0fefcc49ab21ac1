/* A sentence for people that says what went wrong, carried beside a negative errno.
 *
 * A function that can fail returns 0 or a negative errno and takes a `struct error *` as its last-but-outputs
 * argument. The sentence names the thing, the limit and what was found ("presentations[3].responses: 49 units,
 * the session has 50"). Callers that do not care pass NULL. Thread: any; the struct belongs to its caller. */
#ifndef EVOKED_SUPPORT_ERROR_H
#define EVOKED_SUPPORT_ERROR_H

#include <stdarg.h>

enum { ERROR_TEXT_MAX = 512 };

struct error {
	char text[ERROR_TEXT_MAX]; /* always terminated; "" when nothing was set */
};

#if defined(__GNUC__)
#define ERROR_FORMAT(a, b) __attribute__((format(printf, a, b)))
#else
#define ERROR_FORMAT(a, b)
#endif

/* Writes the sentence (cut at ERROR_TEXT_MAX) and returns `code`, so that `return error_set(err, -EINVAL, ...)`
 * is the whole of a failure path. `err` may be NULL. */
int error_set(struct error *err, int code, const char *format, ...) ERROR_FORMAT(3, 4);
int error_set_va(struct error *err, int code, const char *format, va_list args);

/* Puts `format...` and ": " before the sentence that is there. `err` may be NULL. Returns `code`. */
int error_prefix(struct error *err, int code, const char *format, ...) ERROR_FORMAT(3, 4);

#endif
