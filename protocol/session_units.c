/* Units come and go: every change is checked on a copy of the list, which then takes the list's place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/fields.h"
#include "protocol/message.h"
#include "protocol/session_spec.h"
#include "protocol/session_spec_internal.h"

/* Marks the ids of `retire` in a copy of the list. */
static int retire_units(const json_t *retire, uint32_t run, int64_t number, struct session_unit *units, uint32_t n,
			struct error *err)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(retire, i, entry)
	{
		json_int_t id = json_integer_value(entry);
		struct session_unit *unit;
		uint32_t at;

		if (!json_is_integer(entry) || id < 0 || id > UINT32_MAX)
			return error_set(err, -EPROTO, FIELD_RETIRE "[%zu]: a unit's id expected, found %s", i,
					 message_json_type(entry));
		at = session_spec_find_unit(units, n, (uint32_t)id);
		if (at == n)
			return error_set(err, -ENOENT, FIELD_RETIRE "[%zu]: unit %lld is unknown", i, (long long)id);
		unit = &units[at];
		if (unit->until_run == run && unit->until_number == number)
			continue; /* this very message, again */
		if (unit->until_number != INT64_MAX)
			return error_set(err, -ENOENT, FIELD_RETIRE "[%zu]: unit %lld was retired before", i,
					 (long long)id);
		unit->until_run = run;
		unit->until_number = number;
	}
	return 0;
}

/* Appends the units of `add` that are not there yet from this very message. */
static int add_units(const json_t *add, const struct session_spec *spec, int64_t number, struct session_unit *units,
		     uint32_t *n, struct error *err)
{
	struct session_unit *added = calloc(LIMIT_UNITS, sizeof *added);
	uint32_t n_added = 0;
	int rc;

	if (!added)
		return error_set(err, -ENOMEM, FIELD_ADD ": out of memory");
	rc = session_spec_parse_units(add, FIELD_ADD, spec->n_arrays, added, &n_added, err);
	for (uint32_t i = 0; !rc && i < n_added; i++) {
		uint32_t old = session_spec_find_unit(units, *n, added[i].id);

		added[i].from_run = spec->run;
		added[i].from_number = number;
		added[i].until_run = UINT32_MAX;
		added[i].until_number = INT64_MAX;
		if (old < *n && units[old].from_run == spec->run && units[old].from_number == number &&
		    session_spec_same_unit(&units[old], &added[i]))
			continue;
		if (old < *n)
			rc = error_set(err, -EINVAL,
				       FIELD_ADD "[%u]." FIELD_ID ": %u was used before, ids are never reused", i,
				       added[i].id);
		else if (*n == LIMIT_UNITS)
			rc = error_set(err, -E2BIG, FIELD_ADD ": at most %d units in a session", LIMIT_UNITS);
		else
			units[(*n)++] = added[i];
	}
	free(added);
	return rc;
}

int session_spec_change_units(struct session_spec *spec, const json_t *header, struct error *err)
{
	const json_t *add = NULL, *retire = NULL;
	struct session_unit *units;
	uint32_t n = spec->n_units;
	int64_t number;
	int rc = message_get_int(header, "", FIELD_FROM_NUMBER, 1, LIMIT_INTEGER - 1, err, &number);

	if (!rc && message_has(header, FIELD_ADD))
		rc = message_get_array(header, "", FIELD_ADD, 0, LIMIT_UNITS, err, &add);
	if (!rc && message_has(header, FIELD_RETIRE))
		rc = message_get_array(header, "", FIELD_RETIRE, 0, LIMIT_UNITS, err, &retire);
	if (rc)
		return rc;
	units = calloc(LIMIT_UNITS, sizeof *units);
	if (!units)
		return error_set(err, -ENOMEM, FIELD_UNITS ": out of memory");
	memcpy(units, spec->units, n * sizeof *units);
	rc = retire_units(retire, spec->run, number, units, n, err);
	if (!rc)
		rc = add_units(add, spec, number, units, &n, err);
	if (rc) {
		free(units);
		return rc;
	}
	free(spec->units);
	spec->units = units;
	spec->n_units = n;
	return 0;
}

/* (run, number) a before b. */
static bool is_before(uint32_t run_a, int64_t number_a, uint32_t run_b, int64_t number_b)
{
	return run_a < run_b || (run_a == run_b && number_a < number_b);
}

uint32_t session_spec_units_in(const struct session_spec *spec, uint32_t run, int64_t number, uint32_t *ret_index)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < spec->n_units; i++) {
		const struct session_unit *unit = &spec->units[i];

		if (!is_before(run, number, unit->from_run, unit->from_number) &&
		    is_before(run, number, unit->until_run, unit->until_number))
			ret_index[n++] = i;
	}
	return n;
}

uint32_t session_spec_units_at(const struct session_spec *spec, int64_t number, uint32_t *ret_index)
{
	return session_spec_units_in(spec, spec->run, number, ret_index);
}
