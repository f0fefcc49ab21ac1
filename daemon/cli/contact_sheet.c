/* Flow: the sheet's size follows from the tiles; labels are drawn with a 5×7 font of lower-case letters, which is all
 * that the names of kinds need. Tiles larger than fit are made smaller by leaving pixels out (nearest): it is an
 * overview. */
#include "daemon/cli/contact_sheet.h"

#include <errno.h>
#include <string.h>

enum { MARGIN_PX = 8, GLYPH_COLUMNS = 5, GLYPH_ROWS = 7, FONT_SCALE = 2, TILE_MAX_PX = 112 };
enum { LABEL_PX = GLYPH_ROWS * FONT_SCALE + MARGIN_PX };

static const unsigned char paper = 250, ink = 40;

/* Columns from left to right, the lowest bit on top. */
static const unsigned char letters[26][GLYPH_COLUMNS] = {
	{0x20, 0x54, 0x54, 0x54, 0x78}, {0x7f, 0x48, 0x44, 0x44, 0x38}, {0x38, 0x44, 0x44, 0x44, 0x20},
	{0x38, 0x44, 0x44, 0x48, 0x7f}, {0x38, 0x54, 0x54, 0x54, 0x18}, {0x08, 0x7e, 0x09, 0x01, 0x02},
	{0x0c, 0x52, 0x52, 0x52, 0x3e}, {0x7f, 0x08, 0x04, 0x04, 0x78}, {0x00, 0x44, 0x7d, 0x40, 0x00},
	{0x20, 0x40, 0x44, 0x3d, 0x00}, {0x7f, 0x10, 0x28, 0x44, 0x00}, {0x00, 0x41, 0x7f, 0x40, 0x00},
	{0x7c, 0x04, 0x18, 0x04, 0x78}, {0x7c, 0x08, 0x04, 0x04, 0x78}, {0x38, 0x44, 0x44, 0x44, 0x38},
	{0x7c, 0x14, 0x14, 0x14, 0x08}, {0x08, 0x14, 0x14, 0x18, 0x7c}, {0x7c, 0x08, 0x04, 0x04, 0x08},
	{0x48, 0x54, 0x54, 0x54, 0x20}, {0x04, 0x3f, 0x44, 0x40, 0x20}, {0x3c, 0x40, 0x40, 0x20, 0x7c},
	{0x1c, 0x20, 0x40, 0x20, 0x1c}, {0x3c, 0x40, 0x30, 0x40, 0x3c}, {0x44, 0x28, 0x10, 0x28, 0x44},
	{0x0c, 0x50, 0x50, 0x50, 0x3c}, {0x44, 0x64, 0x54, 0x4c, 0x44},
};
static const unsigned char underscore[GLYPH_COLUMNS] = {0x40, 0x40, 0x40, 0x40, 0x40};

static void set_pixel(struct image *sheet, uint32_t x, uint32_t y, unsigned char level)
{
	if (x < sheet->width_px && y < sheet->height_px)
		memset(&sheet->rgb[3 * ((size_t)y * sheet->width_px + x)], level, 3);
}

static void draw_glyph(struct image *sheet, const unsigned char *glyph, uint32_t x, uint32_t y)
{
	for (uint32_t column = 0; column < GLYPH_COLUMNS * FONT_SCALE; column++)
		for (uint32_t row = 0; row < GLYPH_ROWS * FONT_SCALE; row++)
			if (glyph[column / FONT_SCALE] >> (row / FONT_SCALE) & 1)
				set_pixel(sheet, x + column, y + row, ink);
}

static void draw_label(struct image *sheet, const char *label, uint32_t x, uint32_t y)
{
	for (; *label; label++, x += (GLYPH_COLUMNS + 1) * FONT_SCALE) {
		if (*label >= 'a' && *label <= 'z')
			draw_glyph(sheet, letters[*label - 'a'], x, y);
		else if (*label == '_')
			draw_glyph(sheet, underscore, x, y);
	}
}

static void draw_tile(struct image *sheet, const struct image *image, uint32_t x, uint32_t y, uint32_t width_px,
		      uint32_t height_px)
{
	for (uint32_t j = 0; j < height_px; j++)
		for (uint32_t i = 0; i < width_px; i++) {
			uint32_t from_x = (uint32_t)((uint64_t)i * image->width_px / width_px);
			uint32_t from_y = (uint32_t)((uint64_t)j * image->height_px / height_px);

			memcpy(&sheet->rgb[3 * ((size_t)(y + j) * sheet->width_px + x + i)],
			       &image->rgb[3 * ((size_t)from_y * image->width_px + from_x)], 3);
		}
}

/* The tile's size: the images' own where all rows then fit into one image, else smaller, their proportion kept. */
static void tile_size(const struct image *image, size_t n_rows, uint32_t *ret_width_px, uint32_t *ret_height_px)
{
	uint32_t longer = image->width_px > image->height_px ? image->width_px : image->height_px;
	uint32_t fitting = (IMAGE_SIDE_MAX_PX - MARGIN_PX) / (uint32_t)n_rows - LABEL_PX - MARGIN_PX;
	uint32_t max_px = fitting < TILE_MAX_PX ? fitting : TILE_MAX_PX;

	*ret_width_px = image->width_px;
	*ret_height_px = image->height_px;
	if (longer > max_px) {
		*ret_width_px = image->width_px * max_px / longer;
		*ret_height_px = image->height_px * max_px / longer;
	}
}

static const struct image *first_image(const struct contact_sheet_row *rows, size_t n_rows)
{
	for (size_t r = 0; r < n_rows; r++)
		if (rows[r].n_images > 0)
			return &rows[r].images[0];
	return NULL;
}

int contact_sheet_draw(const struct contact_sheet_row *rows, size_t n_rows, struct error *err, struct image *ret_sheet)
{
	const struct image *first = first_image(rows, n_rows);
	uint32_t width_px, height_px, row_px;
	int rc;

	if (!first || n_rows > CONTACT_SHEET_ROWS_MAX)
		return error_set(err, -EINVAL, "contact sheet: 1 to %d rows with an image expected, found %zu rows",
				 CONTACT_SHEET_ROWS_MAX, n_rows);
	tile_size(first, n_rows, &width_px, &height_px);
	row_px = LABEL_PX + height_px + MARGIN_PX;
	rc = image_init(MARGIN_PX + CONTACT_SHEET_COLUMNS * (width_px + MARGIN_PX),
			MARGIN_PX + (uint32_t)n_rows * row_px, err, ret_sheet);
	if (rc < 0)
		return error_prefix(err, rc, "contact sheet");
	memset(ret_sheet->rgb, paper, (size_t)3 * ret_sheet->width_px * ret_sheet->height_px);
	for (size_t r = 0; r < n_rows; r++) {
		uint32_t y = MARGIN_PX + (uint32_t)r * row_px;

		draw_label(ret_sheet, rows[r].label, MARGIN_PX, y);
		for (size_t i = 0; i < rows[r].n_images && i < CONTACT_SHEET_COLUMNS; i++)
			draw_tile(ret_sheet, &rows[r].images[i], MARGIN_PX + (uint32_t)i * (width_px + MARGIN_PX),
				  y + LABEL_PX, width_px, height_px);
	}
	return 0;
}
