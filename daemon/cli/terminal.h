/* What people see: tables with aligned columns, one progress line, numbers with their units.
 *
 * Text is UTF-8 and is measured in columns, one a code point, as the field's words and signs (R², µ, –) need no wider
 * ones. Where the stream is no terminal, no control sequence is written. Thread: one at a time. */
#ifndef EVOKED_DAEMON_CLI_TERMINAL_H
#define EVOKED_DAEMON_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "support/error.h"

enum { TERMINAL_COLUMNS_MAX = 16, TERMINAL_CELL_MAX = 96, TERMINAL_WIDTH_DEFAULT = 80 };

bool terminal_is_interactive(FILE *out);
/* Columns of the terminal, or TERMINAL_WIDTH_DEFAULT where there is none. */
size_t terminal_width(FILE *out);
/* Columns that a UTF-8 text takes; and the bytes of its first n columns. */
size_t terminal_text_width(const char *text);
size_t terminal_text_cut(const char *text, size_t n_columns);

/* A short text by value, so that it can stand in the arguments of printf: terminal_seconds(t).text. */
struct terminal_text {
	char text[32];
};

/* "0.4 ms", "3.2 s", "2 min 05 s", "1 h 04 min". NaN, here and below: "–". */
struct terminal_text terminal_seconds(double seconds);
struct terminal_text terminal_percent(double fraction);
struct terminal_text terminal_bytes(double n_bytes);
struct terminal_text terminal_number(double value, int n_decimals);
/* "0.31 [0.24, 0.37]"; without an interval "0.31". */
struct terminal_text terminal_interval(double value, double low, double high);

enum terminal_style { TERMINAL_PLAIN, TERMINAL_BOLD, TERMINAL_GOOD, TERMINAL_BAD };

/* The control sequence of a style; "" where `out` is no terminal or NO_COLOR is set. */
const char *terminal_style(FILE *out, enum terminal_style style);

struct terminal_column {
	const char *title;
	bool left; /* texts to the left, numbers to the right */
};

struct terminal_table {
	const struct terminal_column *columns;
	size_t n_columns;
	size_t n_cells, capacity;
	char (*cells)[TERMINAL_CELL_MAX]; /* [rows, columns], owned */
	bool failed;			  /* a cell found no memory */
};

void terminal_table_init(struct terminal_table *table, const struct terminal_column *columns, size_t n_columns);
void terminal_table_done(struct terminal_table *table);
/* The next cell, from left to right, row by row; cut at TERMINAL_CELL_MAX. */
void terminal_table_cell(struct terminal_table *table, const char *format, ...) ERROR_FORMAT(2, 3);
/* A row that is not full yet is filled with empty cells. -ENOMEM when a cell had no memory: nothing is printed. */
int terminal_table_print(const struct terminal_table *table, FILE *out);

/* One line that is rewritten in place. Where `out` is no terminal it becomes a line of its own, at most one in
 * TERMINAL_PLAIN_EVERY_NS, so that a log stays readable. */
#define TERMINAL_PLAIN_EVERY_NS ((int64_t)10000000000)

struct terminal_progress {
	FILE *out;
	bool shown;	       /* something stands in the line */
	int64_t next_plain_ns; /* monotonic */
};

void terminal_progress_init(struct terminal_progress *progress, FILE *out);
void terminal_progress_show(struct terminal_progress *progress, const char *format, ...) ERROR_FORMAT(2, 3);
/* Clears the line, so that something else can be printed there. */
void terminal_progress_clear(struct terminal_progress *progress);

#endif
