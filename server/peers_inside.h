/* What the peers*.c files share; nobody else includes it. */
#ifndef HORDE_PEERS_INSIDE_H
#define HORDE_PEERS_INSIDE_H

#include "api/wire.h"
#include "server/multi.h"
#include "server/peers.h"

#define PEERS_SPARE_MAX 8 /* idle curl handles kept for the next request */

enum transfer_kind { TRANSFER_HELLO, TRANSFER_POLL, TRANSFER_GOODBYE, TRANSFER_CALL };

struct transfer { /* one request, from its start to its event, or to peers_call_end */
	struct transfer *next;
	struct peers *peers;
	enum transfer_kind kind;
	uint32_t link;   /* HELLO, POLL; a poll may be posted block sums */
	uint64_t ticket; /* CALL */
	CURL *easy;
	bool ended;
	struct text body;
	struct text reply;          /* all but the answer of a poll */
	struct vector after;        /* of a poll: what its answer is told by */
	struct wire_reader *reader; /* a poll's answer, from its first byte on */
	struct loop_timer timer;    /* of a poll: the latest begin of its answer, then its stall */
	int64_t moved_ms;           /* when there last was more of that answer; 0: none yet */
	enum err refused;           /* why the answer is not taken */
	CURLcode result;
	long status;
};

struct peer_link { /* what outlives one request of a link */
	struct peer_link *next;
	uint32_t link;
	uint64_t polls;        /* the number of the last poll */
	uint64_t seen;         /* of the last one that was answered; 0: none since the last hello */
	uint64_t retired_hash; /* what that answer said of its server's retired origins; 0: none */
};

struct peers {
	struct peers_config config;
	struct multi multi;
	struct curl_slist *headers;
	struct transfer *transfers;
	size_t calls;
	uint64_t tickets;
	struct peer_link *links;
	size_t link_count;
	CURL *spare[PEERS_SPARE_MAX];
	size_t spare_count;
	/* Links whose request could not even begin; told in peers_turn. */
	uint32_t failed[PEERS_LINKS_MAX];
	size_t failed_count;
};

/* ---- peers_send.c: requests ---- */
struct peer_link *peers_link(struct peers *p, uint32_t link); /* NULL when there is none */
/* Unlinks and frees, without an event. */
void transfer_free(struct transfer *t);

/* ---- peers.c ---- */
/* It is over, in whatever way: its event, or what is kept of it. */
void transfer_end(struct transfer *t);

/* ---- peers_answer.c: what an ended request means ---- */
size_t transfer_receive(char *bytes, size_t one, size_t count, void *data);
size_t transfer_receive_head(char *bytes, size_t one, size_t count, void *data);
/* The timer of a poll: is its answer late, or does it stand still? */
void transfer_late(void *data);
/* Delivers the event of an ended hello or poll. `t` is still whole, and is freed by the caller. */
void transfer_answer(struct transfer *t);

/* ---- peers_json.c ---- */
void peers_hello_write(struct text *out, const struct hello *self);
/* Errors: MALFORMED, NO_MEMORY. */
enum err peers_hello_read(const char *json, size_t bytes, struct hello *ret);
void peers_goodbye_write(struct text *out, const struct hello *self, enum goodbye_reason reason,
	int64_t back_within_ms);
/* The error that a problem document stands for; by its `code`, else by the status. */
enum err peers_problem_read(long status, const char *json, size_t bytes);

#endif
