/*
 * The check of the checks: six variants of the map that were tried and lose data (replication.md
 * 1.3). `-DHORDE_NAIVE=NAIVE_FILTER` builds one of them, and the simulator must find it. In every
 * other build NAIVE() is a constant 0 and costs nothing.
 */
#ifndef HORDE_CORE_NAIVE_H
#define HORDE_CORE_NAIVE_H

#define NAIVE_NONE 0
#define NAIVE_NODEPS 1   /* slices are applied whether their deps are covered or not */
#define NAIVE_FILTER 2   /* only the kill records that this receiver needs are sent */
#define NAIVE_COLLAPSE 3 /* a join keeps the winner among siblings and drops the others */
#define NAIVE_CUT 4      /* a slice ends two events after its begin, in mid-origin */
#define NAIVE_REUSE 5    /* after a restore the old origin goes on, with the restored count */
#define NAIVE_NOFLOOR 6  /* kill records are dropped and no floor is raised */

#ifndef HORDE_NAIVE
#define HORDE_NAIVE NAIVE_NONE
#endif

/* NAIVE(FILTER) is true in the build of that variant alone. */
#define NAIVE(variant) (HORDE_NAIVE == NAIVE_##variant)

#endif
