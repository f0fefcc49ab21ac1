/* evoke report: a session from its file, live or long after.
 *
 * Flow: the batch table by default; with --table any of the reader's tables, a row a line. Failure: a file that is not
 * there, is no session file, or was made by a newer program; one sentence, exit code 1. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/cli/batch_table.h"
#include "daemon/cli/options.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"
#include "daemon/store/reader.h"

static int print_json(json_t *object, struct error *err)
{
	if (!object)
		return error_set(err, -ENOMEM, "out of memory");
	json_dumpf(object, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(object);
	return 0;
}

static int report_batches(struct reader *reader, bool json, struct error *err)
{
	struct reader_session session;
	struct batch_table table;
	int rc = reader_session(reader, err, &session);

	if (rc < 0)
		return rc;
	rc = batch_table_read(reader, err, &table);
	if (rc < 0)
		goto out_session;
	if (json) {
		rc = print_json(batch_table_json(&table), err);
	} else {
		printf("%s: %u units, images %u×%u, seed %016" PRIx64 ", %s; %lld presentations, %lld complete\n\n",
		       session.name, session.spec.n_units, session.width_px, session.height_px, session.seed,
		       session.state[0] ? session.state : "open", (long long)table.n_presentations,
		       (long long)table.n_complete);
		rc = batch_table_print(&table, stdout);
	}
	batch_table_done(&table);

out_session:
	reader_session_done(&session);
	return rc;
}

static int print_row(void *ctx, const json_t *row)
{
	(void)ctx;
	json_dumpf(row, stdout, JSON_COMPACT);
	return putchar('\n') == EOF ? -EIO : 0;
}

static int report_table(struct reader *reader, const char *name, struct error *err)
{
	enum reader_table table;
	int rc = reader_table_from_name(name, err, &table);

	return rc < 0 ? rc : reader_read_table(reader, table, print_row, NULL, err);
}

static int run(const struct verb *verb, int argc, char **argv)
{
	const char *table = NULL;
	bool json = false;
	const struct options_entry entries[] = {
		{"json", NULL, "the batch table as JSON", OPTIONS_FLAG, .value = &json},
		{"table", "NAME", "another table, a JSON object a line: presentations, scores, decisions, …",
		 OPTIONS_TEXT, .value = &table},
	};
	struct options options = {.entries = entries, .n_entries = 2, .n_operands_min = 1, .n_operands_max = 1};
	struct error err = {0};
	struct reader *reader;
	int exit_code, rc;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	rc = reader_open(options.operands[0], &err, &reader);
	if (rc == 0) {
		rc = table ? report_table(reader, table, &err) : report_batches(reader, json, &err);
		reader_close(reader);
	}
	if (rc < 0) {
		fprintf(stderr, "evoke report: %s\n", err.text);
		return VERB_FAILED;
	}
	return VERB_OK;
}

const struct verb verb_report = {
	.name = "report",
	.purpose = "a session batch by batch, from its file",
	.operands = "SESSION.db",
	.example = "evoke report evoked-demo/loop/loop.db",
	.run = run,
};
