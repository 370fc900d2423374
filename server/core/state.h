/*
 * Inside of a node: what horde_step works on. Only the core includes this; what each file does with
 * it is in parts.h.
 */
#ifndef HORDE_CORE_STATE_H
#define HORDE_CORE_STATE_H

#include "server/core/budget.h"
#include "server/core/held.h"
#include "server/core/horde.h"
#include "server/core/placement.h"
#include "server/core/reconcile.h"
#include "server/core/tree.h"

#define LINK_RETRY_FIRST_MS 100
#define LINK_RETRY_MAX_MS 1000
#define RIVAL_MS 10000 /* by then the other of two lives has called again, after a lost call too   \
			*/
#define LINK_RETRY_REJECTED_MS 5000
#define POLL_WAIT_MS 25000
#define REDOS_MAX 4           /* answers in a row that only ask for another request */
#define ACK_WAIT_MS 1000      /* a poll that was asked to bring an ack waits so long for the disk */
#define GRAFT_MS 50           /* an event so long overdue is asked for elsewhere */
#define HELD_GRAFT_MS 25      /* a slice held so long: what it lacks is asked for there */
#define HELD_WHOLE_MS 250     /* so long: a full difference is */
#define GRAFT_LINKS 2         /* the origin of a lost link is grafted on so many others */
#define LACKS_MAX 256         /* overdue events that are watched */
#define REPAIR_MS 1000        /* between two repairs with one peer */
#define REPAIR_OTHER_MS 10000 /* so long the node whose turn it is not leaves it to the other */
#define TRUNCATE_MS 1000      /* after an ack: how soon kill records are dropped */
#define AGES_MAX 25           /* marks of the kill log's age */
#define CUTS_MAX 512          /* store batches under way */
#define PLAN_EVERY_MS 1000    /* while there are orphans */
#define LADDER_STEP_MS 3000   /* an orphan this old is taken by the next node in rendezvous order */
#define READOPT_MS 2000       /* a restarted node has so long to re-adopt, past restart_grace_ms */
#define CONFLICT_STOP_MAX_MS 2000
#define CONTEST_MS 3000 /* so long a winner that runs nothing waits for the loser to stop */
#define RETRY_NO_MEMORY_MS 100
#define DECISIONS_MAX 16 /* for one child in one step; more is a bug of the rules */

struct child {
	struct tree_node node; /* first: by ref */
	struct child *next;    /* all children of this node's view, in no order */
	struct child *previous;
	struct child *next_dirty;
	bool dirty;
	char *ref;
	struct origin_id assigned; /* the winning assign's node, for counting load; zero: none */
	/* the process here */
	enum process_state process;
	uint64_t process_epoch; /* as it was started with */
	int pid;
	int stop_signal;
	int64_t stop_timeout_ms;
	int64_t started_ms;
	int64_t started_wall_ms;
	/* its life here, in `epoch`, of the spec `spec_hash` */
	uint64_t epoch;
	uint64_t spec_hash;
	struct dot ran;         /* the write of a temporary spec that was started here last */
	enum child_state state; /* while there is no process: PENDING BACKOFF EXITED FAILED */
	enum reason reason;
	int64_t retry_ms; /* when BACKOFF ends */
	int64_t retry_wall_ms;
	uint32_t restarts;
	struct budget budget;
	struct exit_record last_exit;
	/* as an orphan */
	bool orphan;
	bool planned;
	int64_t orphan_since_ms;
	int64_t contested_ms; /* since when another node's lost assign stands; 0: none does */
	uint32_t names;       /* entries of the registry that it owns */
	bool waiting;         /* for its assign to be stored */
};

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
	uint64_t batch;  /* the number of the present one */
	uint64_t stored; /* all up to it are on disk */

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
	int64_t plan_ms;   /* the next plan while there are orphans */
	int64_t retry_ms;  /* the least retry_ms of all children in back-off */
	int64_t review_ms; /* when to look at all children again */

	size_t seen; /* changes of `out` that were looked at */
	struct actions *out;
};

#endif
