/* Bytes as lower-case hex digits: ids of sessions and runs. */
#ifndef EVOKED_DAEMON_HEX_H
#define EVOKED_DAEMON_HEX_H

#include <stddef.h>
#include <stdint.h>

/* ret_text: 2 * size digits and a NUL. */
static inline void hex_encode(const uint8_t *bytes, size_t size, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * size] = '\0';
}

#endif
