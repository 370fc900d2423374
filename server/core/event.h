/*
 * What can happen to a node: the input of horde_step. The shell fills one and keeps what it points
 * to until the step returns, but for what is said to be taken.
 */
#ifndef HORDE_CORE_EVENT_H
#define HORDE_CORE_EVENT_H

#include "server/core/serve.h"

#define PROTOCOL_VERSION 2
#define NAME_BYTES_MAX 128
#define URL_BYTES_MAX 512
#define STATES_BYTES_MAX (256u << 20) /* of all children together, as texts */
#define EXIT_TAIL_BYTES_MAX 4096      /* of what a child printed last, kept with its end */
#define REF_BYTES_MAX 264             /* "sup/child" and its NUL */

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
	EVENT_FRAGMENT,       /* `fragment`: a poll, or posted block sums, were answered */
	EVENT_LINK_REFUSED,   /* connection refused: no process there (link) */
	EVENT_LINK_LOST,      /* the connection ended, or a poll was answered 410 (link) */
	EVENT_LINK_SILENT,    /* no answer in time, or no route (link) */
	EVENT_LINK_REJECTED,  /* the peer answered with a problem, or nonsense (link) */
	/* links, as server */
	EVENT_HELLO,  /* a peer says hello: ret OK, CLUSTER_MISMATCH, NAME_TAKEN, PROTOCOL, LIMIT */
	EVENT_POLLED, /* a peer polls: ret OK or UNKNOWN_LINK */
	EVENT_GOODBYE, /* a peer announces its end */
	/* processes */
	EVENT_STARTED,
	EVENT_START_FAILED,
	EVENT_EXITED,
	EVENT_GUARDIAN_LOST, /* another one is started; the ends of its children are told apart */
	EVENT_PROBED,        /* `probed`: a try has ended */
	EVENT_NOTIFIED,      /* `notified`: a process says something of itself */
	/* commands of the API; refused with NOT_READY, SHUTTING_DOWN, STORAGE_* before a dot is
	   minted */
	EVENT_PUT_SPEC,          /* `put`: key spec/SUP/CHILD; places the child when it is new;
				    ret FULL, NAME_TAKEN: another owner has one of its
				    names */
	EVENT_REMOVE_SPEC,       /* `put.key`; ret NOT_FOUND */
	EVENT_PUT_SUPERVISOR,    /* `put`: key supervisor/SUP; ret OK */
	EVENT_REMOVE_SUPERVISOR, /* `put.key`, and the specs of its children; ret NOT_FOUND */
	EVENT_START_SUPERVISOR,  /* `put.key`; ret NOT_FOUND, WRONG_STATE: it is not stopped */
	EVENT_VACATE_SUPERVISOR, /* `put.key`: its children here go elsewhere; ret NOT_FOUND,
				    NO_MEMBER */
	EVENT_RESTART_CHILD,     /* `signal.ref`; ret OK, NOT_FOUND, ELSEWHERE, WRONG_STATE */
	EVENT_SIGNAL_CHILD,      /* `signal`; ret OK, NOT_FOUND, ELSEWHERE, WRONG_STATE */
	EVENT_REGISTER,   /* `entry`; ret OK, NOT_FOUND (no such registry), ALREADY_REGISTERED,
			     HELD_BACK (horde_held_back_ms), OWNER_UNKNOWN, WRONG_STATE */
	EVENT_CONFIRM,    /* `entry`: the majority has it, and this node what they had with it; ret
			     OK (`created` says that it is confirmed; else another owner competes, and
			     it was withdrawn), NOT_FOUND: it is gone */
	EVENT_UPDATE,     /* `entry` without value owner change; ret OK, NOT_FOUND, NOT_OWNER */
	EVENT_UNREGISTER, /* `entry`; ret OK, NOT_FOUND, NOT_OWNER */
	EVENT_PUT_REGISTRY, /* `put`: key registry/REG; ret WRONG_STATE: its keys have another rule
			     */
	EVENT_REMOVE_REGISTRY, /* `put.key`: as much of what is in it as one step may, and it itself
				  when that was all: to be sent until it is gone; ret NOT_FOUND */
	EVENT_PUT_META,        /* `put`: key meta/REG/KEY, no record */
	EVENT_REMOVE_META,     /* `put.key`; ret NOT_FOUND */
	EVENT_PUT_STATE,    /* `put`: key state/SUP/CHILD, no record; ret NOT_FOUND: no such child,
			       STORAGE_FULL: more than STATES_BYTES_MAX in all */
	EVENT_REMOVE_STATE, /* `put.key`; ret NOT_FOUND */
	EVENT_KEEP_REPLY,   /* `put`: key idem/HASH; ret OK */
	EVENT_PUT_LEASE,    /* `lease`: to be held here; ret LIMIT: there are LEASES_MAX */
	EVENT_RENEW_LEASE,  /* `lease`; ret OK, NOT_FOUND (it has ended), NOT_READY,
			       ELSEWHERE (its holder is to be asked, unless `take`) */
	EVENT_REMOVE_LEASE, /* `lease.id`, and its names; ret NOT_FOUND */
	EVENT_MERGE,        /* `fragment`, of a snapshot (a full difference): ret OK, MALFORMED */
	EVENT_STOP,         /* SIGTERM: `stop` */
	EVENT_COUNT
};

/*
 * Who sends a command, when it is a process and no admin: what its HORDE_CHILD_TOKEN proves. It may
 * write names of its own and its own state under its present assignment, and nothing else.
 */
struct credential { /* all zero: an admin */
	const char *ref;
	uint64_t epoch; /* that it was started with */
};

struct process_end {
	int code;   /* -1 when a signal ended it */
	int signal; /* 0 when it exited */
	bool core_dumped;
	bool oom_killed;    /* one of its control group was killed for lack of memory */
	bool guardian_lost; /* the guardian was killed: counts as no failure of the child */
	const char *tail;   /* what it printed last on stderr, UTF-8 text, or NULL; borrowed */
};

struct event {
	enum event_kind kind;
	int64_t now_ms;       /* monotonic */
	int64_t wall_ms;      /* for stamps and for people */
	uint32_t link;        /* of link events */
	struct credential by; /* of commands; ret FORBIDDEN, STALE_EPOCH, AHEAD */
	bool ack_wanted; /* of commands: its writer waits until other members have it on disk */
	uint64_t bytes_received; /* of FRAGMENT: what the exchange took on the wire */
	uint64_t bytes_sent;
	struct origin_id fresh; /* of FRAGMENT and POLLED: random; the next origin, after a fork */
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
			bool keep; /* a seed: retried for ever; else tried once, see horde_link_find
				    */
		} join;
		const struct hello *hello; /* HELLO, HELLO_ANSWERED */
		struct fragment *fragment; /* emptied by the step; MERGE leaves it alone */
		struct {
			enum err err; /* REJECTED: CLUSTER_MISMATCH, NAME_TAKEN, ... */
		} rejected;
		struct {
			struct origin_id incarnation;
			const struct poll *poll;
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
			uint16_t port;     /* START_FAILED: one that a stranger has; else 0 */
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
			uint64_t epoch;
			uint32_t check; /* as its action said */
			uint32_t number;
			bool ok;
			const char *why; /* of a failure: "status 503" */
		} probed;
		struct {
			const char *ref;
			uint64_t epoch;
			unsigned what;    /* NOTIFIED_..., of health.h */
			const char *text; /* its STATUS, at most STATUS_TEXT_MAX bytes, or NULL */
		} notified;
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
			bool voted;     /* REGISTER: with a majority, CONFIRM follows */
			struct dot dot; /* CONFIRM: of the registration */
		} entry;
		struct {
			const char *id;
			int64_t ttl_ms;              /* PUT */
			const unsigned char *secret; /* PUT: LEASE_SECRET_BYTES, a hash of it */
			bool take;                   /* RENEW: its holder does not answer */
			struct text *ret_lost;       /* RENEW: gets the keys, "REG/KEY", that others
							have now and that were not told yet; or NULL */
		} lease;
		struct {
			enum goodbye_reason reason;
			int64_t back_within_ms;
		} stop;
	};
};

#endif
