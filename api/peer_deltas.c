/*
 * The long poll (replication.md 1.6): parked until this node knows something that the client does
 * not, or the time is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/peer.h"
#include "api/resource.h"
#include "api/wire.h"

#define DELTAS_WAIT_MS_MAX 25000 /* below what proxies on the way give an idle connection */
/*
 * How long news of others is held back from a parked client: it hears of them from those others at
 * the same time, and only one that is cut off from them needs them from here.
 */
#define DELTAS_RELAY_MS 50

struct poll {                       /* the state of an exchange */
	struct poll *next, **place; /* in `polls`, while it lasts */
	const struct http *http;
	struct wire_request request;
	struct origin_id client; /* its incarnation, and so the origin of its own events */
	int64_t relay_ms; /* when news of others goes out too; 0: at once, it was never parked */
	bool superseded;  /* a later request of its link has come */
};

/* Those under way, one or two for each peer; only the loop's thread is here. */
static struct poll *polls;

static void free_poll(void *state)
{
	struct poll *p = state;

	if (p->place) {
		*p->place = p->next;
		if (p->next)
			p->next->place = p->place;
	}
	wire_request_fini(&p->request);
	free(p);
}

static void enlist(struct poll *p)
{
	p->place = &polls;
	p->next = polls;
	if (p->next)
		p->next->place = &p->next;
	polls = p;
}

static size_t link_key(const struct poll *p, char ret_key[WIRE_LINK_BYTES_MAX + 8])
{
	return (size_t)snprintf(ret_key, WIRE_LINK_BYTES_MAX + 8, "link/%s", p->request.link);
}

/* Of two requests of one link the one with the greater number goes on; the other ends with a tick.
 */
static void supersede(struct exchange *x, struct poll *p)
{
	char key[WIRE_LINK_BYTES_MAX + 8];

	for (struct poll *other = polls; other; other = other->next) {
		if (other->http != p->http || strcmp(other->request.link, p->request.link) != 0)
			continue;
		if (other->request.n < p->request.n) {
			other->superseded = true;
			http_wake_key(exchange_http(x), key, link_key(p, key));
		} else {
			p->superseded = true;
		}
	}
}

/* A link is named `<incarnation of the client>-<number>`. */
static enum err poll_known(struct exchange *x, struct poll *p)
{
	const struct service *service = resource_service(x);
	struct event event = {.kind = EVENT_POLLED};
	struct command_result result;
	char hex[ORIGIN_HEX_BYTES];

	snprintf(hex, sizeof(hex), "%s", p->request.link);
	if (!origin_from_hex(hex, &event.polled.incarnation))
		return ERR_UNKNOWN_LINK;
	p->client = event.polled.incarnation;
	return service->command(service->node, &event, &result);
}

/*
 * Nobody knows more of an origin than itself: what came from the client is not told back to it. In
 * want of memory it is, which does no harm.
 */
static void skip_own(struct poll *p, const struct vector *known)
{
	vector_raise(&p->request.after, p->client, vector_get(known, p->client));
}

static void refuse(struct exchange *x, enum err e)
{
	if (e == ERR_MALFORMED)
		exchange_problem(x, PROBLEM_INVALID_SPEC, "the request is no poll");
	else if (e == ERR_PROTOCOL)
		exchange_problem(x, PROBLEM_UNSUPPORTED, "this node answers `want` \"*\" only");
	else
		resource_fail(x, e);
}

/* The first run: reads the request; NULL when it was refused. */
static struct poll *begin(struct exchange *x)
{
	struct poll *p = calloc(1, sizeof(*p));
	const char *body;
	size_t bytes;
	enum err e;

	if (!p) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	p->http = exchange_http(x);
	body = exchange_body_text(x, &bytes);
	e = wire_request_read(body, bytes, &p->request);
	if (e != ERR_OK) {
		free(p);
		refuse(x, e);
		return NULL;
	}
	exchange_state_set(x, p, free_poll);
	e = poll_known(x, p);
	if (e != ERR_OK) {
		refuse(x, e);
		return NULL;
	}
	supersede(x, p);
	enlist(p);
	return p;
}

/* What this node knows beyond `after`; beyond its own vector that is nothing, a tick. */
static void reply_beyond(struct exchange *x, const struct vector *after)
{
	const struct horde *h = resource_horde(x);
	struct text body = TEXT_INIT;
	struct fragment f;
	enum err e = map_difference(horde_map(h), after, &f);

	if (e != ERR_OK) {
		exchange_fail(x, e);
		return;
	}
	f.clock = horde_clock(h);
	wire_write(&f, horde_config(h)->name, &body);
	fragment_fini(&f);
	exchange_reply_text(x, 200, "application/x-ndjson", &body);
}

/* Is there something for the client, and may it go out? False: `deadline` is when to look again. */
static bool has_news(
	struct exchange *x, struct poll *p, const struct vector *known, int64_t *deadline)
{
	struct origin_id self = horde_config(resource_horde(x))->incarnation;
	int64_t now_ms = exchange_now_ms(x);

	skip_own(p, known);
	if (vector_covers(&p->request.after, known)) {
		p->relay_ms = INT64_MAX;
		return false;
	}
	if (vector_get(known, self) > vector_get(&p->request.after, self))
		return true;
	if (p->relay_ms == INT64_MAX)
		p->relay_ms = now_ms + DELTAS_RELAY_MS;
	if (p->relay_ms < *deadline)
		*deadline = p->relay_ms;
	return now_ms >= p->relay_ms;
}

void peer_deltas(struct exchange *x)
{
	const struct vector *known = map_vector(resource_map(x));
	struct poll *p = exchange_state(x);
	char key[WIRE_LINK_BYTES_MAX + 8];
	int64_t wait, deadline;

	if (!p && !(p = begin(x)))
		return;
	if (p->superseded) {
		reply_beyond(x, known);
		return;
	}
	wait = p->request.wait_ms < DELTAS_WAIT_MS_MAX ? p->request.wait_ms : DELTAS_WAIT_MS_MAX;
	deadline = exchange_started_ms(x) + wait;
	if (has_news(x, p, known, &deadline) || resource_late(x, deadline)) {
		reply_beyond(x, &p->request.after);
		return;
	}
	exchange_watch_prefix(x, "", 0);
	exchange_watch_key(x, key, link_key(p, key));
	exchange_park(x, deadline);
}
