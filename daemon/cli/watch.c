/* evoke watch: one screen that tells from across the room whether the loop is well.
 *
 * Flow: the control socket is asked once, so that a wrong endpoint is an error and not an empty screen; then each
 * snapshot that is published redraws the screen: a bar in the colour of the state, R² in large digits, the lines of
 * evoke status, and R² batch by batch. A daemon that falls silent turns the bar red and keeps the last numbers, with
 * their age. Layout: 80 columns, 24 lines; a wider terminal only makes the bar longer. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/cli/connection.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/options.h"
#include "daemon/cli/snapshot.h"
#include "daemon/cli/status.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/verbs.h"

/* Lines of the screen; of these, the ones that are neither snapshot lines nor batches. */
enum { WATCH_ROWS = 24, WATCH_FIXED_ROWS = 9, WATCH_BAR_COLUMNS = 40, DIGIT_ROWS = 3 };

#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
#define LINE_END     "\033[K\n"
#define SCREEN_END   "\033[J"
#define BAR_GOOD     "\033[1;37;42m"
#define BAR_BAD	     "\033[1;37;41m"
#define BAR_END	     "\033[0m"

/* 0-9, point, minus: three rows of three columns. */
static const char *const digits[][DIGIT_ROWS] = {
	{"█▀█", "█ █", "▀▀▀"}, {" ▀█", "  █", "  ▀"}, {"▀▀█", "█▀▀", "▀▀▀"}, {"▀▀█", " ▀█", "▀▀▀"},
	{"█ █", "▀▀█", "  ▀"}, {"█▀▀", "▀▀█", "▀▀▀"}, {"█▀▀", "█▀█", "▀▀▀"}, {"▀▀█", "  █", "  ▀"},
	{"█▀█", "█▀█", "▀▀▀"}, {"█▀█", "▀▀█", "▀▀▀"}, {" ", " ", "▀"},	     {"  ", "▀▀", "  "},
};

static const char *const *digit_of(char character)
{
	if (character >= '0' && character <= '9')
		return digits[character - '0'];
	return digits[character == '.' ? 10 : 11];
}

static void print_large(const char *label, const char *number)
{
	for (int row = 0; row < DIGIT_ROWS; row++) {
		printf("  %-4s", row == 1 ? label : "");
		for (const char *c = number; *c; c++)
			printf("%s ", digit_of(*c)[row]);
		fputs(LINE_END, stdout);
	}
}

static void print_bar(const struct snapshot *snapshot, const char *silent)
{
	const char *reason;
	bool healthy = snapshot_is_healthy(snapshot, &reason) && !silent;
	char text[256], clock[16];
	time_t now = time(NULL);
	size_t width = terminal_width(stdout), used;
	struct tm local;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
	snprintf(text, sizeof(text), "  %s   %s", snapshot->state, silent ? silent : reason);
	used = terminal_text_width(text) + strlen(clock) + 2;
	printf("%s%.*s%*s%s  " BAR_END LINE_END, healthy ? BAR_GOOD : BAR_BAD,
	       (int)terminal_text_cut(text, width > 12 ? width - 12 : 0), text, used < width ? (int)(width - used) : 0,
	       "", clock);
}

/* R² of the last batches as bars, `|` at the ceiling. */
static void print_batches(const struct snapshot *snapshot, size_t n_max)
{
	size_t n = snapshot->n_batch_rows;

	for (size_t i = n > n_max ? n - n_max : 0; i < n; i++) {
		const struct snapshot_batch *batch = &snapshot->batches[i];
		long filled = isnan(batch->r2) || batch->r2 < 0 ? 0 : lround(batch->r2 * WATCH_BAR_COLUMNS);
		long ceiling = isnan(batch->ceiling) ? -1 : lround(batch->ceiling * WATCH_BAR_COLUMNS);

		printf("  %5lld  ", (long long)batch->batch);
		for (long c = 0; c < WATCH_BAR_COLUMNS; c++)
			fputs(c < filled ? "█" : c == ceiling ? "|" : " ", stdout);
		printf(" %s %s" LINE_END, terminal_interval(batch->r2, batch->r2_low, batch->r2_high).text,
		       batch->origin);
	}
}

static void draw(const struct snapshot *snapshot, const char *silent)
{
	struct snapshot_line lines[SNAPSHOT_LINES_MAX];
	size_t n = snapshot_describe(snapshot, lines);

	fputs(SCREEN_HOME, stdout);
	print_bar(snapshot, silent);
	fputs(LINE_END, stdout);
	print_large("R²", isnan(snapshot->model.r2) ? "-" : terminal_number(snapshot->model.r2, 2).text);
	fputs(LINE_END, stdout);
	for (size_t i = 0; i < n; i++)
		printf("  %-9s%.*s" LINE_END, lines[i].label, (int)terminal_text_cut(lines[i].text, 68), lines[i].text);
	if (snapshot->n_batch_rows > 0)
		printf(LINE_END "  batch  R² on the monitor set, | its ceiling" LINE_END);
	print_batches(snapshot, WATCH_ROWS - WATCH_FIXED_ROWS - n);
	fputs(SCREEN_END, stdout);
	fflush(stdout);
}

/* Redraws until a signal. `message` is the newest snapshot: replaced by each one that comes. */
static void watch(struct connection *status, struct message *message)
{
	struct snapshot snapshot;
	struct timespec last, now;
	struct error err;

	snapshot_read(message->header, &snapshot);
	clock_gettime(CLOCK_MONOTONIC, &last);
	draw(&snapshot, NULL);
	while (!interrupt_seen()) {
		struct message next;
		char silent[64];
		int rc = connection_receive(status, CONNECTION_TIMEOUT_MS, &err, &next);

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (rc == 0) {
			message_done(message);
			*message = next;
			snapshot_read(message->header, &snapshot);
			last = now;
			draw(&snapshot, NULL);
		} else if (rc == -ETIMEDOUT) {
			snprintf(silent, sizeof(silent), "the daemon is silent for %lld s",
				 (long long)(now.tv_sec - last.tv_sec));
			draw(&snapshot, silent);
		}
	}
}

static int run(const struct verb *verb, int argc, char **argv)
{
	const char *control = CONNECTION_CONTROL;
	const struct options_entry entries[] = {
		{"control", "ENDPOINT", "the daemon's control socket", OPTIONS_TEXT, .value = &control},
	};
	struct options options = {.entries = entries, .n_entries = 1};
	struct connection *status = NULL;
	struct error err = {0};
	struct message message;
	struct snapshot snapshot;
	int exit_code, rc;

	if (!options_take(&options, verb, argc, argv, &exit_code))
		return exit_code;
	rc = status_ask(control, &err, &message);
	if (rc < 0)
		goto out_error;
	snapshot_read(message.header, &snapshot);
	rc = connection_subscribe(snapshot.status_endpoint, &err, &status);
	if (rc < 0)
		goto out_message;
	interrupt_catch();
	fputs(SCREEN_ENTER, stdout);
	watch(status, &message);
	fputs(SCREEN_LEAVE, stdout);
	fflush(stdout);

out_message:
	message_done(&message);
	connection_close(status);
out_error:
	if (rc < 0)
		fprintf(stderr, "evoke watch: %s\n", err.text);
	return rc < 0 ? VERB_FAILED : VERB_OK;
}

const struct verb verb_watch = {
	.name = "watch",
	.purpose = "a screen that shows whether the loop is well",
	.operands = "",
	.example = "evoke watch --control tcp://127.0.0.1:5573",
	.run = run,
};
