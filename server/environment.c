#include "server/environment.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/expand.h"
#include "server/secrets.h"

#define PATH_FIXED "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define LANG_FIXED "LANG=C.UTF-8"

/* ---- the list ------------------------------------------------------------------------------ */

static bool has(const struct environment *e, const char *name, size_t name_bytes)
{
	for (size_t i = 0; i < e->count; i++)
		if (strncmp(e->items[i], name, name_bytes) == 0 && e->items[i][name_bytes] == '=')
			return true;
	return false;
}

static bool make_room(struct environment *e)
{
	size_t size = e->size ? 2 * e->size : 32;
	char **items;

	if (e->count + 1 < e->size)
		return true;
	items = reallocarray(e->items, size, sizeof *items);
	if (!items)
		return false;
	e->items = items;
	e->size = size;
	return true;
}

static void add(struct environment *e, const char *name, size_t name_bytes, const char *value,
	size_t value_bytes)
{
	char *item;

	if (e->failed || has(e, name, name_bytes))
		return;
	item = make_room(e) ? malloc(name_bytes + value_bytes + 2) : NULL;
	if (!item) {
		e->failed = true;
		return;
	}
	memcpy(item, name, name_bytes);
	item[name_bytes] = '=';
	memcpy(item + name_bytes + 1, value, value_bytes);
	item[name_bytes + 1 + value_bytes] = '\0';
	e->items[e->count++] = item;
	e->items[e->count] = NULL;
}

void environment_add(struct environment *e, const char *name, const char *value, size_t bytes)
{
	add(e, name, strlen(name), value, bytes);
}

void environment_add_item(struct environment *e, const char *item)
{
	size_t name = strcspn(item, "=");

	add(e, item, name, item + name + 1, strlen(item + name + 1));
}

void environment_unknown(struct environment *e, const char *text)
{
	size_t bytes = 0;
	const char *at = text;

	while ((at = expand_next(at, &bytes)) && has(e, at + 2, bytes))
		at += bytes;
	if (at && !e->error[0])
		snprintf(e->error, sizeof e->error, "expand: no %.*s", (int)bytes, at + 2);
}

void environment_add_meant(struct environment *e, const char *item)
{
	struct text out = TEXT_INIT;

	if (!expands(item)) {
		environment_add_item(e, item);
		return;
	}
	if (!expand(item, e->items, false, &out))
		environment_unknown(e, item);
	if (text_cstr(&out))
		environment_add_item(e, out.bytes);
	else
		e->failed = true;
	text_fini(&out);
}

void environment_fini(struct environment *e)
{
	for (size_t i = 0; i < e->count; i++) {
		explicit_bzero(e->items[i], strlen(e->items[i]));
		free(e->items[i]);
	}
	free(e->items);
}

/* ---- secrets ------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void cannot(
	struct environment *e, int error, const char *format, ...)
{
	const char *name = strerrorname_np(error);
	char where[ERROR_BYTES_MAX];
	va_list args;

	if (e->error[0])
		return;
	va_start(args, format);
	vsnprintf(where, sizeof where, format, args);
	va_end(args);
	snprintf(e->error, sizeof e->error, "%.40s: %s", where, name ? name : "unknown error");
}

/* "NAME=/path" */
static void add_from(struct environment *e, const char *item, const struct option_list *dirs)
{
	char bytes[ENVIRONMENT_FILE_BYTES_MAX];
	size_t name = strcspn(item, "="), count;
	int error;

	if (has(e, item, name))
		return;
	error = secrets_read(dirs, item + name + 1, bytes, sizeof bytes, &count);
	if (!error && count && bytes[count - 1] == '\n')
		count--;
	if (!error && memchr(bytes, '\0', count))
		error = EINVAL;
	if (error)
		cannot(e, error, "env_from.%.*s", (int)name, item);
	else
		add(e, item, name, bytes, count);
	explicit_bzero(bytes, sizeof bytes);
}

/* A line of a file of variables; false: it is none. */
static bool add_line(struct environment *e, const char *line, size_t count)
{
	const char *equals;

	if (count && line[count - 1] == '\r')
		count--;
	if (count == 0 || line[0] == '#')
		return true;
	equals = memchr(line, '=', count);
	if (!equals || equals == line || memchr(line, '\0', count))
		return false;
	add(e, line, (size_t)(equals - line), equals + 1, count - (size_t)(equals - line) - 1);
	return true;
}

static void add_file(
	struct environment *e, const char *path, size_t index, const struct option_list *dirs)
{
	char bytes[ENVIRONMENT_FILE_BYTES_MAX];
	size_t count, line;
	int error = secrets_read(dirs, path, bytes, sizeof bytes, &count);

	for (size_t at = 0; !error && at < count; at += line + 1) {
		const char *end = memchr(bytes + at, '\n', count - at);

		line = end ? (size_t)(end - bytes) - at : count - at;
		if (!add_line(e, bytes + at, line))
			error = EINVAL;
	}
	if (error)
		cannot(e, error, "env_files[%zu]", index);
	explicit_bzero(bytes, sizeof bytes);
}

void environment_add_spec(
	struct environment *e, const struct spec_record *s, const struct option_list *secrets_dirs)
{
	size_t files = 0;

	for (char *const *item = s->env; item && *item; item++)
		environment_add_meant(e, *item);
	for (char *const *item = s->env_from; item && *item; item++)
		add_from(e, *item, secrets_dirs);
	while (s->env_files && s->env_files[files])
		files++;
	while (files-- > 0)
		add_file(e, s->env_files[files], files, secrets_dirs);
}

/* ---- the node's own ------------------------------------------------------------------------ */

static void let_through(struct environment *e, const char *name)
{
	const char *value = getenv(name);

	if (value)
		environment_add(e, name, value, strlen(value));
}

void environment_add_node(struct environment *e, const struct options *o)
{
	for (size_t i = 0; i < o->inherit_env.count; i++)
		let_through(e, o->inherit_env.items[i]);
	let_through(e, "LANG");
	let_through(e, "TZ");
	environment_add_item(e, LANG_FIXED);
	environment_add_item(e, PATH_FIXED);
}
