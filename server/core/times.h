/*
 * How long the rules of the core wait, and how much of their own they keep; in milliseconds where
 * the name ends in _MS. What an operator may set is in horde.h (horde_config).
 */
#ifndef HORDE_CORE_TIMES_H
#define HORDE_CORE_TIMES_H

#define LINK_RETRY_FIRST_MS 100
#define LINK_RETRY_MAX_MS 1000
#define RIVAL_MS                                                                                   \
	10000 /* by then the other of two lives has called again, after a lost call too            \
	       */
#define LINK_RETRY_REJECTED_MS 5000
#define POLL_WAIT_MS 25000
#define REDOS_MAX 4           /* answers in a row that only ask for another request */
#define ACK_WAIT_MS 1000      /* a poll that was asked to bring an ack waits so long for the disk */
#define GRAFT_MS 50           /* an event so long overdue is asked for elsewhere */
#define HELD_GRAFT_MS 25      /* a slice held so long: what it lacks is asked for there */
#define HELD_WHOLE_MS 250     /* so long: a full difference is */
#define GRAFT_LINKS 2         /* the origin of a lost link is grafted on so many others */
#define LACKS_MAX 256         /* overdue events that are watched */
#define REPAIR_MS 1000        /* between two repairs with one peer */
#define REPAIR_OTHER_MS 10000 /* so long the node whose turn it is not leaves it to the other */
#define TRUNCATE_MS 1000      /* after an ack: how soon kill records are dropped */
#define AGES_MAX 25           /* marks of the kill log's age */
#define CUTS_MAX 512          /* store batches under way */
#define PLAN_EVERY_MS 1000    /* while there are orphans */
#define LADDER_STEP_MS 3000   /* an orphan this old is taken by the next node in rendezvous order */
#define READOPT_MS 2000       /* a restarted node has so long to re-adopt, past restart_grace_ms */
#define RESCHEDULE_AVOID_MS 60000 /* a child does not come back so soon to where it failed */
#define CONFLICT_STOP_MAX_MS 2000
#define CONTEST_MS 3000      /* so long a winner that runs nothing waits for the loser to stop */
#define RETAIN_LOOK_MS 60000 /* at least so often the wall clock is asked who was kept enough */
#define REPLIES_MAX 100000   /* that are kept for idempotency keys, and their bytes */
#define REPLIES_BYTES_MAX (64u << 20)
#define REPLIES_LOOK_MS 60000 /* between two looks at all of them, for those whose time is over */
#define REPLIES_STEP 512      /* that are looked at in one step, */
#define REPLIES_STEP_MS 20    /* and how soon the next ones are */
#define RETRY_NO_MEMORY_MS 100
#define REGISTRY_REMOVE_MAX 1000 /* keys of a registry that ends, in one step */
#define LOCKS_MAX 100000         /* keys that are held back for a while; the next ones are not */
#define LOCKS_EVERY_MS 1000
#define LEASE_TTL_MIN_MS 1000
#define LEASE_TTL_MAX_MS 86400000
#define LEASES_MAX 100000
#define LEASES_A_STEP 1000     /* are looked at */
#define LEASE_JITTER 10        /* one that is taken over has up to a tenth of its time more */
#define LEASE_LOST_MAX 100     /* keys that it has lost, and is told of */
#define STRANDED_EVERY_MS 1000 /* while names of a registry that is gone are left */
#define DECISIONS_MAX 16       /* for one child in one step; more is a bug of the rules */
#define EVENTS_MAX 8192        /* that are kept for those who listen; and their bytes */
#define EVENTS_BYTES_MAX (4u << 20)

#endif
