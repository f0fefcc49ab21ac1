/* YAML to dotted keys: maps nest, values are scalars; everything else is refused with its line (yaml.h's one owner). */
#ifndef EVOKED_DAEMON_CONFIG_YAML_H
#define EVOKED_DAEMON_CONFIG_YAML_H

#include <stddef.h>
#include <stdio.h>

#include "support/error.h"

/* One value of the file. `line` counts from 1. A negative return ends the walk; its sentence gets "NAME:LINE: " before.
 */
typedef int config_yaml_value(void *ctx, const char *key, const char *value, size_t line, struct error *err);

/* Walks a file, or `size` bytes of text when `file` is NULL. `name` stands in the sentences. An empty document has no
 * values. -EINVAL: not YAML, a list, an alias, more than one document, nested too deep, a key that is too long. */
int config_yaml_walk(FILE *file, const char *text, size_t size, const char *name, config_yaml_value *value, void *ctx,
		     struct error *err);

#endif
