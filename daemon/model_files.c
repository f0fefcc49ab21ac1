/* Model n pushes model n - 2 out of the recent ones; that one goes unless it is the first or a tenth. */
#include "daemon/model_files.h"

#include <string.h>

bool model_files_add(struct model_files *files, const char *hash, char ret_hash[HASH_HEX_SIZE])
{
	int64_t number = ++files->n, leaving = number - MODEL_FILES_RECENT;
	char *place = files->recent[number % MODEL_FILES_RECENT];
	const char *other = files->recent[(number + 1) % MODEL_FILES_RECENT];
	bool goes = leaving > 1 && leaving % MODEL_FILES_EVERY != 0;

	/* Equal models have one file. */
	goes = goes && strcmp(place, hash) != 0 && strcmp(place, other) != 0;
	if (goes)
		memcpy(ret_hash, place, HASH_HEX_SIZE);
	memcpy(place, hash, HASH_HEX_SIZE);
	return goes;
}
