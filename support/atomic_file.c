/* Write: O_EXCL temporary file beside the target, write all, fsync, rename, fsync of the folder; any failure removes
 * the temporary file. The temporary name holds the thread's id: two writers never share one, a crashed one's is stepped
 * over. */
#include "support/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPORARY_NAMES_MAX = 100 };

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int open_temporary(const char *path, struct error *err, char ret_name[PATH_MAX])
{
	for (int i = 0; i < TEMPORARY_NAMES_MAX; i++) {
		if (snprintf(ret_name, PATH_MAX, "%s.tmp-%d-%d", path, (int)gettid(), i) >= PATH_MAX)
			return error_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
		int fd = open(ret_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			break;
	}
	return error_set(err, -errno, "%s: cannot create: %s", ret_name, strerror(errno));
}

static int sync_folder(const char *path, struct error *err)
{
	char copy[PATH_MAX];
	int r = 0;

	snprintf(copy, sizeof copy, "%s", path);
	const char *folder = dirname(copy);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: cannot open the folder: %s", folder, strerror(errno));
	if (fsync(fd))
		r = error_set(err, -errno, "%s: cannot sync the folder: %s", folder, strerror(errno));
	close(fd);
	return r;
}

int atomic_file_write_parts(const char *path, const struct iovec *parts, size_t n_parts, struct error *err)
{
	char name[PATH_MAX];
	int r = 0;

	int fd = open_temporary(path, err, name);
	if (fd < 0)
		return fd;
	for (size_t i = 0; i < n_parts && !r; i++)
		r = write_all(fd, parts[i].iov_base, parts[i].iov_len);
	if (!r && fsync(fd))
		r = -errno;
	if (close(fd) && !r)
		r = -errno;
	if (r) {
		error_set(err, r, "%s: cannot write: %s", path, strerror(-r));
		goto out_unlink;
	}
	if (rename(name, path)) {
		r = error_set(err, -errno, "%s: cannot rename into place: %s", path, strerror(errno));
		goto out_unlink;
	}
	return sync_folder(path, err);
out_unlink:
	unlink(name);
	return r;
}

int atomic_file_write(const char *path, const void *data, size_t size, struct error *err)
{
	/* iovec is shared with readv, so its base is not const; it is only read here. */
	union {
		const void *in;
		void *out;
	} base = {.in = data};
	struct iovec part = {.iov_base = base.out, .iov_len = size};

	return atomic_file_write_parts(path, &part, 1, err);
}

static int read_open_file(int fd, const char *path, size_t max, struct error *err, void **ret_data, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", path);
	if ((uintmax_t)st.st_size > max)
		return error_set(err, -EFBIG, "%s: %jd bytes, at most %zu", path, (intmax_t)st.st_size, max);

	size_t size = (size_t)st.st_size, at = 0;
	char *data = malloc(size + 1);
	if (!data)
		return error_set(err, -ENOMEM, "%s: no memory for %zu bytes", path, size);
	while (at < size) {
		ssize_t n = read(fd, data + at, size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n ? -errno : -EIO;

			free(data);
			return error_set(err, r, "%s: read %zu of %zu bytes: %s", path, at, size,
					 n ? strerror(-r) : "it became shorter");
		}
		at += (size_t)n;
	}
	data[size] = '\0';
	*ret_data = data;
	*ret_size = size;
	return 0;
}

int atomic_file_read(const char *path, size_t max, struct error *err, void **ret_data, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	int r = read_open_file(fd, path, max, err, ret_data, ret_size);
	close(fd);
	return r;
}
