/* One connection to a peer, from this node to it: how it stands, and what is exchanged on it. */
#ifndef HORDE_CORE_LINK_STATE_H
#define HORDE_CORE_LINK_STATE_H

#include "server/core/horde.h"

enum link_state {
	LINK_WAITING,
	LINK_GREETING,
	LINK_POLLING, /* a request for deltas is under way */
	LINK_STORING, /* the next one waits until what came is on disk: the peer wants an ack */
	LINK_DONE
};

struct link {
	uint32_t id;
	char url[URL_BYTES_MAX + 1];
	bool keep;  /* a seed */
	bool once;  /* an API join: not retried when it fails */
	bool self;  /* leads back to this node */
	bool none;  /* the peer has no cluster id yet, as of its last answer */
	bool tried; /* answered or failed once: the first sync need not wait for it */
	bool taken; /* the peer said that this node's name is taken, and has not answered since */
	bool joined;
	bool called;     /* its peer has said hello since our last attempt began */
	bool greeted;    /* just now: the first poll is answered at once, new or not */
	bool complained; /* a rejection was logged, and nothing good happened since */
	bool skewed;
	enum link_state state;
	enum err error;
	char name[NAME_BYTES_MAX + 1];
	struct origin_id node_id;     /* zero until its first hello */
	struct origin_id incarnation; /* as of its last hello, in either direction */
	uint32_t failures;
	int64_t retry_ms;
	/* what is exchanged; sync.c */
	struct poll poll;     /* the request that is under way, or was last */
	struct vector theirs; /* the peer's vector as of its last answer */
	struct vector grafts; /* origins that are asked for besides the peer's own (a set) */
	bool whole;           /* the next request is for the full difference */
	bool digesting;       /* the request under way carries block sums */
	bool repairing;       /* and is for a repair */
	uint32_t redos;       /* answers in a row that were REDO or NEED */
	bool held_grafted;    /* what its held slices lack was asked for */
	uint64_t ack_batch;   /* its peer waits for an ack of this batch; 0: it does not */
	bool ack_owed;        /* its peer waits for an ack of what is held of it */
	/* divergence; diverge.c */
	uint32_t mismatches; /* answers in a row with an equal vector and another digest */
	bool diverged;
	int64_t diverged_ms;
	int64_t repair_ms;      /* the next exchange of block sums for a repair */
	struct fragment answer; /* to it, until it is carried out; mode TICK: none */
	/* for people */
	bool vectors_equal;
	bool digests_equal;
	uint64_t bytes_received;
	uint64_t bytes_sent;
	int64_t synced_ms;
};

#endif
