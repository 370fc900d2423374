/*
 * The heart of one node: a pure function of (state, event). It reads no clock, draws no random
 * number and does no I/O; the shell (server/node.c, or the simulator) turns the outside into events
 * and the actions into system calls, and decides nothing.
 *
 *	horde_new, map_load_* on horde_map_mutable, then EVENT_START; then any event, in any order.
 *
 * Everything is level-triggered: a step that runs out of memory leaves its children marked and they
 * are looked at again by the next one, so an event is never half lost.
 */
#ifndef HORDE_CORE_HORDE_H
#define HORDE_CORE_HORDE_H

#include "server/core/action.h"
#include "server/core/clock.h"
#include "server/core/event.h"
#include "server/core/events.h"
#include "server/core/map.h"
#include "server/core/member.h"

struct horde;

struct horde_config { /* texts are copied */
	struct origin_id node_id;
	struct origin_id incarnation;    /* the fresh origin of this life */
	struct origin_id new_cluster_id; /* random; used if this node has to make the cluster */
	const char *name;
	const char *url;       /* where peers reach it */
	const char *cluster;   /* the cluster's name */
	const char *local_url; /* where its children reach it; NULL: at `url` */
	const char *run_dirs;  /* where they have their own directories, or NULL */
	bool joins;            /* started with seeds: it makes no cluster id by itself */
	int64_t startup_grace_ms;
	int64_t restart_grace_ms;
	/* The range that ports are given from; both 0: PORT_FIRST to PORT_LAST. */
	uint16_t port_first;
	uint16_t port_last;
	uint32_t start_parallel; /* so many children may be starting at a time; 0: any number */
	/* The kill log, while a member has not acknowledged: both may be reached, then it is cut.
	 */
	size_t kill_log_max;     /* records */
	int64_t kill_log_age_ms; /* of the oldest */
};

enum err horde_new(const struct horde_config *config, struct horde **ret_horde);
void horde_free(struct horde *h);

/*
 * One event. Returns what became of a command or of a peer's request; OK for all others.
 * Errors: NO_MEMORY (a command was not carried out; anything else will be looked at again).
 */
enum err horde_step(struct horde *h, const struct event *e, struct actions *out);

/* When EVENT_TICK is wanted, monotonic; INT64_MAX when never. */
int64_t horde_deadline_ms(const struct horde *h);
/* Ends the present store batch and gives its number; entries put from now on are in the next. */
uint64_t horde_batch_cut(struct horde *h);

/* ---- reading ---- */
const struct events *horde_events(const struct horde *h);
const struct map *horde_map(const struct horde *h);
struct map *horde_map_mutable(struct horde *h); /* for map_load_* before EVENT_START only */
const struct horde_config *horde_config(const struct horde *h);
/* The hello that this node sends and answers. */
void horde_hello(const struct horde *h, struct hello *ret_hello);
/* The hybrid clock's last stamp. */
uint64_t horde_clock(const struct horde *h);

struct readiness {
	bool cluster; /* it knows the cluster's id, and so it will after a crash */
	bool synced;  /* each known member was asked once; who joined has had an answer */
	bool storing; /* the last commit went well */
	bool running; /* not shutting down */
};
struct readiness horde_readiness(const struct horde *h);
/* Of the addresses that this node waits for before it is ready, the one at `index`, or NULL. */
const char *horde_silent_at(const struct horde *h, size_t index);
/* Why a write is refused now, or OK. */
enum err horde_write_refused(const struct horde *h);
/* Why a request with an Idempotency-Key is refused now: as above, or LIMIT, when as many replies
 * are kept as may be (REPLIES_MAX, REPLIES_BYTES_MAX). Those under way still get theirs kept. */
enum err horde_reply_refused(const struct horde *h);

/*
 * How many configured members have the event `d` of this node on disk, itself included, each
 * counted once; `ret_members` is how many there are.
 */
size_t horde_replicated(const struct horde *h, struct dot d, size_t *ret_members);

/*
 * Fills an empty vector with all that the members which have `d` on disk had there with it, as far
 * as they have told. Errors: NO_MEMORY.
 */
enum err horde_known_with(const struct horde *h, struct dot d, struct vector *ret_known);

size_t horde_member_count(const struct horde *h);
const struct member *horde_member_at(const struct horde *h, size_t index); /* by name */
const struct member *horde_member_by_id(const struct horde *h, struct origin_id node_id);
const struct member *horde_member_by_name(const struct horde *h, const char *name);
/* Its name, or "?" when it has no record. */
const char *horde_member_name(const struct horde *h, struct origin_id node_id);

/*
 * A majority of the configured members. Each weighs two; in an even cluster the first in name order
 * weighs three, so that exactly one half of a split has the majority.
 */
struct quorum {
	bool has;
	uint64_t alive;
	uint64_t total;
};
struct quorum horde_quorum(const struct horde *h);
/* What people read: joining alive suspect dead draining left. */
const char *member_status(const struct member *m);
/* It can be asked now: self, or alive in opinion and not left. */
bool member_reachable(const struct member *m);

/*
 * Does this supervisor exist? `default` always does. `ret_entry` is its record's entry, or NULL:
 * nobody has described it, and all of it is by default.
 */
bool horde_supervisor(const struct horde *h, const char *name, const struct entry **ret_entry);

/* The same of a registry. */
bool horde_registry(const struct horde *h, const char *name, const struct entry **ret_entry);

/* So long nobody but its last owner gets this key, which nobody has (HELD_BACK); else 0. */
int64_t horde_held_back_ms(const struct horde *h, const char *key, size_t key_bytes);

struct child_view {               /* one child as any node shows it */
	const struct entry *spec; /* NULL: no such child, though it may still be stopping */
	const struct entry *assign;
	const struct entry *status;
	enum child_state state; /* `lost` when its node cannot be asked */
	enum reason reason;
	const struct member *node; /* where it is assigned, or NULL */
	bool wanted;  /* it is meant to run: by its spec, and its supervisor is not stopped */
	bool current; /* status is of the winning epoch and the present spec, past starting */
};
/* `ref` is "sup/child". */
void horde_child(const struct horde *h, const char *ref, struct child_view *ret_view);
/*
 * May the process of this child that was started with `by->epoch` speak for it? Errors:
 * STALE_EPOCH (there is a later assignment, or no such child), AHEAD (this node has not heard of
 * that assignment yet).
 */
enum err horde_credential(const struct horde *h, const struct credential *by);
/* It is being stopped here, to go on at another node. */
bool horde_child_moves(const struct horde *h, const char *ref);
/* True while a process of this child is known on this node. */
bool horde_child_process(const struct horde *h, const char *ref);
/* An entry whose owner cannot be vouched for now. */
bool horde_entry_stale(const struct horde *h, const struct entry *e);
/*
 * Its owner may be asked for what the name stands for: of a child, the life that registered it
 * runs, is ready and not on its way out. And it can be vouched for.
 */
bool horde_entry_ready(const struct horde *h, const struct entry *e);
/* The same without the opinion: as every node sees it that has heard of the same. */
bool horde_owner_ready(const struct horde *h, const struct entry_record *r);

enum link_result { LINK_PENDING, LINK_JOINED, LINK_FAILED };
/* What became of an EVENT_JOIN without `keep`; the error says why it failed. */
enum link_result horde_link_result(const struct horde *h, const char *url, enum err *ret_err);

#endif
