/* One image with a row for each kind of image that was shown, its name above: what a session looked like. */
#ifndef EVOKED_DAEMON_CLI_CONTACT_SHEET_H
#define EVOKED_DAEMON_CLI_CONTACT_SHEET_H

#include <stddef.h>

#include "stimuli/image.h"
#include "support/error.h"

enum { CONTACT_SHEET_COLUMNS = 8, CONTACT_SHEET_ROWS_MAX = 12 };

struct contact_sheet_row {
	const char *label;	    /* a-z and _ are drawn, other characters are left blank */
	size_t n_images;	    /* the first CONTACT_SHEET_COLUMNS are shown */
	const struct image *images; /* all rows: of one size */
};

/* -EINVAL: no image, or too many rows; -ENOMEM. The caller frees *ret_sheet. */
int contact_sheet_draw(const struct contact_sheet_row *rows, size_t n_rows, struct error *err, struct image *ret_sheet);

#endif
