/* Paths made by printf, with the one failure that they have. */
#ifndef EVOKED_DAEMON_CLI_PATH_H
#define EVOKED_DAEMON_CLI_PATH_H

#include "support/error.h"

enum { PATH_TEXT_MAX = 1024 }; /* as the texts of a configuration */

/* 0, or -ENAMETOOLONG. */
int path_format(struct error *err, char ret_path[PATH_TEXT_MAX], const char *format, ...) ERROR_FORMAT(3, 4);

/* Makes the folder; one that is there already is fine. -errno. */
int path_make_folder(const char *path, struct error *err);

#endif
