/*
 * How far this node and its peers are apart. Pure reads: what a peer has is known from its last
 * answer and from its last poll, so it may have more by now, and never less but after its store was
 * put back.
 */
#ifndef HORDE_CORE_REPORT_H
#define HORDE_CORE_REPORT_H

#include "server/core/digest.h"
#include "server/core/horde.h"

struct report {
	size_t origins;      /* lives of nodes whose events are known here */
	size_t retired;      /* of them, those that the wire leaves out (replication.md 1.7) */
	size_t kill_records; /* kept for members that may lack them */
	struct digest digest;
	/*
	 * All configured members are known to have the same events, and none has other entries for
	 * it. One that cannot be reached may have events that nobody else has, so with such a one
	 * it is false.
	 */
	bool converged;
};

struct peer_report {
	struct origin_id node_id;
	const char *name;
	bool connected;      /* it answers this node's polls; else all else is as it was last */
	bool vectors_equal;  /* connected, and no event is known that one of both lacks */
	bool digests_equal;  /* when both last had the same events, they had the same entries too */
	bool diverged;       /* twice in a row they had not; it is being mended */
	uint64_t lag_events; /* events that one of both is not known to have */
	uint64_t behind;     /* of them, those that the peer has and this node has not */
	uint64_t ahead;      /* events known here that the peer is not known to have on disk */
	uint64_t bytes_received; /* with its answers, in this life of this node */
	uint64_t bytes_sent;     /* with this node's polls */
	int64_t synced_ms;       /* its last answer, monotonic; 0: none yet */
	size_t held;             /* slices of its answers that wait for others (held.h) */
};

void horde_report(const struct horde *h, struct report *ret);
/* False: `m` is no peer, since it is this node, has left, or has no record yet. Texts are `m`'s. */
bool horde_report_peer(const struct horde *h, const struct member *m, struct peer_report *ret);

#endif
