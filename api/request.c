/* What is looked at before the body: headers, host, size, route, token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/http_inside.h"
#include "api/utf8.h"

static void note_header(struct heads *heads, const char *name, size_t length, const char *value)
{
	const struct {
		const char *name;
		size_t length;
		const char **place;
	} rows[] = {{"Host", 4, &heads->host}, {"Content-Length", 14, &heads->content_length},
		{"Authorization", 13, &heads->authorization},
		{"Content-Type", 12, &heads->content_type},
		{"Transfer-Encoding", 17, &heads->transfer_encoding}, {"Expect", 6, &heads->expect},
		{"Origin", 6, &heads->origin}, {"Horde-Min-Dot", 13, &heads->min_dot}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (length != rows[i].length || strcasecmp(name, rows[i].name) != 0)
			continue;
		*rows[i].place = value;
		heads->hosts += i == 0;
		heads->lengths += i == 1;
		heads->encodings += i == 4;
		return;
	}
}

static enum MHD_Result each_header(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct heads *heads = data;
	size_t length = strlen(name);

	(void)kind;
	heads->bytes += length + (value ? strlen(value) : 0) + 4;
	note_header(heads, name, length, value ? value : "");
	return MHD_YES;
}

/*
 * The name in the `all` bytes of Host, without port and brackets kept: "[::1]:80" is "[::1]". 0
 * when something else than a port follows it.
 */
static size_t host_length(const char *host, size_t all)
{
	const char *end = host[0] == '[' ? memchr(host, ']', all) : memchr(host, ':', all);
	size_t length = end ? (size_t)(end - host) + (*end == ']') : all;

	if (length < all &&
		(host[length] != ':' || strspn(host + length + 1, "0123456789") < all - length - 1))
		return 0;
	return length;
}

static bool same_host(const char *allowed, const char *host, size_t length)
{
	size_t n = strlen(allowed);

	if (n == length && strncasecmp(allowed, host, n) == 0)
		return true;
	/* An IPv6 address is written without brackets in options, with them in Host. */
	return host[0] == '[' && n + 2 == length && strncasecmp(allowed, host + 1, n) == 0;
}

static bool is_allowed(const struct exchange *x, const char *host, size_t all)
{
	size_t length = host_length(host, all);

	for (const char *const *allowed = x->http->config.hosts; length && *allowed; allowed++)
		if (same_host(*allowed, host, length))
			return true;
	return false;
}

static bool check_host(struct exchange *x)
{
	const char *host = x->heads.host;
	size_t all;

	if (!host || x->heads.hosts != 1) {
		exchange_problem(x, PROBLEM_HOST_NOT_ALLOWED, "exactly one Host header is needed");
		return false;
	}
	if (is_allowed(x, host, strlen(host)) &&
		(!x->authority || is_allowed(x, x->authority, strcspn(x->authority, "/"))))
		return true;
	all = strlen(host);
	if (all > 256 || !utf8_is_text(host, all))
		all = 0;
	exchange_problem(x, PROBLEM_HOST_NOT_ALLOWED,
		"'%.*s' is not a name of this node; --allow-host adds names", (int)all, host);
	return false;
}

static bool check_framing(struct exchange *x)
{
	if (x->heads.lengths > 1 || (x->heads.content_length && x->heads.transfer_encoding)) {
		/* Two readers may see two different bodies here (RFC 9112, 6.1). */
		x->close = true;
		exchange_problem(x, PROBLEM_BAD_REQUEST, "the length of the body is given twice");
		return false;
	}
	if (x->heads.encodings > 1 ||
		(x->heads.transfer_encoding &&
			strcasecmp(x->heads.transfer_encoding, "chunked") != 0)) {
		/* libmicrohttpd would wait for the end of the connection, others would not. */
		x->close = true;
		exchange_problem(x, PROBLEM_BAD_REQUEST, "the one transfer encoding is chunked");
		return false;
	}
	if (x->heads.bytes > HTTP_HEADERS_BYTES_MAX) {
		exchange_problem(x, PROBLEM_HEADERS_TOO_LARGE,
			"the headers have more than %u bytes", HTTP_HEADERS_BYTES_MAX);
		return false;
	}
	return true;
}

/* ---- the URL ---- */

struct query_walk {
	struct exchange *x;
	size_t bytes;
	bool overflow, starved;
};

static const char *decode(struct exchange *x, const char *text, bool *ret_starved)
{
	size_t count = strlen(text);
	char *out = arena_alloc(&x->arena, count + 1);

	if (!out)
		*ret_starved = true;
	if (!out || !percent_decode(text, count, out, &count) || !utf8_is_text(out, count))
		return NULL;
	return out;
}

static enum MHD_Result each_query(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct query_walk *walk = data;
	struct exchange *x = walk->x;
	struct pair *pair;

	(void)kind;
	walk->bytes += strlen(name) + (value ? strlen(value) : 0) + 2;
	if (!x->queries)
		x->queries = arena_alloc(&x->arena, HTTP_QUERY_MAX * sizeof(*x->queries));
	walk->starved |= !x->queries;
	walk->overflow |= x->query_count == HTTP_QUERY_MAX;
	if (walk->starved || walk->overflow)
		return MHD_NO;
	pair = &x->queries[x->query_count];
	pair->name = decode(x, name, &walk->starved);
	pair->value = value ? decode(x, value, &walk->starved) : "";
	if (!pair->name || !pair->value) {
		x->query_broken = true;
		return MHD_NO;
	}
	x->query_count++;
	return MHD_YES;
}

static bool read_query(struct exchange *x)
{
	struct query_walk walk = {.x = x};

	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, each_query, &walk);
	x->pretty = exchange_query_bool(x, "pretty", false);
	if (walk.starved)
		exchange_fail(x, ERR_NO_MEMORY);
	else if (strlen(x->url) + walk.bytes > HTTP_URL_BYTES_MAX)
		exchange_problem(x, PROBLEM_URI_TOO_LONG, "the URL has more than %u bytes",
			HTTP_URL_BYTES_MAX);
	else if (walk.overflow)
		exchange_problem(
			x, PROBLEM_BAD_QUERY, "more than %d query parameters", HTTP_QUERY_MAX);
	else if (x->query_broken)
		exchange_problem(x, PROBLEM_BAD_ESCAPE,
			"the query has a broken escape, or is not UTF-8 text without control "
			"characters");
	return !exchange_replied(x);
}

/* All that is left may be one parameter, as it was sent; but nothing that would end a line. */
static bool read_rest(struct exchange *x, const char *rest)
{
	if (!router_rest(&x->http->router, x->segments, x->segment_count))
		return true;
	for (const char *p = rest; *p; p++) {
		if (*p > ' ' && *p < '\x7f')
			continue;
		exchange_problem(x, PROBLEM_BAD_ESCAPE,
			"the path has characters that have to be written as escapes");
		return false;
	}
	x->rest = rest;
	x->segments[x->segment_count++] = *rest ? rest + 1 : rest;
	return true;
}

/* Splits the path at its slashes first and decodes then: %2F stays inside of a segment. */
static bool read_path(struct exchange *x)
{
	const char *p = x->url;
	bool starved = false;

	while (*p == '/') {
		size_t length = strcspn(p + 1, "/");
		char *out;

		if (router_rest(&x->http->router, x->segments, x->segment_count))
			break;
		p++;
		if (x->segment_count == HTTP_SEGMENTS_MAX) {
			exchange_problem(
				x, PROBLEM_NO_SUCH_ROUTE, "the path has too many segments");
			return false;
		}
		out = arena_copy(&x->arena, p, length);
		p += length;
		x->segments[x->segment_count] =
			out && strpbrk(out, "%") ? decode(x, out, &starved) : out;
		if (!out || starved) {
			exchange_fail(x, ERR_NO_MEMORY);
			return false;
		}
		out = (char *)x->segments[x->segment_count];
		if (!out || !utf8_is_text(out, strlen(out))) {
			exchange_problem(x, PROBLEM_BAD_ESCAPE,
				"segment %zu of the path has a broken escape, or is not UTF-8 "
				"text without control characters",
				x->segment_count + 1);
			return false;
		}
		x->segment_count++;
	}
	return read_rest(x, p);
}

static bool find_route(struct exchange *x)
{
	struct route route =
		router_find(&x->http->router, x->method, x->segments, x->segment_count);
	char allow[64];

	x->operation = route.operation;
	if (x->operation)
		return true;
	if (!route.methods) {
		exchange_problem(x, PROBLEM_NO_SUCH_ROUTE, "/openapi.yaml lists what there is");
		return false;
	}
	router_allow(route.methods, allow);
	exchange_header_set(x, "Allow", allow);
	if (x->method == METHOD_OPTIONS)
		exchange_reply_empty(x, 204);
	else
		exchange_problem(x, PROBLEM_METHOD_NOT_ALLOWED, "possible here: %s", allow);
	return false;
}

/* ---- who asks ---- */

/* Takes as long for a wrong secret as for the right one of the same length. */
static bool same_secret(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b);
	unsigned char different = m != n;

	for (size_t i = 0; i < m; i++)
		different |= (unsigned char)(a[i] ^ b[n ? i % n : 0]);
	return !different;
}

static const char *bearer_of(const struct exchange *x)
{
	const char *given = x->heads.authorization;

	return given && strncasecmp(given, "Bearer ", 7) == 0 ? given + 7 : NULL;
}

static bool check_child(struct exchange *x, const char *token)
{
	const struct http_config *c = &x->http->config;
	enum err e = c->credential ? c->credential(c->service, token, &x->child) : ERR_MALFORMED;

	if (e == ERR_MALFORMED) {
		exchange_problem(x, PROBLEM_UNAUTHORIZED, "this token is not known");
	} else if (!x->operation->children) {
		exchange_problem(x, PROBLEM_FORBIDDEN,
			"a child's token is for names of its own and its own state");
	} else if (e != ERR_OK) {
		exchange_fail(x, e);
	} else {
		x->by = (struct credential){.ref = x->child.ref, .epoch = x->child.epoch};
		return true;
	}
	return false;
}

static bool check_secret(struct exchange *x, const char *given, const char *wanted)
{
	bool peers = x->operation->peers;

	if (!given)
		exchange_problem(x, PROBLEM_UNAUTHORIZED, "send Authorization: Bearer %s",
			peers ? "with the cluster's secret" : "and a token");
	else if (same_secret(given, wanted))
		return true;
	else if (peers)
		exchange_problem(x, PROBLEM_FORBIDDEN, "this is not the cluster's secret");
	else
		exchange_problem(x, PROBLEM_UNAUTHORIZED, "this token is not known");
	return false;
}

/* A child is known by its token also where nobody else has to show one. */
static bool check_credentials(struct exchange *x)
{
	const struct operation *op = x->operation;
	const char *wanted = op->peers ? x->http->config.secret : x->http->config.token;
	const char *given = bearer_of(x);

	if (op->open)
		return true;
	if (!op->peers && given && child_token_is(given))
		return check_child(x, given);
	return !wanted || check_secret(x, given, wanted);
}

static bool check_length(struct exchange *x)
{
	const char *text = x->heads.content_length;
	unsigned long long length = text ? strtoull(text, NULL, 10) : 0;

	if (length <= x->operation->body_bytes_max)
		return true;
	/* A client that waits for our "100 Continue" sends nothing yet; a huge body is not worth
	 * reading to its end. Both are answered at once, at the price of the connection. */
	x->close = x->heads.expect || length > HTTP_DISCARD_BYTES_MAX;
	exchange_problem(x, PROBLEM_BODY_TOO_LARGE, "the body has more than %zu bytes",
		x->operation->body_bytes_max);
	return false;
}

/* "http://host/path" is a path too (RFC 9112, 3.2.2), and its host goes before the header. */
static const char *path_of(struct exchange *x, const char *url)
{
	const char *slash;

	if (strncasecmp(url, "http://", 7) != 0)
		return url;
	x->authority = url + 7;
	slash = strchr(url + 7, '/');
	return slash ? slash : "/";
}

void request_begin(struct exchange *x)
{
	x->method = method_of(x->method_text);
	x->url = path_of(x, x->url);
	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, each_header, &x->heads);
	if (!check_framing(x) || !check_host(x) || !read_query(x) || !read_path(x) ||
		!find_route(x) || !check_credentials(x) || !check_length(x))
		return;
	x->run_mark = arena_mark(&x->arena);
}
