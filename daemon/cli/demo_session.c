/* The demo's two processes, step by step:
 *
 *	configure   free ports, a configuration file that can be used again by hand
 *	evoked      started; ready when its control socket answers
 *	evoke rig   started; the status socket feeds the progress line until it ends
 *	finish      batches that nobody shows are asked for until the newest model has seen all that was
 *	            shown; then `close`, so that the sealed test is scored
 *	stop        the daemon leaves in order; the table is read from the file
 *
 * Failure modes: a program that ends too early (its log is named, with its last line), a daemon that does not answer,
 * Ctrl-C. All go through demo_session_run's one way out, which stops both processes. */
#include "daemon/cli/demo_session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/cli/connection.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/path.h"
#include "daemon/cli/process.h"
#include "daemon/cli/snapshot.h"
#include "daemon/cli/status.h"
#include "daemon/clock.h"
#include "daemon/config.h"
#include "protocol/client.h"
#include "support/atomic_file.h"

enum {
	DEMO_START_MS = 60000,
	DEMO_PLAN_MS = 60000,
	DEMO_ANSWER_MS = 120000,
	DEMO_POLL_MS = 250,
	DEMO_REFITS_MAX = 3,
};
enum { DEMO_RIG_REPORT_MAX = 1 << 20, DEMO_LOG_TAIL = 512 };

struct demo_session {
	const struct demo_settings *settings;
	enum demo_arm arm;
	char folder[PATH_TEXT_MAX], config[PATH_TEXT_MAX], daemon_log[PATH_TEXT_MAX], rig_log[PATH_TEXT_MAX],
		rig_report[PATH_TEXT_MAX];
	char rig_endpoint[64], status_endpoint[64], control_endpoint[64];
	struct process daemon, rig;
	struct connection *status;
	struct snapshot snapshot; /* borrows from `message` */
	struct message message;
	bool has_snapshot;
};

const char *demo_arm_name(enum demo_arm arm)
{
	switch (arm) {
	case DEMO_LOOP:
		return "loop";
	case DEMO_RANDOM:
		return "random";
	}
	return "";
}

static int set_paths(struct demo_session *session, struct error *err)
{
	const char *dir = session->settings->dir, *name = demo_arm_name(session->arm);
	int rc = path_format(err, session->folder, "%s/%s", dir, name);

	if (rc == 0)
		rc = path_format(err, session->config, "%s/%s.yaml", dir, name);
	if (rc == 0)
		rc = path_format(err, session->daemon_log, "%s/%s.evoked.log", dir, name);
	if (rc == 0)
		rc = path_format(err, session->rig_log, "%s/%s.rig.log", dir, name);
	if (rc == 0)
		rc = path_format(err, session->rig_report, "%s/%s.rig.json", dir, name);
	if (rc == 0 && mkdir(session->folder, 0755) < 0)
		rc = error_set(err, -errno, "%s: %s", session->folder,
			       errno == EEXIST ? "holds a session already; name another folder with --dir"
					       : strerror(errno));
	return rc;
}

/* Three ports that nobody listens on: all are held until all are known, so that they differ. */
static int find_ports(struct demo_session *session, struct error *err)
{
	char *endpoints[] = {session->rig_endpoint, session->status_endpoint, session->control_endpoint};
	int sockets[3] = {-1, -1, -1}, rc = 0;

	for (int i = 0; rc == 0 && i < 3; i++) {
		struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t size = sizeof(address);

		sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&address, size) < 0 ||
		    getsockname(sockets[i], (struct sockaddr *)&address, &size) < 0)
			rc = error_set(err, -errno, "no free port on 127.0.0.1: %s", strerror(errno));
		else
			snprintf(endpoints[i], sizeof(session->rig_endpoint), "tcp://127.0.0.1:%u",
				 ntohs(address.sin_port));
	}
	for (int i = 0; i < 3; i++)
		if (sockets[i] >= 0)
			close(sockets[i]);
	return rc;
}

/* Smaller than the defaults, so that a refit and a choice are done within one batch on two processors. */
static void size_models(const struct demo_settings *settings, struct config *config)
{
	config->images.n_monitor = settings->quick ? 8 : 50;
	config->images.n_sealed = settings->quick ? 8 : 20;
	config->fit.n_members = 2;
	config->fit.n_steps = settings->quick ? 20 : 100;
	config->selection.n_candidates = settings->quick ? 60 : 300;
	config->synthesis.n_steps = settings->quick ? 5 : 30;
}

/* Synthesis is what takes time: few images, so that a weak machine is not late either. */
static void set_mix(enum demo_arm arm, struct config_mix *mix)
{
	mix->monitor = 0.25;
	mix->sealed = 0.1;
	mix->blank = 0.05;
	mix->informative_pool = 0.2;
	mix->informative_synthesized = mix->maximizing = 0.04;
	if (arm == DEMO_LOOP)
		return;
	mix->natural += mix->gaudy + mix->informative_pool + mix->informative_synthesized + mix->maximizing +
			mix->minimizing + mix->parametric;
	mix->gaudy = mix->informative_pool = mix->informative_synthesized = 0;
	mix->maximizing = mix->minimizing = mix->parametric = 0;
}

/* Writes the configuration where a person can read it and start the daemon with it. */
static int write_config(const struct demo_session *session, struct error *err)
{
	static struct config config; /* large */
	char *text;
	int rc;

	config_init(&config);
	snprintf(config.session.name, sizeof(config.session.name), "%s", demo_arm_name(session->arm));
	snprintf(config.session.dir, sizeof(config.session.dir), "%s", session->folder);
	config.session.seed = session->settings->seed;
	snprintf(config.listen.rig, sizeof(config.listen.rig), "%s", session->rig_endpoint);
	snprintf(config.listen.status, sizeof(config.listen.status), "%s", session->status_endpoint);
	snprintf(config.listen.control, sizeof(config.listen.control), "%s", session->control_endpoint);
	snprintf(config.images.pool, sizeof(config.images.pool), "%s", session->settings->pool);
	config.batch.size = (uint32_t)session->settings->batch_size;
	size_models(session->settings, &config);
	set_mix(session->arm, &config.batch.mix);
	rc = config_check(&config, err);
	if (rc == 0)
		rc = config_text(&config, err, &text);
	if (rc < 0)
		return rc;
	rc = atomic_file_write(session->config, text, strlen(text), err);
	free(text);
	return rc;
}

/* The last line of a log, for the sentence that names it. */
static void read_last_line(const char *path, char ret_line[DEMO_LOG_TAIL])
{
	char tail[DEMO_LOG_TAIL] = "";
	FILE *file = fopen(path, "r");
	char *end, *line;

	ret_line[0] = '\0';
	if (!file)
		return;
	if (fseek(file, -(DEMO_LOG_TAIL - 1), SEEK_END) < 0)
		rewind(file);
	tail[fread(tail, 1, sizeof(tail) - 1, file)] = '\0';
	fclose(file);
	end = tail + strlen(tail);
	while (end > tail && end[-1] == '\n')
		*--end = '\0';
	line = strrchr(tail, '\n');
	snprintf(ret_line, DEMO_LOG_TAIL, "%s", line ? line + 1 : tail);
}

static int ended_early(const char *program, const struct process *process, const char *log, struct error *err)
{
	char line[DEMO_LOG_TAIL];

	read_last_line(log, line);
	return error_set(err, -ECHILD, "%s ended with exit code %d: %s (%s)", program, process->exit_code, line, log);
}

static int start_daemon(struct demo_session *session, struct error *err)
{
	char program[PATH_TEXT_MAX];
	const char *argv[] = {program, "--config", session->config, NULL};
	int64_t deadline_ns = clock_monotonic_ns() + (int64_t)DEMO_START_MS * 1000000;
	int rc = process_beside("evoked", sizeof(program), program);

	if (rc < 0)
		return error_set(err, rc, "evoked: not found beside evoke");
	rc = process_start(argv, session->daemon_log, session->daemon_log, err, &session->daemon);
	while (rc == 0) {
		struct message answer;

		if (process_wait(&session->daemon, 0) == 0)
			return ended_early("evoked", &session->daemon, session->daemon_log, err);
		if (interrupt_seen())
			return error_set(err, -EINTR, "interrupted");
		rc = status_ask(session->control_endpoint, err, &answer);
		if (rc == 0) {
			message_done(&answer);
			return connection_subscribe(session->status_endpoint, err, &session->status);
		}
		if (rc == -ETIMEDOUT && clock_monotonic_ns() < deadline_ns)
			rc = 0;
	}
	return rc;
}

static int start_rig(struct demo_session *session, struct error *err)
{
	const struct demo_settings *settings = session->settings;
	const char *argv[OPTIONS_LIST_MAX + 32];
	char program[PATH_TEXT_MAX], seed[24], rate[24], batches[24], builtin[24];
	size_t n = 0;
	int rc = process_beside("evoke", sizeof(program), program);

	if (rc < 0)
		return error_set(err, rc, "evoke: not found");
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)settings->seed);
	snprintf(rate, sizeof(rate), "%g", settings->rate_hz);
	snprintf(batches, sizeof(batches), "%lld", (long long)settings->n_batches);
	snprintf(builtin, sizeof(builtin), "%lld", (long long)settings->n_builtin);
	const char *const fixed[] = {program,
				     "rig",
				     "--connect",
				     session->rig_endpoint,
				     "--json",
				     "--name",
				     demo_arm_name(session->arm),
				     "--seed",
				     seed,
				     "--rate",
				     rate,
				     "--batches",
				     batches};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		argv[n++] = fixed[i];
	argv[n++] = settings->neurons->n > 0 ? "--neurons" : "--builtin";
	for (size_t i = 0; i < settings->neurons->n; i++)
		argv[n++] = settings->neurons->items[i];
	if (settings->neurons->n == 0)
		argv[n++] = builtin;
	argv[n] = NULL;
	return process_start(argv, session->rig_report, session->rig_log, err, &session->rig);
}

/* Fits 80 columns. */
static void show_progress(const struct demo_session *session)
{
	const struct snapshot *snapshot = &session->snapshot;
	const char *arm = demo_arm_name(session->arm);
	const char *work = snapshot->job_kind[0] ? snapshot->job_kind : snapshot->worker_state;
	char where[64] = "all shown, last refit";

	if (snapshot->batch < 1)
		snprintf(where, sizeof(where), "images are prepared");
	else if (snapshot->batch <= session->settings->n_batches)
		snprintf(where, sizeof(where), "batch %lld of %lld, %lld of %lld shown", (long long)snapshot->batch,
			 (long long)session->settings->n_batches, (long long)snapshot->n_shown,
			 (long long)snapshot->n_slots);
	terminal_progress_show(
		session->settings->progress, "%s: %s  R² %s  worker: %s", arm, where,
		terminal_interval(snapshot->model.r2, snapshot->model.r2_low, snapshot->model.r2_high).text, work);
}

/* Takes the next snapshot, if one comes in time, and shows it. */
static int follow(struct demo_session *session, struct error *err)
{
	struct message next;
	int rc = connection_receive(session->status, DEMO_POLL_MS, err, &next);

	if (interrupt_seen())
		return error_set(err, -EINTR, "interrupted");
	if (process_wait(&session->daemon, 0) == 0)
		return ended_early("evoked", &session->daemon, session->daemon_log, err);
	if (rc == -ETIMEDOUT)
		return 0;
	if (rc < 0)
		return rc;
	message_done(&session->message);
	session->message = next;
	session->has_snapshot = true;
	snapshot_read(session->message.header, &session->snapshot);
	show_progress(session);
	return 0;
}

static int follow_rig(struct demo_session *session, struct error *err)
{
	int rc;

	do {
		rc = follow(session, err);
	} while (rc == 0 && process_wait(&session->rig, 0) != 0);
	if (rc == 0 && session->rig.exit_code != 0)
		return ended_early("evoke rig", &session->rig, session->rig_log, err);
	return rc;
}

/* Whether the plan that began when batch `after` was handed over is done: what comes next is chosen. */
static bool is_planned(const struct demo_session *session, int64_t after)
{
	return session->has_snapshot && session->snapshot.batch >= after &&
	       strcmp(session->snapshot.next, "chosen") == 0;
}

static int wait_for_plan(struct demo_session *session, int64_t after, struct error *err)
{
	int64_t deadline_ns = clock_monotonic_ns() + (int64_t)DEMO_PLAN_MS * 1000000;
	int rc = 0;

	while (rc == 0 && !is_planned(session, after) && clock_monotonic_ns() < deadline_ns)
		rc = follow(session, err);
	return rc;
}

static bool has_seen_all(const struct demo_session *session)
{
	return session->has_snapshot && session->snapshot.model.n_presentations >= session->snapshot.n_stored;
}

/* A plan begins with a hand-over, so the refit on all data takes one more, which nobody shows; another one when the
 * plan that was under way came too late to see the end of the data. */
static int refit_on_all(struct demo_session *session, struct client *client, struct error *err)
{
	int rc = wait_for_plan(session, 1, err);

	for (int i = 0; rc == 0 && i < DEMO_REFITS_MAX && !has_seen_all(session); i++) {
		struct client_batch batch;

		rc = client_next_batch(client, session->snapshot.batch, DEMO_ANSWER_MS, err, &batch);
		if (rc < 0)
			return error_prefix(err, rc, "one more batch");
		rc = wait_for_plan(session, batch.batch, err);
		client_batch_done(&batch);
	}
	return rc;
}

/* What an experimenter does at the end of the day, through a rig's connection of its own. */
static int finish(struct demo_session *session, struct error *err)
{
	struct client_options options = {.endpoint = session->rig_endpoint};
	struct client_welcome welcome;
	struct client *client;
	int rc;

	if (getrandom(options.run, sizeof(options.run), 0) != (ssize_t)sizeof(options.run))
		return error_set(err, -errno, "no random bytes for a run's id: %s", strerror(errno));
	rc = client_create(&options, err, &client);
	if (rc < 0)
		return rc;
	rc = client_hello(client, DEMO_ANSWER_MS, err, &welcome);
	if (rc == 0)
		rc = refit_on_all(session, client, err);
	if (rc == 0) {
		terminal_progress_show(session->settings->progress, "%s: the sealed test is scored",
				       demo_arm_name(session->arm));
		rc = client_close(client, DEMO_ANSWER_MS, err);
	}
	client_destroy(client);
	return rc < 0 ? error_prefix(err, rc, "end of the session") : 0;
}

static int read_rig_report(const struct demo_session *session, struct error *err, json_t **ret_report)
{
	void *text;
	size_t size;
	json_t *report;
	int rc = atomic_file_read(session->rig_report, DEMO_RIG_REPORT_MAX, err, &text, &size);

	if (rc < 0)
		return rc;
	report = json_loadb(text, size, 0, NULL);
	free(text);
	if (!report)
		return error_set(err, -EINVAL, "%s: no report of the rig", session->rig_report);
	*ret_report = report;
	return 0;
}

static int read_result(const struct demo_session *session, struct error *err, struct demo_result *result)
{
	struct reader *reader;
	int rc = path_format(err, result->file, "%s/%s.db", session->folder, demo_arm_name(session->arm));

	if (rc == 0)
		rc = read_rig_report(session, err, &result->rig);
	if (rc == 0)
		rc = reader_open(result->file, err, &reader);
	if (rc < 0)
		return rc;
	rc = batch_table_read(reader, err, &result->table);
	reader_close(reader);
	return rc;
}

static int run_processes(struct demo_session *session, struct error *err)
{
	int rc = start_daemon(session, err);

	if (rc == 0)
		rc = start_rig(session, err);
	if (rc == 0)
		rc = follow_rig(session, err);
	if (rc == 0)
		rc = finish(session, err);
	process_stop(&session->rig);
	process_stop(&session->daemon);
	if (rc == 0 && session->daemon.exit_code != 0)
		rc = ended_early("evoked", &session->daemon, session->daemon_log, err);
	return rc;
}

int demo_session_run(const struct demo_settings *settings, enum demo_arm arm, struct error *err,
		     struct demo_result *ret_result)
{
	struct demo_session session = {.settings = settings, .arm = arm};
	struct demo_result result = {0};
	int64_t begin_ns = clock_monotonic_ns();
	int rc = set_paths(&session, err);

	if (rc == 0)
		rc = find_ports(&session, err);
	if (rc == 0)
		rc = write_config(&session, err);
	if (rc == 0)
		rc = run_processes(&session, err);
	if (rc == 0)
		rc = read_result(&session, err, &result);
	connection_close(session.status);
	message_done(&session.message);
	if (rc < 0) {
		demo_result_done(&result);
		return error_prefix(err, rc, "%s session", demo_arm_name(arm));
	}
	result.seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
	*ret_result = result;
	return 0;
}

void demo_result_done(struct demo_result *result)
{
	batch_table_done(&result->table);
	json_decref(result->rig);
	result->rig = NULL;
}
