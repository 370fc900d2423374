#include "api/checks.h"

#include <stdio.h>
#include <string.h>

#include "server/core/checks.h"

/* Which kinds have a member, and which cannot do without it. */
static const struct {
	const char *name;
	unsigned of;
	unsigned needed;
} members[] = {
	{"port", 1u << CHECK_TCP | 1u << CHECK_HTTP, 0},
	{"port_name", 1u << CHECK_TCP | 1u << CHECK_HTTP, 0},
	{"host", 1u << CHECK_TCP | 1u << CHECK_HTTP, 0},
	{"path", 1u << CHECK_HTTP, 0},
	{"command", 1u << CHECK_EXEC, 1u << CHECK_EXEC},
	{"period_ms", 1u << CHECK_TCP | 1u << CHECK_HTTP | 1u << CHECK_EXEC, 0},
	{"try_timeout_ms", 1u << CHECK_TCP | 1u << CHECK_HTTP | 1u << CHECK_EXEC, 0},
};

static void fault(struct faults *f, const char *pointer, const char *place, const char *member,
	const char *code, const char *kind, const char *why)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s%s/%s", pointer, place, member);
	faults_add(f, whole, code, "a check of kind '%s' %s", kind, why);
}

/* A port that is asked has a number or a name. */
static bool is_port_sound(struct faults *f, const char *pointer, const char *place,
	const json_t *check, const char *kind)
{
	bool number = json_object_get(check, "port"), name = json_object_get(check, "port_name");

	if (number && name)
		fault(f, pointer, place, "port_name", "contradiction", kind, "has one port");
	if (!number && !name)
		fault(f, pointer, place, "port", "required", kind, "needs it, or `port_name`");
	return number != name;
}

/* `place` is that of the check in the spec. */
static bool is_sound(struct faults *f, const char *pointer, const char *place, const json_t *check)
{
	const char *name = json_string_value(json_object_get(check, "kind"));
	enum check_kind kind = name ? check_kind_from(name) : CHECK_KIND_COUNT;
	bool sound = true;

	if (!name) {
		/* A merge patch may have taken it away. */
		fault(f, pointer, place, "kind", "required", "", "has to say so");
		return false;
	}
	if (kind == CHECK_TCP || kind == CHECK_HTTP)
		sound = is_port_sound(f, pointer, place, check, name);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		bool there = json_object_get(check, members[i].name);

		if (there && !(members[i].of >> kind & 1)) {
			fault(f, pointer, place, members[i].name, "contradiction", name,
				"has no such member");
			sound = false;
		} else if (!there && members[i].needed >> kind & 1) {
			fault(f, pointer, place, members[i].name, "required", name, "needs it");
			sound = false;
		}
	}
	return sound;
}

bool checks_sound(struct faults *f, const char *pointer, const json_t *spec)
{
	const json_t *ready = json_object_get(spec, "ready"), *health;
	char place[CHECKS_POINTER_BYTES];
	bool sound = true;

	if (json_is_object(ready))
		sound = is_sound(f, pointer, "/ready", ready);
	health = json_object_get(spec, "health");
	for (size_t i = 0; i < json_array_size(health); i++) {
		snprintf(place, sizeof(place), "/health/%zu", i);
		sound = is_sound(f, pointer, place, json_array_get(health, i)) && sound;
	}
	return sound;
}
