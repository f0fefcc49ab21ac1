/* Flow: fork, in the child the signals and files are set and the program is executed; a pipe that closes on exec tells
 * the parent whether that worked, and with which errno it did not. Waiting uses the process's descriptor, so that it
 * has a time limit without polling. */
#include "daemon/cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/clock.h"

/* In the child: does not return. Only calls that are safe after fork. */
static void execute(const char *const *argv, int in, int out, int error_out, int report, pid_t parent)
{
	int cause;

	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* The terminal's Ctrl-C is for the verb, which then stops its children in order. */
	setpgid(0, 0);
	if (getppid() == parent && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(error_out, STDERR_FILENO) >= 0)
		execv(argv[0], (char *const *)argv);
	cause = errno;
	if (write(report, &cause, sizeof(cause)) < 0)
		_exit(126);
	_exit(127);
}

static int open_log(const char *path, struct error *err, int *ret_fd)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* Whether the child could be executed: nothing comes from the pipe when it could. */
static int check_started(int report, const char *program, struct process *process, struct error *err)
{
	int cause = 0;
	ssize_t n;

	do {
		n = read(report, &cause, sizeof(cause));
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(cause))
		return 0;
	waitpid(process->pid, NULL, 0);
	process->pid = 0;
	return error_set(err, -cause, "%s cannot be started: %s", program, strerror(cause));
}

int process_start(const char *const *argv, const char *stdout_path, const char *stderr_path, struct error *err,
		  struct process *ret_process)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out = -1, error_out = -1, report[2] = {-1, -1};
	struct process process = {0};
	pid_t parent = getpid();
	int rc = 0;

	if (in < 0 || pipe2(report, O_CLOEXEC) < 0)
		rc = error_set(err, -errno, "%s cannot be started: %s", argv[0], strerror(errno));
	if (rc == 0)
		rc = open_log(stdout_path, err, &out);
	if (rc == 0)
		rc = open_log(stderr_path, err, &error_out);
	if (rc == 0) {
		process.pid = fork();
		if (process.pid == 0)
			execute(argv, in, out, error_out, report[1], parent);
		if (process.pid < 0)
			rc = error_set(err, -errno, "%s cannot be started: %s", argv[0], strerror(errno));
	}
	close(in);
	close(out);
	close(error_out);
	close(report[1]);
	if (rc == 0)
		rc = check_started(report[0], argv[0], &process, err);
	close(report[0]);
	if (rc == 0)
		*ret_process = process;
	return rc;
}

/* Takes the exit code if the process has ended. */
static bool reap(struct process *process)
{
	int status;

	if (process->pid == 0)
		return true;
	if (waitpid(process->pid, &status, WNOHANG) != process->pid)
		return false;
	process->pid = 0;
	process->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

int process_wait(struct process *process, int timeout_ms)
{
	struct pollfd item = {.events = POLLIN};
	int rc;

	if (reap(process))
		return 0;
	item.fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	rc = item.fd < 0 ? -errno : poll(&item, 1, timeout_ms) < 0 ? -errno : 0;
	if (item.fd >= 0)
		close(item.fd);
	if (reap(process))
		return 0;
	return rc < 0 ? rc : -ETIMEDOUT;
}

/* As process_wait, whatever signals arrive meanwhile. */
static int wait_through_signals(struct process *process, int timeout_ms)
{
	int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
	int64_t left_ms;
	int rc;

	do {
		left_ms = (deadline_ns - clock_monotonic_ns()) / 1000000;
		rc = process_wait(process, left_ms > 0 ? (int)left_ms : 0);
	} while (rc == -EINTR && left_ms > 0);
	return rc;
}

void process_stop(struct process *process)
{
	if (process->pid == 0)
		return;
	kill(process->pid, SIGTERM);
	if (wait_through_signals(process, PROCESS_STOP_MS) == 0)
		return;
	kill(process->pid, SIGKILL);
	wait_through_signals(process, PROCESS_STOP_MS);
}

int process_beside(const char *name, size_t size, char *ret_path)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int used;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	*(strrchr(self, '/') + 1) = '\0';
	used = snprintf(ret_path, size, "%s%s", self, name);
	return used < 0 || (size_t)used >= size ? -ENAMETOOLONG : 0;
}
