/* The responses that a fit may use, an image a row: mean over repeats and their number for each unit.
 *
 * Monitor and sealed test images are left out here, in one place, for every kind of fit. */
#ifndef EVOKED_MODELS_RESPONSE_TABLE_H
#define EVOKED_MODELS_RESPONSE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "models/session_model.h"
#include "support/error.h"

struct response_table {
	size_t n_images; /* training images with a valid response of at least one unit */
	uint32_t n_units;
	uint32_t *image;    /* [n_images]: number in the session, rising */
	float *mean;	    /* [n_images, n_units]; 0 where there is no response */
	float *n;	    /* [n_images, n_units]: repeats */
	double *deviations; /* [n_units]: sum over repeats of (response - mean)² */
	double *freedom;    /* [n_units]: sum over images of (repeats - 1) */
};

/* -EINVAL when a presentation names an image that is not there; -ENOMEM. No training image is no error: n_images 0. */
int response_table_init(const struct session_data *data, struct error *err, struct response_table *ret_table);
void response_table_done(struct response_table *table);

#endif
