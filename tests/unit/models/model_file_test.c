/* Model files through the converter child, and the ways in which the child can die. */
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

#include "keras_writer.h"
#include "models/graph.h"
#include "models/model_file.h"
#include "support/atomic_file.h"

static char folder[32], model[64], converter[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/model_file.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(model, sizeof model, "%s/m.keras", folder);
	snprintf(converter, sizeof converter, "%s/evoked-convert", folder);
	keras_writer_small(model);
	return setenv("TMPDIR", folder, 1);
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(model);
	unlink(converter);
	return rmdir(folder); /* fails the test when the temporary folder was left */
}

static void refuse(int code, const char *part)
{
	struct network *network = NULL;
	struct error err = {0};

	assert_int_equal(model_file_open(model, &err, &network), code);
	if (!strstr(err.text, part) || !strstr(err.text, model))
		fail_msg("'%s' or the file is not named in: %s", part, err.text);
	assert_null(network);
}

static void keras_and_safetensors(void **state)
{
	struct network *network, *again;
	struct hash a, b;
	struct error err = {0};
	void *data;
	size_t size;

	(void)state;
	if (model_file_open(model, &err, &network))
		fail_msg("%s", err.text);
	assert_true(network_tensor(network, 1, "kernel")[2] == 2.0f);
	assert_int_equal(graph_encode(network, &err, &data, &size), 0);
	assert_int_equal(atomic_file_write(model, data, size, &err), 0);
	free(data);
	assert_int_equal(model_file_open(model, &err, &again), 0);
	network_hash(network, &a);
	network_hash(again, &b);
	assert_true(hash_equal(&a, &b));
	network_destroy(again);
	network_destroy(network);
}

static void the_childs_sentence_is_handed_on(void **state)
{
	struct keras_writer_set none = {.path = "/layers/nothing", .n_dims = 1, .dims = {1}};

	(void)state;
	keras_writer_archive(model, "{\"class_name\": \"Model\"}", &none, 1);
	refuse(-EINVAL, "class Model");
	assert_int_equal(atomic_file_write(model, "PK\3\4 and then nothing", 21, NULL), 0);
	refuse(-EINVAL, "m.keras");
}

static void other_contents(void **state)
{
	(void)state;
	assert_int_equal(atomic_file_write(model, "\x89HDF\r\n\x1a\n", 8, NULL), 0);
	refuse(-ENOTSUP, "HDF5");
	assert_int_equal(atomic_file_write(model, "plain text, not a model", 23, NULL), 0);
	refuse(-EINVAL, "safetensors");
	assert_int_equal(atomic_file_write(model, "", 0, NULL), 0);
	refuse(-EINVAL, "safetensors");
	unlink(model);
	refuse(-ENOENT, "m.keras");
	assert_int_equal(mkfifo(model, 0600), 0);
	refuse(-EINVAL, "not a regular file");
	unlink(model);
	assert_int_equal(mkdir(model, 0700), 0);
	refuse(-EINVAL, "not a regular file");
	rmdir(model);
}

/* Opens the model with a shell script in the converter's place. */
static void refuse_with_script(const char *script, int code, const char *part)
{
	assert_int_equal(atomic_file_write(converter, script, strlen(script), NULL), 0);
	assert_int_equal(chmod(converter, 0700), 0);
	refuse(code, part);
}

static void deaths_of_the_child(void **state)
{
	char *real = strdup(getenv("EVOKED_LIBEXEC"));

	(void)state;
	assert_non_null(real);
	setenv("EVOKED_LIBEXEC", folder, 1);
	refuse_with_script("#!/bin/sh\nkill -KILL $$\n", -ECHILD, "signal 9");
	refuse_with_script("#!/bin/sh\nkill -XCPU $$\n", -ECHILD, "limit of processor time");
	refuse_with_script("#!/bin/sh\nkill -SEGV $$\n", -ECHILD, "signal 11");
	refuse_with_script("#!/bin/sh\nexit 3\n", -ECHILD, "code 3");
	refuse_with_script("#!/bin/sh\necho \"$1: first\" >&2; echo second >&2; exit 1\n", -EINVAL, "first");
	/* It says that all is well and wrote nothing, or nonsense; or it floods its stderr. */
	refuse_with_script("#!/bin/sh\nexit 0\n", -ENOENT, "converted");
	refuse_with_script("#!/bin/sh\necho nonsense > \"$2\"\n", -EINVAL, "converted");
	refuse_with_script("#!/bin/sh\nyes \"$1\" | head -c 1000000 >&2; exit 1\n", -EINVAL, "m.keras");
	unlink(converter);
	refuse(-ENOENT, "evoked-convert");
	setenv("EVOKED_LIBEXEC", real, 1);
	free(real);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keras_and_safetensors, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(the_childs_sentence_is_handed_on, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(other_contents, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(deaths_of_the_child, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
