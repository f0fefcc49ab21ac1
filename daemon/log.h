/* Log lines on stderr: time, level, plain sentence. Loop thread only. */
#ifndef EVOKED_DAEMON_LOG_H
#define EVOKED_DAEMON_LOG_H

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
