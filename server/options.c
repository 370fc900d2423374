#include "server/options_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/duration.h"
#include "api/nearest.h"

void option_fault(struct option_reading *r, const char *format, ...)
{
	char line[OPTION_BYTES_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	/* Values come from outside; a control character would break the line. */
	for (char *p = line; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	text_addf(r->faults, "%s\n", line);
}

/* ---- values ---- */

static void *place_of(const struct options *o, const struct option_row *row)
{
	return (char *)(uintptr_t)o + row->offset;
}

static void list_clear(struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct option_list){0};
}

static void list_add(struct option_reading *r, struct option_list *list, const char *where,
	const char *value, size_t bytes)
{
	if (list->count == OPTION_ITEMS_MAX) {
		option_fault(r, "%s: at most %d items", where, OPTION_ITEMS_MAX);
		return;
	}
	char **items = reallocarray(list->items, list->count + 1, sizeof *items);
	if (items)
		list->items = items;
	char *copy = items ? strndup(value, bytes) : NULL;
	if (copy)
		list->items[list->count++] = copy;
	else
		r->no_memory = true;
}

static void set_list(struct option_reading *r, struct option_list *list, enum option_source source,
	const char *where, const char *value)
{
	const char *end;

	if (source != SOURCE_ENVIRONMENT) {
		list_add(r, list, where, value, strlen(value));
		return;
	}
	for (; *value; value = *end ? end + 1 : end) {
		end = value + strcspn(value, ",");
		if (end > value)
			list_add(r, list, where, value, (size_t)(end - value));
	}
}

static void set_flag(struct option_reading *r, bool *ret, const char *where, const char *value)
{
	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*ret = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*ret = false;
	else
		option_fault(r, "%s: '%s' is neither true nor false", where, value);
}

static enum err parse_ms(const char *value, int64_t *ret_ms)
{
	if (!*value || value[strspn(value, "0123456789")])
		return duration_parse(value, ret_ms);
	errno = 0;
	*ret_ms = strtoll(value, NULL, 10);
	return errno ? ERR_LIMIT : ERR_OK;
}

static void set_ms(struct option_reading *r, const struct option_row *row, int64_t *ret,
	const char *where, const char *value)
{
	int64_t ms = 0;
	enum err e = parse_ms(value, &ms);

	if (e == ERR_MALFORMED)
		option_fault(
			r, "%s: '%s' is no time: write 500, 250ms, 30s, 5m or 1h", where, value);
	else if (e || ms > row->max)
		option_fault(r, "%s: must be at most %lld ms", where, (long long)row->max);
	else
		*ret = ms;
}

static void set_number(struct option_reading *r, const struct option_row *row, int64_t *ret,
	const char *where, const char *value)
{
	int64_t number;

	if (!*value || value[strspn(value, "0123456789")]) {
		option_fault(r, "%s: '%s' is no plain number", where, value);
		return;
	}
	errno = 0;
	number = strtoll(value, NULL, 10);
	if (errno || number < row->min || number > row->max)
		option_fault(r, "%s: must be from %lld to %lld", where, (long long)row->min,
			(long long)row->max);
	else
		*ret = number;
}

/* How far a unit shifts, -1: there is none. */
static int unit_shift(const char *unit)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};

	for (int i = 0; i < 5; i++)
		if (strcmp(unit, units[i]) == 0)
			return 10 * i;
	return -1;
}

static void set_bytes(struct option_reading *r, const struct option_row *row, int64_t *ret,
	const char *where, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	int shift = unit_shift(value + digits);
	int64_t number;

	if (!digits || shift < 0) {
		option_fault(r, "%s: '%s' is no size: write 1048576, 64KiB, 500MiB, 20GiB or 1TiB",
			where, value);
		return;
	}
	errno = 0;
	number = strtoll(value, NULL, 10);
	if (errno || number > row->max >> shift || number << shift < row->min)
		option_fault(r, "%s: must be from %lld to %lld bytes", where, (long long)row->min,
			(long long)row->max);
	else
		*ret = number << shift;
}

static void set_choice(struct option_reading *r, const struct option_row *row, int *ret,
	const char *where, const char *value)
{
	struct nearest nearest = {.wanted = value};

	for (int i = 0; row->choices[i]; i++) {
		nearest_offer(&nearest, row->choices[i]);
		if (strcmp(value, row->choices[i]) == 0) {
			*ret = i;
			return;
		}
	}
	option_fault(r, "%s: unknown value '%s'; did you mean '%s'?", where, value, nearest.best);
}

static void set_text(struct option_reading *r, char **ret, const char *value)
{
	char *copy = strdup(value);

	if (!copy) {
		r->no_memory = true;
		return;
	}
	free(*ret);
	*ret = copy;
}

void option_set(struct option_reading *r, const struct option_row *row, enum option_source source,
	const char *where, const char *value)
{
	enum option_source *present = &r->sources[row - option_rows];
	void *place = place_of(r->o, row);

	if (*present > source)
		return;
	*present = source;
	if (strlen(value) > OPTION_BYTES_MAX) {
		option_fault(r, "%s: longer than %d bytes", where, OPTION_BYTES_MAX);
		return;
	}
	switch (row->kind) {
	case OPTION_FLAG:
		set_flag(r, place, where, value);
		break;
	case OPTION_TEXT:
		set_text(r, place, value);
		break;
	case OPTION_LIST:
		set_list(r, place, source, where, value);
		break;
	case OPTION_MS:
		set_ms(r, row, place, where, value);
		break;
	case OPTION_NUMBER:
		set_number(r, row, place, where, value);
		break;
	case OPTION_BYTES:
		set_bytes(r, row, place, where, value);
		break;
	case OPTION_CHOICE:
		set_choice(r, row, place, where, value);
		break;
	}
}

/* ---- flags ---- */

static const struct option_row *flag_row(struct option_reading *r, const char *name, size_t bytes)
{
	char wanted[OPTION_NAME_BYTES];
	struct nearest nearest = {.wanted = wanted};

	snprintf(wanted, sizeof wanted, "%.*s", (int)(bytes > 200 ? 200 : bytes), name);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (!(option_rows[i].sources & SOURCE_FLAG))
			continue;
		if (strlen(option_rows[i].name) == bytes &&
			memcmp(option_rows[i].name, name, bytes) == 0)
			return &option_rows[i];
		nearest_offer(&nearest, option_rows[i].name);
	}
	option_fault(r, "unknown flag --%s; did you mean --%s?", wanted, nearest.best);
	return NULL;
}

static void read_flags(struct option_reading *r, int argc, char **argv)
{
	char where[OPTION_NAME_BYTES + 2];

	for (int i = 1; i < argc; i++) {
		const char *flag = argv[i], *equals = strchr(flag, '=');
		if (strncmp(flag, "--", 2) != 0 || !flag[2]) {
			option_fault(r, "unexpected argument '%s'; options begin with --", flag);
			continue;
		}
		size_t bytes = equals ? (size_t)(equals - flag - 2) : strlen(flag + 2);
		const struct option_row *row = flag_row(r, flag + 2, bytes);
		if (!row)
			continue;
		snprintf(where, sizeof where, "--%s", row->name);
		if (equals)
			option_set(r, row, SOURCE_FLAG, where, equals + 1);
		else if (row->kind == OPTION_FLAG)
			option_set(r, row, SOURCE_FLAG, where, "true");
		else if (i + 1 < argc)
			option_set(r, row, SOURCE_FLAG, where, argv[++i]);
		else
			option_fault(r, "%s needs a value", where);
	}
}

/* ---- the environment and the defaults ---- */

const char *options_variable(char *const *environment, const char *name)
{
	size_t bytes = strlen(name);

	for (; *environment; environment++)
		if (strncmp(*environment, name, bytes) == 0 && (*environment)[bytes] == '=' &&
			(*environment)[bytes + 1])
			return *environment + bytes + 1;
	return NULL;
}

static void read_environment(struct option_reading *r, char *const *environment)
{
	char name[OPTION_NAME_BYTES];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		option_variable(&option_rows[i], name);
		const char *value = options_variable(environment, name);
		if (value && option_rows[i].sources & SOURCE_ENVIRONMENT)
			option_set(r, &option_rows[i], SOURCE_ENVIRONMENT, name, value);
	}
}

static void read_defaults(struct option_reading *r)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].fallback)
			option_set(r, &option_rows[i], SOURCE_DEFAULT, "default",
				option_rows[i].fallback);
}

enum err options_load(
	int argc, char **argv, char *const *environment, struct options *ret, struct text *faults)
{
	struct options o = {0};
	struct option_reading r = {.o = &o, .faults = faults};

	read_flags(&r, argc, argv);
	if (!o.help && !o.version) {
		read_environment(&r, environment);
		if (o.config)
			options_read_file(&r);
		read_defaults(&r);
		options_settle(&r, environment);
	}
	if (r.no_memory || faults->failed || faults->used > 0) {
		options_fini(&o);
		return r.no_memory || faults->failed ? ERR_NO_MEMORY : ERR_MALFORMED;
	}
	*ret = o;
	return ERR_OK;
}

void options_fini(struct options *o)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (option_rows[i].kind == OPTION_TEXT)
			free(*(char **)place_of(o, &option_rows[i]));
		else if (option_rows[i].kind == OPTION_LIST)
			list_clear(place_of(o, &option_rows[i]));
	}
	declared_fini(&o->children);
	*o = (struct options){0};
}
