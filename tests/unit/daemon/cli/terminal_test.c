/* Tables line up in columns whatever the bytes; numbers carry their units; nothing but text goes to a file. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/terminal.h"

static void numbers_carry_units(void **state)
{
	(void)state;
	assert_string_equal(terminal_seconds(0.00042).text, "0.4 ms");
	assert_string_equal(terminal_seconds(0.25).text, "250 ms");
	assert_string_equal(terminal_seconds(3.24).text, "3.2 s");
	assert_string_equal(terminal_seconds(125).text, "2 min 05 s");
	assert_string_equal(terminal_seconds(3599.9).text, "1 h 00 min");
	assert_string_equal(terminal_seconds(3840).text, "1 h 04 min");
	assert_string_equal(terminal_seconds(NAN).text, "–");
	assert_string_equal(terminal_percent(0.125).text, "12 %");
	assert_string_equal(terminal_percent(NAN).text, "–");
	assert_string_equal(terminal_bytes(999).text, "999 B");
	assert_string_equal(terminal_bytes(5.25e6).text, "5.2 MB");
	assert_string_equal(terminal_bytes(812e9).text, "812 GB");
	assert_string_equal(terminal_number(1.005e3, 1).text, "1005.0");
	assert_string_equal(terminal_interval(0.312, 0.24, 0.375).text, "0.31 [0.24, 0.38]");
	assert_string_equal(terminal_interval(0.312, NAN, 0.3).text, "0.31");
	assert_string_equal(terminal_interval(NAN, 0.1, 0.3).text, "–");
}

static void width_counts_characters(void **state)
{
	(void)state;
	assert_int_equal(terminal_text_width("R² –"), 4);
	assert_int_equal(terminal_text_cut("R² –", 2), 3);
	assert_int_equal(terminal_text_cut("R² –", 9), strlen("R² –"));
	assert_int_equal(terminal_text_cut("µs", 1), 2);
}

static char *print_table(const struct terminal_table *table)
{
	char *text;
	FILE *out = tmpfile();
	long size;

	assert_non_null(out);
	assert_int_equal(terminal_table_print(table, out), 0);
	size = ftell(out);
	rewind(out);
	text = calloc(1, (size_t)size + 1);
	assert_int_equal(fread(text, 1, (size_t)size, out), size);
	fclose(out);
	return text;
}

static void table_lines_up(void **state)
{
	static const struct terminal_column columns[] = {{"kind", true}, {"R²", false}, {"n", false}};
	struct terminal_table table;
	char *text;

	(void)state;
	terminal_table_init(&table, columns, 3);
	terminal_table_cell(&table, "natural");
	terminal_table_cell(&table, "%.2f", 0.31);
	terminal_table_cell(&table, "%d", 1234);
	terminal_table_cell(&table, "é");
	terminal_table_cell(&table, "–");
	text = print_table(&table);
	assert_string_equal(text, "kind       R²     n\n"
				  "natural  0.31  1234\n"
				  "é           –      \n");
	free(text);
	terminal_table_done(&table);
}

static void table_grows(void **state)
{
	static const struct terminal_column columns[] = {{"n", false}};
	struct terminal_table table;
	char *text;

	(void)state;
	terminal_table_init(&table, columns, 1);
	for (int i = 0; i < 1000; i++)
		terminal_table_cell(&table, "%d", i);
	text = print_table(&table);
	assert_int_equal(strlen(text), 1001 * 4);
	assert_string_equal(text + 4000, "999\n");
	free(text);
	terminal_table_done(&table);
}

static void progress_in_a_file_is_plain_and_rare(void **state)
{
	struct terminal_progress progress;
	FILE *out = tmpfile();
	char text[64] = "";

	(void)state;
	assert_non_null(out);
	terminal_progress_init(&progress, out);
	for (int i = 0; i < 100; i++)
		terminal_progress_show(&progress, "batch %d", i);
	terminal_progress_clear(&progress);
	rewind(out);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, out), 8);
	assert_string_equal(text, "batch 0\n");
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_carry_units),
		cmocka_unit_test(width_counts_characters),
		cmocka_unit_test(table_lines_up),
		cmocka_unit_test(table_grows),
		cmocka_unit_test(progress_in_a_file_is_plain_and_rare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
