/* From a configuration file to the children that it declares. */
#include "api/declared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "api/document.h"
#include "api/json_read.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/spec_prepare.h"

#define WHERE "/children"
#define LIST_SCHEMA "#/x-configuration-children"
#define ITEM_SCHEMA "#/x-configuration-children/items"

struct reading {
	struct arena arena;
	struct schema_set schemas;
	const struct schema *list_schema, *item_schema;
	json_t *children;
	struct faults faults;
	struct declared found;
};

/* ---- the shape ---- */

static enum err compile(struct reading *r, const struct markup *document)
{
	char why[HTTP_WHY_BYTES];
	enum err e;

	schema_set_init(&r->schemas, &r->arena, document);
	e = schema_compile(&r->schemas, markup_follow(document, LIST_SCHEMA), &r->list_schema, why);
	if (e == ERR_OK)
		e = schema_compile(
			&r->schemas, markup_follow(document, ITEM_SCHEMA), &r->item_schema, why);
	return e;
}

/* The member `children` as JSON. Errors: MALFORMED (a fault was noted), NO_MEMORY. */
static enum err load_children(struct reading *r, const char *yaml, size_t bytes, struct text *json)
{
	const struct markup *file = NULL;
	char why[HTTP_WHY_BYTES];
	enum err e = markup_load(&r->arena, yaml, bytes, &file, why);

	if (e == ERR_MALFORMED)
		faults_add(&r->faults, "", "syntax", "%s", why);
	if (e != ERR_OK)
		return e;
	markup_json(json, markup_get(file, "children"));
	if (!text_ok(json))
		return ERR_NO_MEMORY;
	e = json_read(json->bytes, json->used, JSON_DECODE_ANY, &r->children);
	if (e == ERR_MALFORMED)
		faults_add(&r->faults, WHERE, "type", "cannot be read as JSON");
	return e;
}

static void check_shape(struct reading *r, const struct text *json)
{
	struct schema_check how = {.raw = json->bytes, .raw_length = json->used, .cgroup = true};

	text_adds(&r->faults.pointer, WHERE);
	schema_check_body(r->list_schema, r->children, &how, &r->faults);
}

/* Only where there are faults: is it one of those that have none? */
static bool is_well_shaped(const struct reading *r, const json_t *item)
{
	struct schema_check how = {.raw = "", .raw_length = 0, .cgroup = true};
	struct faults own = {0};
	bool well;

	schema_check_body(r->item_schema, item, &how, &own);
	well = own.count == 0 && !own.items.failed && !own.pointer.failed;
	faults_fini(&own);
	return well;
}

/* ---- each of them ---- */

static void digest_of(const char *spec, char ret_digest[DECLARED_DIGEST_BYTES])
{
	XXH128_hash_t sum = XXH3_128bits(spec, strlen(spec));

	snprintf(ret_digest, DECLARED_DIGEST_BYTES, "%016llx%016llx",
		(unsigned long long)sum.high64, (unsigned long long)sum.low64);
}

/* The spec's canonical text, for the caller to free. Errors: MALFORMED, NO_MEMORY. */
static enum err text_of_spec(struct reading *r, size_t at, const json_t *item, char **ret_text)
{
	struct spec_parts parts = {.running = true, .from_file = true};
	struct prepared prepared = {0};
	char pointer[48];
	enum err e;

	snprintf(pointer, sizeof(pointer), WHERE "/%zu/spec", at);
	e = spec_prepare(&r->faults, pointer, json_object_get(item, "spec"), &parts, &prepared);
	if (e == ERR_OK)
		e = spec_split(prepared.value.bytes, prepared.value.used, &parts);
	if (e == ERR_OK && !(*ret_text = strndup(parts.spec, parts.spec_bytes)))
		e = ERR_NO_MEMORY;
	prepared_fini(&prepared);
	return e;
}

static enum err take(struct reading *r, size_t at, const char *ref, char *spec_taken)
{
	char digest[DECLARED_DIGEST_BYTES], pointer[48];
	struct declared_child *c;
	enum err e = ERR_MALFORMED;

	digest_of(spec_taken, digest);
	if (declared_find(&r->found, ref)) {
		snprintf(pointer, sizeof(pointer), WHERE "/%zu/id", at);
		faults_add(&r->faults, pointer, "duplicate", "'%s' is declared twice", ref);
	} else {
		e = declared_set(&r->found, ref, digest);
	}
	if (e != ERR_OK) {
		free(spec_taken);
		return e;
	}
	c = (struct declared_child *)(uintptr_t)declared_find(&r->found, ref);
	c->spec = spec_taken;
	return ERR_OK;
}

static enum err read_child(struct reading *r, size_t at, const json_t *item)
{
	const char *id = json_string_value(json_object_get(item, "id"));
	const char *sup = json_string_value(json_object_get(item, "supervisor"));
	char ref[REF_BYTES_MAX], *spec = NULL;
	enum err e = text_of_spec(r, at, item, &spec);

	if (e != ERR_OK)
		return e;
	snprintf(ref, sizeof(ref), "%s/%s", sup ? sup : DEFAULT_NAME, id);
	return take(r, at, ref, spec);
}

static enum err read_children(struct reading *r)
{
	bool all = r->faults.count == 0;
	enum err e = ERR_OK;

	for (size_t i = 0; i < json_array_size(r->children); i++) {
		const json_t *item = json_array_get(r->children, i);

		if (all || is_well_shaped(r, item))
			e = read_child(r, i, item);
		if (e != ERR_OK && e != ERR_MALFORMED)
			return e;
	}
	return r->faults.count ? ERR_MALFORMED : ERR_OK;
}

/* ---- all of it ---- */

static enum err run(struct reading *r, const char *yaml, size_t bytes, struct text *json)
{
	const struct markup *document;
	char why[HTTP_WHY_BYTES];
	enum err e = load_children(r, yaml, bytes, json);

	if (e == ERR_OK)
		e = markup_load(
			&r->arena, document_openapi, document_openapi_length(), &document, why);
	if (e == ERR_OK)
		e = compile(r, document);
	if (e != ERR_OK)
		return e;
	check_shape(r, json);
	if (r->faults.items.failed || r->faults.pointer.failed)
		return ERR_NO_MEMORY;
	return read_children(r);
}

/* The list is made for a problem document; a person gets a line of each. Errors: NO_MEMORY. */
static enum err print_faults(const struct faults *f, struct text *out)
{
	struct text all = TEXT_INIT;
	json_t *list = NULL, *one;
	size_t i;
	enum err e;

	text_adds(&all, "[");
	text_add(&all, f->items.bytes, f->items.used);
	text_adds(&all, "]");
	e = text_ok(&all) && !f->items.failed ? json_read(all.bytes, all.used, 0, &list)
					      : ERR_NO_MEMORY;
	json_array_foreach(list, i, one)
	{
		const char *pointer = json_string_value(json_object_get(one, "pointer"));

		text_addf(out, "%s%s%s\n", pointer, *pointer ? ": " : "",
			json_string_value(json_object_get(one, "detail")));
	}
	if (f->count > json_array_size(list))
		text_addf(out, "... and %zu more\n", f->count - json_array_size(list));
	json_decref(list);
	text_fini(&all);
	return e == ERR_OK && text_ok(out) ? ERR_OK : ERR_NO_MEMORY;
}

enum err declared_read(
	const char *yaml, size_t bytes, struct declared *ret_declared, struct text *faults)
{
	struct reading r = {0};
	struct text json = TEXT_INIT;
	enum err e;

	arena_init(&r.arena, NULL, 0);
	schema_set_init(&r.schemas, &r.arena, NULL);
	e = run(&r, yaml, bytes, &json);
	if (e == ERR_MALFORMED)
		e = print_faults(&r.faults, faults) == ERR_OK ? ERR_MALFORMED : ERR_NO_MEMORY;
	if (e == ERR_OK) {
		*ret_declared = r.found;
		r.found = (struct declared){0};
	}
	declared_fini(&r.found);
	faults_fini(&r.faults);
	json_decref(r.children);
	text_fini(&json);
	schema_set_fini(&r.schemas);
	arena_fini(&r.arena);
	return e;
}
