/* Defaults, files, --set, errors with their lines, contradictions, canonical text, and the committed files of config/.
 */
#include "daemon/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/config_keys.h"
#include "models/front_end.h"
#include "models/session_model_defaults.h"
#include "protocol/limits.h"
#include "support/atomic_file.h"

static void assert_refused(const char *text, const char *sentence)
{
	struct config config;
	struct error err = {""};

	config_init(&config);
	assert_int_equal(config_parse(&config, text, "a.yaml", &err), -EINVAL);
	assert_string_equal(err.text, sentence);
}

static void defaults_are_whole_and_consistent(void **state)
{
	struct config config;
	struct error err;
	char expected[64];

	(void)state;
	config_init(&config);
	assert_int_equal(config_check(&config, &err), 0);
	for (size_t i = 0; i < config_n_keys; i++)
		assert_int_equal(config_key_parse(&config_keys[i], &config, config_keys[i].fallback, &err), 0);
	assert_int_equal(config.batch.size, 100);
	assert_true(config.batch.mix.monitor == 0.25);
	snprintf(expected, sizeof expected, "tcp://127.0.0.1:%d", PORT_RIG);
	assert_string_equal(config.listen.rig, expected);
	snprintf(expected, sizeof expected, "tcp://127.0.0.1:%d", PORT_STATUS);
	assert_string_equal(config.listen.status, expected);
	snprintf(expected, sizeof expected, "tcp://127.0.0.1:%d", PORT_CONTROL);
	assert_string_equal(config.listen.control, expected);
}

static void what_it_says_of_the_numerics_is_true(void **state)
{
	const struct session_model_settings fit = SESSION_MODEL_DEFAULTS;
	struct config config;

	(void)state;
	assert_int_equal(CONFIG_SIDE_MIN_PX, FRONT_END_SIDE_MIN_PX);
	assert_int_equal(CONFIG_SIDE_MAX_PX, FRONT_END_SIDE_MAX_PX);
	assert_int_equal(CONFIG_SIDE_STEP_PX, FRONT_END_POOL_PX);
	assert_string_equal(CONFIG_FRONT_END, FRONT_END_NAME);
	config_init(&config);
	assert_int_equal(config.fit.n_members, fit.n_members);
	assert_int_equal(config.fit.mixing_channels, fit.mixing_channels);
	assert_int_equal(config.fit.n_steps, fit.n_steps);
	assert_int_equal(config.fit.batch_size, fit.batch_size);
	assert_true(config.fit.learning_rate == fit.learning_rate);
	assert_true(config.fit.weight_decay == fit.weight_decay);
}

static void keys_of_a_section_stand_together(void **state)
{
	(void)state;
	for (size_t i = 1; i < config_n_keys; i++) {
		const char *name = config_keys[i].name;
		size_t section = (size_t)(strrchr(name, '.') - name) + 1;

		assert_true(strlen(name) < CONFIG_KEY_BYTES_MAX);
		for (size_t j = 0; j + 1 < i; j++)
			if (!strncmp(config_keys[j].name, name, section))
				assert_memory_equal(config_keys[i - 1].name, name, section);
	}
}

static void a_file_writes_over_the_defaults(void **state)
{
	static const char text[] = "# a comment\n"
				   "session:\n"
				   "  name: \"monkey_7\"\n"
				   "  seed: 0xffffffffffffffff\n"
				   "batch:\n"
				   "  size: 50\n"
				   "  mix: {natural: 1, gaudy: 0.125}\n"
				   "images:\n"
				   "  resize: true\n"
				   "  pool: 'naïve bilder/ü.zip'\n"
				   "worker:\n"
				   "  # threads: 3\n";
	struct config config;
	struct error err;

	(void)state;
	config_init(&config);
	assert_int_equal(config_parse(&config, text, "a.yaml", &err), 0);
	assert_string_equal(config.session.name, "monkey_7");
	assert_true(config.session.seed == UINT64_MAX);
	assert_int_equal(config.batch.size, 50);
	assert_true(config.batch.mix.natural == 1 && config.batch.mix.gaudy == 0.125);
	assert_true(config.batch.mix.monitor == 0.25);
	assert_true(config.images.resize);
	assert_string_equal(config.images.pool, "naïve bilder/ü.zip");
	assert_int_equal(config_parse(&config, "", "empty.yaml", &err), 0);
	assert_int_equal(config_parse(&config, "# nothing but a comment\n", "empty.yaml", &err), 0);
}

static void errors_name_file_line_key_and_what_was_found(void **state)
{
	(void)state;
	assert_refused("batch:\n  size: 0\n",
		       "a.yaml:2: batch.size: a whole number from 1 to 1000 expected, found \"0\"");
	assert_refused("batch:\n  size: -1\n",
		       "a.yaml:2: batch.size: a whole number from 1 to 1000 expected, found \"-1\"");
	assert_refused("batch:\n  size: 1e2\n",
		       "a.yaml:2: batch.size: a whole number from 1 to 1000 expected, found \"1e2\"");
	assert_refused("batch:\n  size:\n",
		       "a.yaml:2: batch.size: a whole number from 1 to 1000 expected, found nothing");
	assert_refused("\nfit:\n  learning_rate: nan\n",
		       "a.yaml:3: fit.learning_rate: a number from 1e-06 to 1 expected, found \"nan\"");
	assert_refused("images:\n  resize: yes\n", "a.yaml:2: images.resize: true or false expected, found \"yes\"");
	assert_refused(
		"session:\n  seed: 18446744073709551616\n",
		"a.yaml:2: session.seed: a whole number below 2^64, decimal or 0x and hex digits expected, found "
		"\"18446744073709551616\"");
	assert_refused("batch:\n  sise: 5\n", "a.yaml:2: batch.sise: no such key; did you mean batch.size?");
	assert_refused("mix:\n  monitor: 1\n", "a.yaml:2: mix.monitor: no such key; did you mean batch.mix.monitor?");
	assert_refused("penguins: 5\n", "a.yaml:1: penguins: no such key (evoked --config-reference lists them)");
	assert_refused("batch: 5\n", "a.yaml:1: batch: keys expected below it, found a value");
	assert_refused("batch:\n  size: 5\n  stock: 3\n  size: 6\n",
		       "a.yaml:4: batch.size: once expected, set in line 2 already");
}

static void structure_that_is_no_configuration_is_refused(void **state)
{
	(void)state;
	assert_refused("batch:\n  size: [1, 2]\n", "a.yaml:2: batch.size: a value expected, found a list");
	assert_refused("just words\n", "a.yaml:1: keys with values expected, found \"just words\"");
	assert_refused("batch: &a\n  size: 5\nfit: *a\n", "a.yaml:3: fit: a value expected, found an alias");
	assert_refused("a:\n b:\n  c:\n   d: 1\n", "a.yaml:4: a.b.c: at most 3 levels of keys expected");
	assert_refused("batch:\n  size: 5\n---\nbatch:\n  size: 6\n",
		       "a.yaml:3: one document expected, found a second");
	assert_refused("? {a: b}\n: c\n", "a.yaml:1: a key expected, found a map");
	assert_refused("\"a\\0b\": c\n", "a.yaml:1: text without NUL expected");
	assert_refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1\n",
		       "a.yaml:1: a key of less than 64 bytes expected, found "
		       "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"");
}

static void broken_yaml_is_refused_with_its_line(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	config_init(&config);
	assert_int_equal(config_parse(&config, "batch:\n  size: \"5\n", "a.yaml", &err), -EINVAL);
	assert_memory_equal(err.text, "a.yaml:3: YAML expected: ", strlen("a.yaml:3: YAML expected: "));
	assert_int_equal(config_parse(&config, "batch:\n\tsize: 5\n", "a.yaml", &err), -EINVAL);
	assert_int_equal(config_parse(&config, "session:\n  dir: \xff\xfe\n", "a.yaml", &err), -EINVAL);
	assert_int_equal(config_load(&config, "/nonexistent/a.yaml", &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent/a.yaml: No such file or directory");
	assert_int_equal(config_load(&config, "/", &err), -EINVAL);
}

static void set_takes_one_assignment(void **state)
{
	struct config config;
	struct error err;
	char text[CONFIG_TEXT_MAX + 32] = "session.dir=";

	(void)state;
	config_init(&config);
	assert_int_equal(config_set(&config, "batch.mix.natural=0.5", &err), 0);
	assert_true(config.batch.mix.natural == 0.5);
	assert_int_equal(config_set(&config, "images.pool=a=b: #c", &err), 0);
	assert_string_equal(config.images.pool, "a=b: #c");
	assert_int_equal(config_set(&config, "images.pool", &err), -EINVAL);
	assert_string_equal(err.text, "key=value expected, found \"images.pool\"");
	assert_int_equal(config_set(&config, "image.pool=x", &err), -EINVAL);
	assert_string_equal(err.text, "image.pool: no such key; did you mean images.pool?");
	assert_int_equal(config_set(&config, "session.dir=a\nb", &err), -EINVAL);
	assert_int_equal(config_set(&config, "session.dir=\xff", &err), -EINVAL);
	memset(text + strlen(text), 'x', CONFIG_TEXT_MAX);
	assert_int_equal(config_set(&config, text, &err), -EINVAL);
	text[strlen("session.dir=") + CONFIG_TEXT_MAX - 1] = '\0';
	assert_int_equal(config_set(&config, text, &err), 0);
}

static void contradictions_are_found(void **state)
{
	static const struct {
		const char *assignment[2], *sentence;
	} cases[] = {
		{{"listen.rig=tcp://0.0.0.0:5571"},
		 "listen.rig: a loopback address expected unless listen.insecure is true, found "
		 "\"tcp://0.0.0.0:5571\""},
		{{"listen.control=tcp://127.0.0.1.evil.org:1"},
		 "listen.control: a loopback address expected unless listen.insecure is true, found "
		 "\"tcp://127.0.0.1.evil.org:1\""},
		{{"listen.status=5572"},
		 "listen.status: an endpoint such as tcp://127.0.0.1:5571 expected, found \"5572\""},
		{{"images.width_px=100"},
		 "images.width_px: for the built-in front end a multiple of 8 from 32 to 512 expected, found 100"},
		{{"images.n_monitor=0"}, "images.n_monitor: at least 1 expected with batch.mix.monitor 0.25, found 0"},
		{{"session.name=../x"}, "session.name: letters, digits and \"-_.\" expected, found \"../x\""},
		{{"images.pool="}, "images.pool: a folder, a zip or dead_leaves:N expected, found nothing"},
	};
	struct config config;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		config_init(&config);
		assert_int_equal(config_set(&config, cases[i].assignment[0], &err), 0);
		assert_int_equal(config_check(&config, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].sentence);
	}

	config_init(&config);
	config.listen.insecure = true;
	strcpy(config.listen.rig, "tcp://*:5571");
	assert_int_equal(config_check(&config, &err), 0);
	config_init(&config);
	strcpy(config.listen.rig, "ipc:///run/evoked/rig");
	strcpy(config.listen.status, "tcp://[::1]:5572");
	strcpy(config.listen.control, "tcp://127.1.2.3:*");
	assert_int_equal(config_check(&config, &err), 0);

	config_init(&config);
	config.batch.mix = (struct config_mix){.monitor = 0.5};
	assert_int_equal(config_check(&config, &err), -EINVAL);
	assert_string_equal(err.text, "batch.mix: a share above 0 of something to learn from expected, found only "
				      "held-out images and blanks");
}

static void the_canonical_text_reads_back_to_itself(void **state)
{
	struct config config, again;
	struct error err;
	struct hash hash, hash_again;
	char *text, *text_again;

	(void)state;
	config_init(&config);
	config.session.seed = 0x8000000000000001u;
	config.fit.learning_rate = 0.1 + 0.2;
	strcpy(config.images.pool, "C:\\bilder \"neu\" # ü: x");
	assert_int_equal(config_text(&config, &err, &text), 0);
	config_init(&again);
	assert_int_equal(config_parse(&again, text, "text", &err), 0);
	assert_memory_equal(&config, &again, sizeof config);
	assert_int_equal(config_text(&again, &err, &text_again), 0);
	assert_string_equal(text, text_again);
	config_hash(text, &hash);
	config_hash(text_again, &hash_again);
	assert_true(hash_equal(&hash, &hash_again));
	text_again[0] ^= 1;
	config_hash(text_again, &hash_again);
	assert_false(hash_equal(&hash, &hash_again));
	free(text);
	free(text_again);
}

static void the_committed_examples_load(void **state)
{
	static const char *const names[] = {"rig", "random_only", "recorded", "published_core"};
	struct config config;
	struct error err = {""};
	char path[CONFIG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/config/%s.yaml", SOURCE_ROOT, names[i]);
		config_init(&config);
		if (config_load(&config, path, &err) || config_check(&config, &err))
			fail_msg("%s: %s", path, err.text);
	}
}

static void the_committed_reference_is_the_generated_one(void **state)
{
	char *made = NULL;
	size_t made_size = 0, size;
	void *committed;
	struct error err = {""};
	FILE *out = open_memstream(&made, &made_size);

	(void)state;
	assert_non_null(out);
	config_reference(out);
	fclose(out);
	assert_int_equal(atomic_file_read(SOURCE_ROOT "/config/REFERENCE.md", 1 << 20, &err, &committed, &size), 0);
	/* After a change of the table: build/evoked --config-reference > config/REFERENCE.md */
	assert_int_equal(size, made_size);
	assert_memory_equal(committed, made, size);
	free(committed);
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_whole_and_consistent),
		cmocka_unit_test(what_it_says_of_the_numerics_is_true),
		cmocka_unit_test(keys_of_a_section_stand_together),
		cmocka_unit_test(a_file_writes_over_the_defaults),
		cmocka_unit_test(errors_name_file_line_key_and_what_was_found),
		cmocka_unit_test(structure_that_is_no_configuration_is_refused),
		cmocka_unit_test(broken_yaml_is_refused_with_its_line),
		cmocka_unit_test(set_takes_one_assignment),
		cmocka_unit_test(contradictions_are_found),
		cmocka_unit_test(the_canonical_text_reads_back_to_itself),
		cmocka_unit_test(the_committed_examples_load),
		cmocka_unit_test(the_committed_reference_is_the_generated_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
