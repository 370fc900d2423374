#include "server/core/expand.h"

#include <string.h>

#define OURS "HORDE_"
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* The length of NAME, when "${HORDE_NAME}" stands at `s`; else 0. */
static size_t name_at(const char *s)
{
	size_t bytes;

	if (strncmp(s, "${" OURS, strlen("${" OURS)) != 0)
		return 0;
	bytes = strspn(s + 2, NAME_CHARACTERS);
	return s[2 + bytes] == '}' ? bytes : 0;
}

const char *expand_next(const char *s, size_t *ret_bytes)
{
	while ((s = strchr(s, '$'))) {
		*ret_bytes = name_at(s);
		if (*ret_bytes > 0)
			return s;
		s += s[1] == '$' ? 2 : 1;
	}
	return NULL;
}

bool expands(const char *s)
{
	size_t bytes;

	return strstr(s, "$$") || expand_next(s, &bytes);
}

static const char *value_of(char *const *variables, const char *name, size_t bytes)
{
	for (; variables && *variables; variables++)
		if (strncmp(*variables, name, bytes) == 0 && (*variables)[bytes] == '=')
			return *variables + bytes + 1;
	return NULL;
}

/* As it stands within a string of JSON. */
static void add_escaped(struct text *out, const char *value)
{
	struct text quoted = TEXT_INIT;

	json_string(&quoted, value);
	if (text_ok(&quoted))
		text_add(out, quoted.bytes + 1, quoted.used - 2);
	else
		out->failed = true;
	text_fini(&quoted);
}

bool expand(const char *s, char *const *variables, bool json, struct text *out)
{
	bool known = true;

	while (*s) {
		size_t plain = strcspn(s, "$"), name = name_at(s + plain);
		const char *value = name ? value_of(variables, s + plain + 2, name) : NULL;

		text_add(out, s, plain);
		s += plain;
		if (value && json)
			add_escaped(out, value);
		else if (value)
			text_adds(out, value);
		else if (*s)
			text_add(out, s, name ? name + 3 : 1);
		known = known && (!name || value);
		s += name ? name + 3 : s[0] && s[1] == '$' ? 2 : *s ? 1 : 0;
	}
	return known;
}
