/* Paths are of bounded length, as a configuration holds them; what is longer is refused, never cut. */
#include "daemon/cli/path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int path_format(struct error *err, char ret_path[PATH_TEXT_MAX], const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(ret_path, PATH_TEXT_MAX, format, args);
	va_end(args);
	if (n >= 0 && n < PATH_TEXT_MAX)
		return 0;
	return error_set(err, -ENAMETOOLONG, "%.60s…: a path of at most %d bytes expected, found %d", ret_path,
			 PATH_TEXT_MAX - 1, n);
}

int path_make_folder(const char *path, struct error *err)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}
