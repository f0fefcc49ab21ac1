/* Opening lists all names once, sorted; reading goes by index. A zip whose files all lie in one folder (the way many
 * tools pack one) is taken as that folder. Failures: not a zip, too many entries, an entry that is encrypted, broken
 * (libzip checks its CRC) or larger than the caller's limit, each named. */
#include "support/archive.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "support/atomic_file.h"

struct entry {
	char *name;
	uint64_t index; /* in the zip */
};

struct archive {
	char *path;
	zip_t *zip; /* NULL: a folder */
	struct entry *entries;
	size_t n_entries, n_allocated;
};

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	/* Two entries of one name (a zip may hold that) keep the file's order. */
	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int add_entry(struct archive *archive, const char *name, uint64_t index, struct error *err)
{
	if (archive->n_entries == ARCHIVE_ENTRIES_MAX)
		return error_set(err, -EINVAL, "%s: more than %d files", archive->path, ARCHIVE_ENTRIES_MAX);
	if (archive->n_entries == archive->n_allocated) {
		size_t n = archive->n_allocated ? 2 * archive->n_allocated : 64;
		struct entry *entries = reallocarray(archive->entries, n, sizeof *entries);

		if (!entries)
			return error_set(err, -ENOMEM, "%s: out of memory", archive->path);
		archive->entries = entries;
		archive->n_allocated = n;
	}
	char *copy = strdup(name);
	if (!copy)
		return error_set(err, -ENOMEM, "%s: out of memory", archive->path);
	archive->entries[archive->n_entries++] = (struct entry){.name = copy, .index = index};
	return 0;
}

static int list_folder(struct archive *archive, struct error *err)
{
	char path[PATH_MAX];
	struct stat st;
	int r = 0;

	DIR *dir = opendir(archive->path);
	if (!dir)
		return error_set(err, -errno, "%s: %s", archive->path, strerror(errno));
	for (struct dirent *e; !r && (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof path, "%s/%s", archive->path, e->d_name) >= (int)sizeof path) {
			r = error_set(err, -ENAMETOOLONG, "%s/%s: the name is too long", archive->path, e->d_name);
			continue;
		}
		if (!stat(path, &st) && S_ISREG(st.st_mode))
			r = add_entry(archive, e->d_name, 0, err);
	}
	closedir(dir);
	return r;
}

/* Not a file for us: folders, macOS resource forks, hidden files. */
static bool is_passed_over(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;

	return !*base || *base == '.' || !strncmp(name, "__MACOSX/", 9);
}

static size_t folder_length(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? (size_t)(slash + 1 - name) : 0;
}

/* The length of the folder part that all files share whole, or 0. */
static size_t shared_folder(const struct archive *archive)
{
	if (!archive->n_entries)
		return 0;
	const char *first = archive->entries[0].name;
	size_t length = folder_length(first);
	for (size_t i = 1; i < archive->n_entries; i++) {
		const char *name = archive->entries[i].name;

		if (folder_length(name) != length || strncmp(name, first, length) != 0)
			return 0;
	}
	return length;
}

/* Keeps what lies directly in the folder of `length` leading bytes, under its name there. */
static void keep_folder(struct archive *archive, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < archive->n_entries; i++) {
		struct entry *entry = &archive->entries[i];

		if (folder_length(entry->name) != length) {
			free(entry->name);
			continue;
		}
		memmove(entry->name, entry->name + length, strlen(entry->name + length) + 1);
		archive->entries[n++] = *entry;
	}
	archive->n_entries = n;
}

static int list_zip(struct archive *archive, struct error *err)
{
	int code, r = 0;

	archive->zip = zip_open(archive->path, ZIP_RDONLY, &code);
	if (!archive->zip) {
		zip_error_t error;

		zip_error_init_with_code(&error, code);
		r = error_set(err, code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS ? -EINVAL : -EIO, "%s: %s",
			      archive->path, zip_error_strerror(&error));
		zip_error_fini(&error);
		return r;
	}
	zip_int64_t n = zip_get_num_entries(archive->zip, 0);
	for (zip_int64_t i = 0; i < n && !r; i++) {
		const char *name = zip_get_name(archive->zip, (zip_uint64_t)i, 0);

		if (!name)
			r = error_set(err, -EINVAL, "%s: entry %jd has no name", archive->path, (intmax_t)i);
		else if (!is_passed_over(name))
			r = add_entry(archive, name, (uint64_t)i, err);
	}
	if (!r)
		keep_folder(archive, shared_folder(archive));
	return r;
}

int archive_open(const char *path, struct error *err, struct archive **ret_archive)
{
	struct stat st;
	int r;

	if (stat(path, &st))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	struct archive *archive = calloc(1, sizeof *archive);
	if (!archive)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	archive->path = strdup(path);
	if (!archive->path) {
		r = error_set(err, -ENOMEM, "%s: out of memory", path);
		goto out_close;
	}
	r = S_ISDIR(st.st_mode) ? list_folder(archive, err) : list_zip(archive, err);
	if (r)
		goto out_close;
	if (archive->n_entries)
		qsort(archive->entries, archive->n_entries, sizeof *archive->entries, by_name);
	*ret_archive = archive;
	return 0;
out_close:
	archive_close(archive);
	return r;
}

void archive_close(struct archive *archive)
{
	if (!archive)
		return;
	if (archive->zip)
		zip_discard(archive->zip);
	for (size_t i = 0; i < archive->n_entries; i++)
		free(archive->entries[i].name);
	free(archive->entries);
	free(archive->path);
	free(archive);
}

size_t archive_n_entries(const struct archive *archive)
{
	return archive->n_entries;
}

const char *archive_name(const struct archive *archive, size_t i)
{
	return archive->entries[i].name;
}

static int read_zip_entry(struct archive *archive, const struct entry *entry, size_t max, struct error *err,
			  void **ret_data, size_t *ret_size)
{
	struct zip_stat st;
	int r;

	if (zip_stat_index(archive->zip, entry->index, 0, &st) || !(st.valid & ZIP_STAT_SIZE))
		return error_set(err, -EINVAL, "%s: %s: its size is unknown", archive->path, entry->name);
	if (st.size > max)
		return error_set(err, -EFBIG, "%s: %s: %ju bytes, at most %zu", archive->path, entry->name,
				 (uintmax_t)st.size, max);
	zip_file_t *file = zip_fopen_index(archive->zip, entry->index, 0);
	if (!file)
		return error_set(err, -EINVAL, "%s: %s: %s", archive->path, entry->name, zip_strerror(archive->zip));
	char *data = malloc((size_t)st.size + 1);
	if (!data) {
		r = error_set(err, -ENOMEM, "%s: %s: no memory for %ju bytes", archive->path, entry->name,
			      (uintmax_t)st.size);
		goto out_file;
	}
	zip_uint64_t at = 0;
	while (at < st.size) {
		zip_int64_t n = zip_fread(file, data + at, st.size - at);

		if (n <= 0)
			break;
		at += (zip_uint64_t)n;
	}
	/* Reading past the end is what makes libzip compare the CRC. */
	if (at < st.size || zip_fread(file, data + at, 1) != 0) {
		r = error_set(err, -EINVAL, "%s: %s: %s after %ju of %ju bytes", archive->path, entry->name,
			      zip_file_strerror(file), (uintmax_t)at, (uintmax_t)st.size);
		free(data);
		goto out_file;
	}
	data[at] = '\0';
	*ret_data = data;
	*ret_size = (size_t)at;
	r = 0;
out_file:
	zip_fclose(file);
	return r;
}

int archive_read(struct archive *archive, size_t i, size_t max, struct error *err, void **ret_data, size_t *ret_size)
{
	char path[PATH_MAX];

	if (i >= archive->n_entries)
		return error_set(err, -ENOENT, "%s: entry %zu of %zu", archive->path, i, archive->n_entries);
	if (archive->zip)
		return read_zip_entry(archive, &archive->entries[i], max, err, ret_data, ret_size);
	if (snprintf(path, sizeof path, "%s/%s", archive->path, archive->entries[i].name) >= (int)sizeof path)
		return error_set(err, -ENAMETOOLONG, "%s: the name is too long", archive->path);
	return atomic_file_read(path, max, err, ret_data, ret_size);
}

int archive_find(const struct archive *archive, const char *name, size_t *ret_i)
{
	size_t low = 0, high = archive->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(archive->entries[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == archive->n_entries || strcmp(archive->entries[low].name, name) != 0)
		return -ENOENT;
	*ret_i = low;
	return 0;
}
