/*
 * Is one process ready, and well? A pure state machine: tries fall due, their results and what the
 * process says of itself come in, and out comes what to do next.
 *
 *	running --(no `ready`, READY=1, or a try that succeeds)--> ready --(STOPPING=1)--> ending
 *	   '-- limit_ms passed: LATE                                 |-- threshold failures: SICK
 *	                                                             '-- no WATCHDOG=1:      SILENT
 *
 * Health checks begin `grace_ms` after readiness, and up to a tenth of their period later, so that
 * many children are not asked at one moment; the watchdog begins with it. All end when the process
 * says that it stops.
 *
 * A try without a result is a failed one a little after its own time limit, so nothing that gets
 * lost outside stops anything here. A node that looks at a limit long after it has passed was
 * asleep, as perhaps the process was: then the time runs again.
 *
 * Source: sd_notify(3) and systemd.service(5) for what a process says and for the watchdog.
 */
#ifndef HORDE_CORE_HEALTH_H
#define HORDE_CORE_HEALTH_H

#include "server/core/checks.h"

#define HEALTH_SLACK_MS 2000     /* a result may come so long after its time limit */
#define HEALTH_SPREAD_PERCENT 10 /* of a period: the first tries of many children */
#define STATUS_TEXT_MAX 256      /* bytes of what a process says of itself */
#define STATUS_TEXT_MS 1000      /* at most one of them is told in this time */
#define HEALTH_WHY_BYTES 64      /* why a process was ended, with its NUL */
#define CHECK_READY 0            /* the number of the readiness check; those of health follow */

struct trial {             /* one check */
	int64_t due_ms;    /* the next try; INT64_MAX: none */
	int64_t began_ms;  /* of the one under way */
	uint32_t number;   /* of it; 0: none is */
	uint32_t failures; /* in a row */
};

struct health {
	bool ready;
	bool stopping;         /* it says that it ends */
	int64_t ready_wall_ms; /* since when; 0: not yet */
	int64_t ready_by_ms;   /* INT64_MAX: no limit */
	int64_t alive_by_ms;   /* the watchdog's */
	int64_t gone_by_ms;    /* while it is stopping */
	uint64_t salt;         /* differs from child to child; set before it is armed */
	uint32_t number;       /* of the last try */
	uint32_t trial_count;
	uint64_t ready_hash; /* of the checks as they are armed */
	uint64_t health_hash;
	int64_t text_told_ms;
	bool text_untold;
	struct trial trials[1 + CHECKS_MAX];
	char text[STATUS_TEXT_MAX + 1];
	char why[HEALTH_WHY_BYTES]; /* of the last failure */
};

enum health_want {
	HEALTH_NOTHING,
	HEALTH_TRY,    /* begin the try `number` of `check` */
	HEALTH_LATE,   /* it did not get ready in time */
	HEALTH_SICK,   /* `check` failed too often */
	HEALTH_SILENT, /* its watchdog heard nothing */
	HEALTH_STUCK,  /* it said that it ends, and has not */
};

struct health_next {
	enum health_want want;
	uint32_t check;
	uint32_t number;
};

enum { NOTIFIED_READY = 1, NOTIFIED_STOPPING = 2, NOTIFIED_WATCHDOG = 4, NOTIFIED_TRIGGER = 8 };

/* Arms what is not armed, or otherwise, in a new `s` (all zero) or one that follows another spec.
 */
void health_arm(struct health *s, const struct checks *c, int64_t now_ms, int64_t wall_ms);
/* The next thing to do; a TRY counts as begun. To be asked until there is nothing. */
struct health_next health_next(struct health *s, const struct checks *c, int64_t now_ms);
/* When to ask again; INT64_MAX: no need. */
int64_t health_deadline_ms(const struct health *s, const struct checks *c);
/* The check `number` of its tries; NULL: there is none any more. */
const struct check *health_check(const struct checks *c, uint32_t check);

/* A try has ended. False: it is not the one that is under way. */
bool health_tried(struct health *s, const struct checks *c, uint32_t check, uint32_t number,
	bool ok, int64_t now_ms, int64_t wall_ms);
/* The process said `what` (NOTIFIED_...); it has `stop_ms` to end once it says that it does. */
void health_notified(struct health *s, const struct checks *c, unsigned what, int64_t stop_ms,
	int64_t now_ms, int64_t wall_ms);

#endif
