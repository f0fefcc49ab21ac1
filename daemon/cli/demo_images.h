/* What a session showed, as files for people: the PNGs of its last batch, and a contact sheet with a row a kind. */
#ifndef EVOKED_DAEMON_CLI_DEMO_IMAGES_H
#define EVOKED_DAEMON_CLI_DEMO_IMAGES_H

#include <stddef.h>

#include "daemon/store/reader.h"
#include "support/error.h"

/* Writes <dir>/last_batch/<slot>_<kind>_<hash>.png and <dir>/kinds.png; makes the folders. -ENOENT when nothing was
 * shown; errors of reader and files. */
int demo_images_write(struct reader *reader, const char *dir, struct error *err, size_t *ret_n_last_batch);

#endif
