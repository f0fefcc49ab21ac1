/* Where a session's files lie: NAME.db in session.dir, its models in NAME.models beside it. */
#ifndef EVOKED_DAEMON_SESSION_FILES_H
#define EVOKED_DAEMON_SESSION_FILES_H

#include <limits.h>
#include <stdbool.h>

#include "support/error.h"

#define SESSION_FILE_SUFFIX  ".db"
#define SESSION_MODEL_SUFFIX ".models"

/* DIR/NAME.db, or with `dated` DIR/NAME-YYYYmmdd-HHMMSS.db (UTC). -ENAMETOOLONG. */
int session_files_path(const char *dir, const char *name, bool dated, struct error *err, char ret_path[PATH_MAX]);
/* The folder of the models of a session file. -ENAMETOOLONG. */
int session_files_model_dir(const char *path, struct error *err, char ret_dir[PATH_MAX]);
/* The session file of a folder that was written last (its write-ahead log counts); -ENOENT when there is none. */
int session_files_newest(const char *dir, struct error *err, char ret_path[PATH_MAX]);

#endif
