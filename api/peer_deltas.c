/*
 * The long poll (replication.md 1.6): parked until the core says that it may be answered, or the
 * time is over.
 */
#include "api/peer.h"
#include "api/peer_poll.h"

#define DELTAS_WAIT_MS_MAX 25000 /* below what proxies on the way give an idle connection */

static void reply(struct exchange *x, struct peer_poll *p)
{
	const struct poll *poll = &p->request.poll;
	struct fragment f;
	enum err e;

	if (poll->all && !map_needs_sums(resource_map(x), &poll->after) &&
		peer_stream_wanted(x, p)) {
		peer_stream_reply(x, p, NULL);
		return;
	}
	e = horde_serve(resource_horde(x), poll, &f);
	if (e == ERR_OK)
		peer_poll_reply(x, p, &f);
	else
		peer_poll_refuse(x, e);
}

void peer_deltas(struct exchange *x)
{
	struct peer_poll *p = exchange_state(x);
	char key[PEER_KEY_BYTES];
	int64_t wait_ms, end_ms, look_ms;

	if (!p && !(p = peer_poll_begin(x)))
		return;
	if (p->superseded) {
		peer_poll_tick(x, p);
		return;
	}
	wait_ms = p->request.wait_ms < DELTAS_WAIT_MS_MAX ? p->request.wait_ms : DELTAS_WAIT_MS_MAX;
	look_ms = end_ms = exchange_started_ms(x) + wait_ms;
	if (horde_serve_due(resource_horde(x), &p->request.poll, &p->serving, exchange_now_ms(x),
		    &look_ms) ||
		exchange_now_ms(x) >= end_ms) {
		reply(x, p);
		return;
	}
	exchange_watch_prefix(x, "", 0);
	exchange_watch_key(x, key, peer_poll_key(p, key));
	exchange_park(x, look_ms);
}
