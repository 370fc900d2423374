/* Responses and problems. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api/http_inside.h"
#include "api/json_text.h"
#include "api/utf8.h"

static const char no_memory_body[] =
	"{\"type\":\"/problems/overloaded\",\"title\":\"The node has no room for this request "
	"now\","
	"\"status\":503,\"code\":\"overloaded\",\"detail\":\"out of memory\"}";

static const char media_json[] = "application/json";
static const char media_problem[] = "application/problem+json";

struct MHD_Response *reply_no_memory(const char *node_name)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		sizeof(no_memory_body) - 1, (void *)no_memory_body, MHD_RESPMEM_PERSISTENT);

	if (r && MHD_add_response_header(r, "Content-Type", media_problem) == MHD_YES &&
		MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES &&
		MHD_add_response_header(r, "Retry-After", "1") == MHD_YES &&
		MHD_add_response_header(r, "Horde-Node", node_name) == MHD_YES)
		return r;
	if (r)
		MHD_destroy_response(r);
	return NULL;
}

static void let_go(struct exchange *x)
{
	if (x->response && x->response != x->http->no_memory)
		MHD_destroy_response(x->response);
	x->response = NULL;
}

void reply_forget(struct exchange *x)
{
	let_go(x);
	x->header_count = 0;
	x->starved = false;
	faults_clear(&x->faults);
	text_clear(&x->extra);
	x->offered = NULL;
	x->pure = false;
}

enum MHD_Result reply_queue(struct exchange *x)
{
	enum MHD_Result result = MHD_queue_response(x->connection, x->status, x->response);

	x->follow.queued = x->follow.begun;
	let_go(x);
	return result;
}

static void reply_out_of_memory(struct exchange *x)
{
	let_go(x);
	x->response = x->http->no_memory;
	x->problem = PROBLEM_OVERLOADED; /* as its body says */
	x->status = 503;
}

static bool add_headers(struct exchange *x, struct MHD_Response *r, const char *media_type)
{
	bool ok = MHD_add_response_header(r, "Horde-Node", x->http->config.node_name) == MHD_YES &&
		  MHD_add_response_header(r, "Horde-Request-Id", x->request_id) == MHD_YES;

	if (media_type)
		ok = ok && MHD_add_response_header(r, "Content-Type", media_type) == MHD_YES &&
		     MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES;
	if (x->http->draining || x->close)
		ok = ok && MHD_add_response_header(r, "Connection", "close") == MHD_YES;
	for (size_t i = 0; i < x->header_count; i++)
		ok = ok &&
		     MHD_add_response_header(r, x->headers[i].name, x->headers[i].value) == MHD_YES;
	return ok;
}

/* `r` is taken over; NULL is a lack of memory. */
void reply_install(
	struct exchange *x, unsigned status, struct MHD_Response *r, const char *media_type)
{
	assert(!x->response);
	if (r && !x->starved && add_headers(x, r, media_type)) {
		x->response = r;
		x->status = status;
		return;
	}
	if (r)
		MHD_destroy_response(r);
	reply_out_of_memory(x);
}

static void indent(struct text *body)
{
	struct text pretty = TEXT_INIT;

	json_indent(&pretty, body->bytes, body->used);
	text_fini(body);
	*body = pretty;
}

const char *reply_media(const char *name)
{
	if (strcmp(name, media_json) == 0)
		return media_json;
	return strcmp(name, media_problem) == 0 ? media_problem : NULL;
}

void exchange_reply_text(
	struct exchange *x, unsigned status, const char *media_type, struct text *body_take)
{
	struct MHD_Response *r = NULL;
	size_t count;
	char *bytes;

	if (text_ok(body_take))
		once_note(x, media_type, body_take->bytes, body_take->used);
	if (x->pretty && text_ok(body_take) &&
		(media_type == media_json || media_type == media_problem))
		indent(body_take);
	count = body_take->used;
	bytes = x->offered ? NULL : text_take(body_take);
	if (x->offered) {
		r = share_response(x, media_type, body_take);
		x->offered = NULL;
	} else if (bytes) {
		r = MHD_create_response_from_buffer(count, bytes, MHD_RESPMEM_MUST_FREE);
		if (!r)
			free(bytes);
	}
	reply_install(x, status, r, media_type);
}

void exchange_reply(struct exchange *x, unsigned status, struct text *body_take)
{
	exchange_reply_text(x, status, media_json, body_take);
}

void exchange_reply_empty(struct exchange *x, unsigned status)
{
	once_note(x, NULL, NULL, 0);
	reply_install(x, status,
		MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT), NULL);
}

void exchange_reply_static(struct exchange *x, unsigned status, const char *media_type,
	const char *bytes, size_t count)
{
	once_note(x, media_type, NULL, 0);
	reply_install(x, status,
		MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_PERSISTENT),
		media_type);
}

void exchange_reply_file(
	struct exchange *x, unsigned status, const char *media_type, int fd_take, uint64_t count)
{
	struct MHD_Response *r = MHD_create_response_from_fd64(count, fd_take);

	once_note(x, media_type, NULL, 0);
	if (!r)
		(void)close(fd_take);
	reply_install(x, status, r, media_type);
}

static ssize_t read_source(void *data, uint64_t at, char *bytes, size_t size)
{
	const struct reply_source *source = data;
	ssize_t count = source->read(source->data, bytes, size);

	(void)at;
	if (count > 0)
		return count;
	return count == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void close_source(void *data)
{
	struct reply_source *source = data;

	source->close(source->data);
	free(source);
}

void exchange_reply_source(struct exchange *x, unsigned status, const char *media_type,
	const struct reply_source *source_take)
{
	struct reply_source *source = malloc(sizeof(*source));
	struct MHD_Response *r = NULL;

	once_note(x, media_type, NULL, 0);
	if (source) {
		*source = *source_take;
		r = MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, HTTP_SOURCE_BYTES, read_source, source, close_source);
	}
	if (!r) {
		free(source);
		source_take->close(source_take->data);
	}
	reply_install(x, status, r, media_type);
}

static void default_header(struct exchange *x, const char *name, const char *value)
{
	for (size_t i = 0; i < x->header_count; i++)
		if (strcasecmp(x->headers[i].name, name) == 0)
			return;
	exchange_header_set(x, name, value);
}

static void answer_problem(struct exchange *x, enum problem_code p, const char *detail)
{
	const struct problem_facts facts = {.detail = detail,
		.instance = utf8_is_text(x->url, strlen(x->url)) ? x->url : NULL,
		.request_id = x->request_id,
		.node = x->http->config.node_name,
		.faults = &x->faults.items,
		.extra = &x->extra};
	unsigned status = problem_status(p);
	struct text body = TEXT_INIT;

	x->problem = p;
	if (status == 429 || status == 503)
		default_header(x, "Retry-After", "1");
	if (x->applied)
		json_put_bool(&x->extra, "applied", true);
	if (status == 401)
		default_header(x, "WWW-Authenticate", "Bearer");
	problem_write(&body, p, &facts);
	exchange_reply_text(x, status, media_problem, &body);
	text_fini(&body);
}

void exchange_problem(struct exchange *x, enum problem_code p, const char *format, ...)
{
	char detail[1024];
	va_list args;

	if (!format) {
		answer_problem(x, p, NULL);
		return;
	}
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	utf8_trim(detail);
	answer_problem(x, p, detail);
}

void exchange_applied_set(struct exchange *x)
{
	x->applied = true;
}

void exchange_secret_set(struct exchange *x)
{
	x->once.secret = true;
}

void exchange_fail(struct exchange *x, enum err e)
{
	if (e == ERR_NO_MEMORY)
		reply_out_of_memory(x);
	else
		exchange_problem(x, problem_of(e), "%s", err_text(e));
}

void exchange_fault(
	struct exchange *x, const char *pointer, const char *code, const char *format, ...)
{
	char detail[HTTP_WHY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	faults_add(&x->faults, pointer, code, "%s", detail);
}

struct faults *exchange_faults(struct exchange *x)
{
	return &x->faults;
}

struct text *exchange_extra(struct exchange *x)
{
	return &x->extra;
}

void exchange_header_set(struct exchange *x, const char *name, const char *value)
{
	struct pair *h = x->headers;
	size_t i;

	for (i = 0; i < x->header_count; i++)
		if (strcasecmp(h[i].name, name) == 0)
			break;
	assert(i < HTTP_REPLY_HEADERS_MAX);
	h[i].name = arena_copy(&x->arena, name, strlen(name));
	h[i].value = arena_copy(&x->arena, value, strlen(value));
	if (!h[i].name || !h[i].value) {
		x->starved = true;
		return;
	}
	x->header_count += i == x->header_count;
}

bool exchange_replied(const struct exchange *x)
{
	return x->response != NULL;
}
