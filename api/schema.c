#include "api/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/schema_type.h"

struct compiler {
	struct schema_set *set;
	char *why;
};

void schema_set_init(struct schema_set *set, struct arena *arena, const struct markup *root)
{
	*set = (struct schema_set){.arena = arena, .root = root};
}

void schema_set_fini(struct schema_set *set)
{
	for (struct schema *s = set->all; s; s = s->next) {
		if (s->pattern)
			pattern_fini(s->pattern);
		if (s->key_pattern)
			pattern_fini(s->key_pattern);
	}
	set->all = NULL;
}

__attribute__((format(printf, 3, 4))) static enum err refuse(
	struct compiler *c, const struct markup *at, const char *format, ...)
{
	char what[160];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(c->why, HTTP_WHY_BYTES, "line %u: %s", at ? at->line : 0, what);
	return ERR_MALFORMED;
}

static enum err compile(
	struct compiler *c, const struct markup *from, const struct schema **ret_schema);

static enum err read_type(struct compiler *c, struct schema *s, const struct markup *value)
{
	static const struct {
		const char *name;
		unsigned type;
	} types[] = {{"object", TYPE_OBJECT}, {"array", TYPE_ARRAY}, {"string", TYPE_STRING},
		{"integer", TYPE_INTEGER}, {"number", TYPE_NUMBER}, {"boolean", TYPE_BOOLEAN}};

	for (size_t i = 0; value->kind == MARKUP_STRING && i < sizeof(types) / sizeof(types[0]);
		i++) {
		if (strcmp(types[i].name, value->text) != 0)
			continue;
		s->type = types[i].type;
		return ERR_OK;
	}
	return refuse(c, value, "unknown type '%.40s'", value->text ? value->text : "");
}

static enum err read_pattern(
	struct compiler *c, const struct markup *value, struct pattern **ret_pattern)
{
	struct pattern *p = arena_alloc(c->set->arena, sizeof(*p));
	char text[80];
	int code;

	if (!p)
		return ERR_NO_MEMORY;
	if (value->kind != MARKUP_STRING)
		return refuse(c, value, "a pattern is a quoted string");
	code = pattern_compile(p, value->text);
	if (code == REG_ESPACE)
		return ERR_NO_MEMORY;
	if (code != 0) {
		regerror(code, &p->regex, text, sizeof(text));
		return refuse(c, value, "the pattern does not compile: %s", text);
	}
	*ret_pattern = p;
	return ERR_OK;
}

static enum err read_size(struct compiler *c, const struct markup *value, size_t *ret)
{
	if (value->kind != MARKUP_INT || value->integer < 0)
		return refuse(c, value, "a size is a whole number");
	*ret = (size_t)value->integer;
	return ERR_OK;
}

static enum err read_bound(
	struct compiler *c, const struct markup *value, bool *ret_has, double *ret)
{
	if (value->kind != MARKUP_INT && value->kind != MARKUP_REAL)
		return refuse(c, value, "a bound is a number");
	*ret_has = true;
	*ret = value->real;
	return ERR_OK;
}

static bool is_required(const struct markup *from, const char *name)
{
	const struct markup *list = markup_get(from, "required");

	for (size_t i = 0; list && i < list->count; i++)
		if (list->members[i].value->text && strcmp(list->members[i].value->text, name) == 0)
			return true;
	return false;
}

static enum err read_properties(struct compiler *c, struct schema *s, const struct markup *value)
{
	struct schema_property *properties;

	if (value->kind != MARKUP_MAP)
		return refuse(c, value, "properties is a map");
	properties = arena_zero(c->set->arena, (value->count + 1) * sizeof(*properties));
	if (!properties)
		return ERR_NO_MEMORY;
	s->properties = properties;
	for (size_t i = 0; i < value->count; i++) {
		enum err e = compile(c, value->members[i].value, &properties[i].schema);

		if (e != ERR_OK)
			return e;
		properties[i].name = value->members[i].name;
		properties[i].required = is_required(s->from, properties[i].name) &&
					 !properties[i].schema->read_only;
		s->property_count = i + 1;
	}
	return ERR_OK;
}

/* Every required name must be a property, or nobody could ever tell that it is there. */
static enum err read_required(struct compiler *c, struct schema *s, const struct markup *value)
{
	const struct markup *properties = markup_get(s->from, "properties");

	if (value->kind != MARKUP_LIST)
		return refuse(c, value, "required is a list");
	for (size_t i = 0; i < value->count; i++) {
		const struct markup *name = value->members[i].value;

		if (!name->text || !markup_get(properties, name->text))
			return refuse(c, name, "required names no property");
	}
	return ERR_OK;
}

static enum err read_additional(struct compiler *c, struct schema *s, const struct markup *value)
{
	if (value->kind != MARKUP_BOOL)
		return compile(c, value, &s->additional);
	s->closed = !value->truth;
	return ERR_OK;
}

static enum err read_keyword(
	struct compiler *c, struct schema *s, const char *name, const struct markup *value)
{
	static const char *const sizes_max[] = {"maxLength", "maxItems", "maxProperties", NULL};
	static const char *const sizes_min[] = {"minLength", "minItems", "minProperties", NULL};
	static const char *const notes[] = {"default", "description", "example", "title",
		"writeOnly", "deprecated", "externalDocs", "xml", NULL};
	size_t ms = 0;
	enum err e;

	for (size_t i = 0; sizes_max[i]; i++)
		if (strcmp(name, sizes_max[i]) == 0)
			return read_size(c, value, &s->length_max);
	for (size_t i = 0; sizes_min[i]; i++)
		if (strcmp(name, sizes_min[i]) == 0)
			return read_size(c, value, &s->length_min);
	for (size_t i = 0; notes[i]; i++)
		if (strcmp(name, notes[i]) == 0)
			return ERR_OK;
	if (strcmp(name, "type") == 0)
		return read_type(c, s, value);
	if (strcmp(name, "pattern") == 0)
		return read_pattern(c, value, &s->pattern);
	if (strcmp(name, "x-key-pattern") == 0)
		return read_pattern(c, value, &s->key_pattern);
	if (strcmp(name, "minimum") == 0)
		return read_bound(c, value, &s->has_minimum, &s->minimum);
	if (strcmp(name, "maximum") == 0)
		return read_bound(c, value, &s->has_maximum, &s->maximum);
	if (strcmp(name, "properties") == 0)
		return read_properties(c, s, value);
	if (strcmp(name, "required") == 0)
		return read_required(c, s, value);
	if (strcmp(name, "additionalProperties") == 0)
		return read_additional(c, s, value);
	if (strcmp(name, "items") == 0)
		return compile(c, value, &s->items);
	if (strcmp(name, "x-max-bytes") == 0 || strcmp(name, "x-bytes-max") == 0)
		return read_size(c, value, &s->bytes_max);
	if (strcmp(name, "x-max-ms") == 0) {
		e = read_size(c, value, &ms);
		s->ms_max = (int64_t)ms;
		return e;
	}
	if (strcmp(name, "enum") == 0) {
		s->choices = value;
		return value->kind == MARKUP_LIST && value->count > 0
			       ? ERR_OK
			       : refuse(c, value, "enum is a list of values");
	}
	if (strcmp(name, "format") == 0) {
		s->duration = value->text && strcmp(value->text, "duration") == 0;
		return ERR_OK;
	}
	if (strcmp(name, "nullable") == 0 || strcmp(name, "readOnly") == 0 ||
		strcmp(name, "x-needs-cgroup") == 0)
		return value->kind == MARKUP_BOOL ? ERR_OK : refuse(c, value, "not true or false");
	if (strncmp(name, "x-", 2) == 0)
		return ERR_OK;
	return refuse(c, value, "the keyword '%.40s' is not supported in schemas", name);
}

static const struct markup *resolve(struct compiler *c, const struct markup *from)
{
	const char *ref;

	for (int hops = 0; from && hops < 8; hops++) {
		ref = markup_string(from, "$ref");
		if (!ref)
			return from;
		from = markup_follow(c->set->root, ref);
	}
	return NULL;
}

static enum err compile(
	struct compiler *c, const struct markup *from, const struct schema **ret_schema)
{
	const struct markup *real = resolve(c, from);
	struct schema *s;
	enum err e;

	if (!real || real->kind != MARKUP_MAP)
		return refuse(c, from, "no schema, or a $ref to nothing");
	for (s = c->set->all; s; s = s->next) {
		if (s->from == real) {
			*ret_schema = s;
			return ERR_OK;
		}
	}
	s = arena_zero(c->set->arena, sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	*s = (struct schema){.next = c->set->all,
		.from = real,
		.nullable = markup_bool(real, "nullable", false),
		.read_only = markup_bool(real, "readOnly", false),
		.needs_cgroup = markup_bool(real, "x-needs-cgroup", false),
		.length_max = SIZE_MAX,
		.bytes_max = SIZE_MAX,
		.ms_max = INT64_MAX};
	c->set->all = s; /* known before its members, which may mean itself */
	for (size_t i = 0; i < real->count; i++) {
		e = read_keyword(c, s, real->members[i].name, real->members[i].value);
		if (e != ERR_OK)
			return e;
	}
	*ret_schema = s;
	return ERR_OK;
}

enum err schema_compile(struct schema_set *set, const struct markup *from,
	const struct schema **ret_schema, char why[HTTP_WHY_BYTES])
{
	struct compiler c = {.set = set, .why = why};

	return compile(&c, from, ret_schema);
}

bool schema_is_array(const struct schema *s)
{
	return s->type == TYPE_ARRAY;
}
