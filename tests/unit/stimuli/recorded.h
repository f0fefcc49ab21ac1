/* Where the recorded data are: the folder EVOKED_V4_DATA, by default ../shared/v4 beside the project. Tests that need
 * it are skipped, saying so, where it is absent. */
#ifndef EVOKED_TESTS_RECORDED_H
#define EVOKED_TESTS_RECORDED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORDED_PATH_SIZE = 1024 };

static inline bool recorded_path(const char *name, char ret_path[RECORDED_PATH_SIZE])
{
	const char *folder = getenv("EVOKED_V4_DATA");

	snprintf(ret_path, RECORDED_PATH_SIZE, "%s/%s", folder ? folder : EVOKED_SOURCE_ROOT "/../shared/v4", name);
	if (access(ret_path, R_OK) == 0)
		return true;
	fprintf(stderr, "no recorded data at %s: set EVOKED_V4_DATA\n", ret_path);
	return false;
}

static inline void recorded_use_built_converter(void)
{
	setenv("EVOKED_LIBEXEC", EVOKED_BUILD_ROOT, 0);
}

#endif
