/* Names only: nothing is opened here. */
#include "daemon/session_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int too_long(const char *dir, struct error *err)
{
	return error_set(err, -ENAMETOOLONG, "%.200s: the path of the session file is too long", dir);
}

int session_files_path(const char *dir, const char *name, bool dated, struct error *err, char ret_path[PATH_MAX])
{
	char path[PATH_MAX], date[32] = "";
	time_t now = time(NULL);
	struct tm parts;

	if (dated && gmtime_r(&now, &parts))
		strftime(date, sizeof date, "-%Y%m%d-%H%M%S", &parts);
	if (snprintf(path, sizeof path, "%s/%s%s%s", dir, name, date, SESSION_FILE_SUFFIX) >= (int)sizeof path)
		return too_long(dir, err);
	memcpy(ret_path, path, sizeof path);
	return 0;
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t n = strlen(text), n_suffix = strlen(suffix);

	return n > n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

int session_files_model_dir(const char *path, struct error *err, char ret_dir[PATH_MAX])
{
	size_t n = strlen(path);

	if (ends_in(path, SESSION_FILE_SUFFIX))
		n -= strlen(SESSION_FILE_SUFFIX);
	if (n + sizeof SESSION_MODEL_SUFFIX > PATH_MAX)
		return too_long(path, err);
	memcpy(ret_dir, path, n);
	strcpy(ret_dir + n, SESSION_MODEL_SUFFIX);
	return 0;
}

/* When the file or its write-ahead log was written last; false when it is no file. */
static bool written_at(const char *path, struct timespec *ret_time)
{
	char log[PATH_MAX];
	struct stat file, wal;

	if (stat(path, &file) < 0 || !S_ISREG(file.st_mode))
		return false;
	*ret_time = file.st_mtim;
	if (snprintf(log, sizeof log, "%s-wal", path) < (int)sizeof log && stat(log, &wal) == 0 &&
	    (wal.st_mtim.tv_sec > ret_time->tv_sec ||
	     (wal.st_mtim.tv_sec == ret_time->tv_sec && wal.st_mtim.tv_nsec > ret_time->tv_nsec)))
		*ret_time = wal.st_mtim;
	return true;
}

int session_files_newest(const char *dir, struct error *err, char ret_path[PATH_MAX])
{
	struct timespec newest = {0}, time;
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *folder = opendir(dir);

	if (!folder)
		return error_set(err, -errno, "session.dir: %.300s: %s", dir, strerror(errno));
	while ((entry = readdir(folder))) {
		if (!ends_in(entry->d_name, SESSION_FILE_SUFFIX) ||
		    snprintf(path, sizeof path, "%s/%s", dir, entry->d_name) >= (int)sizeof path ||
		    !written_at(path, &time))
			continue;
		if (found &&
		    (time.tv_sec < newest.tv_sec || (time.tv_sec == newest.tv_sec && time.tv_nsec <= newest.tv_nsec)))
			continue;
		found = true;
		newest = time;
		memcpy(ret_path, path, sizeof path);
	}
	closedir(folder);
	return found ? 0 : error_set(err, -ENOENT, "session.dir: %.300s holds no session file", dir);
}
