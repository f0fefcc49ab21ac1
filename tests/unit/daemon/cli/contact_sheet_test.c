/* A sheet has room for every row, shows the images where they belong, and stays within an image's limits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/contact_sheet.h"

enum { SIDE = 32, LABEL_AND_MARGIN = 30 };

static struct image gray(uint32_t side, uint8_t level)
{
	struct image image;

	assert_int_equal(image_init(side, side, NULL, &image), 0);
	memset(image.rgb, level, (size_t)3 * side * side);
	return image;
}

static uint8_t level_at(const struct image *image, uint32_t x, uint32_t y)
{
	return image->rgb[3 * ((size_t)y * image->width_px + x)];
}

static void images_lie_in_their_rows(void **state)
{
	struct image images[3] = {gray(SIDE, 10), gray(SIDE, 20), gray(SIDE, 30)};
	const struct contact_sheet_row rows[] = {{"natural", 2, images}, {"gaudy", 1, images + 2}};
	struct image sheet;
	int n_ink = 0;

	(void)state;
	assert_int_equal(contact_sheet_draw(rows, 2, NULL, &sheet), 0);
	assert_int_equal(level_at(&sheet, 8 + 5, LABEL_AND_MARGIN + 5), 10);
	assert_int_equal(level_at(&sheet, 8 + SIDE + 8 + 5, LABEL_AND_MARGIN + 5), 20);
	assert_int_equal(level_at(&sheet, 8 + 5, 8 + LABEL_AND_MARGIN + SIDE + LABEL_AND_MARGIN), 30);
	for (uint32_t y = 8; y < 22; y++)
		for (uint32_t x = 0; x < sheet.width_px; x++)
			n_ink += level_at(&sheet, x, y) == 40;
	assert_true(n_ink > 200);
	image_done(&sheet);
	for (int i = 0; i < 3; i++)
		image_done(&images[i]);
}

static void many_large_rows_fit(void **state)
{
	struct image image = gray(600, 77), sheet;
	struct contact_sheet_row rows[CONTACT_SHEET_ROWS_MAX];

	(void)state;
	for (size_t r = 0; r < CONTACT_SHEET_ROWS_MAX; r++)
		rows[r] = (struct contact_sheet_row){"informative_synthesized", 1, &image};
	assert_int_equal(contact_sheet_draw(rows, CONTACT_SHEET_ROWS_MAX, NULL, &sheet), 0);
	assert_true(sheet.height_px <= IMAGE_SIDE_MAX_PX && sheet.width_px <= IMAGE_SIDE_MAX_PX);
	image_done(&sheet);
	image_done(&image);
}

static void nothing_to_show_is_an_error(void **state)
{
	const struct contact_sheet_row empty = {"natural", 0, NULL};
	struct error err = {0};
	struct image sheet;

	(void)state;
	assert_int_equal(contact_sheet_draw(&empty, 1, &err, &sheet), -EINVAL);
	assert_int_equal(contact_sheet_draw(NULL, 0, &err, &sheet), -EINVAL);
	assert_non_null(strstr(err.text, "contact sheet"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_lie_in_their_rows),
		cmocka_unit_test(many_large_rows_fit),
		cmocka_unit_test(nothing_to_show_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
