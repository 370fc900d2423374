#include "api/expansions.h"

#include <ctype.h>
#include <string.h>

#include "api/ports.h"
#include "server/core/expand.h"

#define PORT "HORDE_PORT_"

struct search {
	struct faults *faults;
	const json_t *spec;
	bool defaults;
	bool key; /* of a name, which has to be the same on every node */
	bool sound;
};

/* A key is the child's from node to node, so only what goes with it may stand there. */
static const struct {
	const char *name;
	bool in_keys;
} known[] = {
	{"HORDE_CHILD", true},
	{"HORDE_CHILD_REF", true},
	{"HORDE_SUPERVISOR", true},
	{"HORDE_NODE", false},
	{"HORDE_URL", false},
	{"HORDE_EPOCH", false},
	{"HORDE_RUN_DIR", false},
};

/* Back from HORDE_PORT_HTTP_ADMIN to http-admin, which no other name becomes. */
static bool is_port(const struct search *s, const char *name, size_t bytes)
{
	char port[64];
	size_t used = 0;

	if (s->key || bytes <= strlen(PORT) || strncmp(name, PORT, strlen(PORT)) != 0)
		return false;
	for (size_t i = strlen(PORT); i < bytes && used < sizeof(port); i++)
		port[used++] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
	return s->defaults || ports_named(s->spec, port, used);
}

static bool is_known(const struct search *s, const char *name, size_t bytes)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == bytes && memcmp(known[i].name, name, bytes) == 0)
			return !s->key || known[i].in_keys;
	return is_port(s, name, bytes);
}

static void look_at_text(struct search *s, const char *text)
{
	size_t bytes = 0;

	for (const char *at = text; (at = expand_next(at, &bytes)); at += bytes) {
		if (is_known(s, at + 2, bytes))
			continue;
		faults_add_here(s->faults, "unknown-variable", "%.*s is %s", (int)bytes, at + 2,
			s->key ? "not known in a key, or not the same on every node" : "not known");
		s->sound = false;
	}
}

/* Whatever is a text in it, however deep. */
static void look_at(struct search *s, const json_t *value)
{
	json_t *members = (json_t *)(uintptr_t)value, *member;
	const char *name;
	size_t here, i;

	if (json_is_string(value))
		look_at_text(s, json_string_value(value));
	json_object_foreach(members, name, member)
	{
		here = faults_enter(s->faults, name);
		look_at(s, member);
		faults_leave(s->faults, here);
	}
	json_array_foreach(members, i, member)
	{
		here = faults_enter_item(s->faults, i);
		look_at(s, member);
		faults_leave(s->faults, here);
	}
}

static void look_at_member(struct search *s, const json_t *object, const char *name)
{
	size_t here = faults_enter(s->faults, name);

	look_at(s, json_object_get(object, name));
	faults_leave(s->faults, here);
}

static void look_at_names(struct search *s)
{
	const json_t *array = json_object_get(s->spec, "register");
	size_t here = faults_enter(s->faults, "register");

	for (size_t i = 0; i < json_array_size(array); i++) {
		size_t names = faults_enter_item(s->faults, i);

		s->key = true;
		look_at_member(s, json_array_get(array, i), "key");
		s->key = false;
		look_at_member(s, json_array_get(array, i), "value");
		faults_leave(s->faults, names);
	}
	faults_leave(s->faults, here);
}

bool expansions_sound(struct faults *f, const char *pointer, const json_t *spec, bool defaults)
{
	static const char *const members[] = {
		"command", "arguments", "env", "cwd", "ready", "health"};
	struct search s = {.faults = f, .spec = spec, .defaults = defaults, .sound = true};

	faults_begin(f, pointer);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		look_at_member(&s, spec, members[i]);
	look_at_names(&s);
	return s.sound;
}
