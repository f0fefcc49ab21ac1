/* A sound session passes; an image that is not what its name says, or no image, is told. */
#include "tests/unit/daemon/store/fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/cli/verbs.h"
#include "stimuli/image.h"

/* Runs the verb with its stdout in a file; gives the exit code and what was printed. */
static int check(struct fixture *f, char ret_text[4096])
{
	char *argv[] = {"check", f->path, NULL};
	char path[128];
	int saved, exit_code;
	FILE *file;

	snprintf(path, sizeof path, "%s/out", f->dir);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_non_null(freopen(path, "w", stdout));
	exit_code = verb_check.run(&verb_check, 2, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	file = fopen(path, "r");
	ret_text[fread(ret_text, 1, 4095, file)] = '\0';
	fclose(file);
	return exit_code;
}

/* An image of one gray; `named` is the gray its name is of. */
static void add_gray(struct fixture *f, uint8_t gray, uint8_t named)
{
	struct store_op *op = fixture_op(f, STORE_OP_IMAGES);
	struct image image;
	struct error err = {""};
	void *png;
	size_t size;

	assert_int_equal(image_init(8, 8, &err, &image), 0);
	fixture_add_images(op, (const char *const[]){"x"}, 1, "rig", "");
	memset(image.rgb, named, 8 * 8 * 3);
	image_hash(&image, &op->images[0].hash);
	memset(image.rgb, gray, 8 * 8 * 3);
	assert_int_equal(image_encode_png(&image, &err, &png, &size), 0);
	op->images[0].png = store_op_copy(op, png, size);
	op->images[0].png_size = size;
	free(png);
	image_done(&image);
	fixture_ok(f, op);
}

static void images_are_held_against_their_names(void **state)
{
	struct fixture f;
	char text[4096];

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	for (uint8_t gray = 0; gray < 5; gray++)
		add_gray(&f, gray, gray);
	assert_int_equal(check(&f, text), VERB_OK);
	assert_non_null(strstr(text, ": sound ("));
	assert_non_null(strstr(text, " rows, 5 images)"));
	add_gray(&f, 77, 78);
	fixture_images(&f, (const char *const[]){"no PNG"}, 1);
	assert_int_equal(check(&f, text), VERB_FAILED);
	assert_non_null(strstr(text, ": its pixels are another image\n"));
	assert_non_null(strstr(text, ": 2 problems\n"));
	fixture_done(&f);
}

static void a_damaged_row_is_told(void **state)
{
	struct fixture f;
	sqlite3 *db;
	char text[4096];

	(void)state;
	fixture_init(&f);
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "INSERT INTO log VALUES (1000, 'note', 0)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(check(&f, text), VERB_FAILED);
	assert_non_null(strstr(text, "note: 1 rows expected from the log, found 0\n"));
	fixture_done(&f);
}

static void a_file_that_is_not_there(void **state)
{
	char *argv[] = {"check", "/nonexistent/a.db", NULL};

	(void)state;
	assert_int_equal(verb_check.run(&verb_check, 2, argv), VERB_FAILED);
	assert_int_equal(verb_check.run(&verb_check, 1, argv), VERB_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_held_against_their_names),
		cmocka_unit_test(a_damaged_row_is_told),
		cmocka_unit_test(a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
