#include "api/pass.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/http_inside.h"
#include "api/wait.h"

struct walk {
	void (*each)(void *data, const char *name, const char *value);
	void *data;
};

static enum MHD_Result each_header(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	const struct walk *walk = data;

	(void)kind;
	walk->each(walk->data, name, value ? value : "");
	return MHD_YES;
}

void pass_headers(const struct exchange *x,
	void (*each)(void *data, const char *name, const char *value), void *data)
{
	struct walk walk = {each, data};

	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, each_header, &walk);
}

struct query {
	struct text *out;
	char before;
};

/* libmicrohttpd has made a space of each '+'; no real one comes this far. */
static void add_raw(struct text *out, const char *text)
{
	for (; *text; text++)
		text_add(out, *text == ' ' ? "+" : text, 1);
}

static enum MHD_Result each_query(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct query *q = data;

	(void)kind;
	text_add(q->out, &q->before, 1);
	q->before = '&';
	add_raw(q->out, name);
	if (value) {
		text_adds(q->out, "=");
		add_raw(q->out, value);
	}
	return MHD_YES;
}

void pass_target(const struct exchange *x, struct text *out)
{
	struct query q = {out, '?'};

	text_adds(out, x->rest && *x->rest ? x->rest : "/");
	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, each_query, &q);
}

void pass_client(const struct exchange *x, char ret_client[PASS_CLIENT_BYTES])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *at = info ? info->client_addr : NULL;
	char text[INET6_ADDRSTRLEN] = "";

	snprintf(ret_client, PASS_CLIENT_BYTES, "unknown");
	if (at && at->sa_family == AF_INET &&
		inet_ntop(AF_INET, &((const struct sockaddr_in *)at)->sin_addr, text, sizeof(text)))
		snprintf(ret_client, PASS_CLIENT_BYTES, "%s", text);
	if (at && at->sa_family == AF_INET6 &&
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)at)->sin6_addr, text,
			sizeof(text)))
		snprintf(ret_client, PASS_CLIENT_BYTES, "\"[%s]\"", text);
}

int64_t pass_length(const struct exchange *x)
{
	return x->heads.content_length ? (int64_t)strtoull(x->heads.content_length, NULL, 10)
				       : PASS_LENGTH_UNKNOWN;
}

/* As libmicrohttpd 0.9.75 uses its memory: half of it to read into, and somewhat more than a larger
 * head needs; what Cookie says once more; so many bytes for each header and parameter. */
#define READ_SLACK 4096u
#define FIELD_BYTES 80u
#define OWN_BYTES 1024u /* of the headers that every reply has */

struct measure {
	size_t raw, beside;
};

static enum MHD_Result measure(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct measure *m = data;
	size_t bytes = value ? strlen(value) : 0;

	m->raw += strlen(name) + bytes + 4;
	m->beside += FIELD_BYTES;
	if (kind == MHD_HEADER_KIND && strcasecmp(name, "Cookie") == 0)
		m->beside += bytes + 1;
	return MHD_YES;
}

size_t pass_head_room(const struct exchange *x)
{
	struct measure m = {.raw = strlen(x->url), .beside = OWN_BYTES};
	size_t taken;

	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, measure, &m);
	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, measure, &m);
	taken = m.raw + READ_SLACK > HTTP_CONNECTION_BYTES / 2 ? m.raw + READ_SLACK
							       : HTTP_CONNECTION_BYTES / 2;
	taken += m.beside;
	return taken < HTTP_CONNECTION_BYTES ? HTTP_CONNECTION_BYTES - taken : 0;
}

void pass_hold(struct exchange *x)
{
	exchange_park(x, exchange_now_ms(x) + HTTP_WAIT_MS_MAX);
}

void pass_refuse(struct exchange *x)
{
	x->body_refused = true;
}
