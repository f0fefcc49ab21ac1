/* A session batch by batch, read from its file: the table that evoke report and evoke demo end with. */
#ifndef EVOKED_DAEMON_CLI_BATCH_TABLE_H
#define EVOKED_DAEMON_CLI_BATCH_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/store/reader.h"
#include "support/error.h"

struct batch_table_score {
	char tier[32];
	double r2, r2_low, r2_high, r_mean, ceiling; /* medians over units; NaN: unknown */
	int64_t n_images, n_presentations;
	int64_t decision;	     /* that made it; 0: none */
	int64_t n_units, n_positive; /* units with an R², and those of them in which it is above zero */
};

struct batch_table {
	json_t *batches; /* rows of READER_BATCHES, each with its `refit`: one of `fits`, or null; owned */
	json_t *fits;	 /* {decision, saw_seq, seconds, tier, r2, ...}, owned */
	/* Of the newest fit on the monitor images and of the evaluation at close. */
	struct batch_table_score monitor, sealed;
	int64_t n_presentations, n_complete;
};

/* On success the caller ends it with batch_table_done. Errors of the reader. */
int batch_table_read(struct reader *reader, struct error *err, struct batch_table *ret_table);
void batch_table_done(struct batch_table *table);

/* Gives each batch its refit and drops the batches of which nothing was shown; part of reading. -ENOMEM. */
int batch_table_assign(struct batch_table *table);

/* Share of batches that were fallbacks, without the first, which always is one; NaN without a second one. */
double batch_table_fallback_share(const struct batch_table *table);

/* A row a batch, then the newest model and the sealed test. -ENOMEM. */
int batch_table_print(const struct batch_table *table, FILE *out);
/* {batches, monitor, sealed, ...}; NULL when there is no memory. */
json_t *batch_table_json(const struct batch_table *table);

#endif
