/* Folders, made pools and recorded zips: order, duplicates, broken files, sizes, manifest, held-out sets. */
#include "stimuli/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stimuli/dead_leaves.h"
#include "support/atomic_file.h"
#include "tests/unit/stimuli/image_samples.h"
#include "tests/unit/stimuli/recorded.h"

enum { SIDE_PX = 16, PATH_SIZE = 128 };

static char folder[] = "/tmp/pool_test_XXXXXX";
static const char *const file_names[] = {"a.png", "b.png", "broken.jpg", "c.png", "note.txt", "tall.png"};

static const char *in_folder(const char *name)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void write_leaves(const char *name, uint32_t width_px, uint32_t height_px, uint32_t index)
{
	struct image image;
	void *png;
	size_t size;

	assert_int_equal(dead_leaves_make(width_px, height_px, 1, index, NULL, &image), 0);
	assert_int_equal(image_encode_png(&image, NULL, &png, &size), 0);
	assert_int_equal(atomic_file_write(in_folder(name), png, size, NULL), 0);
	image_done(&image);
	free(png);
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++)
		unlink(in_folder(file_names[i]));
	return rmdir(folder);
}

static int open_folder(bool resize, struct error *err, struct pool **ret_pool)
{
	return pool_open(folder, SIDE_PX, SIDE_PX, resize, 1, NULL, err, ret_pool);
}

static void broken_and_double_files_are_named_and_skipped(void **state)
{
	struct error err = {0};
	struct pool *pool;
	struct image image;
	struct hash hash;
	size_t at;
	(void)state;

	write_leaves("a.png", SIDE_PX, SIDE_PX, 0);
	write_leaves("b.png", SIDE_PX, SIDE_PX, 1);
	write_leaves("c.png", SIDE_PX, SIDE_PX, 0);
	assert_int_equal(atomic_file_write(in_folder("broken.jpg"), jpeg_420, sizeof jpeg_420 / 2, NULL), 0);
	assert_int_equal(atomic_file_write(in_folder("note.txt"), "hello", 5, NULL), 0);
	assert_int_equal(open_folder(false, &err, &pool), 0);
	assert_int_equal(pool_n_images(pool), 2);
	assert_string_equal(pool_image_name(pool, 0), "a.png");
	assert_string_equal(pool_image_name(pool, 1), "b.png");
	assert_int_equal(pool_n_skipped(pool), 3);
	assert_non_null(strstr(pool_skipped(pool, 0), "broken.jpg: JPEG: truncated"));
	assert_non_null(strstr(pool_skipped(pool, 1), "c.png: the same pixels as a.png"));
	assert_non_null(strstr(pool_skipped(pool, 2), "note.txt"));

	assert_int_equal(pool_read(pool, 1, &err, &image), 0);
	image_hash(&image, &hash);
	assert_true(hash_equal(&hash, pool_image_hash(pool, 1)));
	assert_int_equal(pool_find(pool, &hash, &at), 0);
	assert_int_equal(at, 1);
	hash.bytes[3] ^= 1;
	assert_int_equal(pool_find(pool, &hash, &at), -ENOENT);
	image_done(&image);
	pool_close(pool);
}

static void changed_file_is_noticed(void **state)
{
	struct error err = {0};
	struct pool *pool;
	struct image image;
	(void)state;

	write_leaves("a.png", SIDE_PX, SIDE_PX, 0);
	assert_int_equal(open_folder(false, &err, &pool), 0);
	write_leaves("a.png", SIDE_PX, SIDE_PX, 5);
	assert_int_equal(pool_read(pool, 0, &err, &image), -EIO);
	assert_non_null(strstr(err.text, "a.png"));
	pool_close(pool);
}

static void other_size_is_an_error_or_resized(void **state)
{
	struct error err = {0};
	struct pool *pool = NULL;
	struct image image;
	(void)state;

	write_leaves("a.png", SIDE_PX, SIDE_PX, 0);
	write_leaves("tall.png", SIDE_PX, 3 * SIDE_PX, 1);
	assert_int_equal(open_folder(false, &err, &pool), -EINVAL);
	assert_null(pool);
	assert_non_null(strstr(err.text, "tall.png: 16×48 px, 16×16 wanted"));
	assert_int_equal(open_folder(true, &err, &pool), 0);
	assert_int_equal(pool_n_images(pool), 2);
	assert_int_equal(pool_read(pool, 1, &err, &image), 0);
	assert_int_equal(image.height_px, SIDE_PX);
	image_done(&image);
	pool_close(pool);
}

static void nothing_usable_is_an_error(void **state)
{
	struct error err = {0};
	struct pool *pool;
	(void)state;

	assert_int_equal(open_folder(false, &err, &pool), -EINVAL);
	assert_int_equal(atomic_file_write(in_folder("note.txt"), "hello", 5, NULL), 0);
	assert_int_equal(open_folder(false, &err, &pool), -EINVAL);
	assert_non_null(strstr(err.text, "note.txt"));
	assert_int_equal(pool_open("/nowhere/at/all", 16, 16, false, 1, NULL, &err, &pool), -ENOENT);
	assert_int_equal(pool_open("dead_leaves:0", 16, 16, false, 1, NULL, &err, &pool), -EINVAL);
	assert_int_equal(pool_open("dead_leaves:-3", 16, 16, false, 1, NULL, &err, &pool), -EINVAL);
	assert_int_equal(pool_open("dead_leaves:12x", 16, 16, false, 1, NULL, &err, &pool), -EINVAL);
	assert_int_equal(pool_open("dead_leaves:999999999999999999999", 16, 16, false, 1, NULL, &err, &pool), -EINVAL);
}

static void made_pool_does_not_depend_on_threads(void **state)
{
	struct thread_pool *threads;
	struct pool *a, *b, *other;
	(void)state;

	assert_int_equal(thread_pool_create(3, NULL, &threads), 0);
	assert_int_equal(pool_open("dead_leaves:300", SIDE_PX, SIDE_PX, false, 1, threads, NULL, &a), 0);
	assert_int_equal(pool_open("dead_leaves:300", SIDE_PX, SIDE_PX, false, 1, NULL, NULL, &b), 0);
	assert_int_equal(pool_open("dead_leaves:300", SIDE_PX, SIDE_PX, false, 2, threads, NULL, &other), 0);
	assert_int_equal(pool_n_images(a), 300);
	assert_true(hash_equal(pool_manifest_hash(a), pool_manifest_hash(b)));
	assert_false(hash_equal(pool_manifest_hash(a), pool_manifest_hash(other)));
	for (size_t i = 0; i < 300; i++) {
		size_t at;
		assert_int_equal(pool_find(a, pool_image_hash(b, i), &at), 0);
		assert_int_equal(at, i);
	}
	pool_close(a);
	pool_close(b);
	pool_close(other);
	thread_pool_destroy(threads);
}

static void held_out_sets_are_fixed_disjoint_and_of_the_asked_size(void **state)
{
	uint8_t roles[50], again[50], other[50];
	size_t n[3] = {0};
	struct error err = {0};
	struct pool *pool;
	(void)state;

	assert_int_equal(pool_open("dead_leaves:50", SIDE_PX, SIDE_PX, false, 1, NULL, NULL, &pool), 0);
	assert_int_equal(pool_hold_out(pool, 7, 10, 20, &err, roles), 0);
	assert_int_equal(pool_hold_out(pool, 7, 10, 20, &err, again), 0);
	assert_int_equal(pool_hold_out(pool, 8, 10, 20, &err, other), 0);
	assert_memory_equal(roles, again, 50);
	assert_memory_not_equal(roles, other, 50);
	for (size_t i = 0; i < 50; i++)
		n[roles[i]]++;
	assert_int_equal(n[POOL_MONITOR], 10);
	assert_int_equal(n[POOL_SEALED], 20);
	assert_int_equal(pool_hold_out(pool, 7, 24, 24, &err, roles), 0);
	assert_int_equal(pool_hold_out(pool, 7, 24, 25, &err, roles), -EINVAL);
	assert_int_equal(pool_hold_out(pool, 7, SIZE_MAX, 2, &err, roles), -EINVAL);
	assert_int_equal(pool_hold_out(pool, 7, 2, SIZE_MAX, &err, roles), -EINVAL);
	pool_close(pool);
}

static void recorded_zip_opens(void **state)
{
	struct thread_pool *threads;
	char path[RECORDED_PATH_SIZE];
	struct error err = {0};
	struct pool *pool;
	(void)state;

	if (!recorded_path("images/images_210224.zip", path))
		skip();
	assert_int_equal(thread_pool_create(2, NULL, &threads), 0);
	assert_int_equal(pool_open(path, 112, 112, false, 1, threads, &err, &pool), 0);
	assert_int_equal(pool_n_images(pool) + pool_n_skipped(pool), 800);
	pool_close(pool);
	thread_pool_destroy(threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(broken_and_double_files_are_named_and_skipped, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(changed_file_is_noticed, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(other_size_is_an_error_or_resized, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(nothing_usable_is_an_error, make_folder, remove_folder),
		cmocka_unit_test(made_pool_does_not_depend_on_threads),
		cmocka_unit_test(held_out_sets_are_fixed_disjoint_and_of_the_asked_size),
		cmocka_unit_test(recorded_zip_opens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
