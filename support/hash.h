/* SHA-256 of bytes and of images: the names of everything that never changes (libsodium). */
#ifndef EVOKED_SUPPORT_HASH_H
#define EVOKED_SUPPORT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASH_SIZE = 32, HASH_HEX_SIZE = 65 };

struct hash {
	uint8_t bytes[HASH_SIZE];
};

/* An incremental hash; the storage is opaque and large enough for libsodium's state. */
struct hash_state {
	_Alignas(64) unsigned char opaque[128];
};

void hash_begin(struct hash_state *state);
void hash_update(struct hash_state *state, const void *data, size_t size);
void hash_end(struct hash_state *state, struct hash *ret_hash);

void hash_bytes(const void *data, size_t size, struct hash *ret_hash);

/* The hash that names an image: SHA-256 over u32le width, u32le height, then RGB rows (design: "The session file"). */
void hash_image(uint32_t width_px, uint32_t height_px, const uint8_t *rgb, struct hash *ret_hash);

/* 64 lower-case hex digits and a NUL. */
void hash_to_hex(const struct hash *hash, char ret_hex[HASH_HEX_SIZE]);

/* 0, or -EINVAL when `hex` is not exactly 64 hex digits. */
int hash_from_hex(const char *hex, struct hash *ret_hash);

bool hash_equal(const struct hash *a, const struct hash *b);

#endif
