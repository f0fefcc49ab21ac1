/* Flow: cells are collected as text, so that column widths are known before the first line is printed.
 * Failure: memory for cells; it is kept until the print, which then says so, and callers need not look at each cell. */
#include "daemon/cli/terminal.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define UNKNOWN "–"

bool terminal_is_interactive(FILE *out)
{
	const char *term = getenv("TERM");

	return isatty(fileno(out)) && !(term && strcmp(term, "dumb") == 0);
}

size_t terminal_width(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return TERMINAL_WIDTH_DEFAULT;
}

static bool starts_character(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t terminal_text_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += starts_character(*text);
	return n;
}

size_t terminal_text_cut(const char *text, size_t n_columns)
{
	size_t i = 0;

	for (size_t n = 0; text[i]; i++) {
		n += starts_character(text[i]);
		if (n > n_columns)
			break;
	}
	return i;
}

struct terminal_text terminal_number(double value, int n_decimals)
{
	struct terminal_text text = {UNKNOWN};

	if (!isnan(value))
		snprintf(text.text, sizeof(text.text), "%.*f", n_decimals, value);
	return text;
}

struct terminal_text terminal_seconds(double seconds)
{
	struct terminal_text text = {UNKNOWN};
	long long whole;

	if (isnan(seconds))
		return text;
	whole = llround(seconds);
	if (seconds < 0.01)
		snprintf(text.text, sizeof(text.text), "%.1f ms", seconds * 1e3);
	else if (seconds < 1)
		snprintf(text.text, sizeof(text.text), "%.0f ms", seconds * 1e3);
	else if (seconds < 60)
		snprintf(text.text, sizeof(text.text), "%.1f s", seconds);
	else if (whole < 3600)
		snprintf(text.text, sizeof(text.text), "%lld min %02lld s", whole / 60, whole % 60);
	else
		snprintf(text.text, sizeof(text.text), "%lld h %02lld min", whole / 3600, whole % 3600 / 60);
	return text;
}

struct terminal_text terminal_percent(double fraction)
{
	struct terminal_text text = {UNKNOWN};

	if (!isnan(fraction))
		snprintf(text.text, sizeof(text.text), "%.0f %%", fraction * 100);
	return text;
}

struct terminal_text terminal_bytes(double n_bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	struct terminal_text text = {UNKNOWN};
	size_t unit = 0;

	if (isnan(n_bytes))
		return text;
	while (n_bytes >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		n_bytes /= 1000;
		unit++;
	}
	snprintf(text.text, sizeof(text.text), "%.*f %s", unit > 0 && n_bytes < 100 ? 1 : 0, n_bytes, units[unit]);
	return text;
}

struct terminal_text terminal_interval(double value, double low, double high)
{
	struct terminal_text text = terminal_number(value, 2);

	if (!isnan(value) && !isnan(low) && !isnan(high))
		snprintf(text.text, sizeof(text.text), "%.2f [%.2f, %.2f]", value, low, high);
	return text;
}

const char *terminal_style(FILE *out, enum terminal_style style)
{
	const char *no_color = getenv("NO_COLOR");

	if (!terminal_is_interactive(out) || (no_color && no_color[0]))
		return "";
	switch (style) {
	case TERMINAL_PLAIN:
		return "\033[0m";
	case TERMINAL_BOLD:
		return "\033[1m";
	case TERMINAL_GOOD:
		return "\033[1;32m";
	case TERMINAL_BAD:
		return "\033[1;31m";
	}
	return "";
}

void terminal_table_init(struct terminal_table *table, const struct terminal_column *columns, size_t n_columns)
{
	*table = (struct terminal_table){.columns = columns, .n_columns = n_columns};
}

void terminal_table_done(struct terminal_table *table)
{
	free(table->cells);
	table->cells = NULL;
}

void terminal_table_cell(struct terminal_table *table, const char *format, ...)
{
	va_list args;

	if (table->n_cells == table->capacity) {
		size_t capacity = table->capacity ? 2 * table->capacity : 8 * table->n_columns;
		void *cells = realloc(table->cells, capacity * sizeof(*table->cells));

		if (!cells) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->capacity = capacity;
	}
	va_start(args, format);
	vsnprintf(table->cells[table->n_cells++], TERMINAL_CELL_MAX, format, args);
	va_end(args);
}

/* Pads by columns: printf's own width counts bytes. */
static void print_padded(FILE *out, const char *text, size_t width, bool left, bool last)
{
	size_t used = terminal_text_width(text);
	int padding = used < width ? (int)(width - used) : 0;

	if (left)
		fprintf(out, "%s%*s", text, last ? 0 : padding, "");
	else
		fprintf(out, "%*s%s", padding, "", text);
	fputs(last ? "\n" : "  ", out);
}

int terminal_table_print(const struct terminal_table *table, FILE *out)
{
	size_t widths[TERMINAL_COLUMNS_MAX];
	size_t n_rows = (table->n_cells + table->n_columns - 1) / table->n_columns;

	if (table->failed || table->n_columns > TERMINAL_COLUMNS_MAX)
		return -ENOMEM;
	for (size_t c = 0; c < table->n_columns; c++) {
		widths[c] = terminal_text_width(table->columns[c].title);
		for (size_t i = c; i < table->n_cells; i += table->n_columns) {
			size_t width = terminal_text_width(table->cells[i]);

			if (width > widths[c])
				widths[c] = width;
		}
	}
	fputs(terminal_style(out, TERMINAL_BOLD), out);
	for (size_t c = 0; c < table->n_columns; c++)
		print_padded(out, table->columns[c].title, widths[c], table->columns[c].left,
			     c + 1 == table->n_columns);
	fputs(terminal_style(out, TERMINAL_PLAIN), out);
	for (size_t r = 0; r < n_rows; r++)
		for (size_t c = 0; c < table->n_columns; c++) {
			size_t i = r * table->n_columns + c;

			print_padded(out, i < table->n_cells ? table->cells[i] : "", widths[c], table->columns[c].left,
				     c + 1 == table->n_columns);
		}
	return 0;
}

void terminal_progress_init(struct terminal_progress *progress, FILE *out)
{
	*progress = (struct terminal_progress){.out = out};
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void terminal_progress_show(struct terminal_progress *progress, const char *format, ...)
{
	char line[512];
	va_list args;
	size_t width;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!terminal_is_interactive(progress->out)) {
		if (monotonic_ns() < progress->next_plain_ns)
			return;
		progress->next_plain_ns = monotonic_ns() + TERMINAL_PLAIN_EVERY_NS;
		fprintf(progress->out, "%s\n", line);
		fflush(progress->out);
		return;
	}
	width = terminal_width(progress->out);
	fprintf(progress->out, "\r%.*s\033[K", (int)terminal_text_cut(line, width > 1 ? width - 1 : 1), line);
	fflush(progress->out);
	progress->shown = true;
}

void terminal_progress_clear(struct terminal_progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", progress->out);
	fflush(progress->out);
	progress->shown = false;
}
