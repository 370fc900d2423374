/*
 * Members: what the map says of a node (its own `member/{node_id}` record) joined with what this
 * node thinks of it. An opinion is local and revocable, and is never written into the map
 * (replication.md 3.3).
 */
#ifndef HORDE_CORE_MEMBER_H
#define HORDE_CORE_MEMBER_H

#include "server/core/record.h"
#include "server/core/vector.h"

#define MEMBERS_MAX 256 /* more are refused at hello; their records are kept, and not polled */

enum opinion {
	OPINION_UNKNOWN, /* not in contact yet in this life, and it is too early to judge */
	OPINION_ALIVE,
	OPINION_SUSPECT, /* silent: gets no new children, keeps those it has */
	OPINION_DEAD,    /* its process is gone (refused): its children are orphans */
};

const char *opinion_name(enum opinion o);

struct member {
	struct origin_id node_id;
	bool self;
	bool recorded;                      /* its member record is in the map */
	const struct member_record *record; /* NULL until recorded */
	enum opinion opinion;
	bool contacted;     /* has answered, or called, in this life of ours */
	int64_t seen_ms;    /* the last sign of life, monotonic; 0 never */
	int64_t refused_ms; /* since when it refuses connections; 0 when it does not */
	int64_t rival_ms;   /* when two lives of it, at two addresses, were heard of; 0 never */
	int64_t goodbye_until_ms; /* it said it would be back by then; 0 when it did not */
	bool leaving;             /* it said goodbye for good: no new children */
	bool silent;              /* its last answer did not come in time */
	struct origin_id present; /* incarnation as of its last hello; zero before one */
	int64_t present_ms;
	struct origin_id incarnation; /* as of its record */
	int64_t incarnation_ms;       /* when that was first seen here */
	struct vector ack;            /* what it has on disk, as it said last; not kept for self */
	struct vector known;          /* what it has or holds, as it said last; not kept for self */
};

#endif
