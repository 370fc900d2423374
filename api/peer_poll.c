#include "api/peer_poll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/encoding.h"

/* Those under way, one or two for each peer; only the loop's thread is here. */
static struct peer_poll *polls;

static void free_poll(void *state)
{
	struct peer_poll *p = state;

	if (p->place) {
		*p->place = p->next;
		if (p->next)
			p->next->place = p->place;
	}
	wire_request_fini(&p->request);
	free(p);
}

static void enlist(struct peer_poll *p)
{
	p->place = &polls;
	p->next = polls;
	if (p->next)
		p->next->place = &p->next;
	polls = p;
}

size_t peer_poll_key(const struct peer_poll *p, char ret_key[PEER_KEY_BYTES])
{
	return (size_t)snprintf(ret_key, PEER_KEY_BYTES, "link/%s", p->request.link);
}

/* Of two requests of one link the one with the greater number goes on; the other ends with a tick.
 */
static void supersede(struct exchange *x, struct peer_poll *p)
{
	char key[PEER_KEY_BYTES];

	for (struct peer_poll *other = polls; other; other = other->next) {
		if (other->http != p->http || strcmp(other->request.link, p->request.link) != 0)
			continue;
		if (other->request.n < p->request.n) {
			other->superseded = true;
			http_wake_key(exchange_http(x), key, peer_poll_key(p, key));
		} else {
			p->superseded = true;
		}
	}
}

/* A link is named `<incarnation of the client>-<number>`. */
static enum err tell_core(struct exchange *x, const struct peer_poll *p)
{
	const struct service *service = resource_service(x);
	struct event event = {.kind = EVENT_POLLED};
	struct command_result result;
	char hex[ORIGIN_HEX_BYTES];

	snprintf(hex, sizeof(hex), "%s", p->request.link);
	if (!origin_from_hex(hex, &event.polled.incarnation))
		return ERR_UNKNOWN_LINK;
	event.polled.poll = &p->request.poll;
	return service->command(service->node, &event, &result);
}

void peer_poll_refuse(struct exchange *x, enum err e)
{
	if (e == ERR_MALFORMED)
		exchange_problem(x, PROBLEM_INVALID_SPEC, "the request is no poll");
	else
		resource_fail(x, e);
}

/* The vectors lack what another table has: there is no answer to them. */
static void reply_redo(struct exchange *x, const struct peer_poll *p)
{
	struct fragment f;
	enum err e = horde_serve_redo(resource_horde(x), &f);

	if (e == ERR_OK)
		peer_poll_reply(x, p, &f);
	else
		peer_poll_refuse(x, e);
}

struct peer_poll *peer_poll_begin(struct exchange *x)
{
	struct peer_poll *p = calloc(1, sizeof(*p));
	const struct vector *retired;
	uint64_t hash;
	enum err e;

	if (!p) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	p->http = exchange_http(x);
	retired = horde_retired(resource_horde(x), &hash);
	e = wire_request_load(exchange_body(x), retired, hash, &p->request);
	if (e != ERR_OK) {
		free(p);
		peer_poll_refuse(x, e);
		return NULL;
	}
	exchange_state_set(x, p, free_poll);
	e = tell_core(x, p);
	if (e != ERR_OK) {
		peer_poll_refuse(x, e);
		return NULL;
	}
	supersede(x, p);
	enlist(p);
	if (!p->request.stale)
		return p;
	reply_redo(x, p);
	return NULL;
}

/* Without memory it goes out as it is. */
static void compress(struct exchange *x, struct text *body)
{
	enum encoding e = encoding_choose(exchange_header(x, "Accept-Encoding"));

	if (e != ENCODING_NONE && text_ok(body) && body->used > ENCODING_BYTES_MIN &&
		encode(e, body) == ERR_OK)
		exchange_header_set(x, "Content-Encoding", encoding_name(e));
}

void peer_poll_reply(struct exchange *x, const struct peer_poll *p, struct fragment *f_take)
{
	const struct horde *h = resource_horde(x);
	struct wire_sender sender = {.after = NULL};
	struct text body = TEXT_INIT;

	(void)horde_retired(h, &sender.retired_hash);
	/* A vector that could not be read in full is nothing to go by. */
	sender.after = p->request.stale ? NULL : &p->request.poll.after;
	wire_write(f_take, &sender, &body);
	fragment_fini(f_take);
	compress(x, &body);
	exchange_reply_text(x, 200, "application/x-ndjson", &body);
}

void peer_poll_tick(struct exchange *x, const struct peer_poll *p)
{
	const struct horde *h = resource_horde(x);
	struct fragment f;
	enum err e = map_difference(horde_map(h), map_vector(horde_map(h)), &f);

	if (e != ERR_OK) {
		peer_poll_refuse(x, e);
		return;
	}
	horde_serve_sign(h, &f);
	peer_poll_reply(x, p, &f);
}
