/* Paths are whole or refused; folders may be there already, but not as files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/cli/path.h"

static void long_paths_are_refused(void **state)
{
	char path[PATH_TEXT_MAX], name[2 * PATH_TEXT_MAX];
	struct error err = {0};

	(void)state;
	assert_int_equal(path_format(&err, path, "%s/%d.png", "/tmp/images", 7), 0);
	assert_string_equal(path, "/tmp/images/7.png");
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(path_format(&err, path, "%s", name), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "at most 1023 bytes expected, found 2047"));
}

static void folders_are_made_once(void **state)
{
	char dir[] = "/tmp/path_test_XXXXXX", folder[PATH_TEXT_MAX];
	struct error err = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(path_format(&err, folder, "%s/a", dir), 0);
	assert_int_equal(path_make_folder(folder, &err), 0);
	assert_int_equal(path_make_folder(folder, &err), 0);
	rmdir(folder);
	rmdir(dir);
	assert_int_equal(path_make_folder(folder, &err), -ENOENT);
	assert_non_null(strstr(err.text, folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_paths_are_refused),
		cmocka_unit_test(folders_are_made_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
