/* evoke check: a session file against itself, and its images against their names.
 *
 * Flow: the reader's own checks, then every image decoded and hashed, page by page. What is wrong is a line each on
 * stdout and exit code 1; a file that cannot be read is one sentence on stderr. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/store/reader.h"
#include "stimuli/image.h"

struct findings {
	size_t n_problems, n_images;
};

static void print_problem(void *ctx, const char *text)
{
	struct findings *findings = ctx;

	findings->n_problems++;
	puts(text);
}

static void check_image(const struct store_row *row, struct findings *findings)
{
	char hex[HASH_HEX_SIZE], sentence[ERROR_TEXT_MAX + HASH_HEX_SIZE + 32];
	struct error err = {""};
	struct image image;
	struct hash hash;

	hash_to_hex(&row->image, hex);
	findings->n_images++;
	if (image_decode(row->png, row->png_size, &err, &image)) {
		snprintf(sentence, sizeof sentence, "image %s: %s", hex, err.text);
		print_problem(findings, sentence);
		return;
	}
	image_hash(&image, &hash);
	image_done(&image);
	if (!hash_equal(&hash, &row->image)) {
		snprintf(sentence, sizeof sentence, "image %s: its pixels are another image", hex);
		print_problem(findings, sentence);
	}
}

static int check_images(struct reader *reader, int64_t last_seq, struct findings *findings, struct error *err)
{
	struct store_page page = {.through_seq = 0, .more = true};
	int r = 0;

	while (!r && page.more) {
		r = reader_page(reader, page.through_seq, last_seq, STORE_PAGE_BYTES_MAX, err, &page);
		for (size_t i = 0; !r && i < page.n_rows; i++)
			if (page.rows[i].kind == STORE_ROW_IMAGE)
				check_image(&page.rows[i], findings);
	}
	return r;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	struct options options = {.n_operands_min = 1, .n_operands_max = 1};
	struct findings findings = {0};
	struct error err = {""};
	struct reader *reader;
	int64_t last_seq = 0;
	size_t n;
	int exit_code, r;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	r = reader_open(options.operands[0], &err, &reader);
	if (!r) {
		r = reader_check(reader, print_problem, &findings, &err, &n);
		if (!r)
			r = reader_last_seq(reader, &err, &last_seq);
		if (!r)
			r = check_images(reader, last_seq, &findings, &err);
		reader_close(reader);
	}
	if (r) {
		fprintf(stderr, "evoke check: %s\n", err.text);
		return VERB_FAILED;
	}
	if (findings.n_problems)
		printf("%s: %zu problems\n", options.operands[0], findings.n_problems);
	else
		printf("%s: sound (%" PRId64 " rows, %zu images)\n", options.operands[0], last_seq, findings.n_images);
	return findings.n_problems ? VERB_FAILED : VERB_OK;
}

const struct verb verb_check = {
	.name = "check",
	.purpose = "a session file against itself: rows, keys, hashes, images",
	.operands = "SESSION.db",
	.example = "evoke check evoked-demo/loop/loop.db",
	.run = run,
};
