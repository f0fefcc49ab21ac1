/* SHA-256 against the vectors of FIPS 180-2, and the name of an image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "support/hash.h"

static const char abc_hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void known_answers(void **state)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	struct hash hash;
	char hex[HASH_HEX_SIZE];

	(void)state;
	hash_bytes("abc", 3, &hash);
	hash_to_hex(&hash, hex);
	assert_string_equal(hex, abc_hex);
	hash_bytes("", 0, &hash);
	hash_to_hex(&hash, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_bytes(two_blocks, strlen(two_blocks), &hash);
	hash_to_hex(&hash, hex);
	assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void pieces_give_the_same(void **state)
{
	struct hash whole, pieces;
	struct hash_state s;

	(void)state;
	hash_bytes("abc", 3, &whole);
	hash_begin(&s);
	hash_update(&s, "a", 1);
	hash_update(&s, "", 0);
	hash_update(&s, "bc", 2);
	hash_end(&s, &pieces);
	assert_true(hash_equal(&whole, &pieces));
}

static void image_is_size_and_rows(void **state)
{
	static const uint8_t rgb[2 * 3 * 3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
	uint8_t bytes[8 + sizeof rgb] = {2, 0, 0, 0, 3, 0, 0, 0};
	struct hash image, turned, expected;

	(void)state;
	memcpy(bytes + 8, rgb, sizeof rgb);
	hash_bytes(bytes, sizeof bytes, &expected);
	hash_image(2, 3, rgb, &image);
	hash_image(3, 2, rgb, &turned);
	assert_true(hash_equal(&image, &expected));
	assert_false(hash_equal(&image, &turned));
}

static void hex_there_and_back(void **state)
{
	struct hash hash, back;
	char bad[HASH_HEX_SIZE + 1];

	(void)state;
	hash_bytes("abc", 3, &hash);
	assert_int_equal(hash_from_hex(abc_hex, &back), 0);
	assert_true(hash_equal(&hash, &back));
	assert_int_equal(hash_from_hex("ba78", &back), -EINVAL);
	assert_int_equal(hash_from_hex("", &back), -EINVAL);
	memcpy(bad, abc_hex, HASH_HEX_SIZE);
	bad[10] = 'g';
	assert_int_equal(hash_from_hex(bad, &back), -EINVAL);
	memcpy(bad, abc_hex, HASH_HEX_SIZE);
	strcat(bad, "0");
	assert_int_equal(hash_from_hex(bad, &back), -EINVAL);
	assert_true(hash_equal(&hash, &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(pieces_give_the_same),
		cmocka_unit_test(image_is_size_and_rows),
		cmocka_unit_test(hex_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
