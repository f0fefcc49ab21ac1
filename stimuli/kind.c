/* One table of names and properties; its order is the enum's, which a static assertion and the test hold together. */
#include "stimuli/kind.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct kind_row {
	const char *name;
	bool held_out;
	bool adaptive;
};

static const struct kind_row rows[] = {
	[KIND_NATURAL] = {"natural", false, false},
	[KIND_GAUDY] = {"gaudy", false, false},
	[KIND_INFORMATIVE_POOL] = {"informative_pool", false, true},
	[KIND_INFORMATIVE_SYNTHESIZED] = {"informative_synthesized", false, true},
	[KIND_MAXIMIZING] = {"maximizing", false, true},
	[KIND_MINIMIZING] = {"minimizing", false, true},
	[KIND_ADVERSARIAL] = {"adversarial", false, true},
	[KIND_PARAMETRIC] = {"parametric", false, false},
	[KIND_MONITOR] = {"monitor", true, false},
	[KIND_SEALED] = {"sealed", true, false},
	[KIND_BLANK] = {"blank", false, false},
	[KIND_RIG] = {"rig", false, false},
};
static_assert(sizeof rows / sizeof *rows == KIND_COUNT, "a row for each kind");

const char *kind_name(enum kind kind)
{
	return rows[kind].name;
}

int kind_from_name(const char *name, struct error *err, enum kind *ret_kind)
{
	char allowed[ERROR_TEXT_MAX / 2];
	size_t at = 0;

	for (int k = 0; k < KIND_COUNT; k++)
		if (strcmp(name, rows[k].name) == 0) {
			*ret_kind = (enum kind)k;
			return 0;
		}
	for (int k = 0; k < KIND_COUNT && at < sizeof allowed; k++)
		at += (size_t)snprintf(allowed + at, sizeof allowed - at, "%s%s", k ? ", " : "", rows[k].name);
	return error_set(err, -EINVAL, "kind \"%.40s\": expected one of %s", name, allowed);
}

bool kind_is_held_out(enum kind kind)
{
	return rows[kind].held_out;
}

bool kind_is_adaptive(enum kind kind)
{
	return rows[kind].adaptive;
}
