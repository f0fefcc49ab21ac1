/* The snapshot as the daemon's README shows it becomes numbers and words; what is missing becomes unknown, never zero.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/snapshot.h"

static const char full[] =
	"{\"v\": 1, \"type\": \"status\", \"sequence\": 7, \"state\": \"running\","
	" \"endpoints\": {\"status\": \"tcp://127.0.0.1:1\"},"
	" \"session\": {\"name\": \"demo\", \"file\": \"/data/demo.db\", \"n_units\": 24, \"n_excluded\": 2},"
	" \"rig\": {\"run\": \"aa\", \"silent_ms\": 40},"
	" \"presentations\": {\"stored\": 341, \"complete\": 330, \"refused\": 1, \"conflicts\": 0},"
	" \"store\": {\"queue\": 3, \"stalled\": false}, "
	" \"worker\": {\"state\": \"busy\", \"n_lost\": 1, \"job\": {\"kind\": \"fit\", \"done\": 40, \"planned\": 200,"
	" \"seconds\": 1.5}},"
	" \"loop\": {\"batch\": 4, \"origin\": \"chosen\", \"n_slots\": 100, \"n_shown\": 41, \"next\": null,"
	" \"natural_only\": true, \"n_batches\": 4, \"n_fallback\": 1, \"lag\": 112},"
	" \"model\": {\"tier\": \"ridge\", \"r2\": 0.31, \"r2_low\": 0.24, \"r2_high\": 0.38, \"ceiling\": 0.82,"
	" \"n_presentations\": 300},"
	" \"batches\": [{\"batch\": 3, \"r2\": null, \"origin\": \"fallback\"}, {\"batch\": 4, \"r2\": 0.31}],"
	" \"warnings\": [{\"time_us\": 1, \"text\": \"first\"}, {\"time_us\": 2, \"text\": \"last\"}]}";

static json_t *parse(const char *text)
{
	json_t *header = json_loads(text, 0, NULL);

	assert_non_null(header);
	return header;
}

static void reads_what_the_daemon_says(void **state)
{
	struct snapshot snapshot;
	json_t *header = parse(full);
	const char *reason = NULL;

	(void)state;
	snapshot_read(header, &snapshot);
	assert_int_equal(snapshot.sequence, 7);
	assert_string_equal(snapshot.status_endpoint, "tcp://127.0.0.1:1");
	assert_int_equal(snapshot.n_complete, 330);
	assert_int_equal(snapshot.job_planned, 200);
	assert_true(snapshot.natural_only);
	assert_true(snapshot.model.r2 == 0.31);
	assert_int_equal(snapshot.n_batch_rows, 2);
	assert_true(isnan(snapshot.batches[0].r2));
	assert_true(snapshot.batches[1].r2 == 0.31);
	assert_string_equal(snapshot.next, "");
	assert_true(isnan(snapshot.sealed.r2));
	assert_true(snapshot_is_healthy(&snapshot, &reason));
	assert_string_equal(reason, "the loop is well");
	json_decref(header);
}

static void says_it_in_words(void **state)
{
	struct snapshot snapshot;
	struct snapshot_line lines[SNAPSHOT_LINES_MAX];
	json_t *header = parse(full);
	char all[SNAPSHOT_LINES_MAX * 300] = "";
	size_t n;

	(void)state;
	snapshot_read(header, &snapshot);
	n = snapshot_describe(&snapshot, lines);
	for (size_t i = 0; i < n; i++)
		strcat(strcat(all, lines[i].text), "\n");
	assert_non_null(strstr(all, "24, 2 excluded"));
	assert_non_null(strstr(all, "341 presentations stored (330 complete), 1 refused, 0 conflicts"));
	assert_non_null(strstr(all, "4 (chosen), 41 of 100 shown; next: not ready; natural images only"));
	assert_non_null(strstr(all, "R² 0.31 [0.24, 0.38], ceiling 0.82 (ridge, 300 presentations)"));
	assert_non_null(strstr(all, "busy: fit 40 of 200, 1.5 s; died 1 times"));
	assert_non_null(strstr(all, "last\n"));
	json_decref(header);
}

static void unknown_is_unknown(void **state)
{
	struct snapshot snapshot;
	struct snapshot_line lines[SNAPSHOT_LINES_MAX];
	json_t *header = parse("{\"state\": 3, \"model\": null, \"loop\": [], \"batches\": {}}");
	char text[256];

	(void)state;
	snapshot_read(header, &snapshot);
	assert_string_equal(snapshot.state, "");
	assert_int_equal(snapshot.n_stored, -1);
	assert_true(isnan(snapshot.model.r2));
	assert_true(snapshot_describe(&snapshot, lines) > 0);
	assert_string_equal(lines[0].text, "none open");
	snapshot_summarize(&snapshot, sizeof(text), text);
	assert_non_null(strstr(text, "R² –"));
	json_decref(header);
}

static void tells_what_is_wrong(void **state)
{
	static const struct {
		const char *header, *reason;
	} cases[] = {
		{"{\"state\": \"paused\", \"worker\": {\"state\": \"idle\"}}", "paused by the operator"},
		{"{\"state\": \"running\", \"worker\": {\"state\": \"lost\"}, \"session\": {\"name\": \"a\"}}",
		 "the worker is gone"},
		{"{\"state\": \"running\", \"worker\": {\"state\": \"idle\"}, \"store\": {\"stalled\": true}}",
		 "cannot be written"},
		{"{\"state\": \"running\", \"worker\": {\"state\": \"idle\"}}", "no rig is connected"},
		{"{\"state\": \"running\", \"worker\": {\"state\": \"idle\"}, \"rig\": {\"silent_ms\": 20000}}",
		 "the rig is silent"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct snapshot snapshot;
		const char *reason = "";
		json_t *header = parse(cases[i].header);

		snapshot_read(header, &snapshot);
		assert_false(snapshot_is_healthy(&snapshot, &reason));
		assert_non_null(strstr(reason, cases[i].reason));
		json_decref(header);
	}
}

static void long_lists_keep_the_newest(void **state)
{
	struct snapshot snapshot;
	json_t *header = json_object(), *batches = json_array();

	(void)state;
	for (int i = 1; i <= 100; i++)
		json_array_append_new(batches, json_pack("{s:i}", "batch", i));
	json_object_set_new(header, "batches", batches);
	snapshot_read(header, &snapshot);
	assert_int_equal(snapshot.n_batch_rows, SNAPSHOT_BATCHES_MAX);
	assert_int_equal(snapshot.batches[SNAPSHOT_BATCHES_MAX - 1].batch, 100);
	json_decref(header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_daemon_says), cmocka_unit_test(says_it_in_words),
		cmocka_unit_test(unknown_is_unknown),	      cmocka_unit_test(tells_what_is_wrong),
		cmocka_unit_test(long_lists_keep_the_newest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
