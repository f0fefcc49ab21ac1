/* A sound file has no problems; each kind of damage is told. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/reader.h"
#include "tests/unit/daemon/store/fixture.h"

static const char *const images[] = {"a", "b", "c"};

static struct reader *open_reader(struct fixture *f)
{
	struct reader *reader = NULL;
	struct error err = {""};

	if (reader_open(f->path, &err, &reader))
		fail_msg("%s", err.text);
	return reader;
}

static void set_up(struct fixture *f)
{
	fixture_init(f);
	fixture_start(f);
	fixture_hello(f);
	fixture_batch(f, 1, 1, images, 3);
	fixture_ok(f, fixture_presentations(f, 1, 5, 1));
	fixture_ok(f, fixture_amend(f, 5, "artifact"));
}

static void keep_problem(void *ctx, const char *text)
{
	snprintf(ctx, ERROR_TEXT_MAX, "%s", text);
}

static void damage_is_found(void **state)
{
	static const struct {
		const char *edit, *problem;
	} cases[] = {
		{"DROP TRIGGER presentation_is_not_edited; UPDATE presentation SET trial = 7 WHERE number = 3",
		 "presentation 3 of run 11111111111111111111111111111111: is not what its content hash says"},
		{"UPDATE presentation SET trial = 0 WHERE number = 3; "
		 "DROP TRIGGER amendment_is_not_deleted; DELETE FROM amendment",
		 "amendment: 1 rows expected from the log, found 0"},
		{"DROP TRIGGER log_is_not_deleted; PRAGMA foreign_keys = OFF; "
		 "DELETE FROM log WHERE kind = 'handover'",
		 NULL},
	};
	struct fixture f;
	struct reader *reader;
	struct error err;
	char problem[ERROR_TEXT_MAX] = "";
	sqlite3 *db;
	size_t n;

	(void)state;
	set_up(&f);
	reader = open_reader(&f);
	assert_int_equal(reader_check(reader, keep_problem, problem, &err, &n), 0);
	assert_string_equal(problem, "");
	assert_int_equal(n, 0);
	reader_close(reader);
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		sqlite3_exec(db, cases[i].edit, NULL, NULL, NULL);
		reader = open_reader(&f);
		assert_int_equal(reader_check(reader, keep_problem, problem, &err, &n), 0);
		assert_true(n >= 1);
		if (cases[i].problem)
			assert_string_equal(problem, cases[i].problem);
		reader_close(reader);
	}
	sqlite3_close(db);
	fixture_done(&f);
}

static void overwritten_pages_are_an_error_or_a_problem_and_never_a_crash(void **state)
{
	struct fixture f;
	struct reader *reader;
	struct error err;
	char problem[ERROR_TEXT_MAX] = "";
	unsigned char *bytes;
	size_t size, n_found = 0, n_pages;
	FILE *file;

	(void)state;
	set_up(&f);
	store_close(f.store);
	f.store = NULL;
	file = fopen(f.path, "r+b");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size = (size_t)ftell(file);
	bytes = malloc(size);
	rewind(file);
	assert_int_equal(fread(bytes, 1, size, file), size);
	n_pages = size / 4096;
	for (size_t page = 1; page < n_pages; page++) {
		size_t n = 0;
		int r;

		fseek(file, (long)page * 4096, SEEK_SET);
		for (size_t i = 0; i < 512; i++)
			fputc((int)(bytes[page * 4096 + i] ^ 0x5a), file);
		fflush(file);
		r = reader_open(f.path, &err, &reader);
		if (!r) {
			r = reader_check(reader, keep_problem, problem, &err, &n);
			reader_close(reader);
		}
		n_found += r || n;
		fseek(file, (long)page * 4096, SEEK_SET);
		assert_int_equal(fwrite(bytes + page * 4096, 1, 512, file), 512);
		fflush(file);
	}
	/* A page on which nothing stands yet has nothing to lose. */
	assert_true(n_found >= n_pages - 2);
	fclose(file);
	free(bytes);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(overwritten_pages_are_an_error_or_a_problem_and_never_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
