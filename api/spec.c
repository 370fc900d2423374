#include "api/spec.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/json_text.h"

/* Members that GET adds; they are dropped on the way in. */
static const char *const added_to_specs[] = {"id", "supervisor", "desired", "created_at", "source",
	"etag", "status", "applied", "warnings", NULL};
static const char *const added_to_options[] = {
	"name", "created_at", "etag", "state", "stopped_by", NULL};

static enum err canonical(const json_t *object, const char *const *read_only, struct text *out)
{
	json_t *copy = json_whole(json_copy((json_t *)(uintptr_t)object), object);
	char *dump = NULL;

	if (!copy)
		return ERR_NO_MEMORY;
	for (; *read_only; read_only++)
		json_object_del(copy, *read_only);
	dump = json_dumps(copy, SPEC_DUMP_FLAGS);
	json_decref(copy);
	if (!dump)
		return ERR_NO_MEMORY;
	text_adds(out, dump);
	free(dump);
	return text_ok(out) ? ERR_OK : ERR_NO_MEMORY;
}

enum err spec_canonical(const json_t *spec, struct text *out)
{
	return canonical(spec, added_to_specs, out);
}

enum err spec_life(const json_t *spec, struct text *out)
{
	static const char *const not_of_life[] = {"retain_ms", NULL};

	return canonical(spec, not_of_life, out);
}

enum err options_canonical(const json_t *options, struct text *out)
{
	return canonical(options, added_to_options, out);
}

void spec_value(const struct spec_parts *parts, struct text *out)
{
	json_object(out);
	json_put_int(out, "created_at", parts->created_at_ms);
	json_put_string(out, "desired", parts->running ? "running" : "stopped");
	if (parts->from_file)
		json_put_string(out, "source", "file");
	json_key(out, "spec");
	json_raw(out, parts->spec, parts->spec_bytes);
	json_end_object(out);
}

enum err spec_split(const char *value, size_t value_bytes, struct spec_parts *ret_parts)
{
	struct spec_parts p = {0};
	size_t created_bytes, desired_bytes, source_bytes;
	const char *created = json_member(value, value_bytes, "created_at", &created_bytes);
	const char *desired = json_member(value, value_bytes, "desired", &desired_bytes);
	const char *source = json_member(value, value_bytes, "source", &source_bytes);
	char *end;

	p.spec = json_member(value, value_bytes, "spec", &p.spec_bytes);
	if (!created || !desired || !p.spec || p.spec_bytes < 2 || p.spec[0] != '{')
		return ERR_MALFORMED;
	p.created_at_ms = strtoll(created, &end, 10);
	if (end != created + created_bytes)
		return ERR_MALFORMED;
	p.running = desired_bytes != 9 || memcmp(desired, "\"stopped\"", 9) != 0;
	p.from_file = source && source_bytes == 6 && memcmp(source, "\"file\"", 6) == 0;
	*ret_parts = p;
	return ERR_OK;
}

/* ---- RFC 7396 ---- */

static enum err merge_member(json_t *target, const char *name, json_t *patch)
{
	json_t *merged;
	enum err e;

	if (json_is_null(patch)) {
		json_object_del(target, name);
		return ERR_OK;
	}
	e = spec_merge(json_object_get(target, name), patch, &merged);
	if (e != ERR_OK)
		return e;
	return json_object_set_new(target, name, merged) == 0 ? ERR_OK : ERR_NO_MEMORY;
}

enum err spec_merge(const json_t *target, const json_t *patch, json_t **ret_merged)
{
	json_t *merged, *value;
	const char *name;

	if (!json_is_object(patch)) {
		*ret_merged = json_whole(json_deep_copy(patch), patch);
		return *ret_merged ? ERR_OK : ERR_NO_MEMORY;
	}
	/* What is no object is replaced by one, so that nulls within the patch vanish. */
	merged = json_is_object(target) ? json_whole(json_deep_copy(target), target)
					: json_loads("{}", 0, NULL);
	if (!merged)
		return ERR_NO_MEMORY;
	json_object_foreach((json_t *)(uintptr_t)patch, name, value)
	{
		enum err e = merge_member(merged, name, value);

		if (e != ERR_OK) {
			json_decref(merged);
			return e;
		}
	}
	*ret_merged = merged;
	return ERR_OK;
}

/* ---- limits of the whole ---- */

static size_t dumped_bytes(const json_t *value)
{
	return value ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
}

const char *spec_over_limit(const json_t *spec)
{
	const json_t *env = json_object_get(spec, "env");

	if (dumped_bytes(json_object_get(spec, "command")) > SPEC_TEXT_BYTES_MAX)
		return "/command";
	if (dumped_bytes(env) > SPEC_TEXT_BYTES_MAX || json_object_size(env) > SPEC_ENV_MAX)
		return "/env";
	if (json_object_size(json_object_get(spec, "labels")) > SPEC_LABELS_MAX)
		return "/labels";
	return NULL;
}
