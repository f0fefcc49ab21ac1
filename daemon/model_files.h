/* Which model files are kept: the first, the last two, and every tenth (design, "The session file"). Pure: names only.
 */
#ifndef EVOKED_DAEMON_MODEL_FILES_H
#define EVOKED_DAEMON_MODEL_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "support/hash.h"

enum { MODEL_FILES_RECENT = 2, MODEL_FILES_EVERY = 10 };

/* Models since this start of the daemon: those of earlier starts are not counted, and kept. */
struct model_files {
	int64_t n;
	char recent[MODEL_FILES_RECENT][HASH_HEX_SIZE]; /* model i at i % MODEL_FILES_RECENT, i from 1 */
};

/* A model is on disk. True, and its name in ret_hash, when another one is no longer kept. */
bool model_files_add(struct model_files *files, const char *hash, char ret_hash[HASH_HEX_SIZE]);

#endif
