#include "api/problem.h"

#include <assert.h>

static const struct {
	unsigned status;
	const char *slug;
	const char *title;
} problems[] = {
#define X(name, status, code, title) [PROBLEM_##name] = {status, code, title},
	HORDE_PROBLEMS(X)
#undef X
};

static_assert(sizeof(problems) / sizeof(problems[0]) == PROBLEM_COUNT, "one row a problem");

unsigned problem_status(enum problem_code p)
{
	assert(p < PROBLEM_COUNT);
	return problems[p].status;
}

const char *problem_slug(enum problem_code p)
{
	assert(p < PROBLEM_COUNT);
	return problems[p].slug;
}

const char *problem_title(enum problem_code p)
{
	assert(p < PROBLEM_COUNT);
	return problems[p].title;
}

enum problem_code problem_of(enum err e)
{
	static const struct {
		enum err e;
		enum problem_code p;
	} rows[] = {
		{ERR_NO_MEMORY, PROBLEM_OVERLOADED},
		{ERR_LIMIT, PROBLEM_OVERLOADED},
		{ERR_MALFORMED, PROBLEM_BAD_REQUEST},
		{ERR_STORAGE_FULL, PROBLEM_STORAGE_FULL},
		{ERR_STORAGE_READ_ONLY, PROBLEM_STORAGE_READ_ONLY},
		{ERR_ETAG_MISMATCH, PROBLEM_ETAG_MISMATCH},
		{ERR_ALREADY_REGISTERED, PROBLEM_ALREADY_REGISTERED},
		{ERR_NOT_OWNER, PROBLEM_NOT_OWNER},
		{ERR_OWNER_UNKNOWN, PROBLEM_INVALID_SPEC},
		{ERR_WRONG_STATE, PROBLEM_WRONG_STATE},
		{ERR_FULL, PROBLEM_MAX_CHILDREN},
		{ERR_EXISTS, PROBLEM_WRONG_STATE},
		{ERR_ELSEWHERE, PROBLEM_OWNER_UNREACHABLE},
		{ERR_NO_MEMBER, PROBLEM_NO_ELIGIBLE_MEMBER},
		{ERR_NOT_READY, PROBLEM_NOT_READY},
		{ERR_SHUTTING_DOWN, PROBLEM_SHUTTING_DOWN},
		{ERR_CLUSTER_MISMATCH, PROBLEM_CLUSTER_MISMATCH},
		{ERR_NAME_TAKEN, PROBLEM_NAME_TAKEN},
		{ERR_UNKNOWN_LINK, PROBLEM_UNKNOWN_LINK},
		{ERR_STALE_EPOCH, PROBLEM_STALE_EPOCH},
		{ERR_AHEAD, PROBLEM_NOT_READY},
		{ERR_FORBIDDEN, PROBLEM_FORBIDDEN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].e == e)
			return rows[i].p;
	return PROBLEM_INTERNAL;
}

static void put_optional(struct text *out, const char *name, const char *value)
{
	if (value)
		json_put_string(out, name, value);
}

void problem_write(struct text *out, enum problem_code p, const struct problem_facts *facts)
{
	json_object(out);
	json_key(out, "type");
	text_addf(out, "\"/problems/%s\"", problem_slug(p));
	out->comma = true;
	json_put_string(out, "title", problem_title(p));
	json_put_uint(out, "status", problem_status(p));
	json_put_string(out, "code", problem_slug(p));
	put_optional(out, "detail", facts->detail);
	put_optional(out, "instance", facts->instance);
	put_optional(out, "request_id", facts->request_id);
	put_optional(out, "node", facts->node);
	if (facts->extra && facts->extra->used)
		json_raw(out, facts->extra->bytes, facts->extra->used);
	if (facts->faults && facts->faults->used) {
		json_key(out, "errors");
		json_array(out);
		json_raw(out, facts->faults->bytes, facts->faults->used);
		json_end_array(out);
	}
	json_end_object(out);
	if ((facts->extra && facts->extra->failed) || (facts->faults && facts->faults->failed))
		out->failed = true;
}
