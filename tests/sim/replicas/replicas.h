/*
 * The simulator of the replicated map alone: a few replicas, each the production map with the
 * production held slices, on a network, with stores and lives that fail as the seed says. No node,
 * no sockets, no JSON: so small that a core runs a thousand seeds a second, with the invariants
 * checked after every step.
 */
#ifndef HORDE_TESTS_SIM_REPLICAS_H
#define HORDE_TESTS_SIM_REPLICAS_H

#include "server/core/blocks.h"
#include "server/core/clock.h"
#include "server/core/fragment.h"
#include "server/core/held.h"
#include "server/core/stream.h"
#include "tests/sim/replicas/past.h"

#define REPLICAS_MAX 5
#define STEPS 160
#define INBOX_MAX 64   /* messages under way */
#define LIVE_MAX 256   /* live entries of one replica */
#define HEAL_ROUNDS 24 /* within so many all must agree, once everything is mended */
#define HEAL_SLICES 6  /* so many of them by slices, before full differences are asked for */
#define HEAL_ROUND_MS 1000
#define KILL_LOG_EVERY 16 /* steps between two looks at every kill record of a replica */
#define DIGEST_KEY 42

struct faults {       /* the subset that this seed has */
	bool healthy; /* none at all: all must agree by slices alone */
	bool loss, duplicate, reorder, cut, stale, graft, whole, drop_held, skew;
	bool truncate, stream, crash, old_store, other_store, death, fork;
	bool owned_texts; /* fragments own their texts, as those do that come from the wire */
};

struct view { /* what a replica must show, by the history; oracle.c */
	unsigned count[ORIGINS_MAX];
	unsigned floor[ORIGINS_MAX];
	unsigned live[LIVE_MAX]; /* events, in no order */
	size_t live_count;
	struct digest digest;
	size_t kills; /* records above the floors */
};

struct contents { /* what a replica shows: events whose key and value count, not their dot */
	unsigned events[LIVE_MAX];
	size_t count;
};

struct row { /* of a store: one change of the map */
	enum change_kind kind;
	unsigned event; /* the put, the killer; an origin's number for a vector row */
	unsigned victim;
	unsigned count;
	unsigned floor;
	bool last; /* of its transaction */
	uint64_t chain;
};

struct disk { /* rows in the order of their commit */
	struct row *rows;
	size_t used, size;
};

struct sending { /* a stream that is open at a server */
	struct stream *stream;
	int client;
	uint64_t client_life;
	struct fragment staged; /* what the client has got of it so far */
};

struct replica {
	int index;
	bool up;
	uint64_t life; /* counts its starts */
	unsigned self; /* the number of its origin */
	struct map *map;
	struct held *held;
	struct changes changes;
	struct hybrid_clock clock;
	int64_t skew_ms;
	uint64_t grafts[REPLICAS_MAX]; /* by server, a bit for each origin */
	struct vector stale;           /* an older cursor of this life */
	struct sending sending;
	struct disk disk, backup;
	struct view view;
	unsigned diverged[REPLICAS_MAX]; /* how often in a row, by server */
};

struct message {
	bool reply;
	int client, server;
	uint64_t client_life, server_life; /* a message to or from an earlier life is dropped */
	/* of a request */
	bool all, posted, repair;
	uint64_t origins; /* wanted besides the server's own; a bit for each */
	struct vector after;
	struct origin_id own_origin; /* the server's, and what the client knows of it */
	uint64_t own_seq, own_chain;
	struct block_sums blocks;
	struct fragment fragment; /* of a reply */
	struct message *next_spare;
	size_t live_count;
	unsigned live[LIVE_MAX]; /* at the client when it posted its blocks; last, not cleared */
};

struct tally { /* what happened, so that a run that tries nothing is seen */
	uint64_t steps, writes, slices, joint, fulls, needs, redos, checks, streams, held_max;
	uint64_t restores, forks, repairs, rounds_max, seeds;
};

struct world {
	uint64_t seed, random, hash;
	bool trace;
	int64_t now_ms;
	struct faults faults;
	int count;
	unsigned keys;
	struct replica replicas[REPLICAS_MAX];
	bool cut[REPLICAS_MAX][REPLICAS_MAX];
	struct message *inbox[INBOX_MAX];
	size_t inbox_used;
	struct message *spare;
	bool healing;
	bool doubled; /* two replicas live one life */
	bool forked;  /* a dot was minted twice: the state is no function of the vector now */
	uint64_t judged;
	struct history_of_all past;
	struct tally tally;
	char failure[256]; /* empty while all is well */
};

#endif
