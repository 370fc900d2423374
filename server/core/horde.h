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

#include "server/core/clock.h"
#include "server/core/fragment.h"
#include "server/core/map.h"
#include "server/core/member.h"

#define PROTOCOL_VERSION 1
#define NAME_BYTES_MAX 128
#define URL_BYTES_MAX 512
#define REF_BYTES_MAX 264 /* "sup/child" and its NUL */

struct horde;

struct horde_config { /* texts are copied */
	struct origin_id node_id;
	struct origin_id incarnation;    /* the fresh origin of this life */
	struct origin_id new_cluster_id; /* random; used if this node has to make the cluster */
	const char *name;
	const char *url;     /* where peers reach it */
	const char *cluster; /* the cluster's name */
	bool joins;          /* started with seeds: it makes no cluster id by itself */
	int64_t startup_grace_ms;
	int64_t restart_grace_ms;
};

/* Who a peer says it is; of hello requests and answers. */
struct hello {
	char cluster[NAME_BYTES_MAX + 1];
	char name[NAME_BYTES_MAX + 1];
	char url[URL_BYTES_MAX + 1];
	struct origin_id cluster_id; /* zero: none yet */
	struct origin_id node_id;
	struct origin_id incarnation;
	bool virgin; /* its store holds nothing but its own member record */
	uint32_t protocol_min;
	uint32_t protocol_max;
	uint64_t started;
	uint64_t clock;
};

enum goodbye_reason { GOODBYE_RESTART, GOODBYE_LEAVE };

enum event_kind {
	EVENT_START,        /* the store is loaded; `start` */
	EVENT_TICK,         /* a deadline (horde_deadline_ms) has passed */
	EVENT_STORED,       /* all batches up to `stored.batch` are on disk */
	EVENT_STORE_FAILED, /* a batch could not be written; it will be tried again */
	EVENT_JOIN,         /* connect to `join.url` */
	/* links, as client: every one names the link that the action named */
	EVENT_HELLO_ANSWERED, /* `answered` */
	EVENT_FRAGMENT,       /* `fragment`: a poll was answered */
	EVENT_LINK_REFUSED,   /* connection refused: no process there (link) */
	EVENT_LINK_LOST,      /* the connection ended, or a poll was answered 410 (link) */
	EVENT_LINK_SILENT,    /* no answer in time, or no route (link) */
	EVENT_LINK_REJECTED,  /* the peer answered with a problem, or nonsense (link) */
	/* links, as server */
	EVENT_HELLO,   /* a peer says hello: ret OK, CLUSTER_MISMATCH, NAME_TAKEN, PROTOCOL, LIMIT */
	EVENT_POLLED,  /* a peer polls: ret OK or UNKNOWN_LINK */
	EVENT_GOODBYE, /* a peer announces its end */
	/* processes */
	EVENT_STARTED,
	EVENT_START_FAILED,
	EVENT_EXITED,
	/* commands of the API; refused with NOT_READY, SHUTTING_DOWN, STORAGE_* before a dot is minted */
	EVENT_PUT_SPEC,      /* `put`: key spec/SUP/CHILD; places the child when it is new */
	EVENT_REMOVE_SPEC,   /* `put.key`; ret NOT_FOUND */
	EVENT_RESTART_CHILD, /* `signal.ref`; ret OK, NOT_FOUND, ELSEWHERE, WRONG_STATE */
	EVENT_SIGNAL_CHILD,  /* `signal`; ret OK, NOT_FOUND, ELSEWHERE, WRONG_STATE */
	EVENT_REGISTER,      /* `entry`; ret OK, ALREADY_REGISTERED, OWNER_UNKNOWN, WRONG_STATE */
	EVENT_UPDATE,        /* `entry` without value owner change; ret OK, NOT_FOUND, NOT_OWNER */
	EVENT_UNREGISTER,    /* `entry`; ret OK, NOT_FOUND, NOT_OWNER */
	EVENT_PUT_META,      /* `put`: key meta/REG/KEY, no record */
	EVENT_REMOVE_META,   /* `put.key`; ret NOT_FOUND */
	EVENT_STOP,          /* SIGTERM: `stop` */
	EVENT_COUNT
};

struct process_end {
	int code;   /* -1 when a signal ended it */
	int signal; /* 0 when it exited */
	bool core_dumped;
	bool guardian_lost; /* the guardian was killed: counts as no failure of the child */
};

struct event {
	enum event_kind kind;
	int64_t now_ms;  /* monotonic */
	int64_t wall_ms; /* for stamps and for people */
	uint32_t link;   /* of link events */
	union {
		struct {
			struct origin_id cluster_id; /* as stored, or zero */
		} start;
		struct {
			uint64_t batch;
			enum err err;
		} stored;
		struct {
			const char *url;
			bool keep; /* a seed: retried for ever; else tried once, see horde_link_find */
		} join;
		const struct hello *hello; /* HELLO, HELLO_ANSWERED */
		struct fragment *fragment; /* emptied by the step */
		struct {
			enum err err; /* REJECTED: CLUSTER_MISMATCH, NAME_TAKEN, ... */
		} rejected;
		struct {
			struct origin_id incarnation;
		} polled;
		struct {
			struct origin_id node_id;
			struct origin_id incarnation;
			enum goodbye_reason reason;
			int64_t back_within_ms;
		} goodbye;
		struct {
			const char *ref;
			uint64_t epoch;
			int pid;           /* STARTED */
			const char *error; /* START_FAILED: "exec: ENOENT" */
			struct process_end end;
		} process;
		struct {
			const char *key;
			size_t key_bytes;
			const char *value;
			size_t value_bytes;
			struct record *record; /* taken when the step returns OK */
		} put;
		struct {
			const char *ref;
			int number;
			bool group;
		} signal;
		struct {
			const char *key; /* entry/REG/KEY */
			size_t key_bytes;
			bool owner_given; /* else the caller acts as admin (UPDATE, UNREGISTER) */
			enum owner_kind owner_kind;
			const char *owner_id;
			const char *value; /* raw JSON */
			size_t value_bytes;
		} entry;
		struct {
			enum goodbye_reason reason;
			int64_t back_within_ms;
		} stop;
	};
};

enum action_kind {
	ACTION_HELLO,   /* POST hello to `url`, answer with an event for `link` */
	ACTION_POLL,    /* POST deltas to `url` and park; answer with an event for `link` */
	ACTION_UNLINK,  /* drop what is under way for `link`; no event is wanted any more */
	ACTION_GOODBYE, /* tell `url`, best effort, no event */
	ACTION_SPAWN,   /* start `ref` as `spec` says, with `epoch` */
	ACTION_STOP,    /* `signal` to the group of ref and epoch, SIGKILL after `timeout_ms` */
	ACTION_SIGNAL,  /* `signal` to ref and epoch, or its `group` */
	ACTION_CLUSTER, /* keep `cluster_id` in the store */
	ACTION_WAKE,    /* opinions changed: wake the watchers of members and lists */
	ACTION_LOG,     /* one event line: `event` is its name, `subject` and `detail` what it is about */
	ACTION_EXIT,    /* all is stopped and written: flush and end */
};

struct action { /* texts and specs are borrowed until the next step */
	enum action_kind kind;
	uint32_t link;
	const char *url;
	const char *ref;
	uint64_t epoch;
	const struct spec_record *spec;
	int signal;
	bool group;
	int64_t timeout_ms;
	enum goodbye_reason reason; /* GOODBYE */
	struct origin_id cluster_id;
	const char *event;
	const char *subject;
	char detail[160];
};

struct actions { /* what a step gave; the caller empties it with actions_clear */
	struct action *items;
	size_t used;
	size_t size;
	struct changes changes; /* of the map: for the store, the watchers, the parked polls */
	bool created;           /* PUT_SPEC, REGISTER, PUT_META: the key was new */
	struct dot dot;         /* the last dot that a command minted */
};

void actions_clear(struct actions *a);
void actions_fini(struct actions *a);

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
const struct map *horde_map(const struct horde *h);
struct map *horde_map_mutable(struct horde *h); /* for map_load_* before EVENT_START only */
const struct horde_config *horde_config(const struct horde *h);
/* The hello that this node sends and answers. */
void horde_hello(const struct horde *h, struct hello *ret_hello);
/* The hybrid clock's last stamp. */
uint64_t horde_clock(const struct horde *h);

struct readiness {
	bool cluster; /* it knows the cluster's id */
	bool synced;  /* each known member was asked once */
	bool storing; /* the last commit went well */
	bool running; /* not shutting down */
};
struct readiness horde_readiness(const struct horde *h);
/* Why a write is refused now, or OK. */
enum err horde_write_refused(const struct horde *h);

size_t horde_member_count(const struct horde *h);
const struct member *horde_member_at(const struct horde *h, size_t index); /* by name */
const struct member *horde_member_by_id(const struct horde *h, struct origin_id node_id);
const struct member *horde_member_by_name(const struct horde *h, const char *name);
/* Its name, or "?" when it has no record. */
const char *horde_member_name(const struct horde *h, struct origin_id node_id);
/* What people read: joining alive suspect dead draining left. */
const char *member_status(const struct member *m);
/* It can be asked now: self, or alive in opinion and not left. */
bool member_reachable(const struct member *m);

struct child_view { /* one child as any node shows it */
	const struct entry *spec; /* NULL: no such child, though it may still be stopping */
	const struct entry *assign;
	const struct entry *status;
	enum child_state state; /* `lost` when its node cannot be asked */
	enum reason reason;
	const struct member *node; /* where it is assigned, or NULL */
	bool current; /* status is of the winning epoch and the present spec, past starting */
};
/* `ref` is "sup/child". */
void horde_child(const struct horde *h, const char *ref, struct child_view *ret_view);
/* True while a process of this child is known on this node. */
bool horde_child_process(const struct horde *h, const char *ref);
/* An entry whose owner cannot be vouched for now. */
bool horde_entry_stale(const struct horde *h, const struct entry *e);

enum link_result { LINK_PENDING, LINK_JOINED, LINK_FAILED };
/* What became of an EVENT_JOIN without `keep`; the error says why it failed. */
enum link_result horde_link_result(const struct horde *h, const char *url, enum err *ret_err);

#endif
