/*
 * The answer to block sums (replication.md 1.7): for a client whose vector is below a floor, and
 * for two nodes that know the same and hold different things. Never parked.
 */
#include "api/peer.h"
#include "api/peer_poll.h"

void peer_digest(struct exchange *x)
{
	struct peer_poll *p = peer_poll_begin(x);
	struct fragment f;
	enum err e;

	if (!p)
		return;
	/* A repair is between two that know the same: such a difference is no answer to it. */
	if (peer_stream_wanted(x, p)) {
		peer_stream_reply(x, p, &p->request.blocks);
		return;
	}
	e = map_difference_checked(
		resource_map(x), &p->request.poll.after, &p->request.blocks, p->request.repair, &f);
	if (e != ERR_OK) {
		peer_poll_refuse(x, e);
		return;
	}
	horde_serve_sign(resource_horde(x), &f);
	peer_poll_reply(x, p, &f);
}
