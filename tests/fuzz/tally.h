/*
 * What became of the fragments that a target met. It is printed when the run ends, with a line for
 * what a target expects to meet and never did: that fails the run (run.sh).
 */
#ifndef HORDE_TESTS_FUZZ_TALLY_H
#define HORDE_TESTS_FUZZ_TALLY_H

#define TALLIES(X)                                                                                 \
	X(READ, "bodies read")                                                                     \
	X(UNREAD, "bodies refused")                                                                \
	X(TRUNCATED, "truncated ones refused")                                                     \
	X(ALTERED, "altered ones refused")                                                         \
	X(REORDERED, "reordered ones refused")                                                     \
	X(ALIEN, "alien ones refused")                                                             \
	X(JOINED, "fragments joined")                                                              \
	X(UNJOINED, "fragments refused by the map")                                                \
	X(HELD, "slices held back")                                                                \
	X(REPAIRED, "repairs")                                                                     \
	X(UNREPAIRED, "repairs refused")

#define TALLY(name, text) TALLY_##name,
enum tally { TALLIES(TALLY) TALLY_COUNT };
#undef TALLY

void tally(enum tally what);
/* Every run of this target must meet it. */
void tally_expect(enum tally what);
const char *tally_name(enum tally what);

#endif
