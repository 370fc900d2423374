#include "api/openapi.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct reader {
	struct openapi *o;
	const char *base; /* the server's path, "" when there is none */
	bool peers;
	char *why;
};

static const char *const method_names[] = {
	[METHOD_GET] = "GET",
	[METHOD_PUT] = "PUT",
	[METHOD_POST] = "POST",
	[METHOD_DELETE] = "DELETE",
	[METHOD_PATCH] = "PATCH",
	[METHOD_HEAD] = "HEAD",
	[METHOD_OPTIONS] = "OPTIONS",
};

static_assert(sizeof(method_names) / sizeof(method_names[0]) == METHOD_COUNT, "one name a method");

enum method method_of(const char *name)
{
	for (enum method m = 0; m < METHOD_COUNT; m++)
		if (strcmp(method_names[m], name) == 0)
			return m;
	return METHOD_COUNT;
}

const char *method_name(enum method m)
{
	assert(m < METHOD_COUNT);
	return method_names[m];
}

static enum err refuse(struct reader *r, unsigned line, const char *what, const char *which)
{
	snprintf(r->why, HTTP_WHY_BYTES, "line %u: %s '%.100s'", line, what, which ? which : "");
	return ERR_MALFORMED;
}

/* In documents a method is written in small letters. */
static enum method method_of_key(const char *key)
{
	char name[8] = "";

	if (strlen(key) >= sizeof(name))
		return METHOD_COUNT;
	for (size_t i = 0; key[i]; i++) {
		if (key[i] < 'a' || key[i] > 'z')
			return METHOD_COUNT;
		name[i] = (char)(key[i] - 'a' + 'A');
	}
	return method_of(name);
}

static const struct markup *resolve(struct reader *r, const struct markup *m)
{
	const char *ref = m ? markup_string(m, "$ref") : NULL;

	return ref ? markup_follow(r->o->root, ref) : m;
}

/* Which segment of `path` is "{name}", or -1. */
static int segment_of(const char *path, const char *name)
{
	size_t length = strlen(name);

	for (int segment = 0; *path == '/'; segment++) {
		size_t count = strcspn(++path, "/");

		if (count == length + 2 && path[0] == '{' && strncmp(path + 1, name, length) == 0 &&
			path[count - 1] == '}')
			return segment;
		path += count;
	}
	return -1;
}

static bool is_last(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	size_t length = strlen(name);

	return slash && slash[1] == '{' && strncmp(slash + 2, name, length) == 0 &&
	       strcmp(slash + 2 + length, "}") == 0;
}

/* What takes parameters of any name (style form, explode). */
static bool is_any_query(struct reader *r, const struct markup *m)
{
	const struct markup *schema = resolve(r, markup_get(m, "schema"));
	const char *in = markup_string(m, "in"), *type = markup_string(schema, "type");

	return in && type && strcmp(in, "query") == 0 && strcmp(type, "object") == 0;
}

static enum err read_parameter(struct reader *r, const struct operation *op,
	const struct markup *from, struct parameter *ret)
{
	const struct markup *m = resolve(r, from);
	const char *in = markup_string(m, "in");

	ret->name = markup_string(m, "name");
	if (!ret->name || !in)
		return refuse(r, from->line, "a parameter without name or place in", op->id);
	if (strcmp(in, "path") == 0)
		ret->place = PARAMETER_PATH;
	else if (strcmp(in, "query") == 0)
		ret->place = PARAMETER_QUERY;
	else if (strcmp(in, "header") == 0)
		ret->place = PARAMETER_HEADER;
	else
		return refuse(r, m->line, "a parameter cannot be in", in);
	ret->required = markup_bool(m, "required", false);
	ret->joined = !markup_bool(m, "explode", true);
	ret->error_status =
		(unsigned)markup_int(m, "x-error-status", ret->place == PARAMETER_PATH ? 422 : 400);
	ret->segment = segment_of(op->path, ret->name);
	ret->rest = markup_bool(m, "x-rest", false);
	if (ret->rest && !is_last(op->path, ret->name))
		return refuse(
			r, m->line, "not the last of the path, as x-rest has to be:", ret->name);
	if ((ret->place == PARAMETER_PATH) != (ret->segment >= 0))
		return refuse(r, m->line, "the path does not have the parameter", ret->name);
	if (!markup_get(m, "schema"))
		return refuse(r, m->line, "no schema of the parameter", ret->name);
	return schema_compile(&r->o->schemas, markup_get(m, "schema"), &ret->schema, r->why);
}

/* Those of the path first, then those of the operation. */
static enum err read_parameters(struct reader *r, const struct markup *path,
	const struct markup *from, struct operation *op)
{
	const struct markup *lists[] = {
		markup_get(path, "parameters"), markup_get(from, "parameters")};
	size_t count = (lists[0] ? lists[0]->count : 0) + (lists[1] ? lists[1]->count : 0);
	struct parameter *all = arena_zero(&r->o->arena, (count + 1) * sizeof(*all));
	enum err e;

	if (!all)
		return ERR_NO_MEMORY;
	op->parameters = all;
	for (int l = 0; l < 2; l++) {
		for (size_t i = 0; lists[l] && i < lists[l]->count; i++) {
			const struct markup *one = lists[l]->members[i].value;
			struct parameter *p = &all[op->parameter_count];

			if (is_any_query(r, resolve(r, one))) {
				op->any_query = true;
				continue;
			}
			e = read_parameter(r, op, one, p);
			if (e != ERR_OK)
				return e;
			op->rest = op->rest || p->rest;
			op->parameter_count++;
		}
	}
	return ERR_OK;
}

/* Each "{name}" of the path must be a parameter, or a handler could not ask for it. */
static enum err check_path(struct reader *r, const struct operation *op)
{
	const char *p = op->path;
	int declared = 0, used = 0, segments = 0;

	for (; *p; p++) {
		segments += *p == '/';
		used += *p == '{';
	}
	for (size_t i = 0; i < op->parameter_count; i++)
		declared += op->parameters[i].place == PARAMETER_PATH;
	if (declared != used)
		return refuse(r, op->line, "path parameters are missing or doubled in", op->id);
	return segments <= HTTP_SEGMENTS_MAX
		       ? ERR_OK
		       : refuse(r, op->line, "too many segments in", op->path);
}

static bool is_json(const char *media)
{
	size_t length = strlen(media);

	return strcmp(media, "application/json") == 0 ||
	       (length > 5 && strcmp(media + length - 5, "+json") == 0);
}

static enum err read_body(struct reader *r, const struct markup *from, struct operation *op)
{
	const struct markup *m = resolve(r, markup_get(from, "requestBody"));
	const struct markup *content = markup_get(m, "content"), *schema;

	op->body_bytes_max = HTTP_BODY_BYTES_MAX;
	if (!markup_get(from, "requestBody"))
		return ERR_OK;
	if (!content || content->count == 0)
		return refuse(r, from->line, "a requestBody without content in", op->id);
	op->body_content = content;
	op->body_required = markup_bool(m, "required", false);
	op->body_bytes_max = (size_t)markup_int(m, "x-max-bytes", HTTP_BODY_BYTES_MAX);
	if (!is_json(content->members[0].name)) {
		op->body_kind = BODY_BYTES;
		return ERR_OK;
	}
	op->body_kind = BODY_JSON;
	schema = markup_get(content->members[0].value, "schema");
	if (!schema)
		return refuse(r, m->line, "no schema of the body of", op->id);
	return schema_compile(&r->o->schemas, schema, &op->body, r->why);
}

static bool offers(const struct markup *security, const char *scheme)
{
	for (size_t i = 0; security && security->kind == MARKUP_LIST && i < security->count; i++)
		if (markup_get(security->members[i].value, scheme))
			return true;
	return false;
}

static enum err read_operation(struct reader *r, const char *path, const struct markup *item,
	enum method method, const struct markup *from)
{
	struct operation *op = &r->o->operations[r->o->operation_count];
	const struct markup *security = markup_get(from, "security");
	enum err e;

	*op = (struct operation){.id = markup_string(from, "operationId"),
		.path = path,
		.method = method,
		.peers = r->peers,
		.open = security && security->kind == MARKUP_LIST && security->count == 0,
		.children = offers(security, "child"),
		.line = from->line};
	if (!op->id)
		return refuse(r, from->line, "no operationId at", path);
	for (size_t i = 0; i < r->o->operation_count; i++)
		if (strcmp(r->o->operations[i].id, op->id) == 0)
			return refuse(r, from->line, "doubled operationId", op->id);
	e = read_parameters(r, item, from, op);
	if (e == ERR_OK)
		e = read_body(r, from, op);
	if (e == ERR_OK)
		e = check_path(r, op);
	if (e == ERR_OK)
		r->o->operation_count++;
	return e;
}

static enum err read_path(struct reader *r, const char *name, const struct markup *item)
{
	size_t size = strlen(r->base) + strlen(name) + 1;
	char *path = arena_alloc(&r->o->arena, size);
	enum method method;
	enum err e;

	if (!path)
		return ERR_NO_MEMORY;
	if (*name != '/')
		return refuse(r, item->line, "a path must begin with a slash:", name);
	snprintf(path, size, "%s%s", r->base, name);
	for (size_t i = 0; i < item->count; i++) {
		method = method_of_key(item->members[i].name);
		if (method == METHOD_COUNT)
			continue;
		e = read_operation(r, path, item, method, item->members[i].value);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

/* The first server's url, when it is a path; "" otherwise. */
static const char *base_of(const struct markup *root)
{
	const struct markup *servers = markup_get(root, "servers");
	const char *url = NULL;

	if (servers && servers->kind == MARKUP_LIST && servers->count)
		url = markup_string(servers->members[0].value, "url");
	return url && url[0] == '/' && url[1] ? url : "";
}

static enum err read_paths(struct reader *r)
{
	const struct markup *paths = markup_get(r->o->root, "paths");
	size_t room = 0;
	enum err e = ERR_OK;

	if (!paths || paths->kind != MARKUP_MAP)
		return refuse(r, 1, "no paths in the document", NULL);
	for (size_t i = 0; i < paths->count; i++)
		room += paths->members[i].value->count;
	r->o->operations = arena_alloc(&r->o->arena, (room + 1) * sizeof(*r->o->operations));
	if (!r->o->operations)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < paths->count && e == ERR_OK; i++)
		e = read_path(r, paths->members[i].name, paths->members[i].value);
	return e;
}

enum err openapi_load(
	struct openapi *ret, const char *yaml, size_t length, bool peers, char why[HTTP_WHY_BYTES])
{
	struct reader r = {.o = ret, .peers = peers, .why = why};
	enum err e;

	memset(ret, 0, sizeof(*ret));
	arena_init(&ret->arena, NULL, 0);
	e = markup_load(&ret->arena, yaml, length, &ret->root, why);
	if (e == ERR_OK) {
		r.base = base_of(ret->root);
		schema_set_init(&ret->schemas, &ret->arena, ret->root);
		e = read_paths(&r);
	}
	if (e == ERR_NO_MEMORY)
		snprintf(why, HTTP_WHY_BYTES, "%s", err_text(e));
	if (e != ERR_OK)
		openapi_fini(ret);
	return e;
}

void openapi_fini(struct openapi *o)
{
	schema_set_fini(&o->schemas);
	arena_fini(&o->arena);
	o->operations = NULL;
	o->operation_count = 0;
}
