/*
 * Inside of a node: what horde_step works on. Only the core includes this; what each file does with
 * it is in parts.h.
 */
#ifndef HORDE_CORE_STATE_H
#define HORDE_CORE_STATE_H

#include "server/core/child_state.h"
#include "server/core/events.h"
#include "server/core/held.h"
#include "server/core/horde.h"
#include "server/core/lease.h"
#include "server/core/link_state.h"
#include "server/core/placement.h"
#include "server/core/times.h"

struct lack { /* an event that a peer knows, and that has not come here yet */
	struct dot dot;
	int64_t since_ms;
	bool grafted;
};

struct age { /* what was known at a time: how the kill log's records are told old from new */
	int64_t at_ms;
	struct vector upto;
};

struct cut { /* a store batch and this node's last event in it */
	uint64_t batch;
	uint64_t seq;
};

struct horde {
	struct horde_config config;
	struct map *map;
	struct held *held;
	struct lack lacks[LACKS_MAX];
	size_t lack_count;
	struct hybrid_clock clock;
	struct origin_id cluster_id;
	uint64_t cluster_batch; /* the batch that stores it; 0: it was loaded */
	uint64_t started;       /* of the own member record */
	int64_t start_ms;
	int64_t now_ms; /* of the event under way */
	int64_t wall_ms;
	bool begun;
	bool heard; /* a peer has answered a poll, or there was nobody to ask */
	bool synced;
	bool stopping;
	bool left; /* the LEFT record is written */
	bool exit_said;
	struct event stop;
	enum err store_error;
	uint64_t batch;         /* the number of the present one */
	uint64_t stored;        /* all up to it are on disk */
	uint64_t changed_batch; /* the last one that holds anything */

	struct member members[MEMBERS_MAX]; /* by name; unrecorded ones last */
	size_t member_count;
	bool members_stale;
	struct link links[MEMBERS_MAX];
	size_t link_count;
	uint32_t link_last;

	/* acks.c */
	struct cut cuts[CUTS_MAX]; /* not on disk yet, oldest first */
	size_t cut_count;
	uint64_t stored_seq; /* this node's events up to it are on disk */
	uint64_t ack_seq;    /* up to it, a writer waits for the acks of others */
	int64_t truncate_ms; /* when the kill log is looked at; INT64_MAX: not */
	struct age ages[AGES_MAX];
	size_t age_count;
	struct vector retired;
	uint64_t retired_hash;

	struct tree children;
	struct child *all;
	struct child *dirty;
	struct child *buried; /* gone; actions of this step may still name them */
	bool rescan;          /* a mark was lost for lack of memory: look at every key */
	bool announced;       /* the own member record is written */
	bool plan_now;
	bool orphans;
	int64_t plan_ms;     /* the next plan while there are orphans */
	int64_t retry_ms;    /* the least retry_ms of all children in back-off */
	int64_t review_ms;   /* when to look at all children again */
	int64_t expiry_ms;   /* the least expires_ms */
	bool standbys;     /* some child here waits for a name that another owner has */
	bool claims;         /* some child here was given names by its spec */
	int64_t health_ms;   /* the least deadline of all checks */
	int64_t withdraw_ms; /* the least of all children that are withdrawn */
	int64_t stranded_ms; /* when to look for names of registries that are gone; 0: at once */
	struct tree locks;   /* locks.c */
	int64_t locks_ms;    /* when to look at them */
	/* lease.c */
	struct tree leases;       /* that are held here, or marked */
	struct tree lease_timers; /* of those held, by time */
	uint64_t lease_serial;
	struct lease *leases_marked;
	bool leases_all;     /* every one is to be looked at */
	uint32_t lease_work; /* in this step */
	/* replies.c */
	size_t replies_bytes;               /* of all values of the family */
	int64_t replies_ms;                 /* when to look at them; INT64_MAX: there are none */
	char replies_at[KEY_BYTES_MAX + 1]; /* how far the present look has come: behind this key */
	size_t replies_at_bytes;            /* 0: it has not begun */
	/* start_queue.c */
	uint32_t starting; /* children that are */
	struct child *queue_first;
	struct child *queue_last;

	size_t seen; /* changes of `out` that were looked at */
	size_t told; /* changes of `out` that the events tell of */
	struct events *events;
	struct text telling; /* where an event is written */
	const char *telling_type;
	bool no_quorum; /* that was told */
	struct actions *out;
};

#endif
