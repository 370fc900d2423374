#include "api/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/duration.h"
#include "api/http_inside.h"
#include "api/json_text.h"

void hex_put(char out[17], uint64_t value)
{
	for (int i = 15; i >= 0; i--, value >>= 4)
		out[i] = "0123456789abcdef"[value & 15];
	out[16] = '\0';
}

struct exchange *exchange_take(struct http *h)
{
	struct exchange *x = h->spare;

	if (x) {
		h->spare = x->spare_next;
		h->spare_count--;
	} else {
		x = calloc(1, sizeof(*x));
		if (!x)
			return NULL;
		x->http = h;
		arena_init(&x->arena, x->first, sizeof(x->first));
	}
	h->busy++;
	x->started_ms = loop_now_ms(h->config.loop);
	hex_put(x->request_id, h->next_id++);
	return x;
}

/* Buffers are kept for the next request, unless they are large. */
static void empty(struct text *t)
{
	if (t->size > HTTP_SPARE_BYTES)
		text_fini(t);
	else
		text_clear(t);
}

void exchange_release(struct exchange *x)
{
	struct http *h = x->http;
	struct text body, items, pointer, extra;

	wait_leave(x);
	reply_forget(x);
	exchange_state_set(x, NULL, NULL);
	follow_release(x);
	once_release(x);
	json_decref(x->json);
	empty(&x->body);
	empty(&x->faults.items);
	empty(&x->faults.pointer);
	empty(&x->extra);
	arena_fini(&x->arena);
	h->busy--;
	h->body_bytes -= x->body_counted;
	body = x->body;
	items = x->faults.items;
	pointer = x->faults.pointer;
	extra = x->extra;
	if (h->spare_count == HTTP_SPARE_MAX) {
		text_fini(&body);
		text_fini(&items);
		text_fini(&pointer);
		text_fini(&extra);
		free(x);
		return;
	}
	memset(x, 0, offsetof(struct exchange, arena));
	x->http = h;
	x->body = body;
	x->faults.items = items;
	x->faults.pointer = pointer;
	x->extra = extra;
	x->spare_next = h->spare;
	h->spare = x;
	h->spare_count++;
}

void *exchange_service(const struct exchange *x)
{
	return x->http->config.service;
}

struct http *exchange_http(const struct exchange *x)
{
	return x->http;
}

const char *exchange_operation(const struct exchange *x)
{
	return x->operation->id;
}

const struct credential *exchange_child(const struct exchange *x)
{
	return x->by.ref ? &x->by : NULL;
}

const char *exchange_method(const struct exchange *x)
{
	return x->method_text;
}

const char *exchange_url(const struct exchange *x)
{
	return x->url;
}

const char *exchange_request_id(const struct exchange *x)
{
	return x->request_id;
}

int64_t exchange_now_ms(const struct exchange *x)
{
	return loop_now_ms(x->http->config.loop);
}

int64_t exchange_started_ms(const struct exchange *x)
{
	return x->started_ms;
}

const char *exchange_path(const struct exchange *x, const char *name)
{
	const struct parameter *p = x->operation->parameters;

	for (size_t i = 0; i < x->operation->parameter_count; i++, p++)
		if (p->place == PARAMETER_PATH && strcmp(p->name, name) == 0)
			return x->segments[p->segment];
	assert(0 && "the operation has no such path parameter");
	return "";
}

const char *exchange_query_at(const struct exchange *x, const char *name, size_t index)
{
	for (size_t i = 0; i < x->query_count; i++)
		if (strcmp(x->queries[i].name, name) == 0 && index-- == 0)
			return x->queries[i].value;
	return NULL;
}

const char *exchange_query(const struct exchange *x, const char *name)
{
	return exchange_query_at(x, name, 0);
}

bool exchange_query_bool(const struct exchange *x, const char *name, bool fallback)
{
	const char *value = exchange_query(x, name);

	if (!value)
		return fallback;
	return strcmp(value, "false") != 0 && strcmp(value, "0") != 0;
}

int64_t exchange_query_int(const struct exchange *x, const char *name, int64_t fallback)
{
	const char *value = exchange_query(x, name);

	return value ? strtoll(value, NULL, 10) : fallback;
}

int64_t exchange_query_ms(const struct exchange *x, const char *name, int64_t fallback)
{
	const char *value = exchange_query(x, name);
	int64_t ms;

	return value && duration_parse(value, &ms) == ERR_OK ? ms : fallback;
}

const char *exchange_header(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

json_t *exchange_body(const struct exchange *x)
{
	return x->json;
}

const char *exchange_body_text(const struct exchange *x, size_t *ret_length)
{
	*ret_length = x->body.used;
	return x->body.bytes;
}

uint64_t exchange_body_passed(const struct exchange *x)
{
	return x->body_passed;
}

const char *exchange_body_member_raw(
	const struct exchange *x, const char *member, size_t *ret_length)
{
	return json_member(x->body.bytes, x->body.used, member, ret_length);
}

void *exchange_alloc(struct exchange *x, size_t bytes)
{
	return arena_alloc(&x->arena, bytes);
}

void *exchange_state(const struct exchange *x)
{
	return x->state;
}

void exchange_state_set(struct exchange *x, void *state, void (*free_state)(void *state))
{
	if (x->state && x->state != state && x->free_state)
		x->free_state(x->state);
	x->state = state;
	x->free_state = free_state;
}
