/* Requests that may be sent again: before and behind the handler. */
#include "api/once.h"

#include <string.h>
#include <strings.h>

#include "api/http_inside.h"
#include "api/reads.h"
#include "api/sha256.h"
#include "api/wait.h"

#define KEY "Idempotency-Key"
#define WAIT_FIRST_MS 30000 /* the default `wait` for one that is under way */
#define COMMIT_MS_MAX 30000 /* so long a reply waits for the disk */
#define PARTS_MAX (2 * (HTTP_SEGMENTS_MAX + 2 * HTTP_QUERY_MAX) + 4)

static const struct reply_keeper *keeper_of(const struct exchange *x)
{
	return x->http->config.keeper;
}

static bool takes_key(const struct operation *op)
{
	for (size_t i = 0; i < op->parameter_count; i++)
		if (op->parameters[i].place == PARAMETER_HEADER &&
			strcasecmp(op->parameters[i].name, KEY) == 0)
			return true;
	return false;
}

const char *exchange_once(const struct exchange *x)
{
	return x->once.key[0] ? x->once.key + strlen(ONCE_PREFIX) : NULL;
}

/* ---- who asks what ---- */

struct parts {
	struct sha256_part items[PARTS_MAX];
	size_t count;
};

static void add(struct parts *p, const char *bytes, size_t count)
{
	p->items[p->count++] = (struct sha256_part){bytes, count};
}

/* With its NUL, which no text has inside, so that it is told from the next one. */
static void add_text(struct parts *p, const char *text)
{
	add(p, text, strlen(text) + 1);
}

static enum err hash_request(struct exchange *x)
{
	struct parts p = {.count = 0};

	add_text(&p, x->method_text);
	for (size_t i = 0; i < x->segment_count; i++)
		add_text(&p, x->segments[i]);
	add(&p, "\1", 1);
	for (size_t i = 0; i < x->query_count; i++) {
		if (strcmp(x->queries[i].name, "pretty") == 0)
			continue;
		add_text(&p, x->queries[i].name);
		add_text(&p, x->queries[i].value);
	}
	add(&p, "\1", 1);
	add(&p, x->body.bytes, x->body.used);
	return sha256_hex(p.items, p.count, x->once.request);
}

/* A child's keys are its own: nobody learns what others were answered. */
static enum err hash_key(struct exchange *x, const char *key)
{
	struct parts p = {.count = 0};
	char *hex = x->once.key + strlen(ONCE_PREFIX);
	enum err e;

	add_text(&p, x->by.ref ? x->by.ref : "");
	add_text(&p, key);
	e = sha256_hex(p.items, p.count, hex);
	if (e == ERR_OK)
		memcpy(x->once.key, ONCE_PREFIX, strlen(ONCE_PREFIX));
	return e;
}

/* ---- those under way ---- */

static struct exchange *under_way(const struct http *h, const char *key)
{
	struct exchange *x = h->under_way;

	while (x && strcmp(x->once.key, key) != 0)
		x = x->once.next;
	return x;
}

static void begin(struct exchange *x)
{
	struct http *h = x->http;

	x->once.state = ONCE_FIRST;
	x->started_ms = exchange_now_ms(x); /* it may have waited for another one */
	x->expired = false;
	x->once.next = h->under_way;
	if (x->once.next)
		x->once.next->once.place = &x->once.next;
	x->once.place = &h->under_way;
	h->under_way = x;
}

/* Whoever waits for it looks again. */
static void end(struct exchange *x)
{
	if (!x->once.place)
		return;
	*x->once.place = x->once.next;
	if (x->once.next)
		x->once.next->once.place = x->once.place;
	x->once.place = NULL;
	http_wake_key(x->http, x->once.key, strlen(x->once.key));
}

void once_release(struct exchange *x)
{
	end(x);
	if (x->once.held)
		MHD_destroy_response(x->once.held);
	text_fini(&x->once.value);
	text_fini(&x->once.body);
}

/* ---- before the handler ---- */

static bool hash_both(struct exchange *x, const char *key)
{
	enum err e = x->once.key[0] ? ERR_OK : hash_request(x);

	if (e == ERR_OK && !x->once.key[0])
		e = hash_key(x, key);
	if (e != ERR_OK)
		exchange_fail(x, e);
	return e == ERR_OK;
}

static void await(struct exchange *x, const struct exchange *first)
{
	int64_t deadline = x->started_ms + reads_wait_ms(x, WAIT_FIRST_MS);

	if (strcmp(first->once.request, x->once.request) != 0) {
		once_reused(x);
	} else if (exchange_now_ms(x) >= deadline) {
		exchange_problem(x, PROBLEM_WAIT_TIMEOUT,
			"the first request with this key is still under way");
	} else if (exchange_has_room(x)) {
		exchange_watch_key(x, x->once.key, strlen(x->once.key));
		exchange_park(x, deadline);
	}
}

static bool is_refused(struct exchange *x)
{
	enum err e = keeper_of(x)->room(x->http->config.service);

	if (e == ERR_LIMIT)
		exchange_problem(x, PROBLEM_OVERLOADED,
			"the cluster keeps as many replies for idempotency keys as it may");
	else if (e == ERR_IO)
		exchange_problem(x, PROBLEM_STORAGE_READ_ONLY, "%s", err_text(e));
	else if (e != ERR_OK)
		exchange_fail(x, e);
	return e != ERR_OK;
}

bool once_begins(struct exchange *x)
{
	const char *key = x->once.state == ONCE_NONE && keeper_of(x) && takes_key(x->operation)
				  ? exchange_header(x, KEY)
				  : NULL;
	const struct exchange *first;

	if (!key)
		return true;
	if (!hash_both(x, key))
		return false;
	first = under_way(x->http, x->once.key);
	if (first)
		await(x, first);
	else if (!once_replayed(x) && !is_refused(x))
		begin(x);
	return x->once.state == ONCE_FIRST;
}

/* ---- behind it ---- */

/* After these one is to try again. */
static bool is_temporary(unsigned status)
{
	return status >= 500 || status == 429;
}

static bool wants_disk(const struct exchange *x)
{
	const char *ack = exchange_query(x, "ack");

	return !x->gone && !(ack && strcmp(ack, "memory") == 0);
}

void once_keep(struct exchange *x)
{
	enum err e;

	if (x->once.state != ONCE_FIRST || !x->response)
		return;
	if (is_temporary(x->status) || x->once.secret) {
		end(x);
		return;
	}
	once_write(x, loop_wall_ms() + ONCE_KEEP_MS);
	e = text_cstr(&x->once.value) ? ERR_OK : ERR_NO_MEMORY;
	if (e == ERR_OK)
		e = keeper_of(x)->keep(x->http->config.service, x->once.key, &x->once.value,
			loop_wall_ms() + ONCE_KEEP_MS, &x->once.batch);
	/* Kept or not, it is an answer, and not lost yet. */
	if (e != ERR_OK || !wants_disk(x)) {
		end(x);
		return;
	}
	x->once.state = ONCE_KEPT;
	x->once.held = x->response;
	x->response = NULL;
	once_sent(x);
}

bool once_sent(struct exchange *x)
{
	enum err e;

	if (x->once.state != ONCE_KEPT)
		return false;
	if (!exchange_stored(x, x->once.batch, &e) && !x->http->draining && !x->expired) {
		exchange_watch_commit(x, x->once.batch);
		x->wants_park = true;
		x->deadline_ms = exchange_now_ms(x) + COMMIT_MS_MAX;
		return true;
	}
	x->response = x->once.held;
	x->once.held = NULL;
	end(x);
	return true;
}

bool once_goes_on(const struct exchange *x)
{
	return x->once.state == ONCE_FIRST;
}
