/*
 * The heart: what to do now about one child, as a pure function of what the map says of it, what
 * runs here, and who is alive. Table-tested over all combinations. The rules, and what goes wrong
 * without each of them, are in replication.md part 6.
 */
#ifndef HORDE_CORE_RECONCILE_H
#define HORDE_CORE_RECONCILE_H

#include <stdbool.h>

/* Where the winning assign points. */
enum assigned {
	ASSIGNED_NOWHERE,  /* there is none */
	ASSIGNED_HERE,     /* this node, this incarnation */
	ASSIGNED_FORMERLY, /* this node, an older incarnation: ours to re-adopt */
	ASSIGNED_AWAY,     /* another node that is there, or may come back */
	ASSIGNED_GONE,     /* a node that is dead, left or unknown, or did not re-adopt in time */
	ASSIGNED_COUNT
};

enum process_state {
	PROCESS_NONE,
	PROCESS_STARTING,
	PROCESS_RUNNING,
	PROCESS_STOPPING,
	PROCESS_STATES
};

struct situation {
	bool node_stopping; /* SIGTERM: start nothing, stop everything */
	bool synced;        /* the first sync was tried: before it nothing runs */
	bool spec;          /* it has a spec */
	bool spec_invalid;  /* that could not be decoded */
	bool wanted;        /* desired: running */
	bool temporary;
	enum assigned assigned;
	bool assign_stored; /* the winning assign is on disk here */
	bool records;       /* an assign or a status exists */
	bool records_ours;  /* and names this node, or a node that is gone while we come first */
	bool finished;     /* exited, failed or stopped in the winning epoch, of the present spec */
	bool planned_here; /* it is an orphan, and ours to take by the plan or the ladder */
	bool resolvable;   /* siblings of assign or status exist, and they are ours to resolve */
	bool contested;    /* a node that lost it may still be stopping its process */
	enum process_state process;
	bool process_current; /* the process runs the present spec */
	bool process_epoch;   /* and has the winning epoch */
	bool due;             /* not running, and it may start now (no back-off is under way) */
	bool expired;         /* it has finished, was kept long enough, and is ours to remove */
	bool turn;            /* not too many are starting here, and nobody has waited longer */
	bool status_right;    /* the visible status says what is true here */
};

enum decision {
	DECISION_NOTHING,
	DECISION_START,
	DECISION_STOP_TERMINATED, /* deleted, stopped by desire, or the node goes */
	DECISION_STOP_REPLACED,   /* a new spec: stop, then start anew */
	DECISION_STOP_WITHDRAWN,  /* its names were withdrawn long enough (withdraw.c) */
	DECISION_STOP_CONFLICT,   /* another node has it */
	DECISION_CLEAR,           /* remove assign and status of a deleted child */
	DECISION_EXPIRE,          /* remove the spec of one that was kept long enough */
	DECISION_ADOPT,           /* a new assign for this incarnation */
	DECISION_TAKE,            /* a new assign for an orphan */
	DECISION_FINISH_DEAD,     /* a temporary child whose node died: assign and `exited` */
	DECISION_RELABEL,         /* the process lives on under the winning epoch */
	DECISION_WRITE_STATUS,
	DECISION_RESOLVE,
	DECISION_COUNT
};

enum decision reconcile(const struct situation *s);
/* True when nothing but its turn is missing for a start. */
bool may_start(const struct situation *s);
/* True when the child waits to be taken by somebody. */
bool is_orphan(const struct situation *s);

#endif
