/*
 * What a child went through last: its transitions, the oldest first. They travel with its status
 * (record.h), so that any node can tell, and a takeover goes on with them.
 */
#ifndef HORDE_CORE_TRAIL_H
#define HORDE_CORE_TRAIL_H

#include <stdbool.h>

#include "server/core/dot.h"
#include "server/core/names.h"
#include "server/core/text.h"

#define TRAIL_MAX 20       /* the oldest goes when one more comes */
#define ERROR_BYTES_MAX 64 /* "exec: ENOENT", with its NUL */

struct transition {
	int64_t at_ms; /* wall */
	struct origin_id node;
	uint64_t epoch;
	enum child_state state; /* what it came to be */
	enum reason reason;
	bool ended; /* by the end of a process, or by a start that failed */
	bool core_dumped;
	int code;   /* -1 when a signal ended it, or the start failed */
	int signal; /* 0 when it exited */
	int64_t uptime_ms;
	char error[ERROR_BYTES_MAX]; /* of a failed start, else empty */
	bool oom_killed;
};

struct trail { /* zero: empty */
	struct transition *items;
	uint32_t count;
};

void trail_fini(struct trail *t);
/* False without memory: then it is lost, and the others stay. */
bool trail_add(struct trail *t, const struct transition *latest);
/* NULL: none yet. */
const struct transition *trail_last(const struct trail *t);
/* A copy for the caller's trail_fini. False, and an empty one, without memory. */
bool trail_dup(const struct trail *t, struct trail *ret_copy);
/* Appends the member `trail`, unless it is empty; `node` is left out where it is the same. */
void trail_encode(const struct trail *t, struct origin_id node, struct text *out);

#endif
