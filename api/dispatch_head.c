/* The heads of requests and replies that are passed on: what goes along, and what does not. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/dispatch.h"
#include "api/follow.h"
#include "api/pass.h"

#define VIA_NAME "horde-" /* before a node's name in Via */
#define OPTIONS_BYTES_MAX 1024

/* Of one connection (RFC 9110, 7.6.1), for this node alone, or made anew for the next one. */
static const char *const kept_back[] = {"Connection", "Keep-Alive", "Proxy-Connection",
	"Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding",
	"Upgrade", "Authorization", "Content-Length", "Host", "Expect", NULL};

static bool is_kept_back(const char *name, const char *options)
{
	size_t length = strlen(name);

	if (strncasecmp(name, "Horde-", strlen("Horde-")) == 0)
		return true;
	for (const char *const *one = kept_back; *one; one++)
		if (strcasecmp(*one, name) == 0)
			return true;
	for (const char *p = options; *p; p += strcspn(p, ",")) {
		p += strspn(p, ", \t");
		if (strncasecmp(p, name, length) == 0 && strchr(", \t", p[length]))
			return true;
	}
	return false;
}

struct head {
	struct text *out;
	struct text options; /* what Connection names; each value with a comma behind it */
	unsigned hops;
};

/* ---- the request's ---- */

/* "1.1 horde-n1, 1.1 proxy" */
static unsigned hops_of(const char *via)
{
	unsigned hops = 0;

	for (const char *p = via; *p; p += strcspn(p, ",")) {
		p += strspn(p, ", \t");
		p += strcspn(p, " \t,");
		p += strspn(p, " \t");
		hops += strncasecmp(p, VIA_NAME, strlen(VIA_NAME)) == 0;
	}
	return hops;
}

static void look(void *data, const char *name, const char *value)
{
	struct head *h = data;

	if (strcasecmp(name, "Connection") == 0) {
		text_adds(&h->options, value);
		text_adds(&h->options, ",");
	}
	if (strcasecmp(name, "Via") == 0)
		h->hops += hops_of(value);
}

static void add_line(struct text *out, const char *name, const char *value)
{
	text_adds(out, name);
	text_adds(out, ": ");
	text_adds(out, value);
	text_add(out, "", 1);
}

static void pass(void *data, const char *name, const char *value)
{
	struct head *h = data;

	if (!is_kept_back(name, h->options.bytes))
		add_line(h->out, name, value);
}

static const char *own_name(const struct exchange *x)
{
	return horde_config(resource_horde(x))->name;
}

/* The line of a request is "Via: ...", of a reply name and value. */
static void add_via(const struct exchange *x, struct text *out)
{
	text_adds(out, "1.1 " VIA_NAME);
	text_adds(out, own_name(x));
	text_add(out, "", 1);
}

/* Its host was looked at (request.c): a name or an address and maybe a port, without quotes. */
static void add_forwarded(const struct exchange *x, struct text *out)
{
	char client[PASS_CLIENT_BYTES];

	pass_client(x, client);
	text_adds(out, "Forwarded: for=");
	text_adds(out, client);
	text_adds(out, ";host=\"");
	text_adds(out, exchange_header(x, "Host"));
	text_adds(out, "\";proto=http;by=_");
	text_adds(out, own_name(x));
	text_add(out, "", 1);
}

bool dispatch_request_head(struct exchange *x, struct text *out)
{
	struct head h = {.out = out, .options = TEXT_INIT};

	pass_headers(x, look, &h);
	if (h.hops >= DISPATCH_HOPS_MAX) {
		exchange_problem(x, PROBLEM_LOOP_DETECTED,
			"it came through %u nodes by dispatch already", h.hops);
	} else if (text_cstr(&h.options)) {
		pass_headers(x, pass, &h);
		add_forwarded(x, out);
		text_adds(out, "Via: ");
		add_via(x, out);
	}
	if (!exchange_replied(x) && (!text_ok(&h.options) || !text_ok(out)))
		exchange_fail(x, ERR_NO_MEMORY);
	text_fini(&h.options);
	return !exchange_replied(x);
}

/* ---- the reply's ---- */

static void add_pair(struct text *out, const char *name, const char *value)
{
	text_add(out, name, strlen(name) + 1);
	text_add(out, value, strlen(value) + 1);
}

struct line {
	char name[DISPATCH_HEAD_BYTES_MAX + 1];
	char value[DISPATCH_HEAD_BYTES_MAX + 1];
};

/* False: it is none, or has no value, which libmicrohttpd would not send. */
static bool read_line(const char *at, struct line *ret)
{
	size_t name = strcspn(at, ":"), value;

	if (at[name] != ':' || name == 0 || strcspn(at, " \t") < name)
		return false;
	memcpy(ret->name, at, name);
	ret->name[name] = '\0';
	at += name + 1;
	at += strspn(at, " \t");
	value = strlen(at);
	while (value && (at[value - 1] == ' ' || at[value - 1] == '\t'))
		value--;
	for (size_t i = 0; i < value; i++)
		ret->value[i] = at[i] == '\t' ? ' ' : at[i];
	ret->value[value] = '\0';
	return value > 0;
}

static uint64_t length_of(const char *value)
{
	char *end;
	unsigned long long length = strtoull(value, &end, 10);

	return isdigit((unsigned char)value[0]) && *end == '\0' ? length : FOLLOW_UNKNOWN;
}

/* What is to be known of the whole before any of it is passed on. */
static void survey(const struct dispatch_view *v, struct line *line, struct text *options,
	uint64_t *ret_length)
{
	bool chunked = false;

	*ret_length = FOLLOW_UNKNOWN;
	for (const char *at = v->head; at < v->head + v->head_bytes; at += strlen(at) + 1) {
		if (!read_line(at, line))
			continue;
		if (strcasecmp(line->name, "Connection") == 0) {
			text_adds(options, line->value);
			text_adds(options, ",");
		}
		if (strcasecmp(line->name, "Content-Length") == 0)
			*ret_length = length_of(line->value);
		chunked = chunked || strcasecmp(line->name, "Transfer-Encoding") == 0;
	}
	if (chunked)
		*ret_length = FOLLOW_UNKNOWN;
	if (v->status == 204 || v->status == 304)
		*ret_length = 0;
}

void dispatch_reply_head(const struct exchange *x, const struct dispatch_view *v, const char *name,
	struct dispatch_reply_head *ret)
{
	struct text options = TEXT_INIT;
	struct line *line = malloc(sizeof(*line));

	*ret = (struct dispatch_reply_head){.headers = TEXT_INIT, .length = FOLLOW_UNKNOWN};
	ret->headers.failed = !line;
	if (line)
		survey(v, line, &options, &ret->length);
	if (!text_cstr(&options))
		ret->headers.failed = true;
	for (const char *at = v->head; text_ok(&ret->headers) && at < v->head + v->head_bytes;
		at += strlen(at) + 1)
		if (read_line(at, line) && !is_kept_back(line->name, options.bytes))
			add_pair(&ret->headers, line->name, line->value);
	add_pair(&ret->headers, "Horde-Dispatched", name);
	text_add(&ret->headers, "Via", sizeof("Via"));
	add_via(x, &ret->headers);
	text_fini(&options);
	free(line);
}
