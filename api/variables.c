#include "api/variables.h"

#include <string.h>

#define OURS "HORDE_"

static void fault(
	struct faults *f, const char *pointer, const char *name, const char *code, const char *why)
{
	faults_begin(f, pointer);
	faults_enter(f, "env_from");
	faults_enter(f, name);
	faults_add_here(f, code, "%s", why);
}

bool variables_sound(struct faults *f, const char *pointer, const json_t *spec)
{
	const json_t *env = json_object_get(spec, "env");
	json_t *from = json_object_get(spec, "env_from"), *value;
	const char *name;
	bool sound = true;

	json_object_foreach(from, name, value)
	{
		if (strncmp(name, OURS, strlen(OURS)) == 0) {
			fault(f, pointer, name, "reserved", "is set by Horde");
			sound = false;
		} else if (json_object_get(env, name)) {
			fault(f, pointer, name, "duplicate", "is in `env` too");
			sound = false;
		}
	}
	return sound;
}
