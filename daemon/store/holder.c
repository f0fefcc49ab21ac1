/* flock on a file of its own: SQLite's locks are on the session file, and closing any descriptor of that would drop
 * them. The lock file is unlinked by whoever holds it, so a lock counts only when the file still has its name. */
#include "daemon/store/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* 1: locked; 0: the file went away between opening and locking it; -EWOULDBLOCK: another has it, who can be read from
 * the descriptor; or another errno, and then there is no descriptor. */
static int try_lock(const char *path, int *ret_fd)
{
	struct stat locked, named;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	if (flock(fd, LOCK_EX | LOCK_NB))
		r = -errno;
	else if (fstat(fd, &locked))
		r = -errno;
	else if (stat(path, &named))
		r = errno == ENOENT ? 0 : -errno;
	else
		r = locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
	if (r != 1 && r != -EWOULDBLOCK)
		close(fd);
	return r;
}

static int busy(int fd, struct error *err)
{
	char text[64];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return error_set(err, -EBUSY, "another daemon has this session (%s)", text[0] ? text : "it is just starting");
}

int holder_take(const char *session_path, struct error *err, struct holder *ret_holder)
{
	char *path;
	int fd = -1;
	int r;

	if (asprintf(&path, "%s.lock", session_path) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	do
		r = try_lock(path, &fd);
	while (!r);
	if (r < 0) {
		if (r == -EWOULDBLOCK)
			r = busy(fd, err);
		else
			error_set(err, r, "%s: %s", path, strerror(-r));
		free(path);
		return r;
	}
	/* For whoever is refused; without it they are only told less. */
	if (!ftruncate(fd, 0))
		dprintf(fd, "process %ld\n", (long)getpid());
	ret_holder->fd = fd;
	ret_holder->path = path;
	return 0;
}

void holder_drop(struct holder *holder)
{
	if (!holder->path)
		return;
	unlink(holder->path);
	close(holder->fd);
	free(holder->path);
	*holder = (struct holder){-1, NULL};
}
