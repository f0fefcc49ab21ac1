/* Walks libyaml's events with a path that grows at each map and shrinks at its end. No tree is built.
 *
 * Failure modes: libyaml's own errors (with its line), and structure that a configuration does not have. */
#include "daemon/config_yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "daemon/config_keys.h"

struct walk {
	config_yaml_value *value;
	void *ctx;
	unsigned depth;			     /* maps that are open */
	size_t length[CONFIG_DEPTH_MAX + 1]; /* of the path at each depth */
	char path[CONFIG_KEY_BYTES_MAX];
	bool has_key; /* the path ends with a key that waits for its value */
	bool has_document;
};

static int take_key(struct walk *walk, const char *key, struct error *err)
{
	size_t base = walk->length[walk->depth];
	int n = snprintf(walk->path + base, sizeof walk->path - base, "%s%s", base ? "." : "", key);

	if (n < 0 || (size_t)n >= sizeof walk->path - base)
		return error_set(err, -EINVAL, "a key of less than %d bytes expected, found \"%.100s\"",
				 CONFIG_KEY_BYTES_MAX, key);
	walk->has_key = true;
	return 0;
}

static int take_scalar(struct walk *walk, const yaml_event_t *event, struct error *err)
{
	const char *text = (const char *)event->data.scalar.value;

	if (!walk->depth)
		return error_set(err, -EINVAL, "keys with values expected, found \"%.100s\"", text);
	if (strlen(text) != event->data.scalar.length)
		return error_set(err, -EINVAL, "text without NUL expected");
	if (!walk->has_key)
		return take_key(walk, text, err);
	walk->has_key = false;
	return walk->value(walk->ctx, walk->path, text, event->start_mark.line + 1, err);
}

static int enter_map(struct walk *walk, struct error *err)
{
	if (walk->depth && !walk->has_key)
		return error_set(err, -EINVAL, "a key expected, found a map");
	if (walk->depth == CONFIG_DEPTH_MAX)
		return error_set(err, -EINVAL, "%s: at most %d levels of keys expected", walk->path, CONFIG_DEPTH_MAX);
	walk->depth++;
	walk->length[walk->depth] = walk->has_key ? strlen(walk->path) : 0;
	walk->has_key = false;
	return 0;
}

static int take_event(struct walk *walk, const yaml_event_t *event, struct error *err)
{
	switch (event->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (walk->has_document)
			return error_set(err, -EINVAL, "one document expected, found a second");
		walk->has_document = true;
		return 0;
	case YAML_ALIAS_EVENT:
		return error_set(err, -EINVAL, "%s: a value expected, found an alias", walk->path);
	case YAML_SEQUENCE_START_EVENT:
		return error_set(err, -EINVAL, "%s: a value expected, found a list", walk->path);
	case YAML_SCALAR_EVENT:
		return take_scalar(walk, event, err);
	case YAML_MAPPING_START_EVENT:
		return enter_map(walk, err);
	case YAML_MAPPING_END_EVENT:
		walk->depth--;
		return 0;
	}
	return 0;
}

int config_yaml_walk(FILE *file, const char *text, size_t size, const char *name, config_yaml_value *value, void *ctx,
		     struct error *err)
{
	struct walk walk = {.value = value, .ctx = ctx};
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	if (file)
		yaml_parser_set_input_file(&parser, file);
	else
		yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);

	while (!r && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			/* A reader's error (not UTF-8, a folder) has an offset in place of a line. */
			r = error_set(err, -EINVAL, "%s:%zu: YAML expected: %s%s%s", name, parser.problem_mark.line + 1,
				      parser.problem ? parser.problem : "out of memory", parser.context ? " " : "",
				      parser.context ? parser.context : "");
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		r = take_event(&walk, &event, err);
		if (r)
			error_prefix(err, r, "%s:%zu", name, event.start_mark.line + 1);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return r;
}
