/* libsodium's SHA-256 behind our own names. Nothing here can fail: the state is the caller's. */
#include "support/hash.h"

#include <assert.h>
#include <errno.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>
#include <string.h>

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct hash_state), "struct hash_state is too small");
static_assert(crypto_hash_sha256_BYTES == HASH_SIZE, "a hash is 32 bytes");

static crypto_hash_sha256_state *state_of(struct hash_state *state)
{
	return (crypto_hash_sha256_state *)(void *)state->opaque;
}

void hash_begin(struct hash_state *state)
{
	crypto_hash_sha256_init(state_of(state));
}

void hash_update(struct hash_state *state, const void *data, size_t size)
{
	crypto_hash_sha256_update(state_of(state), data, size);
}

void hash_end(struct hash_state *state, struct hash *ret_hash)
{
	crypto_hash_sha256_final(state_of(state), ret_hash->bytes);
}

void hash_bytes(const void *data, size_t size, struct hash *ret_hash)
{
	crypto_hash_sha256(ret_hash->bytes, data, size);
}

static void put_u32le(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

void hash_image(uint32_t width_px, uint32_t height_px, const uint8_t *rgb, struct hash *ret_hash)
{
	uint8_t size[8];
	struct hash_state state;

	put_u32le(size, width_px);
	put_u32le(size + 4, height_px);
	hash_begin(&state);
	hash_update(&state, size, sizeof size);
	hash_update(&state, rgb, (size_t)width_px * height_px * 3);
	hash_end(&state, ret_hash);
}

void hash_to_hex(const struct hash *hash, char ret_hex[HASH_HEX_SIZE])
{
	sodium_bin2hex(ret_hex, HASH_HEX_SIZE, hash->bytes, HASH_SIZE);
}

int hash_from_hex(const char *hex, struct hash *ret_hash)
{
	struct hash hash;
	size_t size;

	if (strnlen(hex, HASH_HEX_SIZE) != HASH_HEX_SIZE - 1)
		return -EINVAL;
	if (sodium_hex2bin(hash.bytes, HASH_SIZE, hex, HASH_HEX_SIZE - 1, NULL, &size, NULL) || size != HASH_SIZE)
		return -EINVAL;
	*ret_hash = hash;
	return 0;
}

bool hash_equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}
