/* The member `register` of a spec. */
#include "api/records_take.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/spec.h"
#include "server/core/expand.h"

/* As the canonical text of the spec has it. */
static char *value_text(struct decoding *d, const json_t *value)
{
	char *text = value ? json_dumps(value, SPEC_DUMP_FLAGS | JSON_ENCODE_ANY)
			   : copy_string(d, "null");

	if (!text)
		d->no_memory = true;
	return text;
}

static void take_claim(struct decoding *d, const json_t *o, struct claim *ret, bool *expanding)
{
	const char *registry = take_name(d, o, "registry", "default");
	const char *key = take_string(d, o, "key");
	size_t bytes = strlen("entry//") + strlen(registry) + strlen(key);

	if (key[0] == '\0' || registry[0] == '\0' || strchr(registry, '/') || bytes > KEY_BYTES_MAX)
		d->wrong = true;
	ret->key_bytes = bytes;
	ret->key = malloc(bytes + 1);
	if (ret->key)
		snprintf(ret->key, bytes + 1, "entry/%s/%s", registry, key);
	else
		d->no_memory = true;
	ret->on_taken = taken_rule_from(take_name(d, o, "on_taken", "fail"));
	if (ret->on_taken == TAKEN_RULE_COUNT)
		d->wrong = true;
	ret->value = value_text(d, json_object_get(o, "value"));
	*expanding = *expanding || (ret->key && expands(ret->key)) ||
		     (ret->value && expands(ret->value));
}

void decode_claims(struct decoding *d, const json_t *spec, struct claims *ret)
{
	const json_t *array = json_object_get(spec, "register");
	size_t count = json_array_size(array);

	if (count > CLAIMS_MAX || (array && !json_is_array(array)))
		d->wrong = true;
	if (count == 0 || count > CLAIMS_MAX)
		return;
	ret->items = calloc(count, sizeof(*ret->items));
	if (!ret->items) {
		d->no_memory = true;
		return;
	}
	ret->count = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		take_claim(d, json_array_get(array, i), &ret->items[i], &ret->expands);
}
