/* The folder of /proc/self/exe and a name. Failure modes: no /proc (-errno), a path that does not fit. */
#include "daemon/worker/worker_program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char openblas_threads[] = "OPENBLAS_NUM_THREADS=1";

int worker_program_path(const char *configured, struct error *err, char *ret_path, size_t size)
{
	char self[4096];
	const char *path = configured;
	int n;

	if (!path || !path[0]) {
		ssize_t length = readlink("/proc/self/exe", self, sizeof self - sizeof WORKER_PROGRAM_NAME);

		if (length < 0)
			return error_set(err, -errno, "worker.program: /proc/self/exe: %s", strerror(errno));
		self[length] = '\0';
		strcpy(strrchr(self, '/') + 1, WORKER_PROGRAM_NAME);
		path = self;
	}
	n = snprintf(ret_path, size, "%s", path);
	if (n < 0 || (size_t)n >= size)
		return error_set(err, -ENAMETOOLONG, "worker.program: a path of at most %zu bytes expected", size - 1);
	return 0;
}

void worker_program_argument(uint64_t memory_max, char ret_argument[WORKER_ARGUMENT_SIZE])
{
	snprintf(ret_argument, WORKER_ARGUMENT_SIZE, WORKER_MEMORY_MAX "%llu", (unsigned long long)memory_max);
}

int worker_program_environment(char ***ret_environment)
{
	size_t name_size = strcspn(openblas_threads, "=") + 1, n = 0, n_kept = 0;
	char **environment;

	while (environ[n])
		n++;
	environment = calloc(n + 2, sizeof *environment);
	if (!environment)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(environ[i], openblas_threads, name_size))
			environment[n_kept++] = environ[i];
	}
	environment[n_kept] = openblas_threads;
	*ret_environment = environment;
	return 0;
}
