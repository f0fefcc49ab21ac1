/* A configuration begins with the defaults of the table; a file and then each `--set` write over them; config_check
 * looks at what no single key can see. The canonical text has all keys in the table's order, so equal configurations
 * have equal text and hash. On failure a configuration may hold the values that came before the bad one: callers give
 * up on it. */
#include "daemon/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_keys.h"
#include "daemon/config_yaml.h"

void config_init(struct config *config)
{
	memset(config, 0, sizeof *config);
	for (size_t i = 0; i < config_n_keys; i++)
		config_key_parse(&config_keys[i], config, config_keys[i].fallback, NULL);
}

static int unknown_key(const char *name, struct error *err)
{
	const char *nearest = config_key_nearest(name);

	if (config_key_is_section(name))
		return error_set(err, -EINVAL, "%s: keys expected below it, found a value", name);
	if (nearest)
		return error_set(err, -EINVAL, "%.100s: no such key; did you mean %s?", name, nearest);
	return error_set(err, -EINVAL, "%.100s: no such key (evoked --config-reference lists them)", name);
}

struct file_values {
	struct config *config;
	size_t *line; /* [config_n_keys] where a key was set, 0: not yet */
};

static int take_value(void *ctx, const char *name, const char *text, size_t line, struct error *err)
{
	struct file_values *values = ctx;
	const struct config_key *key = config_key_find(name);

	/* A section whose keys are all commented out. */
	if (!key && !text[0] && config_key_is_section(name))
		return 0;
	if (!key)
		return unknown_key(name, err);
	if (values->line[key - config_keys])
		return error_set(err, -EINVAL, "%s: once expected, set in line %zu already", name,
				 values->line[key - config_keys]);
	values->line[key - config_keys] = line;
	return config_key_parse(key, values->config, text, err);
}

static int take_all(struct config *config, FILE *file, const char *text, const char *name, struct error *err)
{
	struct file_values values = {config, calloc(config_n_keys, sizeof *values.line)};
	int r;

	if (!values.line)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	r = config_yaml_walk(file, text, text ? strlen(text) : 0, name, take_value, &values, err);
	free(values.line);
	return r;
}

int config_load(struct config *config, const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");
	int r;

	if (!file) {
		r = -errno;
		return error_set(err, r, "%s: %s", path, strerror(-r));
	}
	r = take_all(config, file, NULL, path, err);
	fclose(file);
	return r;
}

int config_parse(struct config *config, const char *text, const char *name, struct error *err)
{
	return take_all(config, NULL, text, name, err);
}

int config_set(struct config *config, const char *assignment, struct error *err)
{
	const char *equals = strchr(assignment, '=');
	const struct config_key *key;
	char name[CONFIG_KEY_BYTES_MAX];

	if (!equals)
		return error_set(err, -EINVAL, "key=value expected, found \"%.100s\"", assignment);
	if ((size_t)(equals - assignment) >= sizeof name)
		return error_set(err, -EINVAL, "a key of less than %d bytes expected, found \"%.100s\"",
				 CONFIG_KEY_BYTES_MAX, assignment);
	memcpy(name, assignment, (size_t)(equals - assignment));
	name[equals - assignment] = '\0';
	key = config_key_find(name);
	if (!key)
		return unknown_key(name, err);
	return config_key_parse(key, config, equals + 1, err);
}

/* Whether only processes of this machine can reach the endpoint. */
static bool is_local(const char *endpoint)
{
	const char *host = endpoint + strlen("tcp://");
	struct in_addr address;
	char text[INET_ADDRSTRLEN];
	size_t n;

	if (!strncmp(endpoint, "ipc://", strlen("ipc://")) || !strncmp(endpoint, "inproc://", strlen("inproc://")))
		return true;
	if (strncmp(endpoint, "tcp://", strlen("tcp://")))
		return false;
	n = strcspn(host, ":");
	if (!strncmp(host, "[::1]:", strlen("[::1]:")) || (n == strlen("localhost") && !strncmp(host, "localhost", n)))
		return true;
	if (n >= sizeof text)
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	return inet_pton(AF_INET, text, &address) == 1 && (ntohl(address.s_addr) >> 24) == IN_LOOPBACKNET;
}

static int check_endpoint(const char *key, const char *endpoint, bool insecure, struct error *err)
{
	if (!strstr(endpoint, "://"))
		return error_set(err, -EINVAL,
				 "%s: an endpoint such as tcp://127.0.0.1:5571 expected, found \"%.100s\"", key,
				 endpoint);
	if (!insecure && !is_local(endpoint))
		return error_set(err, -EINVAL,
				 "%s: a loopback address expected unless listen.insecure is true, found \"%.100s\"",
				 key, endpoint);
	return 0;
}

/* The front end takes its own range of sizes; a backbone from a file is asked when the worker opens it. */
static int check_size(const struct config *config, struct error *err)
{
	const uint32_t side[] = {config->images.width_px, config->images.height_px};
	const char *const key[] = {"images.width_px", "images.height_px"};

	if (strcmp(config->model.backbone, CONFIG_FRONT_END))
		return 0;
	for (size_t i = 0; i < 2; i++)
		if (side[i] < CONFIG_SIDE_MIN_PX || side[i] > CONFIG_SIDE_MAX_PX || side[i] % CONFIG_SIDE_STEP_PX)
			return error_set(
				err, -EINVAL,
				"%s: for the built-in front end a multiple of %d from %d to %d expected, found %u",
				key[i], CONFIG_SIDE_STEP_PX, CONFIG_SIDE_MIN_PX, CONFIG_SIDE_MAX_PX, side[i]);
	return 0;
}

static int check_mix(const struct config *config, struct error *err)
{
	const struct config_mix *mix = &config->batch.mix;
	double shown = mix->natural + mix->gaudy + mix->informative_pool + mix->informative_synthesized +
		       mix->maximizing + mix->minimizing + mix->parametric;

	if (!(shown > 0))
		return error_set(err, -EINVAL,
				 "batch.mix: a share above 0 of something to learn from expected, found only %s",
				 mix->monitor + mix->sealed + mix->blank > 0 ? "held-out images and blanks" : "zeros");
	if (mix->monitor > 0 && !config->images.n_monitor)
		return error_set(err, -EINVAL,
				 "images.n_monitor: at least 1 expected with batch.mix.monitor %g, found 0",
				 mix->monitor);
	if (mix->sealed > 0 && !config->images.n_sealed)
		return error_set(err, -EINVAL, "images.n_sealed: at least 1 expected with batch.mix.sealed %g, found 0",
				 mix->sealed);
	return 0;
}

int config_check(const struct config *config, struct error *err)
{
	const char *name = config->session.name;
	int r;

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] || name[0] == '.')
		return error_set(err, -EINVAL, "session.name: letters, digits and \"-_.\" expected, found \"%s\"",
				 name);
	r = check_endpoint("listen.rig", config->listen.rig, config->listen.insecure, err);
	if (!r)
		r = check_endpoint("listen.status", config->listen.status, config->listen.insecure, err);
	if (!r)
		r = check_endpoint("listen.control", config->listen.control, config->listen.insecure, err);
	if (!r && !config->images.pool[0])
		r = error_set(err, -EINVAL, "images.pool: a folder, a zip or dead_leaves:N expected, found nothing");
	if (!r)
		r = check_size(config, err);
	if (!r)
		r = check_mix(config, err);
	return r;
}

/* Opens the sections of `name` that `previous` has not opened; returns the last word. */
static const char *print_sections(FILE *out, const char *previous, const char *name, int *ret_depth)
{
	const char *word = name;
	int depth = 0;

	for (const char *dot = strchr(word, '.'); dot; dot = strchr(word, '.')) {
		size_t upto = (size_t)(dot - name) + 1;

		if (strncmp(previous, name, upto))
			fprintf(out, "%*s%.*s:\n", 2 * depth, "", (int)(dot - word), word);
		word = dot + 1;
		depth++;
	}
	*ret_depth = depth;
	return word;
}

static void print_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputs("\"\n", out);
}

int config_text(const struct config *config, struct error *err, char **ret_text)
{
	const char *previous = "";
	char value[CONFIG_TEXT_MAX];
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int failed;

	if (!out)
		return error_set(err, -ENOMEM, "configuration: out of memory");
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		int depth;
		const char *word = print_sections(out, previous, key->name, &depth);

		config_key_print(key, config, value);
		fprintf(out, "%*s%s: ", 2 * depth, "", word);
		if (key->type == CONFIG_TEXT)
			print_quoted(out, value);
		else
			fprintf(out, "%s\n", value);
		previous = key->name;
	}
	failed = ferror(out);
	if (fclose(out) || failed) {
		free(text);
		return error_set(err, -ENOMEM, "configuration: out of memory");
	}
	*ret_text = text;
	return 0;
}

void config_hash(const char *text, struct hash *ret_hash)
{
	hash_bytes(text, strlen(text), ret_hash);
}

void config_reference(FILE *out)
{
	char expected[CONFIG_EXPECTED_MAX];

	fputs("# Configuration keys\n\n"
	      "Made by `evoked --config-reference`; a key is written with dots here and for `--set`, as nested maps in "
	      "a file.\n\n"
	      "| key | value | default | meaning |\n|---|---|---|---|\n",
	      out);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		config_key_expected(key, expected);
		fprintf(out, "| `%s` | %s | %s%s%s | %s |\n", key->name, expected, key->fallback[0] ? "`" : "",
			key->fallback[0] ? key->fallback : "empty", key->fallback[0] ? "`" : "", key->help);
	}
}
