/* Waits on the API's own long poll, and the way into what it answers. */
#include "tests/lib/http.h"

#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARK_MS = 2000, PAUSE_MS = 10, PATH_MAX_BYTES = 256 };

/* The version of what was read: a resource says it in its body, a 404 only in its header. */
static void version_of(const struct http_reply *reply, char *out, size_t size)
{
	const char *etag = json_str(reply->json, "etag");

	if (!*etag)
		etag = http_header(reply, "ETag");
	if (!etag)
		etag = "";
	etag += *etag == '"';
	snprintf(out, size, "%.*s", (int)strcspn(etag, "\""), etag);
}

static struct http_reply *read_once(const char *url, const char *since, long wait_ms)
{
	char parked[2048];

	snprintf(parked, sizeof parked, "%s", url);
	if (*since)
		snprintf(parked, sizeof parked, "%s%csince=%s&wait=%ldms", url,
			strchr(url, '?') ? '&' : '?', http_escape(since), wait_ms);
	return http_send(&(struct http_request){.url = parked});
}

struct http_reply *http_until(
	const char *url, http_predicate *holds, const void *argument, long ms, const char *what)
{
	int64_t end = check_now_ms() + ms, left;
	char since[256] = "", last[256];

	for (;;) {
		struct http_reply *reply;
		int64_t begun = check_now_ms();

		left = end - begun;
		/* The last look is a plain one, so that no wake-up is needed for the verdict. */
		if (left < PAUSE_MS)
			since[0] = '\0';
		reply = read_once(url, since, left < PARK_MS ? (long)left : PARK_MS);
		if (holds(reply, argument))
			return reply;
		CHECK(left > 0, "waited %ld ms for %s at %s; last reply %ld %s %.3000s", ms, what,
			url, reply->status, reply->error, reply->body);
		snprintf(last, sizeof last, "%s", since);
		version_of(reply, since, sizeof since);
		if (reply->status == 0 || !*since || reply->status == 400 ||
			(strcmp(last, since) == 0 && check_now_ms() - begun < PAUSE_MS))
			check_pause_ms(PAUSE_MS);
		if (reply->status == 400)
			since[0] = '\0';
		http_reply_free(reply);
	}
}

struct wanted {
	const char *path;
	const char *text;
	long long number;
};

static bool has_str(const struct http_reply *reply, const void *argument)
{
	const struct wanted *wanted = argument;

	return reply->status == 200 &&
	       strcmp(json_str(reply->json, wanted->path), wanted->text) == 0;
}

static bool has_int(const struct http_reply *reply, const void *argument)
{
	const struct wanted *wanted = argument;

	return reply->status == 200 && json_number_at(reply->json, wanted->path) == wanted->number;
}

static bool has_status(const struct http_reply *reply, const void *argument)
{
	return reply->status == *(const long *)argument;
}

struct http_reply *http_until_str(const char *url, const char *path, const char *value, long ms)
{
	struct wanted wanted = {.path = path, .text = value};
	char what[512];

	snprintf(what, sizeof what, "%s to be '%s'", path, value);
	return http_until(url, has_str, &wanted, ms, what);
}

struct http_reply *http_until_int(const char *url, const char *path, long long value, long ms)
{
	struct wanted wanted = {.path = path, .number = value};
	char what[512];

	snprintf(what, sizeof what, "%s to be %lld", path, value);
	return http_until(url, has_int, &wanted, ms, what);
}

struct http_reply *http_until_status(const char *url, long status, long ms)
{
	char what[64];

	snprintf(what, sizeof what, "the status %ld", status);
	return http_until(url, has_status, &status, ms, what);
}

json_t *json_at(const json_t *json, const char *path)
{
	while (json && *path) {
		size_t length = strcspn(path, ".");
		char step[PATH_MAX_BYTES];

		snprintf(step, sizeof step, "%.*s", (int)length, path);
		json = json_is_array(json) ? json_array_get(json, strtoul(step, NULL, 10))
					   : json_object_get(json, step);
		path += length + (path[length] == '.');
	}
	return (json_t *)(uintptr_t)json;
}

const char *json_str(const json_t *json, const char *path)
{
	const char *text = json_string_value(json_at(json, path));

	return text ? text : "";
}

long long json_number_at(const json_t *json, const char *path)
{
	json_t *found = json_at(json, path);

	return json_is_integer(found) ? json_integer_value(found) : -1;
}
