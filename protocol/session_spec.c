/* `open` taken apart field by field into fixed arrays (but for the units), and put together again.
 *
 * Failure modes: the first wrong field is named and nothing is handed out. */
#include "protocol/session_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/fields.h"
#include "protocol/message.h"
#include "protocol/session_spec_internal.h"

/* Bounds of plausibility: whoever is outside has mixed up a unit of measurement. */
#define DEG_MAX	       180.0
#define BIN_MS_MAX     10000.0
#define PX_PER_DEG_MAX 10000.0
#define REFRESH_HZ_MAX 10000.0
enum { BACKGROUND_DEFAULT = 128, PATH_MAX_BYTES = 48 };

static const char *const response_types[] = {[RESPONSE_COUNTS] = "counts", [RESPONSE_CONTINUOUS] = "continuous"};

/* A field that may be left out. */
static int get_optional_double(const json_t *object, const char *path, const char *key, double min, double max,
			       struct error *err, double *value)
{
	return message_has(object, key) ? message_get_double(object, path, key, min, max, err, value) : 0;
}

static int get_label(const json_t *object, const char *path, const char *key, bool required, struct error *err,
		     char *ret_label)
{
	const char *text;
	int rc;

	if (!required && !message_has(object, key)) {
		ret_label[0] = '\0';
		return 0;
	}
	rc = message_get_string(object, path, key, LIMIT_LABEL_BYTES, err, &text);
	if (rc)
		return rc;
	if (required && !text[0])
		return error_set(err, -EINVAL, "%s.%s: it is empty", path, key);
	strcpy(ret_label, text);
	return 0;
}

/* The name becomes a file's name: no separators, nothing hidden. */
static int parse_name(const json_t *header, struct session_spec *spec, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	const char *name;
	int rc = message_get_string(header, "", FIELD_NAME, LIMIT_LABEL_BYTES, err, &name);

	if (rc)
		return rc;
	if (!name[0] || name[0] == '.' || name[strspn(name, allowed)])
		return error_set(err, -EINVAL,
				 FIELD_NAME ": letters, digits, '-', '_' and '.' (not first) expected, found \"%s\"",
				 name);
	strcpy(spec->name, name);
	return 0;
}

static int parse_response_type(const json_t *header, struct session_spec *spec, struct error *err)
{
	const char *type;
	int rc = message_get_string(header, "", FIELD_RESPONSE_TYPE, LIMIT_LABEL_BYTES, err, &type);

	if (rc)
		return rc;
	for (enum response_type i = RESPONSE_COUNTS; i <= RESPONSE_CONTINUOUS; i++) {
		if (!strcmp(type, response_types[i])) {
			spec->response_type = i;
			return 0;
		}
	}
	return error_set(err, -EINVAL, FIELD_RESPONSE_TYPE ": counts or continuous expected, found \"%s\"", type);
}

static int parse_array(const json_t *entry, const char *path, struct session_array *array, struct error *err)
{
	char rf_path[PATH_MAX_BYTES + sizeof FIELD_RF];
	const json_t *rf;
	int rc;

	if (!json_is_object(entry))
		return error_set(err, -EPROTO, "%s: object expected, found %s", path, message_json_type(entry));
	rc = get_label(entry, path, FIELD_NAME, true, err, array->name);
	if (rc)
		return rc;
	rc = get_label(entry, path, FIELD_AREA, false, err, array->area);
	if (rc)
		return rc;
	array->rf_known = message_has(entry, FIELD_RF);
	if (!array->rf_known)
		return 0;
	rc = message_get_object(entry, path, FIELD_RF, err, &rf);
	if (rc)
		return rc;
	snprintf(rf_path, sizeof rf_path, "%s." FIELD_RF, path);
	rc = message_get_double(rf, rf_path, FIELD_X_DEG, -DEG_MAX, DEG_MAX, err, &array->rf_x_deg);
	if (rc)
		return rc;
	rc = message_get_double(rf, rf_path, FIELD_Y_DEG, -DEG_MAX, DEG_MAX, err, &array->rf_y_deg);
	if (rc)
		return rc;
	return message_get_double(rf, rf_path, FIELD_SIZE_DEG, 0, DEG_MAX, err, &array->rf_size_deg);
}

static int parse_arrays(const json_t *header, struct session_spec *spec, struct error *err)
{
	const json_t *arrays, *entry;
	char path[PATH_MAX_BYTES];
	size_t i;
	int rc = message_get_array(header, "", FIELD_ARRAYS, 1, LIMIT_ARRAYS, err, &arrays);

	if (rc)
		return rc;
	json_array_foreach(arrays, i, entry)
	{
		snprintf(path, sizeof path, FIELD_ARRAYS "[%zu]", i);
		rc = parse_array(entry, path, &spec->arrays[i], err);
		if (rc)
			return rc;
		for (size_t j = 0; j < i; j++) {
			if (!strcmp(spec->arrays[j].name, spec->arrays[i].name))
				return error_set(err, -EINVAL, "%s." FIELD_NAME ": \"%s\" is there twice", path,
						 spec->arrays[i].name);
		}
	}
	spec->n_arrays = (uint32_t)json_array_size(arrays);
	return 0;
}

/* Keys of the stored copy; an `open` has none of them, so every unit is there from the beginning. */
static int parse_unit_versions(const json_t *entry, const char *path, struct session_unit *unit, struct error *err)
{
	int64_t from_run = 0, until_run = UINT32_MAX;
	int rc = 0;

	unit->from_number = 1;
	unit->until_number = INT64_MAX;
	if (message_has(entry, FIELD_FROM_NUMBER))
		rc = message_get_int(entry, path, FIELD_FROM_NUMBER, 1, LIMIT_INTEGER - 1, err, &unit->from_number);
	if (!rc && message_has(entry, FIELD_FROM_RUN))
		rc = message_get_int(entry, path, FIELD_FROM_RUN, 0, UINT32_MAX - 1, err, &from_run);
	if (!rc && message_has(entry, FIELD_UNTIL_NUMBER)) {
		rc = message_get_int(entry, path, FIELD_UNTIL_NUMBER, 1, LIMIT_INTEGER - 1, err, &unit->until_number);
		until_run = 0;
	}
	if (!rc && message_has(entry, FIELD_UNTIL_RUN))
		rc = message_get_int(entry, path, FIELD_UNTIL_RUN, 0, UINT32_MAX - 1, err, &until_run);
	unit->from_run = (uint32_t)from_run;
	unit->until_run = (uint32_t)until_run;
	return rc;
}

static int parse_unit(const json_t *entry, const char *path, uint32_t n_arrays, struct session_unit *unit,
		      struct error *err)
{
	int64_t id, array;
	int rc;

	if (!json_is_object(entry))
		return error_set(err, -EPROTO, "%s: object expected, found %s", path, message_json_type(entry));
	rc = message_get_int(entry, path, FIELD_ID, 0, UINT32_MAX, err, &id);
	if (rc)
		return rc;
	rc = get_label(entry, path, FIELD_LABEL, false, err, unit->label);
	if (rc)
		return rc;
	rc = message_get_int(entry, path, FIELD_ARRAY, 0, (int64_t)n_arrays - 1, err, &array);
	if (rc)
		return rc;
	unit->id = (uint32_t)id;
	unit->array = (uint32_t)array;
	return parse_unit_versions(entry, path, unit, err);
}

uint32_t session_spec_find_unit(const struct session_unit *units, uint32_t n, uint32_t id)
{
	uint32_t i = 0;

	while (i < n && units[i].id != id)
		i++;
	return i;
}

int session_spec_parse_units(const json_t *list, const char *name, uint32_t n_arrays, struct session_unit *units,
			     uint32_t *n, struct error *err)
{
	const json_t *entry;
	char path[PATH_MAX_BYTES];
	size_t i;

	json_array_foreach(list, i, entry)
	{
		struct session_unit unit = {0};
		int rc;

		snprintf(path, sizeof path, "%s[%zu]", name, i);
		rc = parse_unit(entry, path, n_arrays, &unit, err);
		if (rc)
			return rc;
		if (session_spec_find_unit(units, *n, unit.id) < *n)
			return error_set(err, -EINVAL, "%s." FIELD_ID ": %u is there twice", path, unit.id);
		units[(*n)++] = unit;
	}
	return 0;
}

static int parse_units(const json_t *header, struct session_spec *spec, struct error *err)
{
	const json_t *list;
	int rc = message_get_array(header, "", FIELD_UNITS, 1, LIMIT_UNITS, err, &list);

	if (rc)
		return rc;
	spec->units = calloc(LIMIT_UNITS, sizeof *spec->units);
	if (!spec->units)
		return error_set(err, -ENOMEM, FIELD_UNITS ": out of memory");
	return session_spec_parse_units(list, FIELD_UNITS, spec->n_arrays, spec->units, &spec->n_units, err);
}

static int parse_bins(const json_t *header, struct session_spec *spec, struct error *err)
{
	const json_t *bins, *entry;
	char path[PATH_MAX_BYTES];
	double end_before = -BIN_MS_MAX;
	size_t i;
	int rc = message_get_array(header, "", FIELD_BINS, 1, LIMIT_BINS, err, &bins);

	if (rc)
		return rc;
	json_array_foreach(bins, i, entry)
	{
		struct session_bin *bin = &spec->bins[i];

		snprintf(path, sizeof path, FIELD_BINS "[%zu]", i);
		rc = message_get_double(entry, path, FIELD_START_MS, -BIN_MS_MAX, BIN_MS_MAX, err, &bin->start_ms);
		if (rc)
			return rc;
		rc = message_get_double(entry, path, FIELD_END_MS, -BIN_MS_MAX, BIN_MS_MAX, err, &bin->end_ms);
		if (rc)
			return rc;
		if (bin->end_ms <= bin->start_ms)
			return error_set(err, -EINVAL,
					 "%s." FIELD_END_MS ": more than the start of %g ms expected, found %g", path,
					 bin->start_ms, bin->end_ms);
		if (bin->start_ms < end_before)
			return error_set(err, -EINVAL,
					 "%s." FIELD_START_MS ": at least the end of the bin before, %g ms, expected, "
					 "found %g",
					 path, end_before, bin->start_ms);
		end_before = bin->end_ms;
	}
	spec->n_bins = (uint32_t)json_array_size(bins);
	return 0;
}

static int parse_target(const json_t *header, struct session_spec *spec, struct error *err)
{
	int64_t first = 0, n = spec->n_bins;
	const json_t *target;
	int rc;

	if (message_has(header, FIELD_TARGET)) {
		rc = message_get_object(header, "", FIELD_TARGET, err, &target);
		if (rc)
			return rc;
		rc = message_get_int(target, FIELD_TARGET, FIELD_FIRST_BIN, 0, (int64_t)spec->n_bins - 1, err, &first);
		if (rc)
			return rc;
		rc = message_get_int(target, FIELD_TARGET, FIELD_N_BINS, 1, (int64_t)spec->n_bins - first, err, &n);
		if (rc)
			return rc;
	}
	spec->target_first_bin = (uint32_t)first;
	spec->target_n_bins = (uint32_t)n;
	return 0;
}

static int parse_background(const json_t *display, struct session_spec *spec, struct error *err)
{
	const json_t *levels;
	int rc;

	if (!message_has(display, FIELD_BACKGROUND))
		return 0;
	rc = message_get_array(display, FIELD_DISPLAY, FIELD_BACKGROUND, 3, 3, err, &levels);
	if (rc)
		return rc;
	for (size_t i = 0; i < 3; i++) {
		const json_t *level = json_array_get(levels, i);

		if (!json_is_integer(level) || json_integer_value(level) < 0 || json_integer_value(level) > 255)
			return error_set(err, -ERANGE,
					 FIELD_DISPLAY "." FIELD_BACKGROUND "[%zu]: integer from 0 to 255 expected", i);
		spec->background[i] = (uint8_t)json_integer_value(level);
	}
	return 0;
}

static int parse_display(const json_t *header, struct session_spec *spec, struct error *err)
{
	struct {
		const char *key;
		double min, max, *value;
	} fields[] = {
		{FIELD_SIZE_DEG, 0, DEG_MAX, &spec->image_size_deg},
		{FIELD_X_DEG, -DEG_MAX, DEG_MAX, &spec->image_x_deg},
		{FIELD_Y_DEG, -DEG_MAX, DEG_MAX, &spec->image_y_deg},
		{FIELD_PX_PER_DEG, 0, PX_PER_DEG_MAX, &spec->pixels_per_deg},
		{FIELD_REFRESH_HZ, 0, REFRESH_HZ_MAX, &spec->refresh_hz},
	};
	const json_t *display;
	int rc;

	memset(spec->background, BACKGROUND_DEFAULT, sizeof spec->background);
	if (!message_has(header, FIELD_DISPLAY))
		return 0;
	rc = message_get_object(header, "", FIELD_DISPLAY, err, &display);
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		rc = get_optional_double(display, FIELD_DISPLAY, fields[i].key, fields[i].min, fields[i].max, err,
					 fields[i].value);
		if (rc)
			return rc;
	}
	return parse_background(display, spec, err);
}

int session_spec_parse(const json_t *header, struct error *err, struct session_spec *ret_spec)
{
	static int (*const parts[])(const json_t *, struct session_spec *, struct error *) = {
		parse_name, parse_response_type, parse_arrays, parse_units, parse_bins, parse_target, parse_display,
	};
	struct session_spec spec = {0};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		int rc = parts[i](header, &spec, err);

		if (rc) {
			session_spec_done(&spec);
			return rc;
		}
	}
	*ret_spec = spec;
	return 0;
}

void session_spec_done(struct session_spec *spec)
{
	if (!spec)
		return;
	free(spec->units);
	*spec = (struct session_spec){0};
}

static json_t *encode_unit(const struct session_unit *unit)
{
	json_t *object = json_pack("{s:I, s:s, s:i}", FIELD_ID, (json_int_t)unit->id, FIELD_LABEL, unit->label,
				   FIELD_ARRAY, (int)unit->array);
	int rc = object ? 0 : -1;

	if (!rc && (unit->from_run > 0 || unit->from_number > 1)) {
		rc |= json_object_set_new(object, FIELD_FROM_RUN, json_integer(unit->from_run));
		rc |= json_object_set_new(object, FIELD_FROM_NUMBER, json_integer(unit->from_number));
	}
	if (!rc && unit->until_number != INT64_MAX) {
		rc |= json_object_set_new(object, FIELD_UNTIL_RUN, json_integer(unit->until_run));
		rc |= json_object_set_new(object, FIELD_UNTIL_NUMBER, json_integer(unit->until_number));
	}
	if (rc) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *encode_array(const struct session_array *array)
{
	if (!array->rf_known)
		return json_pack("{s:s, s:s}", FIELD_NAME, array->name, FIELD_AREA, array->area);
	return json_pack("{s:s, s:s, s:{s:f, s:f, s:f}}", FIELD_NAME, array->name, FIELD_AREA, array->area, FIELD_RF,
			 FIELD_X_DEG, array->rf_x_deg, FIELD_Y_DEG, array->rf_y_deg, FIELD_SIZE_DEG,
			 array->rf_size_deg);
}

/* Lists of the specification under their keys; appending NULL fails, so every allocation is looked at. */
static int encode_lists(const struct session_spec *spec, json_t *object)
{
	json_t *arrays = json_array(), *units = json_array(), *bins = json_array();
	int rc = json_object_set_new(object, FIELD_ARRAYS, arrays);

	rc |= json_object_set_new(object, FIELD_UNITS, units);
	rc |= json_object_set_new(object, FIELD_BINS, bins);
	for (uint32_t i = 0; !rc && i < spec->n_arrays; i++)
		rc = json_array_append_new(arrays, encode_array(&spec->arrays[i]));
	for (uint32_t i = 0; !rc && i < spec->n_units; i++)
		rc = json_array_append_new(units, encode_unit(&spec->units[i]));
	for (uint32_t i = 0; !rc && i < spec->n_bins; i++)
		rc = json_array_append_new(bins, json_pack("{s:f, s:f}", FIELD_START_MS, spec->bins[i].start_ms,
							   FIELD_END_MS, spec->bins[i].end_ms));
	return rc;
}

int session_spec_encode(const struct session_spec *spec, struct error *err, json_t **ret_object)
{
	json_t *object = json_pack("{s:s, s:s}", FIELD_NAME, spec->name, FIELD_RESPONSE_TYPE,
				   response_types[spec->response_type]);
	int rc = object ? 0 : -1;

	if (!rc)
		rc = encode_lists(spec, object);
	if (!rc)
		rc = json_object_set_new(object, FIELD_TARGET,
					 json_pack("{s:i, s:i}", FIELD_FIRST_BIN, (int)spec->target_first_bin,
						   FIELD_N_BINS, (int)spec->target_n_bins));
	if (!rc)
		rc = json_object_set_new(object, FIELD_DISPLAY,
					 json_pack("{s:f, s:f, s:f, s:f, s:f, s:[i, i, i]}", FIELD_SIZE_DEG,
						   spec->image_size_deg, FIELD_X_DEG, spec->image_x_deg, FIELD_Y_DEG,
						   spec->image_y_deg, FIELD_PX_PER_DEG, spec->pixels_per_deg,
						   FIELD_REFRESH_HZ, spec->refresh_hz, FIELD_BACKGROUND,
						   spec->background[0], spec->background[1], spec->background[2]));
	if (rc) {
		json_decref(object);
		return error_set(err, -ENOMEM, "session: out of memory");
	}
	*ret_object = object;
	return 0;
}

static bool arrays_same(const struct session_array *a, const struct session_array *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->area, b->area) && a->rf_known == b->rf_known &&
	       a->rf_x_deg == b->rf_x_deg && a->rf_y_deg == b->rf_y_deg && a->rf_size_deg == b->rf_size_deg;
}

bool session_spec_same_unit(const struct session_unit *a, const struct session_unit *b)
{
	return a->id == b->id && !strcmp(a->label, b->label) && a->array == b->array;
}

static bool at_open(const struct session_unit *unit)
{
	return unit->from_run == 0 && unit->from_number == 1;
}

bool session_spec_same(const struct session_spec *spec, const struct session_spec *asked)
{
	uint32_t n = 0;

	if (strcmp(spec->name, asked->name) || spec->response_type != asked->response_type ||
	    spec->n_arrays != asked->n_arrays || spec->n_bins != asked->n_bins ||
	    spec->target_first_bin != asked->target_first_bin || spec->target_n_bins != asked->target_n_bins ||
	    spec->image_size_deg != asked->image_size_deg || spec->image_x_deg != asked->image_x_deg ||
	    spec->image_y_deg != asked->image_y_deg || spec->pixels_per_deg != asked->pixels_per_deg ||
	    spec->refresh_hz != asked->refresh_hz ||
	    memcmp(spec->background, asked->background, sizeof spec->background) != 0)
		return false;
	for (uint32_t i = 0; i < spec->n_arrays; i++) {
		if (!arrays_same(&spec->arrays[i], &asked->arrays[i]))
			return false;
	}
	for (uint32_t i = 0; i < spec->n_bins; i++) {
		if (spec->bins[i].start_ms != asked->bins[i].start_ms || spec->bins[i].end_ms != asked->bins[i].end_ms)
			return false;
	}
	/* Units are only ever appended, so those of the opening are the first ones. */
	while (n < spec->n_units && at_open(&spec->units[n]))
		n++;
	if (n != asked->n_units)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!session_spec_same_unit(&spec->units[i], &asked->units[i]))
			return false;
	}
	return true;
}
