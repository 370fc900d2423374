#include "api/variables.h"

#include <stdio.h>
#include <string.h>

#include "api/limits.h"

#define OURS "HORDE_"

static void fault(struct faults *f, const char *pointer, const char *member, const char *name,
	const char *code, const char *why)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s/%.100s", pointer, member, name);
	faults_add(f, whole, code, "%s", why);
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
			fault(f, pointer, "env_from", name, "reserved", "is set by Horde");
			sound = false;
		} else if (json_object_get(env, name)) {
			fault(f, pointer, "env_from", name, "duplicate", "is in `env` too");
			sound = false;
		}
	}
	return sound;
}
