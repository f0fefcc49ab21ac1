/* One write(2) a line, so that lines of several programs on one terminal do not mix. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static const char *const level_names[] = {
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	struct timespec now;
	struct tm parts;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	int n = (int)strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &parts);
	n += snprintf(line + n, sizeof line - (size_t)n, ".%03ldZ %s: ", now.tv_nsec / 1000000, level_names[level]);
	va_start(args, format);
	int rest = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
	va_end(args);
	n += rest < (int)sizeof line - n - 1 ? rest : (int)sizeof line - n - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody reads: there is nowhere to say so */
}
