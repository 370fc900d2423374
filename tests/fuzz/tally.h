/*
 * What became of the fragments that a target met. It is printed when the run ends, so that a run
 * in which nothing was refused, or nothing joined, is seen.
 */
#ifndef HORDE_TESTS_FUZZ_TALLY_H
#define HORDE_TESTS_FUZZ_TALLY_H

#define TALLIES(X)                                                                                 \
	X(READ, "bodies read")                                                                     \
	X(UNREAD, "bodies refused")                                                                \
	X(JOINED, "fragments joined")                                                              \
	X(UNJOINED, "fragments refused by the map")                                                \
	X(HELD, "slices held back")                                                                \
	X(REPAIRED, "repairs")                                                                     \
	X(UNREPAIRED, "repairs refused")

#define TALLY(name, text) TALLY_##name,
enum tally { TALLIES(TALLY) TALLY_COUNT };
#undef TALLY

void tally(enum tally what);

#endif
