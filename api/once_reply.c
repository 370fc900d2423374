/* A kept reply as text, and the same as a reply. */
#include <stdio.h>
#include <string.h>

#include "api/http_inside.h"
#include "api/json_read.h"

void once_note(struct exchange *x, const char *media, const char *bytes, size_t count)
{
	struct once *o = &x->once;

	if (o->state != ONCE_FIRST)
		return;
	o->media = media;
	o->whole = bytes && reply_media(media) && count <= REPLY_KEPT_BYTES_MAX;
	text_clear(&o->body);
	if (o->whole)
		text_add(&o->body, bytes, count);
}

void once_write(struct exchange *x, int64_t expires_ms)
{
	struct text *out = &x->once.value;

	json_object(out);
	json_put_string(out, "request", x->once.request);
	json_put_int(out, "expires_at", expires_ms);
	json_put_uint(out, "status", x->status);
	json_key(out, "headers");
	json_object(out);
	for (size_t i = 0; i < x->header_count; i++)
		json_put_string(out, x->headers[i].name, x->headers[i].value);
	json_end_object(out);
	if (x->once.media)
		json_put_string(out, "type", x->once.media);
	if (x->once.media && x->once.whole) {
		json_key(out, "body");
		json_string_n(out, x->once.body.bytes, x->once.body.used);
		out->failed |= !text_ok(&x->once.body);
	}
	json_end_object(out);
}

/* One header less than there may be: who is answered again is told so by another one. */
static void set_headers(struct exchange *x, json_t *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach(headers, name,
		value) if (json_is_string(value) && x->header_count < HTTP_REPLY_HEADERS_MAX - 1)
		exchange_header_set(x, name, json_string_value(value));
}

static void reply_as(struct exchange *x, const json_t *kept)
{
	unsigned status = (unsigned)json_integer_value(json_object_get(kept, "status"));
	const char *type = json_string_value(json_object_get(kept, "type"));
	const char *media = type ? reply_media(type) : NULL;
	const json_t *text = json_object_get(kept, "body");
	struct text body = TEXT_INIT;

	set_headers(x, json_object_get(kept, "headers"));
	if (!type) {
		exchange_reply_empty(x, status);
	} else if (!media || !json_is_string(text)) {
		x->header_count = 0; /* this is not what was answered */
		exchange_problem(x, PROBLEM_REPLY_NOT_KEPT,
			"the request was carried out and answered with %u", status);
	} else {
		text_add(&body, json_string_value(text), json_string_length(text));
		exchange_reply_text(x, status, media, &body);
		text_fini(&body);
	}
}

void once_reused(struct exchange *x)
{
	exchange_problem(
		x, PROBLEM_KEY_REUSED, "this Idempotency-Key was sent with another request");
}

static bool is_same(const struct exchange *x, const json_t *kept)
{
	const char *request = json_string_value(json_object_get(kept, "request"));

	return request && strcmp(request, x->once.request) == 0;
}

bool once_replayed(struct exchange *x)
{
	const struct http_config *c = &x->http->config;
	size_t bytes;
	const char *value = c->keeper->find(c->service, x->once.key, &bytes);
	json_t *kept = NULL;
	enum err e = value ? json_read(value, bytes, 0, &kept) : ERR_NOT_FOUND;

	/* A value that is none, which only a broken peer writes, is as good as none. */
	if (e == ERR_NO_MEMORY)
		exchange_fail(x, e);
	if (e != ERR_OK)
		return exchange_replied(x);
	if (json_integer_value(json_object_get(kept, "expires_at")) > loop_wall_ms()) {
		if (is_same(x, kept)) {
			exchange_header_set(x, "Idempotent-Replayed", "true");
			reply_as(x, kept);
		} else {
			once_reused(x);
		}
	}
	json_decref(kept);
	return exchange_replied(x);
}
