/* Files in a folder or a zip, by name in sorted order: image pools and Keras archives (libzip's one owner).
 *
 * Names are sorted bytewise so that order does not depend on the file system. Sub-folders are not entered;
 * macOS resource forks ("__MACOSX/", "._x") and hidden files are passed over. A zip whose files all lie in one folder
 * is taken as that folder. Thread: one at a time. */
#ifndef EVOKED_SUPPORT_ARCHIVE_H
#define EVOKED_SUPPORT_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"

enum { ARCHIVE_ENTRIES_MAX = 1000000 };

struct archive;

/* `path` is a folder or a zip file. -ENOENT, -EINVAL (not a zip), -EIO. */
int archive_open(const char *path, struct error *err, struct archive **ret_archive);
void archive_close(struct archive *archive);

size_t archive_n_entries(const struct archive *archive);
const char *archive_name(const struct archive *archive, size_t i); /* valid until close */

/* Entry i whole, at most `max` bytes (-EFBIG); malloc'ed, with a NUL after its last byte that *ret_size does not count.
 * -EINVAL: broken, or its checksum differs; the error names archive and entry. Not thread-safe (one zip handle). */
int archive_read(struct archive *archive, size_t i, size_t max, struct error *err, void **ret_data, size_t *ret_size);

/* Index by name, or -ENOENT. */
int archive_find(const struct archive *archive, const char *name, size_t *ret_i);

#endif
