/*
 * What a node wants done: the output of horde_step. The shell carries it out and decides nothing.
 */
#ifndef HORDE_CORE_ACTION_H
#define HORDE_CORE_ACTION_H

#include "server/core/event.h"

enum action_kind {
	ACTION_HELLO,   /* POST hello to `url`, answer with an event for `link` */
	ACTION_POLL,    /* POST deltas to `url`, parked up to `timeout_ms`; answer with an event for
			   `link` */
	ACTION_DIGEST,  /* POST `poll` with the block sums of the whole map; else like POLL */
	ACTION_UNLINK,  /* drop what is under way for `link`; no event is wanted any more */
	ACTION_GOODBYE, /* tell `url`, best effort, no event */
	ACTION_SPAWN,   /* start `ref` as `spec` says, with `epoch` */
	ACTION_STOP,    /* `signal` to the group of ref and epoch, SIGKILL after `timeout_ms` */
	ACTION_SIGNAL,  /* `signal` to ref and epoch, or its `group` */
	ACTION_PROBE,   /* begin the try `number` of `check`; answer with EVENT_PROBED */
	ACTION_UNPROBE, /* drop what is under way for `ref`; no event is wanted any more */
	ACTION_CLUSTER, /* keep `cluster_id` in the store */
	ACTION_WAKE,    /* opinions changed: wake the watchers of members and lists */
	ACTION_ACKED,   /* a member has more on its disk: wake those that wait for that */
	ACTION_DUMP,    /* a divergence: keep both sides of `fragment`'s checks in a file */
	ACTION_LOG,  /* one event line: `event` is its name, `subject` and `detail` what it is about
		      */
	ACTION_EXIT, /* all is stopped and written: flush and end */
};

struct action { /* texts and specs are borrowed until the next step */
	enum action_kind kind;
	uint32_t link;
	const char *url;
	const struct poll
		*poll; /* POLL, DIGEST; its `ack` is empty: what is on disk, the shell knows */
	bool repair;   /* DIGEST: the answer is to bring what differs */
	const struct fragment *fragment; /* DUMP */
	const char *ref;
	uint64_t epoch;
	const struct spec_record *spec;     /* SPAWN, PROBE: see spec_inherit */
	const struct spec_record *defaults; /* SPAWN, PROBE: of its supervisor, or NULL */
	const struct check *probe;          /* PROBE: what is tried */
	char **identity;                    /* SPAWN, PROBE: what tells it who it is: HORDE_... */
	const struct ports *ports;          /* SPAWN: what it is to have, and nobody else yet */
	uint16_t port;                      /* PROBE: TCP, HTTP: the one to ask */
	uint32_t check;
	uint32_t number;
	int signal;
	bool group;
	int64_t timeout_ms;
	enum stop_reason why;       /* STOP: told to it before the signal */
	enum goodbye_reason reason; /* GOODBYE */
	struct origin_id cluster_id;
	const char *event;
	const char *subject;
	char detail[160];
};

#define CHANGES_KEPT 4096 /* the memory of so many is kept from step to step */

struct actions { /* what a step gave; the caller empties it with actions_clear */
	struct action *items;
	size_t used;
	size_t size;
	struct changes changes; /* of the map: for the store, the watchers, the parked polls */
	bool created;           /* PUT_SPEC, REGISTER, PUT_META: the key was new; CONFIRM: it is;
				   RENEW_LEASE: it was taken over */
	enum applied applied;   /* PUT_SPEC */
	struct dot dot;         /* the last dot that a command minted */
};

void identity_free(char **identity); /* NULL is fine */
void actions_clear(struct actions *a);
void actions_fini(struct actions *a);

#endif
