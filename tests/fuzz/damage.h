/* What is done to one replica behind its back, and how the repair must mend it. */
#ifndef HORDE_TESTS_FUZZ_DAMAGE_H
#define HORDE_TESTS_FUZZ_DAMAGE_H

#include <stddef.h>

/*
 * To be called when all replicas of world.h are equal. `what` says how many entries of the first
 * one are lost or altered, and which. Then they compare block sums and repair themselves: at the
 * end all are equal again, and whatever any of them had is there. The history knows nothing of it.
 */
void damage_and_repair(size_t what);

#endif
