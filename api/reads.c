#include "api/reads.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/http_inside.h"
#include "api/wait.h"

/* The version of what is not there. */
static const struct etag absent = {"0000000000000000"};

struct etag etag_of(uint64_t hash)
{
	struct etag e;

	hex_put(e.text, hash);
	return e;
}

struct etag etag_pair(uint64_t spec_hash, uint64_t status_hash)
{
	struct etag e;

	hex_put(e.text, spec_hash);
	e.text[16] = '-';
	hex_put(e.text + 17, status_hash);
	return e;
}

void etag_put(struct text *out, const struct etag *etag)
{
	json_put_string(out, "etag", etag->text);
}

static void set_etag(struct exchange *x, const struct etag *etag)
{
	char quoted[sizeof(etag->text) + 2];

	snprintf(quoted, sizeof(quoted), "\"%s\"", etag->text);
	exchange_header_set(x, "ETag", quoted);
}

/* ---- conditions ---- */

static bool same_tag(const char *given, size_t length, const char *etag, bool first_part)
{
	const char *dash = first_part ? strchr(etag, '-') : NULL;
	const char *given_dash = dash ? memchr(given, '-', length) : NULL;
	size_t wanted = dash ? (size_t)(dash - etag) : strlen(etag);

	if (given_dash)
		length = (size_t)(given_dash - given);
	return length == wanted && memcmp(given, etag, length) == 0;
}

/* Does a list of entity tags (RFC 9110, 8.8.3; quotes may be missing) hold this one, or `*`? */
static bool holds(const char *list, const struct etag *etag, bool first_part)
{
	while (*list) {
		size_t length;

		list += strspn(list, " \t,");
		if (*list == '*')
			return true;
		if (strncmp(list, "W/", 2) == 0)
			list += 2;
		list += *list == '"';
		length = strcspn(list, "\", \t");
		if (length && same_tag(list, length, etag->text, first_part))
			return true;
		list += length;
		list += *list == '"';
	}
	return false;
}

bool writes_allowed(struct exchange *x, const struct etag *current)
{
	const char *match = exchange_header(x, "If-Match");
	const char *none = exchange_header(x, "If-None-Match");

	if ((!match || (current && holds(match, current, true))) &&
		(!none || !current || !holds(none, current, false)))
		return true;
	if (!current) {
		exchange_problem(x, PROBLEM_ETAG_MISMATCH, "there is no present version");
		return false;
	}
	set_etag(x, current);
	etag_put(exchange_extra(x), current);
	exchange_problem(x, PROBLEM_ETAG_MISMATCH, "the present version is %s", current->text);
	return false;
}

/* ---- blocking reads ---- */

/* `wait=30` (seconds) among the preferences, in milliseconds; -1 when it is not there. */
static int64_t preferred_wait_ms(const char *prefer)
{
	while (prefer && *prefer) {
		prefer += strspn(prefer, " \t,;");
		if (strncasecmp(prefer, "wait=", 5) == 0 && prefer[5] >= '0' && prefer[5] <= '9') {
			long long seconds = strtoll(prefer + 5, NULL, 10);
			int64_t most = HTTP_WAIT_MS_MAX / 1000;

			return (seconds < most ? seconds : most) * 1000;
		}
		prefer += strcspn(prefer, ",;");
	}
	return -1;
}

int64_t reads_wait_ms(const struct exchange *x, int64_t fallback_ms)
{
	int64_t ms = exchange_query_ms(x, "wait", -1);

	if (ms < 0)
		ms = preferred_wait_ms(exchange_header(x, "Prefer"));
	if (ms < 0)
		ms = fallback_ms;
	return ms < HTTP_WAIT_MS_MAX ? ms : HTTP_WAIT_MS_MAX;
}

/* Which version the client has: `since` goes before If-None-Match. NULL: it does not say. */
static const char *known_version(const struct exchange *x)
{
	const char *since = exchange_query(x, "since");

	return since ? since : exchange_header(x, "If-None-Match");
}

/* Waits on, unless the time is over or none was given. */
static bool parks(struct exchange *x)
{
	int64_t ms = reads_wait_ms(x, 0);

	/* By the time: who parks for less than that comes again before. */
	if (ms <= 0 || exchange_now_ms(x) >= exchange_started_ms(x) + ms)
		return false;
	exchange_park(x, exchange_started_ms(x) + ms);
	return true;
}

bool reads_known(const struct exchange *x, const struct etag *etag)
{
	const char *known = known_version(x);

	return known && holds(known, etag, false);
}

bool reads_settled(struct exchange *x, const struct etag *etag)
{
	const char *known = known_version(x);
	bool since = known && exchange_query(x, "since");
	bool same = reads_known(x, etag);

	x->pure = !same;
	if (same && parks(x))
		return true;
	if (since)
		exchange_header_set(x, "Horde-Changed", same ? "false" : "true");
	if (!same || since)
		return false;
	set_etag(x, etag);
	exchange_reply_empty(x, 304);
	return true;
}

void reads_absent(struct exchange *x, enum problem_code p, const char *format, ...)
{
	const char *known = known_version(x);
	bool same = known && holds(known, &absent, false);
	char detail[1024];
	va_list args;

	if ((!known || same) && parks(x))
		return;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	if (exchange_query(x, "since"))
		exchange_header_set(x, "Horde-Changed", same ? "false" : "true");
	set_etag(x, &absent);
	etag_put(exchange_extra(x), &absent);
	exchange_problem(x, p, "%s", detail);
}

void reads_reply_value(struct exchange *x, struct text *body_take, const struct etag *etag)
{
	set_etag(x, etag);
	if (x->pure)
		share_offer(x, etag);
	exchange_reply(x, 200, body_take);
}

void reads_reply(struct exchange *x, struct text *body_take, const struct etag *etag)
{
	if (text_ok(body_take) && body_take->used >= 2 &&
		body_take->bytes[body_take->used - 1] == '}') {
		body_take->used--;
		body_take->comma = body_take->bytes[body_take->used - 1] != '{';
		etag_put(body_take, etag);
		json_end_object(body_take);
	}
	reads_reply_value(x, body_take, etag);
}
