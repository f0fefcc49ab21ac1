/* The client with a real child process (fake_worker.c): answers, refusals, cancels, and a worker that dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "daemon/worker/pipe_client.h"
#include "daemon/worker/pipe_fields.h"

static const char *fake_worker; /* argv[1] */

static struct pipe_client *start(const char *pool)
{
	struct pipe_client *client;
	struct message result;
	json_t *setup = json_pack("{s:s}", SETUP_POOL, pool);

	assert_int_equal(pipe_client_start(fake_worker, 0, NULL, &client), 0);
	assert_int_equal(json_integer_value(json_object_get(pipe_client_hello(client), HELLO_PID)),
			 pipe_client_pid(client));
	assert_int_equal(pipe_client_setup(client, setup, NULL, NULL, &result), 0);
	message_done(&result);
	json_decref(setup);
	return client;
}

static int ask(struct pipe_client *client, const char *kind, const struct pipe_client_watch *watch, struct error *err,
	       struct message *ret_result)
{
	json_t *spec = json_pack("{s:s}", JOB_KIND, kind);
	int r = pipe_client_job(client, 7, spec, watch, err, ret_result);

	json_decref(spec);
	return r;
}

static void rows_and_jobs(void **state)
{
	struct pipe_client *client = start("some");
	struct store_row rows[2] = {{.seq = 4}, {.seq = 5}};
	struct store_page page = {.through_seq = 5, .n_rows = 2, .rows = rows};
	struct message result;
	struct error err;

	(void)state;
	assert_int_equal(pipe_client_rows(client, &page, NULL), 0);
	assert_int_equal(ask(client, "echo", NULL, NULL, &result), 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(result.header, RESULT_OUTCOME), "rows")),
			 2);
	message_done(&result);
	assert_int_equal(ask(client, "refuse", NULL, &err, &result), -EINVAL);
	assert_string_equal(err.text, "job.kind: not this one");
	assert_int_equal(ask(client, "echo", NULL, NULL, &result), 0);
	message_done(&result);
	pipe_client_stop(client);
}

static bool cancel_at_once(void *ctx, int64_t done, int64_t planned, const char *what)
{
	int *n = ctx;

	(void)done;
	(void)planned;
	(void)what;
	(*n)++;
	return true;
}

static void cancelled(void **state)
{
	struct pipe_client *client = start("some");
	int n_asked = 0;
	struct pipe_client_watch watch = {cancel_at_once, &n_asked};
	struct message result;

	(void)state;
	assert_int_equal(ask(client, "hang", &watch, NULL, &result), 0);
	assert_true(n_asked > 0);
	message_done(&result);
	pipe_client_stop(client);
}

static void died(void **state)
{
	struct pipe_client *client = start("some");
	struct message result;

	(void)state;
	assert_int_equal(ask(client, "crash", NULL, NULL, &result), -EPIPE);
	assert_int_equal(ask(client, "echo", NULL, NULL, &result), -EPIPE);
	pipe_client_stop(client);
}

static void refused_setup(void **state)
{
	struct pipe_client *client;
	struct message result;
	struct error err;
	json_t *setup = json_pack("{s:s}", SETUP_POOL, "none");

	(void)state;
	assert_int_equal(pipe_client_start(fake_worker, 0, NULL, &client), 0);
	assert_int_equal(pipe_client_setup(client, setup, NULL, &err, &result), -EINVAL);
	assert_string_equal(err.text, "images.pool: none is not there");
	json_decref(setup);
	pipe_client_stop(client);
}

static void not_a_worker(void **state)
{
	struct pipe_client *client;
	struct error err;

	(void)state;
	assert_int_equal(pipe_client_start("/nowhere/evoked-worker", 0, &err, &client), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/evoked-worker"));
	assert_int_equal(pipe_client_start("/bin/true", 0, &err, &client), -EPIPE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_and_jobs), cmocka_unit_test(cancelled),	 cmocka_unit_test(died),
		cmocka_unit_test(refused_setup), cmocka_unit_test(not_a_worker),
	};

	if (argc < 2)
		return 2;
	fake_worker = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
