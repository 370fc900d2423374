/* What a node knows of one child, beside what the map says of it (view.h). */
#ifndef HORDE_CORE_CHILD_STATE_H
#define HORDE_CORE_CHILD_STATE_H

#include "server/core/budget.h"
#include "server/core/health.h"
#include "server/core/reconcile.h"
#include "server/core/record.h"
#include "server/core/tree.h"

#define RAN_KEPT 4 /* writes of one temporary spec: of siblings, any may be the spec again */

struct child {
	struct tree_node node; /* first: by ref */
	struct child *next;    /* all children of this node's view, in no order */
	struct child *previous;
	struct child *next_dirty;
	bool dirty;
	struct origin_id assigned; /* the winning assign's node, for counting load; zero: none */
	bool occupies;             /* it counts against its supervisor's limits */
	/* the process here */
	enum process_state process;
	uint64_t process_epoch; /* as it was started with */
	int pid;
	bool moving; /* it is stopped to go elsewhere */
	int stop_signal;
	int64_t stop_timeout_ms;
	int64_t stop_delay_ms;
	bool withdrawn; /* it is going to be stopped, for this, then (withdraw.c) */
	enum stop_reason withdraw_why;
	int64_t withdraw_ms;
	int64_t started_ms;
	int64_t started_wall_ms;
	struct health *health; /* of its process, while that has checks; else NULL */
	uint64_t claimed;      /* hash of the names that it was given; 0: none yet */
	bool replaced;         /* its process was ended for another write of its spec */
	uint16_t names_wait;   /* bit by bit, which of its claims it waits for: others have them */
	bool name_lost;        /* one of its names went to another owner */
	enum reason fault;     /* why it is being ended as if it had failed; or NONE */
	/* its life here, in `epoch`, of the spec `spec_hash` */
	uint64_t epoch;
	uint64_t spec_hash;
	uint64_t process_hash;     /* as its process was started with */
	uint64_t own_process_hash; /* without what it inherited */
	struct dot ran[RAN_KEPT];  /* the writes of a temporary spec that were started here last */
	enum child_state state;    /* while there is no process: PENDING BACKOFF EXITED FAILED */
	enum reason reason;
	int64_t retry_ms; /* when BACKOFF ends */
	int64_t retry_wall_ms;
	uint32_t restarts;
	struct budget budget;
	struct exit_record last_exit;
	char *exit_tail; /* what it printed last on stderr before it failed; or NULL */
	/* child_ports.c */
	struct ports ports;  /* the numbers that its process has here, or had last */
	uint32_t port_tries; /* of one start: numbers that strangers had */
	bool ports_fixed;    /* its spec asks for some by number */
	struct trail trail;  /* goes out with its status */
	bool ended_untold;   /* last_exit is not in the trail yet */
	/* as an orphan */
	bool orphan;
	bool planned;
	int64_t orphan_since_ms;
	int64_t contested_ms; /* since when another node's lost assign stands; 0: none does */
	int64_t expires_ms;   /* when to see whether it was kept long enough; 0: not */
	bool waiting;         /* for its assign to be stored */
	/* start_queue.c */
	bool starting; /* it is counted as such */
	bool queued;   /* it waits for its turn to start */
	struct child *queue_next;
	struct child *queue_previous;
	char ref[];
};

#endif
