/*
 * What the handlers of dispatch ask of the node (service.h): transfers to the owners of names, many
 * at once, each streamed both ways through buffers of DISPATCH_HELD_BYTES. Whoever is slow at one
 * end slows the other one down. Every limit of dispatch is here.
 */
#ifndef HORDE_API_DISPATCH_SERVICE_H
#define HORDE_API_DISPATCH_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/core/text.h"

/* Under way at a time; one more is a 503. */
#define DISPATCHES_MAX 256
/* How long a connection to the owner may take (then 502), how long the owner may say nothing and
 * take nothing while nobody else is waited for, and all of it (then 504, or the reply is cut). */
#define DISPATCH_CONNECT_MS 3000
#define DISPATCH_IDLE_MS 60000
#define DISPATCH_TOTAL_MS (60 * 60 * 1000)
/* Bytes on their way that are held in each direction, give or take a piece. */
#define DISPATCH_HELD_BYTES 65536u
/* Bytes of the head of an owner's reply; a larger one is a 502, and so is one that does not fit
 * beside the head of the request (pass_head_room). */
#define DISPATCH_HEAD_BYTES_MAX 8192u
/* Nodes that a request may come through by dispatch; one more is a 508. */
#define DISPATCH_HOPS_MAX 3
/* Owners of one key that are looked at for one that is ready. */
#define DISPATCH_OWNERS_MAX 1000
/* Of a host, and of a path that stands before all others (a value's url). */
#define DISPATCH_HOST_BYTES_MAX 255
#define DISPATCH_BASE_BYTES_MAX 1023

struct dispatch; /* one transfer */

struct dispatch_request {
	const char *method;
	const char *host; /* a name or an address, one of IPv6 without its [] */
	uint16_t port;
	const char *target;  /* path and query, as they go out */
	const char *headers; /* lines "Name: value", each with its NUL */
	size_t headers_bytes;
	bool body;      /* one is sent: by send and finish */
	int64_t length; /* of it, or -1: not known */
};

enum dispatch_state {
	DISPATCH_PENDING, /* no head of a reply yet */
	DISPATCH_REPLIES, /* there is one, and maybe more to come */
	DISPATCH_ENDED,   /* the reply has come to its end, but for what take gives */
	DISPATCH_FAILED,  /* before the head or behind it: `why` */
};

struct dispatch_view { /* borrowed until the transfer goes on */
	enum dispatch_state state;
	unsigned status; /* 0: there is no head yet */
	const char
		*head; /* lines of the reply, each with its NUL; the status line is none of them */
	size_t head_bytes;
	const char *why; /* FAILED */
	bool late;       /* FAILED: its time was over */
};

enum dispatch_send {
	DISPATCH_SEND_MORE,
	DISPATCH_SEND_HOLD, /* taken, but no more for now */
	DISPATCH_SEND_OVER, /* no more of it is wanted */
};

struct dispatch_service {
	/* May a value send dispatches to this place (--dispatch-hosts)? `node` is the service's. */
	bool (*allowed)(void *node, const char *host, uint16_t port);
	/* What it is given is copied. Errors: LIMIT, NO_MEMORY. */
	enum err (*begin)(
		void *node, const struct dispatch_request *r, struct dispatch **ret_dispatch);
	/* The key "dispatch/<ticket>" is woken when it goes on: in state, or because there is more
	 * to take, or room to send. */
	uint64_t (*ticket)(const struct dispatch *d);
	enum dispatch_send (*send)(struct dispatch *d, const char *bytes, size_t count);
	/* The body is whole. */
	void (*finish)(struct dispatch *d);
	struct dispatch_view (*view)(const struct dispatch *d);
	/* Appends what has come of the reply's body, and asks for more. */
	void (*take)(struct dispatch *d, struct text *out);
	/* Gives it up, wherever it is. */
	void (*end)(struct dispatch *d);
};

#endif
