#include "tests/lib/expect.h"

#include "tests/lib/check.h"

#include <string.h>

enum { CODE_BYTES = 64 };

static void expect_headers(const struct http_reply *reply)
{
	if (!strstr(reply->url, "/v1/"))
		return;
	CHECK(http_header(reply, "Horde-Request-Id"), "%s %s: no Horde-Request-Id in\n%s",
		reply->method, reply->url, reply->head);
	CHECK(http_header(reply, "Horde-Node"), "%s %s: no Horde-Node in\n%s", reply->method,
		reply->url, reply->head);
}

struct http_reply *expect_status(struct http_reply *reply, long status)
{
	CHECK(reply->status == status, "%s %s gave %ld, should be %ld: %s%.2000s", reply->method,
		reply->url, reply->status, status, reply->error, reply->body);
	expect_headers(reply);
	return reply;
}

struct http_reply *expect_success(struct http_reply *reply)
{
	CHECK(reply->status / 100 == 2, "%s %s gave %ld, should be 2xx: %s%.2000s", reply->method,
		reply->url, reply->status, reply->error, reply->body);
	expect_headers(reply);
	return reply;
}

static bool allows(const char *codes, const char *code)
{
	size_t length = strlen(code);

	for (const char *at = codes; (at = strstr(at, code)); at++)
		if ((at == codes || at[-1] == '|') && (at[length] == '|' || !at[length]))
			return length > 0;
	return false;
}

struct http_reply *expect_problem(struct http_reply *reply, long status, const char *code)
{
	const char *type, *is;

	expect_status(reply, status);
	type = http_header(reply, "Content-Type");
	CHECK(type && strncmp(type, "application/problem+json", 24) == 0,
		"%s %s: content type '%s'", reply->method, reply->url, type ? type : "(none)");
	if (strcmp(reply->method, "HEAD") == 0)
		return reply;
	is = json_str(reply->json, "code");
	type = json_str(reply->json, "type");
	CHECK(*is, "%s: no code in %s", reply->url, reply->body);
	CHECK(!code || allows(code, is), "%s %s: code '%s', should be '%s': %s", reply->method,
		reply->url, is, code, reply->body);
	CHECK(strncmp(type, "/problems/", 10) == 0 && strcmp(type + 10, is) == 0,
		"%s: type '%s' with code '%s'", reply->url, type, is);
	CHECK(*json_str(reply->json, "title"), "%s: no title in %s", reply->url, reply->body);
	CHECK(*json_str(reply->json, "request_id"), "no request_id in %s", reply->body);
	CHECK(*json_str(reply->json, "node"), "no node in %s", reply->body);
	CHECK_INT(json_number_at(reply->json, "status"), status);
	return reply;
}

struct http_reply *expect_fault(struct http_reply *reply, const char *pointer)
{
	json_t *errors = json_at(reply->json, "errors"), *error;
	size_t i;

	json_array_foreach(errors, i, error)
	{
		if (strcmp(json_str(error, "pointer"), pointer) != 0)
			continue;
		CHECK(*json_str(error, "code"), "a fault without code: %s", reply->body);
		CHECK(*json_str(error, "detail"), "a fault without detail: %s", reply->body);
		return reply;
	}
	CHECK(false, "no fault at %s in %s", pointer, reply->body);
	return reply;
}

const char *expect_etag(const struct http_reply *reply)
{
	static char ring[4][256];
	static unsigned next;
	char *kept = ring[next++ % 4];
	const char *etag = http_header(reply, "ETag");
	size_t length = etag ? strlen(etag) : 0;
	const char *body = json_str(reply->json, "etag");

	CHECK(length >= 2 && length < sizeof ring[0] && etag[0] == '"' && etag[length - 1] == '"',
		"%s %s: no strong ETag but '%s'", reply->method, reply->url,
		etag ? etag : "(none)");
	memcpy(kept, etag, length + 1);
	body += *body == '"';
	if (*body)
		CHECK(strncmp(body, kept + 1, length - 2) == 0, "etag '%s' in the body, header %s",
			body, kept);
	return kept;
}
