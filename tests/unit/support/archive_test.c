/* Folders and zips give the same names in the same order; broken zips name the entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/archive.h"
#include "support/atomic_file.h"
#include "zip_writer.h"

static char folder[32];

static const char *in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/archive_test.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"a.zip", "b.png", "a10.png", "a2.png", ".hidden", "sub/c.png"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(in_folder(names[i]));
	rmdir(in_folder("sub"));
	return rmdir(folder);
}

static void assert_names(struct archive *archive, const char *const *names, size_t n)
{
	assert_int_equal(archive_n_entries(archive), n);
	for (size_t i = 0; i < n; i++) {
		size_t found;

		assert_string_equal(archive_name(archive, i), names[i]);
		assert_int_equal(archive_find(archive, names[i], &found), 0);
		assert_int_equal(found, i);
	}
	size_t found = 99;
	assert_int_equal(archive_find(archive, "zzz", &found), -ENOENT);
	assert_int_equal(archive_find(archive, "", &found), -ENOENT);
	assert_int_equal(found, 99);
}

static void assert_text(struct archive *archive, size_t i, const char *text)
{
	void *data;
	size_t size;

	assert_int_equal(archive_read(archive, i, 100, NULL, &data, &size), 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(data, text);
	free(data);
}

static const char *const names[] = {"a10.png", "a2.png", "b.png"};

static void folder_in_order(void **state)
{
	struct archive *archive;

	(void)state;
	assert_int_equal(atomic_file_write(in_folder("b.png"), "bb", 2, NULL), 0);
	assert_int_equal(atomic_file_write(in_folder("a2.png"), "2", 1, NULL), 0);
	assert_int_equal(atomic_file_write(in_folder("a10.png"), "10", 2, NULL), 0);
	assert_int_equal(atomic_file_write(in_folder(".hidden"), "h", 1, NULL), 0);
	assert_int_equal(mkdir(in_folder("sub"), 0700), 0);
	assert_int_equal(atomic_file_write(in_folder("sub/c.png"), "c", 1, NULL), 0);
	assert_int_equal(archive_open(folder, NULL, &archive), 0);
	assert_names(archive, names, 3);
	assert_text(archive, 2, "bb");
	archive_close(archive);
}

static void zip_in_order(void **state)
{
	struct zip_writer zip = {0};
	struct archive *archive;

	(void)state;
	zip_writer_add(&zip, "b.png", "bb", 2);
	zip_writer_add(&zip, "a2.png", "", 0);
	zip_writer_add(&zip, "sub/", "", 0);
	zip_writer_add(&zip, "sub/c.png", "c", 1);
	zip_writer_add(&zip, "__MACOSX/a2.png", "m", 1);
	zip_writer_add(&zip, "._b.png", "m", 1);
	zip_writer_add(&zip, "a10.png", "10", 2);
	zip_writer_write(&zip, in_folder("a.zip"));
	assert_int_equal(archive_open(in_folder("a.zip"), NULL, &archive), 0);
	assert_names(archive, names, 3);
	assert_text(archive, 0, "10");
	assert_text(archive, 1, "");
	assert_text(archive, 2, "bb");
	archive_close(archive);
}

static void zip_of_one_folder(void **state)
{
	struct zip_writer zip = {0};
	struct archive *archive;

	(void)state;
	zip_writer_add(&zip, "images/", "", 0);
	zip_writer_add(&zip, "images/b.png", "bb", 2);
	zip_writer_add(&zip, "images/a2.png", "2", 1);
	zip_writer_add(&zip, "images/a10.png", "10", 2);
	zip_writer_add(&zip, "__MACOSX/images/._a2.png", "m", 1);
	zip_writer_write(&zip, in_folder("a.zip"));
	assert_int_equal(archive_open(in_folder("a.zip"), NULL, &archive), 0);
	assert_names(archive, names, 3);
	assert_text(archive, 2, "bb");
	archive_close(archive);
}

static void broken_entry_is_named(void **state)
{
	struct zip_writer zip = {0};
	struct archive *archive;
	struct error err = {0};
	void *data = NULL;
	size_t size;

	(void)state;
	zip_writer_add(&zip, "a2.png", "0123456789", 10);
	zip_writer_add(&zip, "b.png", "fine", 4);
	zip.bytes[30 + strlen("a2.png") + 4] ^= 1;
	zip_writer_write(&zip, in_folder("a.zip"));
	assert_int_equal(archive_open(in_folder("a.zip"), NULL, &archive), 0);
	assert_int_equal(archive_read(archive, 0, 100, &err, &data, &size), -EINVAL);
	assert_non_null(strstr(err.text, "a.zip: a2.png"));
	assert_int_equal(archive_read(archive, 0, 9, &err, &data, &size), -EFBIG);
	assert_non_null(strstr(err.text, "10 bytes, at most 9"));
	assert_int_equal(archive_read(archive, 2, 9, &err, &data, &size), -ENOENT);
	assert_null(data);
	assert_text(archive, 1, "fine");
	archive_close(archive);
}

static void not_an_archive(void **state)
{
	struct archive *archive = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(archive_open(in_folder("a.zip"), &err, &archive), -ENOENT);
	assert_non_null(strstr(err.text, "a.zip"));
	assert_int_equal(atomic_file_write(in_folder("a.zip"), "no zip at all", 13, NULL), 0);
	assert_int_equal(archive_open(in_folder("a.zip"), &err, &archive), -EINVAL);
	assert_non_null(strstr(err.text, "a.zip"));
	assert_null(archive);
	archive_close(NULL);
}

static void truncated_zips_are_refused(void **state)
{
	struct zip_writer zip = {0};

	(void)state;
	zip_writer_add(&zip, "a2.png", "0123456789", 10);
	zip_writer_write(&zip, in_folder("a.zip"));
	for (size_t size = 1; size < zip.size; size += 7) {
		struct archive *archive;

		assert_int_equal(atomic_file_write(in_folder("a.zip"), zip.bytes, size, NULL), 0);
		assert_int_equal(archive_open(in_folder("a.zip"), NULL, &archive), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(folder_in_order, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(zip_in_order, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(zip_of_one_folder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(broken_entry_is_named, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(not_an_archive, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(truncated_zips_are_refused, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
