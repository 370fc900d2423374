/*
 * The simulator: several nodes, each the very core that production runs, on a virtual clock, with a
 * network, disks and processes that fail as the seed says. Everything that happens is decided by
 * one seeded generator, so a seed is a run, and the same seed is the same run.
 */
#ifndef HORDE_TESTS_SIM_H
#define HORDE_TESTS_SIM_H

#include <stdio.h>

#include "server/core/horde.h"
#include "storage/batch.h"
#include "storage/memory.h"
#include "tests/sim/faults.h"

#define NODES_MAX 6 /* five, and the twin of one of them */
#define CHILDREN 6  /* at most 10 */
#define TEAM "team" /* the supervisor of every other one; the rest is under `default` */
#define KEYS 4
#define LEASES 3
#define PORT 9000               /* that some children ask for by its number */
#define CHAOS_MS 15000          /* faults and clients */
#define HEAL_MS 30000           /* then everything is mended, and by its end all must agree */
#define QUIET_MS 12000          /* the last part of it, in which nothing may happen any more */
#define RPC_TIMEOUT_MS 3000     /* how much longer than its wait an answer may take */
#define CONNECT_TIMEOUT_MS 1000 /* the same for a connection that is refused */

struct first {            /* a temporary child was started */
	struct dot spec;  /* the write that it is of */
	struct dot known; /* who knows this event knows that it was; seq 0: it was not told yet */
};

struct proc { /* a simulated process */
	struct proc *next;
	char ref[REF_BYTES_MAX];
	uint64_t epoch;
	uint64_t process_hash;     /* with what it inherited */
	uint64_t own_process_hash; /* without */
	struct dot spec;           /* the write that it runs */
	struct dot assign;         /* and the one that gave it to this node */
	int pid;
	bool started;
	bool stopping;
	int64_t start_ms;
	bool temporary;
	struct first before; /* of a temporary child: what was known of it until now */
	struct ports ports;
	bool ending; /* its end is on its way */
};

struct parked { /* a poll that waits at its server */
	bool used;
	int client;
	uint64_t client_life;
	uint32_t link;
	uint32_t generation;
	struct poll poll;
	struct serving serving;
	int64_t until_ms;
	int64_t look_ms; /* when it is looked at again */
};

struct pending { /* a batch that is on its way to the disk */
	struct pending *next;
	struct store_batch batch;
	struct vector vector; /* what is on the disk once it is */
	uint64_t number;
};

struct outstanding {         /* a link's request that waits for its answer */
	uint32_t generation; /* of the request; answered when it is not the link's any more */
	int64_t until_ms;
	int64_t look_ms; /* when it is looked whether that has come; 0 when it is not */
};

struct node {
	int index;
	bool up;
	uint64_t life; /* counts its starts */
	struct origin_id node_id;
	struct origin_id incarnation;
	char host[16]; /* what it calls itself */
	char name[16]; /* what the trace calls it: a twin has the host name of another */
	char url[40];
	struct horde *h;
	struct actions actions;
	struct memory_disk *disk;
	struct memory_disk *backup;
	struct origin_id backup_life; /* whose memory is in the backup too, or zero */
	struct store_batch batch;
	struct pending *pending; /* oldest first */
	bool storing;
	bool exiting;
	uint64_t stored; /* the last batch on its disk */
	struct vector acked;
	uint64_t retired[MEMBERS_MAX + 1];    /* by link id: the hash in its last answer */
	struct vector asked[MEMBERS_MAX + 1]; /* by link id: what its last request knew */
	struct proc *procs;
	struct parked parked[NODES_MAX * 8];
	uint32_t generation[MEMBERS_MAX + 1]; /* by link id: answers to older requests are stale */
	struct outstanding outstanding[MEMBERS_MAX + 1];
	int64_t booted_ms, clock_ms, rate; /* its monotonic clock: at its boot, and a second's ms */
	int64_t skew_ms;                   /* of its wall clock */
	int64_t frozen_ms;                 /* until when */
	size_t unsynced;                   /* commits that its disk may lose */
	bool power_lost;                   /* in its last end */
	bool gone;                         /* for good */
	int64_t tick_ms;                   /* when a tick is scheduled, or INT64_MAX */
	struct vector before;              /* for monotonicity */
	struct heard *heard;               /* by who listens to it */
	uint64_t heard_to;
};

enum what {
	AT_TICK,
	AT_STORED,
	AT_REQUEST_HELLO,
	AT_ANSWER_HELLO,
	AT_REQUEST_POLL,
	AT_REQUEST_DIGEST,
	AT_SERVE, /* a parked poll is looked at again */
	AT_ANSWER_POLL,
	AT_TIMEOUT,
	AT_LINK,
	AT_STARTED,
	AT_START_FAILED,
	AT_EXITED,
	AT_PROBED,
	AT_CLIENT,
	AT_RENEW,
	AT_FAULT,
	AT_GOODBYE
};

struct happening { /* one entry of the event heap; owns `bytes` and `asked` */
	struct happening *next_free;
	int64_t at_ms;
	uint64_t order;
	enum what what;
	int node;
	uint64_t life;
	int peer; /* who sent it, or -1 */
	uint64_t peer_life;
	uint32_t link;
	uint32_t generation;
	enum event_kind kind;
	enum err err;
	struct hello hello;
	char *bytes;
	size_t count;
	struct vector asked; /* of an answer that comes again: what its request knew */
	char ref[REF_BYTES_MAX];
	uint64_t epoch;
	uint32_t check; /* of AT_PROBED, with `number` */
	uint32_t number;
	bool ok;
	int pid; /* of AT_SERVE: the place of the parked poll */
	uint64_t batch;
	struct event goodbye;
};

struct leased { /* a lease was renewed at a node, or came to it */
	uint64_t life;
	int64_t clock_ms; /* of that node */
};

struct world {
	uint64_t random;
	uint64_t seed;
	bool trace;
	uint64_t hash; /* of everything that happened */
	int64_t now_ms;
	uint64_t order;
	struct happening **heap;
	struct happening *free; /* to be used again */
	size_t heap_used, heap_size;
	struct node nodes[NODES_MAX];
	int count;
	struct node *twin, *twin_of; /* a node on a copy of another's data directory, or NULL */
	bool cut[NODES_MAX][NODES_MAX];
	int64_t clogged_ms[NODES_MAX][NODES_MAX]; /* until when, from and to */
	struct faults faults;
	size_t kill_log_max;
	uint32_t start_parallel;
	bool healed;
	bool resumed; /* a life has begun again from a snapshot of its memory */
	bool forked;  /* and has minted a dot again: it may name two events from now on */
	int pids;
	struct leased leased[NODES_MAX][LEASES];
	struct first first[CHILDREN]; /* the last start of each temporary child */
	int64_t last_start_ms;        /* of any process */
	int64_t last_write_ms;        /* of any event of the map */
	uint64_t steps;
	uint64_t starts;
	uint64_t probes;       /* tries of checks */
	uint64_t sick;         /* of them failed */
	uint64_t expired;      /* children that nodes have removed by themselves */
	uint64_t leases_ended; /* by nodes, because their time was over */
	uint64_t tells;        /* events of names and children */
	char failure[512];     /* empty while all is well */
};

/* ---- random.c: xorshift; the only source of chance ---- */
uint64_t chance(struct world *w);
uint64_t below(struct world *w, uint64_t limit);
bool percent(struct world *w, unsigned p);
void mix(struct world *w, uint64_t value); /* into the trace hash */
void tracef(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The reference of child `i`. */
static inline void child_ref(unsigned i, char ret_ref[32])
{
	snprintf(ret_ref, 32, "%s/c%u", i % 2 ? TEAM : "default", i);
}

/* ---- heap.c ---- */
struct happening *schedule(struct world *w, int64_t in_ms, enum what what, int node);
/* The earliest, now the caller's: to be freed, or postponed. NULL when there is none. */
struct happening *next_happening(struct world *w);
/* Puts it back for a later time, behind what is already due then. */
void postpone(struct world *w, struct happening *e, int64_t at_ms);
void happening_free(struct world *w, struct happening *e);
void heap_fini(struct world *w);

/* ---- node.c ---- */
/* `life` is zero, or the incarnation that a resumed memory goes on as. */
void node_boot(struct world *w, int index, struct origin_id life);
/* A node that does not run yet, with the identity of `twin_of` if that is given. */
void node_make(struct world *w, int index, const struct node *twin_of);
void node_crash(struct world *w, int index);
void node_terminate(struct world *w, int index); /* SIGTERM: restart or leave */
enum err node_step(struct world *w, struct node *n, struct event *e);
void node_fini(struct node *n);
struct proc *proc_find(struct node *n, const char *ref);
void proc_free(struct proc *p);

/* ---- net.c ---- */
void net_action(struct world *w, struct node *n, const struct action *a);
void net_happened(struct world *w, struct happening *e);
void net_wake(struct world *w, struct node *n);   /* its map grew: answer parked polls */
void net_forget(struct world *w, struct node *n); /* it crashed: polls at it and of it end */

/* ---- chaos.c ---- */
void chaos_client(struct world *w);
struct node *any_up(struct world *w); /* that answers, or NULL */

/* ---- clocks.c ---- */
void clock_begin(struct world *w, struct node *n);             /* at its boot */
int64_t clock_of(const struct world *w, const struct node *n); /* what its monotonic clock shows */
int64_t clock_when(const struct node *n, int64_t at_ms);       /* when it will show that */
int64_t wall_of(const struct world *w, const struct node *n);

/* ---- oracle.c: the history of all events ever, and what must hold ---- */
void oracle_reset(void);
/* After each step of node n: I1 to I7. */
void oracle_step(struct world *w, struct node *n);
/* Did the assign `taker` know `from` as the one that won, and take its place? */
bool oracle_took(struct dot taker, struct dot from);
int64_t oracle_minted_ms(struct dot d);
/* At the end, healed and quiet: everybody agrees, each child runs as it should. */
void oracle_end(struct world *w);

/* ---- retains.c: what nodes remove by themselves ---- */
void retains_check(struct world *w, struct node *n, const struct event *e); /* after its step */
void retains_end(struct world *w, struct node *judge, const char *ref);

/* ---- leases.c ---- */
void leases_client(struct world *w, struct node *n);
const char *leases_owner(struct world *w); /* the id of one */
void leases_keep(struct world *w);         /* who renews one until the end */
void leases_check(struct world *w, struct node *n, const struct event *e); /* after its step */
void leases_end(struct world *w, struct node *judge);

/* ---- tells.c: who listens knows what there is ---- */
void tells_read_all(struct node *n);              /* at its boot */
void tells_step(struct world *w, struct node *n); /* after its step */
void tells_forget(struct node *n);                /* at its end */

/* ---- starts.c: which process may start ---- */
/*
 * Before a process starts: its spec stands, its assign is this node's and on its disk, and nothing
 * that this node knows forbids it. Notes what `p` runs.
 */
void starts_check(struct world *w, struct node *n, const struct action *a, struct proc *p);
/* There was no process: a port that it was to have was a stranger's. */
void starts_refused(struct world *w, const struct proc *p);
/* Its node was told what became of it, and may have said so in the map. */
void starts_told(struct world *w, struct node *n, const struct proc *p);

#endif
