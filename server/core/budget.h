/*
 * The restart budget and back-off of one child: when it may run again after it ended.
 *
 * Source: OTP's supervisor (restart intensity), counted per child here, so that one crash-looping
 * child never touches the others. The first failure after a reset is restarted at once, the n-th
 * waits initial_ms x factor^(n-2), with jitter, at most max_ms; more than max_restarts restarts
 * within max_seconds is over budget.
 */
#ifndef HORDE_CORE_BUDGET_H
#define HORDE_CORE_BUDGET_H

#include "server/core/record.h"

#define BUDGET_RESTARTS_MAX 1000    /* the greatest max_restarts */
#define BUDGET_JITTER_PERCENT 10    /* a wait is up to so much shorter or longer */
#define BUDGET_WAIT_MAX_MS 86400000 /* whatever a peer's spec asks for: a day */

struct budget {
	uint32_t failures; /* since the last reset */
	bool looping;      /* it is over budget, and that was said */
	int64_t *restarts; /* a ring of the times of the last restarts, monotonic */
	uint32_t size;
	uint32_t used;
	uint32_t next;
};

enum verdict {
	VERDICT_DONE,    /* it is finished: exited */
	VERDICT_RESTART, /* start it again at `at_ms` */
	VERDICT_FAIL,    /* over budget, and on_max_restarts says fail_child */
	VERDICT_MOVE,    /* or reschedule: elsewhere, or else here at `at_ms` */
	VERDICT_STOP,    /* or stop_supervisor: with all its fellows */
};

struct restart_decision {
	enum verdict verdict;
	int64_t at_ms;   /* monotonic */
	bool crash_loop; /* it went over budget just now */
};

void budget_fini(struct budget *b);
/* Forgets all failures: an explicit restart, or long enough up. */
void budget_reset(struct budget *b);
/*
 * The child ended, or could not be started (then `success` is false and `uptime_ms` 0). `salt` is
 * any number that differs from child to child: the jitter is a hash of it, not randomness.
 */
struct restart_decision budget_ended(struct budget *b, const struct restart_rule *rule,
	bool success, int64_t uptime_ms, int64_t now_ms, uint64_t salt);

#endif
