#include "api/ports.h"

#include <stdio.h>
#include <string.h>

static bool fault(struct faults *f, const char *pointer, const char *member, size_t index,
	const char *place, const char *why)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s/%zu/%s", pointer, member, index, place);
	faults_add(f, whole, "duplicate", "%s", why);
	return false;
}

/* The first `count` of them have this one's `member` too. */
static bool is_there(const json_t *ports, size_t count, const json_t *port, const char *member)
{
	const json_t *value = json_object_get(port, member);

	for (size_t i = 0; value && i < count; i++)
		if (json_equal(value, json_object_get(json_array_get(ports, i), member)))
			return true;
	return false;
}

bool ports_named(const json_t *spec, const char *name, size_t bytes)
{
	const json_t *ports = json_object_get(spec, "ports");

	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *one = json_object_get(json_array_get(ports, i), "name");

		if (json_is_string(one) && json_string_length(one) == bytes &&
			memcmp(json_string_value(one), name, bytes) == 0)
			return true;
	}
	return false;
}

/* `place` is that of the check in the spec. */
static bool is_check_sound(struct faults *f, const char *pointer, const char *place,
	const json_t *spec, const json_t *check)
{
	const char *name = json_string_value(json_object_get(check, "port_name"));
	char whole[256];

	if (!name || ports_named(spec, name, strlen(name)))
		return true;
	snprintf(whole, sizeof(whole), "%s/%s/port_name", pointer, place);
	faults_add(f, whole, "unknown-port", "it has no port '%s'", name);
	return false;
}

bool ports_sound(struct faults *f, const char *pointer, const json_t *spec)
{
	const json_t *ports = json_object_get(spec, "ports"), *health;
	bool sound = is_check_sound(f, pointer, "ready", spec, json_object_get(spec, "ready"));
	char place[32];

	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *one = json_array_get(ports, i);

		if (is_there(ports, i, one, "name"))
			sound = fault(f, pointer, "ports", i, "name", "it is named twice");
		if (is_there(ports, i, one, "port"))
			sound = fault(f, pointer, "ports", i, "port", "it is another one's too");
	}
	health = json_object_get(spec, "health");
	for (size_t i = 0; i < json_array_size(health); i++) {
		snprintf(place, sizeof(place), "health/%zu", i);
		sound = is_check_sound(f, pointer, place, spec, json_array_get(health, i)) && sound;
	}
	return sound;
}
