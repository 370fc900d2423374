/* What is looked at once the body is complete: parameters, content type, JSON, shape. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/http_inside.h"
#include "api/json_text.h"
#include "api/nearest.h"

/* The problem of the first fault is the problem of the reply; all faults are listed. */
struct verdict {
	bool bad;
	enum problem_code p;
};

static void blame(struct exchange *x, struct verdict *v, enum problem_code p, const char *place,
	const char *name, const char *code, const char *detail)
{
	char pointer[160];

	snprintf(pointer, sizeof(pointer), "%s.%.128s", place, name);
	exchange_fault(x, pointer, code, "%s", detail);
	if (!v->bad)
		v->p = p;
	v->bad = true;
}

static const struct parameter *query_parameter(const struct operation *op, const char *name)
{
	const struct parameter *p = op->parameters;

	for (size_t i = 0; i < op->parameter_count; i++, p++)
		if (p->place == PARAMETER_QUERY && strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static void check_unknown(struct exchange *x, struct verdict *v, const char *name)
{
	const struct operation *op = x->operation;
	struct nearest near = {.wanted = name};
	char detail[HTTP_WHY_BYTES];

	for (size_t i = 0; i < op->parameter_count; i++)
		if (op->parameters[i].place == PARAMETER_QUERY)
			nearest_offer(&near, op->parameters[i].name);
	if (near.best)
		snprintf(
			detail, sizeof(detail), "unknown parameter, did you mean '%s'?", near.best);
	else
		snprintf(detail, sizeof(detail), "%s takes no parameters", op->id);
	blame(x, v, PROBLEM_BAD_QUERY, "query", name, "unknown-parameter", detail);
}

static void check_query(struct exchange *x, struct verdict *v, size_t index)
{
	const struct pair *q = &x->queries[index];
	const struct parameter *p = query_parameter(x->operation, q->name);
	enum problem_code problem = PROBLEM_BAD_QUERY;
	char detail[HTTP_WHY_BYTES];
	const char *code;

	if (!p) {
		if (strcmp(q->name, "pretty") != 0)
			check_unknown(x, v, q->name);
		return;
	}
	if (strcmp(q->name, "cursor") == 0)
		problem = PROBLEM_BAD_CURSOR;
	for (size_t i = 0; i < index && !schema_is_array(p->schema); i++) {
		if (strcmp(x->queries[i].name, q->name) == 0) {
			blame(x, v, problem, "query", q->name, "repeated", "was given twice");
			return;
		}
	}
	code = schema_check_text(p->schema, q->value, p->joined, detail);
	if (code)
		blame(x, v, problem, "query", q->name, code, detail);
}

/* Path and header parameters, and query parameters that are missing. */
static void check_parameter(struct exchange *x, struct verdict *v, const struct parameter *p)
{
	static const char *const places[] = {[PARAMETER_PATH] = "path",
		[PARAMETER_QUERY] = "query",
		[PARAMETER_HEADER] = "header"};
	static const enum problem_code problems[] = {[PARAMETER_PATH] = PROBLEM_BAD_KEY,
		[PARAMETER_QUERY] = PROBLEM_BAD_QUERY,
		[PARAMETER_HEADER] = PROBLEM_BAD_HEADER};
	enum problem_code problem =
		p->error_status == 422 ? PROBLEM_INVALID_SPEC : problems[p->place];
	char detail[HTTP_WHY_BYTES];
	const char *text, *code;

	if (p->place == PARAMETER_PATH)
		text = x->segments[p->segment];
	else if (p->place == PARAMETER_HEADER)
		text = exchange_header(x, p->name);
	else
		text = exchange_query(x, p->name);
	if (!text) {
		if (p->required)
			blame(x, v, problem, places[p->place], p->name, "required", "is missing");
		return;
	}
	if (p->place == PARAMETER_QUERY)
		return; /* check_query has seen each of its values */
	code = schema_check_text(p->schema, text, p->joined, detail);
	if (code)
		blame(x, v, problem, places[p->place], p->name, code, detail);
}

static bool check_parameters(struct exchange *x)
{
	const struct operation *op = x->operation;
	struct verdict v = {0};

	for (size_t i = 0; i < op->parameter_count; i++)
		check_parameter(x, &v, &op->parameters[i]);
	for (size_t i = 0; i < x->query_count && !op->any_query; i++)
		check_query(x, &v, i);
	if (v.bad)
		exchange_problem(x, v.p,
			x->faults.count == 1 ? "one parameter is not valid"
					     : "%zu parameters are not valid",
			x->faults.count);
	return !v.bad;
}

/* ---- the body ---- */

static bool same_media(const char *given, const char *known)
{
	size_t length = strcspn(given, "; \t");

	return length == strlen(known) && strncasecmp(given, known, length) == 0;
}

/*
 * What a plain `curl -d` sends is taken for JSON. Not from a web page: a form of another site could
 * be posted with this type without asking, and a page's requests carry Origin.
 */
static bool is_plain_curl(const struct exchange *x)
{
	const char *given = x->heads.content_type;

	return !x->heads.origin && x->operation->body_kind == BODY_JSON &&
	       (!given || same_media(given, "application/x-www-form-urlencoded"));
}

/* Of a page that this very node has sent, as it may when it passes replies on. */
static bool is_own_page(const struct exchange *x)
{
	const char *host = strstr(x->heads.origin, "://");

	return x->operation->rest && host && strcasecmp(host + 3, x->heads.host) == 0;
}

static bool check_any_media(struct exchange *x)
{
	const char *given = x->heads.content_type;

	if (!x->heads.origin || is_own_page(x) || (given && same_media(given, "application/json")))
		return true;
	exchange_problem(x, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
		"a web page has to send Content-Type: application/json");
	return false;
}

static bool check_media(struct exchange *x)
{
	const struct markup *content = x->operation->body_content;
	const char *given = x->heads.content_type;

	if (strcmp(content->members[0].name, "*/*") == 0)
		return check_any_media(x);
	for (size_t i = 0; given && i < content->count; i++)
		if (same_media(given, content->members[i].name))
			return true;
	/* RFC 9110, 8.3: what has no type may be taken for bytes. */
	if (!given && same_media("application/octet-stream", content->members[0].name))
		return true;
	if (is_plain_curl(x))
		return true;
	exchange_problem(x, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "send Content-Type: %s",
		content->members[0].name);
	return false;
}

/*
 * A page of another site may POST without asking, also when nothing has to be said: a stop has no
 * body. With this type its browser asks first, and is not allowed.
 */
static bool check_page(struct exchange *x)
{
	return x->method != METHOD_POST || check_any_media(x);
}

/* Without memory jansson blames the text ("string expected"), or says nothing: so we look. */
static bool json_starved;

static void *allocate(size_t bytes)
{
	void *place = malloc(bytes);

	json_starved |= !place;
	return place;
}

void content_init(void)
{
	json_set_alloc_funcs(allocate, free);
}

/* Well-formed JSON that cannot be kept is a 422, anything else that jansson refuses a 400. */
static void answer_unreadable(struct exchange *x, const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);

	if (json_starved) {
		exchange_fail(x, ERR_NO_MEMORY);
		return;
	}
	exchange_problem(x,
		code == json_error_numeric_overflow || code == json_error_null_character ||
				code == json_error_null_byte_in_key
			? PROBLEM_INVALID_SPEC
			: PROBLEM_BAD_JSON,
		"line %d, column %d: %s", error->line, error->column, error->text);
}

static bool parse_body(struct exchange *x)
{
	json_error_t error;

	json_starved = false;
	content_init(); /* others set it too (json_read.c), at any time */
	if (json_depth(x->body.bytes, x->body.used) > HTTP_DEPTH_MAX) {
		exchange_problem(
			x, PROBLEM_BAD_JSON, "nested deeper than %d levels", HTTP_DEPTH_MAX);
		return false;
	}
	x->json = json_loadb(
		x->body.bytes, x->body.used, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!x->json)
		answer_unreadable(x, &error);
	return x->json != NULL;
}

static enum problem_code refusal(const struct faults *f)
{
	if (f->too_large)
		return PROBLEM_BODY_TOO_LARGE;
	return f->unsupported == f->count ? PROBLEM_UNSUPPORTED : PROBLEM_INVALID_SPEC;
}

static bool check_by(struct exchange *x, const struct schema *s, const json_t *json,
	const struct schema_check *how)
{
	text_clear(&x->faults.pointer);
	schema_check_body(s, json, how, &x->faults);
	if (x->faults.items.failed || x->faults.pointer.failed) {
		exchange_fail(x, ERR_NO_MEMORY);
		return false;
	}
	if (x->faults.count == 0)
		return true;
	exchange_problem(x, refusal(&x->faults),
		x->faults.count == 1 ? "the body has a fault" : "the body has %zu faults",
		x->faults.count);
	return false;
}

static bool check_shape(struct exchange *x)
{
	const struct schema_check how = {
		.raw = x->body.bytes, .raw_length = x->body.used, .cgroup = x->http->config.cgroup};

	return check_by(x, x->operation->body, x->json, &how);
}

bool exchange_check_merged(struct exchange *x, const json_t *merged)
{
	/* What was there already may need what another node has. */
	const struct schema_check how = {.raw = "", .cgroup = true};
	struct route put = router_find(&x->http->router, METHOD_PUT, x->segments, x->segment_count);

	return check_by(x, put.operation->body, merged, &how);
}

static bool check_body(struct exchange *x)
{
	const struct operation *op = x->operation;
	bool empty = x->body.used == 0 && x->body_passed == 0;

	if ((op->body_kind == BODY_NONE || empty) && !check_page(x))
		return false;
	if (op->body_kind == BODY_NONE)
		return true;
	if (empty) {
		if (op->body_required)
			exchange_problem(x, PROBLEM_BAD_JSON, "a body is needed");
		return !op->body_required;
	}
	if (!check_media(x))
		return false;
	return op->body_kind == BODY_BYTES || (parse_body(x) && check_shape(x));
}

void content_check(struct exchange *x)
{
	if (check_parameters(x))
		check_body(x);
}

bool content_check_first(struct exchange *x)
{
	return check_parameters(x) && check_media(x);
}
