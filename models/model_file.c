/* Four bytes tell a zip from a safetensors file. The child gets /dev/null as input and output and a pipe as stderr,
 * whose text becomes the error's sentence. The temporary folder goes in any case. */
#include "models/model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/graph.h"
#include "models/safetensors.h"

#define CONVERTER      "evoked-convert"
#define LIBEXEC_ENV    "EVOKED_LIBEXEC"
#define CONVERTED_NAME "model.safetensors"

extern char **environ;

static int read_graph(const char *path, struct error *err, struct network **ret_network)
{
	struct safetensors *file;

	int r = safetensors_read(path, err, &file);
	if (r)
		return r;
	r = graph_decode(file, err, ret_network);
	if (r)
		error_prefix(err, r, "%s", path);
	safetensors_destroy(file);
	return r;
}

/* The folder of the running program; "" when it cannot be told. */
static void own_folder(char ret_folder[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret_folder, PATH_MAX - 1);

	ret_folder[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(ret_folder, '/');
	if (slash)
		*slash = '\0';
}

static int find_converter(struct error *err, char ret_path[PATH_MAX])
{
	char own[PATH_MAX];
	const char *given = getenv(LIBEXEC_ENV);

	own_folder(own);
	const char *folders[] = {own, given ? given : "", EVOKED_LIBEXECDIR};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		int n = *folders[i] ? snprintf(ret_path, PATH_MAX, "%s/" CONVERTER, folders[i]) : PATH_MAX;

		if (n < PATH_MAX && !access(ret_path, X_OK))
			return 0;
	}
	return error_set(err, -ENOENT, "the program " CONVERTER " is not in %s, $" LIBEXEC_ENV " (%s) or %s", own,
			 given ? given : "not set", EVOKED_LIBEXECDIR);
}

/* Starts the converter; *ret_stderr is the reading end of its stderr. */
static int spawn_converter(const char *converter, const char *in, const char *out, struct error *err, pid_t *ret_pid,
			   int *ret_stderr)
{
	const char *argv[] = {CONVERTER, in, out, NULL};
	union {
		const char **in;
		char *const *out;
	} arguments = {.in = argv}; /* posix_spawn's parameter is not const; it does not write */
	posix_spawn_file_actions_t actions;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return error_set(err, -errno, "cannot make a pipe for " CONVERTER ": %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	int r = -posix_spawn(ret_pid, converter, &actions, NULL, arguments.out, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (r) {
		close(ends[0]);
		return error_set(err, r, "cannot start %s: %s", converter, strerror(-r));
	}
	*ret_stderr = ends[0];
	return 0;
}

/* The first line of what the child says, until it closes its stderr. */
static void read_sentence(int fd, char ret_text[ERROR_TEXT_MAX])
{
	size_t at = 0;
	char rest[256];

	for (;;) {
		bool is_full = at == ERROR_TEXT_MAX - 1;
		ssize_t n = is_full ? read(fd, rest, sizeof rest) : read(fd, ret_text + at, ERROR_TEXT_MAX - 1 - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!is_full)
			at += (size_t)n;
	}
	ret_text[at] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

static int judge_end(const char *path, int status, const char *sentence, struct error *err)
{
	if (WIFSIGNALED(status)) {
		int signal = WTERMSIG(status);
		const char *limit = signal == SIGXCPU	? ", its limit of processor time"
				    : signal == SIGALRM ? ", its limit of time"
				    : signal == SIGKILL ? ", perhaps for want of memory"
							: "";

		return error_set(err, -ECHILD, "%s: " CONVERTER " was ended by signal %d (%s%s)", path, signal,
				 strsignal(signal), limit);
	}
	if (WEXITSTATUS(status) == 0)
		return 0;
	if (*sentence)
		return error_set(err, -EINVAL, "%s", sentence);
	return error_set(err, -ECHILD, "%s: " CONVERTER " ended with code %d and said nothing", path,
			 WEXITSTATUS(status));
}

static int run_converter(const char *path, const char *out, struct error *err)
{
	char converter[PATH_MAX], sentence[ERROR_TEXT_MAX];
	pid_t pid = 0;
	int fd = -1, status;

	int r = find_converter(err, converter);
	if (!r)
		r = spawn_converter(converter, path, out, err, &pid, &fd);
	if (r)
		return error_prefix(err, r, "%s", path);
	read_sentence(fd, sentence);
	close(fd);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set(err, -errno, "%s: cannot wait for " CONVERTER ": %s", path, strerror(errno));
	}
	return judge_end(path, status, sentence, err);
}

static int convert(const char *path, struct error *err, struct network **ret_network)
{
	const char *parent = getenv("TMPDIR");
	char folder[PATH_MAX - 32], out[PATH_MAX];

	snprintf(folder, sizeof folder, "%s/evoked-convert.XXXXXX", parent && *parent ? parent : "/tmp");
	if (!mkdtemp(folder))
		return error_set(err, -errno, "%s: cannot make the temporary folder %s: %s", path, folder,
				 strerror(errno));
	snprintf(out, sizeof out, "%s/" CONVERTED_NAME, folder);
	int r = run_converter(path, out, err);
	if (!r) {
		r = read_graph(out, err, ret_network);
		if (r)
			error_prefix(err, r, "%s, converted", path);
	}
	unlink(out);
	rmdir(folder);
	return r;
}

int model_file_open(const char *path, struct error *err, struct network **ret_network)
{
	unsigned char magic[4] = {0};
	struct stat st;

	/* O_NONBLOCK: a pipe without a writer must not hold us up; it is no regular file and refused below. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	ssize_t n = fstat(fd, &st) || !S_ISREG(st.st_mode) ? -1 : read(fd, magic, sizeof magic);
	close(fd);
	if (n < 0)
		return error_set(err, -EINVAL, "%s: not a regular file that can be read", path);
	if (!memcmp(magic, "PK\3\4", sizeof magic))
		return convert(path, err, ret_network);
	if (!memcmp(magic, "\x89HDF", sizeof magic))
		return error_set(err, -ENOTSUP, "%s: an HDF5 file; of Keras models the .keras archive is supported",
				 path);
	return read_graph(path, err, ret_network);
}
