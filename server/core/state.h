/*
 * Inside of a node: what horde_step works on. Only the core includes this.
 *
 *	step.c       one event in            link.c       connections to peers, first contact
 *	supervise.c  the children, carried   member.c     who is there, and what we think of them
 *	             out as reconcile says   registry.c   who may register what, and when names end
 *	orphan.c     who takes what          write.c      records into the map, actions out
 */
#ifndef HORDE_CORE_STATE_H
#define HORDE_CORE_STATE_H

#include "server/core/budget.h"
#include "server/core/horde.h"
#include "server/core/placement.h"
#include "server/core/reconcile.h"
#include "server/core/tree.h"

#define LINK_RETRY_FIRST_MS 100
#define LINK_RETRY_MAX_MS 1000
#define LINK_RETRY_REJECTED_MS 5000
#define POLL_WAIT_MS 25000
#define PLAN_EVERY_MS 1000       /* while there are orphans */
#define LADDER_STEP_MS 3000      /* an orphan this old is taken by the next node in rendezvous order */
#define READOPT_MS 2000          /* a restarted node has so long to re-adopt, past restart_grace_ms */
#define CONFLICT_STOP_MAX_MS 2000
#define RETRY_NO_MEMORY_MS 100
#define DECISIONS_MAX 16         /* for one child in one step; more is a bug of the rules */

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
	enum child_state state; /* while there is no process: PENDING BACKOFF EXITED FAILED */
	enum reason reason;
	int64_t retry_ms;      /* when BACKOFF ends */
	int64_t retry_wall_ms;
	uint32_t restarts;
	struct budget budget;
	struct exit_record last_exit;
	/* as an orphan */
	bool orphan;
	bool planned;
	int64_t orphan_since_ms;
	uint32_t names;   /* entries of the registry that it owns */
	bool waiting;     /* for its assign to be stored */
};

enum link_state { LINK_WAITING, LINK_GREETING, LINK_POLLING, LINK_DONE };

struct link {
	uint32_t id;
	char url[URL_BYTES_MAX + 1];
	bool keep;    /* a seed */
	bool once;    /* an API join: not retried when it fails */
	bool self;    /* leads back to this node */
	bool none;    /* the peer has no cluster id yet, as of its last answer */
	bool tried;   /* answered or failed once: the first sync need not wait for it */
	bool joined;
	bool called;  /* its peer has said hello since our last attempt began */
	bool greeted; /* just now: the first poll is answered at once, new or not */
	bool complained; /* a rejection was logged, and nothing good happened since */
	bool diverged;
	bool skewed;
	enum link_state state;
	enum err error;
	char name[NAME_BYTES_MAX + 1];
	struct origin_id node_id;     /* zero until its first hello */
	struct origin_id incarnation; /* as of its last hello, in either direction */
	uint32_t failures;
	int64_t retry_ms;
};

struct horde {
	struct horde_config config;
	struct map *map;
	struct hybrid_clock clock;
	struct origin_id cluster_id;
	uint64_t cluster_batch; /* the batch that stores it; 0: it was loaded */
	uint64_t started; /* of the own member record */
	int64_t start_ms;
	int64_t now_ms; /* of the event under way */
	int64_t wall_ms;
	bool begun;
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

	struct tree children;
	struct child *all;
	struct child *dirty;
	struct child *buried; /* gone; actions of this step may still name them */
	bool rescan;     /* a mark was lost for lack of memory: look at every key */
	bool announced;  /* the own member record is written */
	bool plan_now;
	bool orphans;
	int64_t plan_ms;   /* the next plan while there are orphans */
	int64_t retry_ms;  /* the least retry_ms of all children in back-off */
	int64_t review_ms; /* when to look at all children again */

	size_t seen; /* changes of `out` that were looked at */
	struct actions *out;
};

/* ---- write.c ---- */
struct action *act(struct horde *h, enum action_kind kind); /* NULL without memory */
void say(struct horde *h, const char *event, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
uint64_t stamp(struct horde *h);
/* Encodes `r` and puts it under "family/rest". Errors: NO_MEMORY. */
enum err write_record(struct horde *h, const char *family, const char *rest, const struct record *r);
enum err remove_key(struct horde *h, const char *family, const char *rest);
enum err resolve_key(struct horde *h, const char *family, const char *rest);
const struct entry *get(const struct horde *h, const char *family, const char *rest);

/* ---- member.c ---- */
void members_refresh(struct horde *h);
/* Forms opinions anew; marks the children when one changes. */
void members_judge(struct horde *h);
int64_t members_deadline_ms(const struct horde *h);
struct member *member_by_id(struct horde *h, struct origin_id node_id);
/* The same, made when there is none; NULL at MEMBERS_MAX. */
struct member *member_make(struct horde *h, struct origin_id node_id);
bool member_left(const struct member *m);
void member_greeted(struct horde *h, struct member *m, struct origin_id incarnation);
bool member_eligible(const struct horde *h, const struct member *m);
/* Eligible members as candidates with their loads; returns how many. */
size_t member_candidates(const struct horde *h, struct candidate ret[MEMBERS_MAX]);
/* True when this node comes first in rendezvous order among those alive in its view. */
bool member_first(const struct horde *h, const char *ref);
enum err member_announce(struct horde *h, enum member_state state);

/* ---- link.c ---- */
struct link *link_by_id(struct horde *h, uint32_t id);
struct link *link_by_url(struct horde *h, const char *url);
struct link *link_by_node(struct horde *h, struct origin_id node_id);
enum err link_join(struct horde *h, const char *url, bool keep);
void links_follow_members(struct horde *h); /* a link to each recorded member */
void links_tick(struct horde *h);           /* starts what is due */
int64_t links_deadline_ms(const struct horde *h);
void links_goodbye(struct horde *h);
void link_answered(struct horde *h, struct link *l, const struct hello *peer);
void link_fragment(struct horde *h, struct link *l, struct fragment *f);
void link_anew(struct horde *h, struct link *l, const char *url);
void link_refused(struct horde *h, struct link *l);
void link_lost(struct horde *h, struct link *l);
void link_silent(struct horde *h, struct link *l);
void link_rejected(struct horde *h, struct link *l, enum err err);

/* ---- contact.c ---- */
enum err contact_hello(struct horde *h, const struct hello *peer); /* as server */
/* Agrees on a cluster id with a peer that answered. Errors: CLUSTER_MISMATCH. */
enum err contact_agree(struct horde *h, const struct hello *peer);
void contact_found(struct horde *h); /* makes the id when it is on us */
bool contact_virgin(const struct horde *h);

/* ---- child.c ---- */
struct child *child_find(const struct horde *h, const char *ref);
void child_mark(struct horde *h, const char *ref); /* to be looked at before the step ends */
void child_mark_it(struct horde *h, struct child *c);
void children_mark_all(struct horde *h);
void child_bury(struct horde *h, struct child *c); /* it is gone; freed by children_sweep */
void children_sweep(struct horde *h);
void child_start(struct horde *h, struct child *c, const struct spec_record *spec);
void child_stop(struct horde *h, struct child *c, int64_t timeout_max_ms, const char *why);
void child_started(struct horde *h, struct child *c, int pid);
void child_ended(struct horde *h, struct child *c, const struct process_end *end, const char *error,
	const struct spec_record *spec);
bool children_running(const struct horde *h);

/* ---- supervise.c ---- */
void supervise(struct horde *h);          /* until nothing is marked */
void supervise_changes(struct horde *h);  /* marks what the latest changes touch */
void supervise_tick(struct horde *h);
enum err supervise_put(struct horde *h, const struct event *e);
enum err supervise_restart(struct horde *h, const char *ref);
enum err supervise_signal(struct horde *h, const struct event *e);
enum err supervise_assign(struct horde *h, const char *ref, struct origin_id node, const char *why);

/* ---- orphan.c ---- */
enum assigned classify(struct horde *h, const struct assign_record *a);
void orphans_plan(struct horde *h);
bool orphan_place(struct horde *h, const char *ref, struct origin_id *ret_node, const char **ret_why);

/* ---- registry.c ---- */
enum err registry_register(struct horde *h, const struct event *e);
enum err registry_update(struct horde *h, const struct event *e);
enum err registry_unregister(struct horde *h, const struct event *e);
/* Ends the names of a child that ended, of its epochs up to `epoch`. */
void registry_end(struct horde *h, const char *ref, uint64_t epoch);

#endif
