/* How fast presentations become durable: one at a time, a block at a time, blocks without waiting; beside what the disk
 * itself takes to make 4 KiB durable. `store_bench [FOLDER]` writes there (default: the current folder), so that it
 * measures that disk. Each line: name, value, unit. */
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/store.h"

enum { UNITS = 60, BLOCK = 100, RAW_WRITES = 300, SINGLES = 300, BLOCKS = 200, STREAM_BLOCKS = 1500, IN_FLIGHT = 32 };

struct bench {
	char folder[4096], path[4200];
	struct store *store;
	sem_t woken;
	int64_t number;	     /* the next presentation's */
	size_t n_done, n_ok; /* operations */
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void wake(void *ctx)
{
	sem_post(&((struct bench *)ctx)->woken);
}

static void take_answer(struct store_op *op, void *ctx)
{
	struct bench *b = ctx;

	b->n_done++;
	if (op->status)
		fprintf(stderr, "store_bench: %s\n", op->error.text);
	else
		b->n_ok++;
}

static void wait_until(struct bench *b, size_t n_done)
{
	while (b->n_done < n_done) {
		sem_wait(&b->woken);
		store_drain(b->store);
	}
}

static struct store_op *make_op(struct bench *b, enum store_op_kind kind)
{
	struct store_op *op = store_op_create(kind);

	if (!op)
		abort();
	memset(op->run, 1, RUN_SIZE);
	op->done = take_answer;
	op->ctx = b;
	return op;
}

static void submit(struct bench *b, struct store_op *op)
{
	if (store_submit(b->store, op))
		abort();
}

/* Of the rig's own image, so that the bench is of presentations and not of plans. */
static struct store_op *make_block(struct bench *b, size_t n)
{
	struct store_op *op = make_op(b, STORE_OP_PRESENTATIONS);
	uint16_t counts[UNITS];

	op->n_presentations = n;
	op->presentations = store_op_alloc(op, n * sizeof *op->presentations);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < UNITS; k++)
			counts[k] = (uint16_t)(b->number * 7 + (int64_t)k) % 9;
		op->presentations[i] = (struct presentation){.number = b->number,
							     .trial = b->number / 8,
							     .position = b->number % 8,
							     .slot = -1,
							     .has_image = true,
							     .commanded_us = b->number * 200000,
							     .onset_us = b->number * 200000 + 8000,
							     .responses = store_op_copy(op, counts, sizeof counts),
							     .responses_size = sizeof counts};
		memset(op->presentations[i].image, 5, HASH_SIZE);
		b->number++;
	}
	return op;
}

static int begin(struct bench *b)
{
	struct session_unit units[UNITS];
	struct session_spec spec = {.name = "bench",
				    .n_arrays = 1,
				    .n_units = UNITS,
				    .units = units,
				    .n_bins = 1,
				    .bins = {{50, 150}},
				    .target_n_bins = 1};
	struct store_session session = {.spec = &spec, .config_text = "", .width_px = 112, .height_px = 112};
	struct store_op *op;
	struct error err;

	strcpy(spec.arrays[0].name, "a");
	for (uint32_t i = 0; i < UNITS; i++)
		units[i] = (struct session_unit){
			.id = i, .until_run = UINT32_MAX, .from_number = 1, .until_number = INT64_MAX};
	snprintf(b->path, sizeof b->path, "%s/session.db", b->folder);
	if (store_create(b->path, &session, &err, &b->store) || store_start(b->store, wake, b, &err)) {
		fprintf(stderr, "store_bench: %s\n", err.text);
		return 1;
	}
	submit(b, make_op(b, STORE_OP_RUN));
	op = make_op(b, STORE_OP_IMAGES);
	op->n_images = 1;
	op->images = store_op_alloc(op, sizeof *op->images);
	op->images[0] = (struct store_image){
		.width_px = 112, .height_px = 112, .kind = "rig", .role = "", .png = "x", .png_size = 1};
	memset(op->images[0].hash.bytes, 5, HASH_SIZE);
	submit(b, op);
	wait_until(b, 2);
	return b->n_ok != 2;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_times(const char *name, double *seconds, size_t n, size_t presentations_each)
{
	double total = 0;

	for (size_t i = 0; i < n; i++)
		total += seconds[i];
	qsort(seconds, n, sizeof *seconds, compare);
	printf("%s_p50 %.3f ms\n%s_p99 %.3f ms\n%s_rate %.0f 1/s\n", name, 1e3 * seconds[n / 2], name,
	       1e3 * seconds[n * 99 / 100], name, (double)(n * presentations_each) / total);
}

/* Over pages that are there already, as the WAL is written once it has grown; `growing`: at the end of the file. */
static int measure_raw(struct bench *b, const char *name, bool growing)
{
	static char page[4096];
	static double seconds[RAW_WRITES];
	char path[4200];
	int fd, failed = 0;

	snprintf(path, sizeof path, "%s/raw", b->folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return 1;
	for (off_t i = 0; !growing && !failed && i < RAW_WRITES; i++)
		failed = pwrite(fd, page, sizeof page, i * (off_t)sizeof page) != sizeof page;
	failed |= fsync(fd);
	for (off_t i = 0; !failed && i < RAW_WRITES; i++) {
		double start = now_s();

		failed = pwrite(fd, page, sizeof page, i * (off_t)sizeof page) != sizeof page || fdatasync(fd);
		seconds[i] = now_s() - start;
	}
	close(fd);
	unlink(path);
	if (!failed)
		print_times(name, seconds, RAW_WRITES, 1);
	return failed;
}

/* Each waits for the one before. */
static void measure_turns(struct bench *b, const char *name, size_t n, size_t block)
{
	double *seconds = calloc(n, sizeof *seconds);

	for (size_t i = 0; seconds && i < n; i++) {
		double start = now_s();

		submit(b, make_block(b, block));
		wait_until(b, b->n_done + 1);
		seconds[i] = now_s() - start;
	}
	if (seconds)
		print_times(name, seconds, n, block);
	free(seconds);
}

/* IN_FLIGHT blocks are always on their way, as from a rig that sends what it has kept. */
static void measure_stream(struct bench *b)
{
	size_t first = b->n_done, n_sent = 0;
	double start = now_s(), seconds;

	while (b->n_done - first < STREAM_BLOCKS) {
		while (n_sent < STREAM_BLOCKS && n_sent - (b->n_done - first) < IN_FLIGHT) {
			submit(b, make_block(b, BLOCK));
			n_sent++;
		}
		wait_until(b, b->n_done + 1);
	}
	seconds = now_s() - start;
	printf("stream_of_blocks_rate %.0f 1/s\n", STREAM_BLOCKS * BLOCK / seconds);
}

struct page_answer {
	struct bench *bench;
	int64_t through_seq;
	size_t n_rows;
	bool more;
};

static void take_page(struct store_op *op, void *ctx)
{
	struct page_answer *answer = ctx;

	answer->bench->n_done++;
	answer->bench->n_ok += !op->status;
	answer->through_seq = op->page.through_seq;
	answer->n_rows += op->page.n_rows;
	answer->more = op->page.more;
}

/* What the worker is sent; commits wait while a page is read. */
static void measure_pages(struct bench *b)
{
	struct page_answer answer = {.bench = b};
	double seconds[1000], start;
	size_t n = 0;

	do {
		struct store_op *op = make_op(b, STORE_OP_PAGE);

		op->from_seq = answer.through_seq;
		op->through_seq = INT64_MAX;
		op->done = take_page;
		op->ctx = &answer;
		start = now_s();
		submit(b, op);
		wait_until(b, b->n_done + 1);
		seconds[n++] = now_s() - start;
	} while (answer.more && n < 1000);
	print_times("page", seconds, n, answer.n_rows / n);
}

int main(int argc, char **argv)
{
	struct bench b = {.number = 1};
	int failed;

	snprintf(b.folder, sizeof b.folder, "%s/store_bench_XXXXXX", argc > 1 ? argv[1] : ".");
	if (!mkdtemp(b.folder)) {
		perror(b.folder);
		return 1;
	}
	sem_init(&b.woken, 0, 0);
	failed = measure_raw(&b, "raw_fdatasync_growing", true) || measure_raw(&b, "raw_fdatasync", false) || begin(&b);
	if (!failed) {
		measure_turns(&b, "single", SINGLES, 1);
		measure_turns(&b, "block_of_100", BLOCKS, BLOCK);
		measure_stream(&b);
		measure_pages(&b);
		failed = b.n_ok != b.n_done;
	}
	store_close(b.store);
	unlink(b.path);
	rmdir(b.folder);
	return failed;
}
