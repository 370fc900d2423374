#include "api/claims.h"

#include <stdio.h>
#include <string.h>

#include "api/resource.h"

static const char *registry_of(const json_t *claim)
{
	const char *name = json_string_value(json_object_get(claim, "registry"));

	return name ? name : DEFAULT_NAME;
}

static bool is_same(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "key"), json_object_get(b, "key")) &&
	       strcmp(registry_of(a), registry_of(b)) == 0;
}

bool claims_known(struct faults *f, const char *pointer, const json_t *spec, const struct horde *h)
{
	const json_t *array = json_object_get(spec, "register");
	const struct entry *e;
	char whole[256];
	bool known = true;

	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name = registry_of(json_array_get(array, i));

		if (horde_registry(h, name, &e))
			continue;
		snprintf(whole, sizeof(whole), "%s/register/%zu/registry", pointer, i);
		faults_add(f, whole, "unknown-registry", "there is no registry '%s'", name);
		known = false;
	}
	return known;
}

bool claims_sound(struct faults *f, const char *pointer, const json_t *spec)
{
	const json_t *array = json_object_get(spec, "register");
	char whole[256];
	bool sound = true;

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *one = json_array_get(array, i);

		for (size_t k = 0; k < i; k++) {
			if (!is_same(one, json_array_get(array, k)))
				continue;
			snprintf(whole, sizeof(whole), "%s/register/%zu/key", pointer, i);
			faults_add(f, whole, "duplicate", "it is named twice");
			sound = false;
			break;
		}
	}
	return sound;
}
