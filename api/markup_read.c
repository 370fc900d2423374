/* Reading a tree that markup.c has built. */
#include "api/markup.h"

#include <string.h>

const struct markup *markup_get(const struct markup *map, const char *name)
{
	if (!map || map->kind != MARKUP_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->members[i].name, name) == 0)
			return map->members[i].value;
	return NULL;
}

const char *markup_string(const struct markup *map, const char *name)
{
	const struct markup *m = markup_get(map, name);

	return m && m->kind == MARKUP_STRING ? m->text : NULL;
}

bool markup_bool(const struct markup *map, const char *name, bool fallback)
{
	const struct markup *m = markup_get(map, name);

	return m && m->kind == MARKUP_BOOL ? m->truth : fallback;
}

int64_t markup_int(const struct markup *map, const char *name, int64_t fallback)
{
	const struct markup *m = markup_get(map, name);

	return m && m->kind == MARKUP_INT ? m->integer : fallback;
}

const struct markup *markup_follow(const struct markup *root, const char *ref)
{
	char name[128];

	if (*ref++ != '#')
		return NULL;
	while (root && *ref == '/') {
		size_t length = strcspn(++ref, "/");

		if (length >= sizeof(name))
			return NULL;
		memcpy(name, ref, length);
		name[length] = '\0';
		root = markup_get(root, name);
		ref += length;
	}
	return *ref ? NULL : root;
}

static void json_members(struct text *out, const struct markup *m)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->kind == MARKUP_MAP)
			json_key(out, m->members[i].name);
		markup_json(out, m->members[i].value);
	}
}

void markup_json(struct text *out, const struct markup *m)
{
	switch (m->kind) {
	case MARKUP_NULL:
		json_null(out);
		break;
	case MARKUP_BOOL:
		json_bool(out, m->truth);
		break;
	case MARKUP_INT:
		json_int(out, m->integer);
		break;
	case MARKUP_REAL:
		json_double(out, m->real);
		break;
	case MARKUP_STRING:
		json_string(out, m->text);
		break;
	case MARKUP_LIST:
		json_array(out);
		json_members(out, m);
		json_end_array(out);
		break;
	case MARKUP_MAP:
		json_object(out);
		json_members(out, m);
		json_end_object(out);
		break;
	}
}
