/*
 * What the handlers of all resources share: the node behind a request, hashes and times, and the
 * course of a durable write.
 *
 * A handler that writes runs several times. Its first run carries out the command and keeps what
 * became of it (struct write) as the exchange's state; the later ones find that and go on:
 *
 *	struct write *w = exchange_state(x);
 *	if (!w && !(w = begin(x)))			write_begin, then write_command
 *		return;					a problem was answered
 *	if (!write_settled(x, w))
 *		return;					parked, or the commit failed
 *	... reply, or park for what the write is to bring about
 */
#ifndef HORDE_API_RESOURCE_H
#define HORDE_API_RESOURCE_H

#include "api/ack.h"
#include "api/exchange.h"
#include "api/reads.h"
#include "api/service.h"
#include "api/uuid.h"
#include "api/wait.h"

/* How long a commit may take before the reply says that it did not happen in time. */
#define WRITE_COMMIT_MS_MAX 30000
#define WAIT_ACK_MS 5000       /* the default `wait` of a write that brings nothing else about */
#define WAIT_START_MS 5000     /* the default `wait` of what starts a process */
#define WAIT_STOP_MS 10000     /* and of what ends one */
#define DEFAULT_NAME "default" /* the supervisor and the registry that always exist */

const struct service *resource_service(const struct exchange *x);
const struct horde *resource_horde(const struct exchange *x);
const struct map *resource_map(const struct exchange *x);

/* The supervisor of the path; NULL: there is none, and 404 was answered. */
const char *resource_supervisor(struct exchange *x);
/* The registry of the path; NULL: there is none, and 404 was answered. */
const char *resource_registry(struct exchange *x);

/* "FAMILY/SCOPE/REST" into `ret_key`, NUL-terminated; its length. All parts are within limits. */
size_t resource_key(
	char ret_key[KEY_BYTES_MAX + 1], const char *family, const char *scope, const char *rest);

/*
 * The id of something that this request creates; of several, of the one at `index`. With an
 * Idempotency-Key it follows from that, from the path and the cluster, so that a repetition that
 * the kit did not see to (once.h) means the same thing; else it is a UUIDv7. Errors: NO_MEMORY,
 * SYSTEM (no random bytes).
 */
enum err resource_new_id(const struct exchange *x, size_t index, char ret_id[UUID_TEXT_BYTES]);

/* A hash of two, and of which comes first. */
uint64_t hash_pair(uint64_t a, uint64_t b);

int64_t wall_now_ms(void);
void json_put_origin(struct text *t, const char *name, struct origin_id id);
/* One that a peer may have made up: at most 2^53 - 1, the greatest that JSON is sure to keep. */
void json_put_count(struct text *t, const char *name, uint64_t count);

/* The time until which this request wants to wait: `?wait=`, `Prefer: wait=`, or the fallback. */
int64_t resource_deadline_ms(const struct exchange *x, int64_t fallback_ms);
bool resource_late(const struct exchange *x, int64_t deadline_ms);

/*
 * reads_settled, for resources that also show a local opinion (`lost`, `stale`, `dead`): opinions
 * are no part of an ETag, yet a change of opinion ends a wait all the same.
 */
bool resource_settled(struct exchange *x, const struct etag *etag, uint64_t opinion);

/* Members that cannot be asked now and yet own something in an answer. */
struct unreachable {
	size_t count;
	const struct member *members[MEMBERS_MAX];
};

void unreachable_add(struct unreachable *u, const struct member *m);
/* The member "unreachable_nodes", when there are any. */
void unreachable_put(struct text *out, const struct unreachable *u);
uint64_t unreachable_hash(const struct unreachable *u);

/* The member "silent" of a not-ready problem: which addresses have not answered yet. */
void resource_put_silent(struct exchange *x);
/* The problem of a failure of the core; a store that cannot be written for any reason is a 503. */
void resource_fail(struct exchange *x, enum err e);

/* ---- writes ---- */

struct write {
	struct command_result result;
	enum ack ack;
	int64_t deadline_ms; /* of the request: what is not so far by then is said to be so */
	bool done;           /* the command was carried out */
	bool stored;         /* and is on disk, or nobody asked for that */
	bool acknowledged;   /* and on as many others as were asked for */
	bool missing;        /* nothing was there to be removed, which is fine */
	struct vector known; /* what write_known_with waits for */
	bool known_set;
	bool lost;  /* a registration that was withdrawn */
	char *kept; /* what the handler wants to remember (exchange_alloc), or NULL */
	size_t kept_bytes;
};

/*
 * The exchange's new state, with a deadline of `wait`, else `fallback_ms`; NULL: 503 was answered.
 * Comes before the command, which must not be forgotten once it is done.
 */
struct write *write_begin(struct exchange *x, int64_t fallback_ms);
/* Copies into `kept`; false: 503 was answered. */
bool write_keep(struct exchange *x, struct write *w, const char *bytes, size_t count);
/* Errors: those of the event. Nothing is answered. */
enum err write_command(struct exchange *x, struct event *e, struct write *w);
/* Instead of a command: there is nothing to remove, and that is fine. */
void write_missing(struct write *w);
/* Instead of a command: all is as it was asked for. */
void write_nothing(struct write *w);
/*
 * Is it where `ack` wants it? False: it waits for that, or it failed or is late, and that was
 * answered, with `applied`. Once true it stays so.
 */
bool write_settled(struct exchange *x, struct write *w);
/*
 * Once write_settled: does this node know all that those members had with it, that have it on disk?
 * A majority shares a member with every other one, so it has then seen what another majority was
 * told before (core/vote.c). False: parked, or it is late, and that was answered.
 */
bool write_known_with(struct exchange *x, struct write *w);
/* Sets Horde-Dot, Horde-Replicated and ETag for a reply; `etag` may be NULL. */
void write_headers(struct exchange *x, const struct write *w, const struct etag *etag);

#endif
