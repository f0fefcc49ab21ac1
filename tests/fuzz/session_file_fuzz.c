/* A session file of a stranger: opened, checked, and everything in it read. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/store/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DECISIONS_MAX = 16, PAGES_MAX = 16 };

static void ignore_problem(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static int ignore_row(void *ctx, const json_t *row)
{
	(void)row;
	return ++*(int *)ctx > 1000;
}

static void read_decisions(struct reader *reader)
{
	struct reader_decision decision = {.decision = 0};
	struct store_slot *slots;
	struct store_score *scores;
	struct error err;
	size_t n;

	for (int i = 0; i < DECISIONS_MAX && reader_next_decision(reader, decision.decision, &err, &decision) == 1;
	     i++) {
		if (!reader_slots(reader, decision.decision, &err, &n, &slots))
			free(slots);
		if (!reader_scores(reader, decision.decision, &err, &n, &scores))
			free(scores);
		reader_decision_done(&decision);
	}
}

static void read_pages(struct reader *reader)
{
	struct store_page page = {.through_seq = 0, .more = true};
	struct error err;

	for (int i = 0; i < PAGES_MAX && page.more; i++)
		if (reader_page(reader, page.through_seq, INT64_MAX, 1, &err, &page))
			break;
}

static void read_all(struct reader *reader)
{
	struct reader_session session;
	struct error err;
	size_t n;
	int n_rows;

	reader_check(reader, ignore_problem, NULL, &err, &n);
	if (!reader_session(reader, &err, &session))
		reader_session_done(&session);
	read_decisions(reader);
	read_pages(reader);
	for (int table = 0; table < READER_TABLES; table++) {
		n_rows = 0;
		reader_read_table(reader, (enum reader_table)table, ignore_row, &n_rows, &err);
	}
}

static char path[] = "/tmp/evoked_fuzz_XXXXXX";

static void remove_file(void)
{
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct reader *reader;
	struct error err;

	if (fd < 0) {
		fd = mkstemp(path);
		if (fd < 0)
			abort();
		atexit(remove_file);
	}
	if (!ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size && !reader_open(path, &err, &reader)) {
		read_all(reader);
		reader_close(reader);
	}
	return 0;
}
