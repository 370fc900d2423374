/* The inside of one exchange; how the files of the kit share it out is in http_inside.h. */
#ifndef HORDE_API_EXCHANGE_TYPE_H
#define HORDE_API_EXCHANGE_TYPE_H

#include <microhttpd.h>
#include <stdalign.h>

#include "api/arena.h"
#include "api/exchange.h"
#include "api/http.h"
#include "api/limits.h"
#include "api/openapi.h"
#include "api/router.h"
#include "api/schema.h"
#include "api/sha256.h"
#include "server/loop.h"

struct pair {
	const char *name;
	const char *value;
};

/* The headers that the kit itself reads, found in one walk. */
struct heads {
	const char *host;
	const char *authorization;
	const char *content_type;
	const char *content_length;
	const char *transfer_encoding;
	const char *expect;
	const char *origin;
	const char *min_dot;
	unsigned hosts;
	unsigned lengths;
	unsigned encodings;
	size_t bytes;
};

struct watch {
	struct exchange *x;
	struct watch *next, **place; /* in its bucket, while the exchange is parked */
	const char *key;
	size_t length;
	size_t hashed; /* how much of the key is hashed: all of it, or a prefix's last folder */
	uint64_t hash;
	bool prefix;
};

/* A request with an Idempotency-Key (once.h). */
#define ONCE_PREFIX "idem/"

struct once {
	enum {
		ONCE_NONE,  /* it has no key, or is none of the below yet */
		ONCE_FIRST, /* its handler runs, and no other one of this key */
		ONCE_KEPT,  /* answered, and kept; `held` waits for the disk */
	} state;
	char key[sizeof(ONCE_PREFIX) - 1 + SHA256_HEX_BYTES]; /* "": it has none */
	char request[SHA256_HEX_BYTES];
	struct exchange *next; /* in http.under_way, while `place` is set */
	struct exchange **place;
	const char *media; /* of the reply; NULL: it has no body */
	bool whole;        /* `body` is all of it */
	bool secret;       /* the reply tells one: it is not kept */
	struct text body;
	struct text value; /* what is kept */
	uint64_t batch;
	struct MHD_Response *held; /* its status stays in the exchange */
};

struct exchange {
	struct http *http;
	struct exchange *spare_next;
	struct MHD_Connection *connection;

	const char *method_text;
	const char *url;
	const char *authority; /* of a request for "http://host/path", up to its slash; else NULL */
	enum method method;
	const struct operation *operation;
	const char *segments[HTTP_SEGMENTS_MAX];
	size_t segment_count;
	const char *rest; /* what is left of the path behind them, from its slash on; else NULL */
	struct pair *queries;
	size_t query_count;
	bool query_broken;
	struct heads heads;
	struct child_credential child;
	struct credential by; /* it, as the core sees it; all zero: no child */
	bool pretty;
	bool close; /* the rest of the body will not be read */
	size_t discarded;
	size_t body_counted;  /* of the server's body_bytes */
	uint64_t body_passed; /* to the operation's receiver */
	bool body_refused;    /* the rest of it is thrown away */
	bool held;            /* no more of it is taken until it is woken */
	struct text body;
	json_t *json;
	int64_t started_ms;
	char request_id[20];

	struct MHD_Response *response;
	unsigned status;
	struct pair headers[HTTP_REPLY_HEADERS_MAX];
	size_t header_count;
	bool starved; /* a header was lost for lack of memory */
	struct faults faults;
	struct text extra;

	enum problem_code problem; /* that was answered last */
	struct {                   /* a reply that goes on */
		bool begun;
		bool counted; /* of HTTP_FOLLOWS_MAX */
		bool passed;  /* it is somebody else's: what hinders it cuts it off */
		bool cut;
		bool queued; /* its head is on its way: `response` is none of it any more */
		bool ended;
		struct text out; /* a piece of it */
		size_t sent;
		void *data;
		void (*free_data)(void *data);
	} follow;

	struct once once;

	const struct etag *offered; /* what is answered next may be shared; else NULL */
	bool pure;                  /* it depends on path, query and state alone */
	void *state;
	void (*free_state)(void *state);

	struct watch watches[HTTP_WATCHES_MAX];
	size_t watch_count;
	bool watches_commit;
	uint64_t commit_number;
	bool watches_everything; /* HTTP_WATCHES_MAX was not enough */
	struct exchange *commit_next, *commit_before;
	bool in_commits;
	bool dots_covered;
	bool applied; /* a problem says so */
	bool wants_park;
	bool parked;    /* it has a slot, a deadline, watches */
	bool suspended; /* for libmicrohttpd */
	bool expired;
	bool gone; /* the client went away while it was parked */
	bool woken;
	int64_t deadline_ms;
	struct exchange *woken_next;
	struct exchange *parked_next, *parked_before;
	struct loop_timer timer;
	struct loop_io io;

	struct arena arena;
	struct arena_mark run_mark; /* what is allocated behind it is one run's */
	alignas(max_align_t) char first[2048];
};

#endif
