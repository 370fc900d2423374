#include "api/share.h"

#include <stdlib.h>
#include <string.h>

#include "api/http_inside.h"
#include "api/reads.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct share_bytes { /* freed with the last response that has them */
	size_t users;
	char *bytes;
	size_t count;
};

struct shared {
	XXH128_hash_t asked; /* what for */
	struct share_bytes *bytes;
	const char *media;
	struct etag etag;
	struct text headers; /* name, NUL, value, NUL, ... */
};

static void let_go(void *data)
{
	struct share_bytes *b = data;

	if (--b->users > 0)
		return;
	free(b->bytes);
	free(b);
}

/* ---- who asks for the same ---- */

/* How long to wait, and from which version on, is each one's own. */
static bool is_own(const char *name)
{
	return strcmp(name, "wait") == 0 || strcmp(name, "since") == 0;
}

static void hash_text(XXH3_state_t *state, const char *text)
{
	XXH3_128bits_update(state, text, strlen(text) + 1);
}

static XXH128_hash_t hash_of(const struct exchange *x)
{
	XXH3_state_t state;

	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, &x->http->share_seed, sizeof(x->http->share_seed));
	hash_text(&state, x->operation->id);
	hash_text(&state, x->by.ref ? x->by.ref : "");
	for (size_t i = 0; i < x->segment_count; i++)
		hash_text(&state, x->segments[i]);
	for (size_t i = 0; i < x->query_count; i++) {
		if (is_own(x->queries[i].name))
			continue;
		hash_text(&state, x->queries[i].name);
		hash_text(&state, x->queries[i].value);
	}
	return XXH3_128bits_digest(&state);
}

static struct shared *place_of(struct http *h, XXH128_hash_t asked)
{
	return h->shared ? &h->shared[asked.low64 & (HTTP_SHARED_MAX - 1)] : NULL;
}

static void empty(struct shared *s)
{
	if (s->bytes)
		let_go(s->bytes);
	s->bytes = NULL;
	text_clear(&s->headers);
}

void share_forget(struct http *h)
{
	for (size_t i = 0; h->shared_count > 0 && i < HTTP_SHARED_MAX; i++) {
		h->shared_count -= h->shared[i].bytes != NULL;
		empty(&h->shared[i]);
	}
}

void share_free(struct http *h)
{
	share_forget(h);
	for (size_t i = 0; h->shared && i < HTTP_SHARED_MAX; i++)
		text_fini(&h->shared[i].headers);
	free(h->shared);
	h->shared = NULL;
}

/* ---- giving ---- */

/* Only where somebody may take it: with others that were woken too. */
void share_offer(struct exchange *x, const struct etag *etag)
{
	struct http *h = x->http;

	if (!x->parked || !h->woken || x->expired)
		return;
	if (!h->shared)
		h->shared = calloc(HTTP_SHARED_MAX, sizeof(*h->shared));
	x->offered = h->shared ? etag : NULL;
}

static void keep_headers(struct shared *s, const struct exchange *x)
{
	for (size_t i = 0; i < x->header_count; i++) {
		const struct pair *p = &x->headers[i];

		if (strcmp(p->name, "Horde-Changed") == 0)
			continue;
		text_add(&s->headers, p->name, strlen(p->name) + 1);
		text_add(&s->headers, p->value, strlen(p->value) + 1);
	}
}

static struct MHD_Response *respond(struct share_bytes *b)
{
	struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
		b->count, b->bytes, let_go, b);

	b->users += r != NULL;
	return r;
}

struct MHD_Response *share_response(struct exchange *x, const char *media, struct text *body_take)
{
	XXH128_hash_t asked = hash_of(x);
	struct shared *s = place_of(x->http, asked);
	struct share_bytes *b = malloc(sizeof(*b));
	struct MHD_Response *r;

	if (!b)
		return NULL;
	*b = (struct share_bytes){.users = 1, .count = body_take->used};
	b->bytes = text_take(body_take);
	if (!b->bytes) {
		free(b);
		return NULL;
	}
	r = respond(b);
	x->http->shared_count += !s->bytes;
	empty(s);
	s->asked = asked;
	s->bytes = b;
	s->media = media;
	s->etag = *x->offered;
	keep_headers(s, x);
	return r;
}

/* ---- taking ---- */

static void set_headers(struct exchange *x, const struct shared *s)
{
	const char *at = s->headers.bytes, *end = at + s->headers.used;

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		exchange_header_set(x, at, value);
		at = value + strlen(value) + 1;
	}
	if (exchange_query(x, "since"))
		exchange_header_set(x, "Horde-Changed", "true");
}

bool share_taken(struct exchange *x)
{
	struct http *h = x->http;
	XXH128_hash_t asked;
	struct shared *s;

	if (h->shared_count == 0 || !x->parked || x->expired || x->method != METHOD_GET)
		return false;
	asked = hash_of(x);
	s = place_of(h, asked);
	if (!s->bytes || !XXH128_isEqual(s->asked, asked) || !text_ok(&s->headers) ||
		reads_known(x, &s->etag))
		return false;
	set_headers(x, s);
	reply_install(x, 200, respond(s->bytes), s->media);
	return true;
}
