/*
 * What the values of the replicated map mean. The key's first segment names the family; each
 * family has one kind of writer, so a status can never resurrect what a user deleted.
 *
 *   member/{node_id}         that node alone           spec/{sup}/{child}     the API alone
 *   assign/{sup}/{child}     the placement step        status/{sup}/{child}   the assigned node
 *   dup/{reg}/{key}..{owner}  the API: an entry where a key may have many owners (shared.h)
 *   entry/{reg}/{key}        the API                   meta/{reg}/{key}       the API
 *   supervisor/{sup}         the API, and who runs a child of one that is not there
 *   registry/{reg}           the API
 *   lease/{id}               the node that holds it
 *   halt/{sup}               who ran a child that stopped it; removed by the API
 *   state/{sup}/{child}      what a child leaves for its next life; the API, gone with its spec
 *   idem/{hash of a key}     what was answered to a POST; the API, removed when its time is over
 *
 * A value travels and is stored as JSON text, byte for byte. Its record is the same decoded once,
 * by the shell, when it arrives (api/records.h); the core never parses JSON. What the core writes
 * itself it encodes here. A value that could not be decoded has no record (NULL).
 */
#ifndef HORDE_CORE_RECORD_H
#define HORDE_CORE_RECORD_H

#include <stddef.h>

#include "server/core/dot.h"
#include "server/core/err.h"
#include "server/core/names.h"
#include "server/core/spec.h"
#include "server/core/text.h"
#include "server/core/trail.h"

#define AVOID_MAX 16       /* nodes that one child avoids at a time */
#define KEY_BYTES_MAX 1024 /* family, sup or reg, and a 512-byte key, raw */

#define LEASE_SECRET_BYTES 32 /* of a hash */

enum family {
	FAMILY_OTHER, /* kept and passed on, not understood */
	FAMILY_MEMBER,
	FAMILY_SUPERVISOR,
	FAMILY_SPEC,
	FAMILY_ASSIGN,
	FAMILY_STATUS,
	FAMILY_ENTRY,
	FAMILY_META,
	FAMILY_HALT,  /* of a supervisor that was stopped; no record */
	FAMILY_STATE, /* what a child leaves for its next life */
	FAMILY_REGISTRY,
	FAMILY_LEASE,
	FAMILY_REPLY, /* what was answered to an Idempotency-Key */
	FAMILY_COUNT
};

struct member_record {
	char *name;
	char *url;
	struct origin_id incarnation;
	uint64_t started; /* hybrid clock at start */
	enum member_state state;
};

struct avoid { /* a node where a child was over its budget */
	struct origin_id node;
	int64_t until_ms; /* wall */
};

struct assign_record {
	struct origin_id node;
	struct origin_id incarnation;
	uint64_t epoch;      /* the fencing token; grows at every new assignment */
	const char *reason;  /* a literal of the core, or NULL when decoded from elsewhere */
	int64_t at_ms;       /* wall */
	struct avoid *avoid; /* nodes that are not to have it now; or NULL */
	uint32_t avoid_count;
	uint64_t batch; /* the store batch that carries it (map_batch_set); 0: loaded */
};

struct exit_record {
	bool known; /* there was one */
	int code;   /* -1 when a signal ended it, or the start failed */
	int signal; /* 0 when it exited */
	bool core_dumped;
	int64_t at_ms; /* wall */
	int64_t uptime_ms;
	/* Of a failed start, "exec: ENOENT", or why it was ended, "http: status 503"; else empty.
	 */
	char error[ERROR_BYTES_MAX];
	bool oom_killed;
};

struct status_record {
	enum child_state state;
	enum reason reason;
	struct origin_id node;
	struct origin_id incarnation;
	uint64_t epoch;
	uint64_t spec_hash; /* of the spec it runs */
	int32_t pid;        /* 0 when none */
	uint32_t restarts;
	int64_t started_at_ms; /* wall; 0 when never */
	int64_t retry_at_ms;   /* wall; when `backoff` ends, else 0 */
	struct exit_record last_exit;
	struct trail trail;     /* how it came to this */
	bool ready;             /* running, and ready */
	int64_t ready_at_ms;    /* wall; since when, of one that has checks; else 0 */
	char *text;             /* what it says of itself, or NULL */
	char *exit_tail;        /* of last_exit: what it printed last on stderr, or NULL */
	struct ports ports;     /* the numbers that it has there */
	uint64_t process_epoch; /* that its process was started with, when it is another; else 0 */
};

struct state_record {
	uint64_t epoch; /* of the assignment that it was left under: a later one's beats it */
};

struct registry_record {
	int64_t created_at_ms; /* wall */
	enum key_rule keys;
	enum conflict_rule conflict;
	int64_t lock_delay_ms; /* so long nobody else takes a name whose owner was lost */
};

struct reply_record {
	int64_t expires_ms; /* wall */
};

struct lease_record {
	int64_t ttl_ms;
	struct origin_id node;                    /* that holds it */
	uint64_t epoch;                           /* grows with each takeover */
	int64_t created_at_ms;                    /* wall */
	unsigned char secret[LEASE_SECRET_BYTES]; /* SHA-256 of what its client was told */
};

struct entry_record {
	enum owner_kind owner_kind;
	uint32_t value_at; /* where the raw value stands in the entry's text */
	uint32_t value_bytes;
	const char *owner_id;  /* "default/web" for a child; in the record's own block */
	struct origin_id node; /* where the owner ran when it registered; zero for static */
	uint64_t epoch;        /* the owner's, 0 for static */
	uint64_t created;      /* hybrid clock of the first registration by this owner */
	bool voted;            /* asked for with a majority: it beats what was not (vote.c) */
	bool first;            /* among concurrent owners the first one wins, not the last */
};

struct record {
	enum family family;
	union {
		struct member_record member;
		struct spec_record spec;
		struct supervisor_record supervisor;
		struct assign_record assign;
		struct status_record status;
		struct state_record state;
		struct registry_record registry;
		struct reply_record reply;
		struct lease_record lease;
		struct entry_record entry;
	};
};

/* The family of a map key, by its first segment. */
enum family family_of(const char *key, size_t key_bytes);

/* Whether values of this family are decoded; of the others only the text is kept. */
bool family_has_record(enum family family);
/* What follows the first '/': "default/web" of "spec/default/web"; "" when nothing does. */
const char *key_rest(const char *key);
/*
 * A record of this family, all of it zero, in a block that is as large as the family needs: it is
 * never copied as a `struct record`, but with record_dup. NULL when there is no memory.
 */
struct record *record_new(enum family family);
/* The record of an entry; `fields` and the id that they name are copied. NULL: no memory. */
struct record *record_new_entry(const struct entry_record *fields, size_t owner_id_bytes);
void record_free(struct record *r);
/* A deep copy for the caller to free; NULL when there is no memory. */
struct record *record_dup(const struct record *r);

/*
 * Appends the JSON text of a member, assign, status, lease or entry record; integers that may pass
 * 2^53 (epoch excepted, it is in milliseconds) are strings of hex digits. An owner that has neither
 * node nor epoch is written without. `value` is the raw JSON value of an entry, which stands last
 * in its text, and is ignored for the others.
 */
void record_encode(const struct record *r, const char *value, size_t value_bytes, struct text *t);

#endif
