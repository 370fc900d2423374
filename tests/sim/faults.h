/*
 * What may go wrong in a run. Each seed draws its own subset of these rows, so that a fault is seen
 * alone, with a few others and with many: some failures need two at once, and others are hidden by
 * the third.
 */
#ifndef HORDE_TESTS_SIM_FAULTS_H
#define HORDE_TESTS_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct node;

/* The chance in percent that a seed has it, and what the tally calls its strokes. */
#define SIM_FAULTS(X)                                                                              \
	X(LOSS, 50, "lost messages")                                                               \
	X(DUPLICATE, 50, "duplicates")                                                             \
	X(BODY, 50, "bodies cut")                                                                  \
	X(CUT, 50, "cuts")                                                                         \
	X(ONE_WAY, 50, "cuts one way")                                                             \
	X(CLOG, 50, "clogs")                                                                       \
	X(SKEW, 40, "skewed walls")                                                                \
	X(RATE, 50, "fast or slow clocks")                                                         \
	X(JUMP, 40, "jumps of a wall clock")                                                       \
	X(CRASH, 60, "kills")                                                                      \
	X(TERMINATE, 40, "terminations")                                                           \
	X(FREEZE, 50, "freezes")                                                                   \
	X(SLOW_DISK, 40, "slow commits")                                                           \
	X(FULL_DISK, 30, "full disks")                                                             \
	X(IO, 30, "disks with errors")                                                             \
	X(UNSYNCED, 40, "lost suffixes")                                                           \
	X(OLD_STORE, 30, "old stores")                                                             \
	X(OTHER_STORE, 20, "stores of others")                                                     \
	X(TWIN, 25, "twins")                                                                       \
	X(RESUME, 15, "resumed memories")                                                          \
	X(FLAKY, 50, "ends of children")                                                           \
	X(RESTARTS, 50, "restarts by clients")

enum fault {
#define X(code, chance, text) FAULT_##code,
	SIM_FAULTS(X)
#undef X
		FAULTS
};

struct faults {
	bool on[FAULTS];         /* the subset that this seed has */
	uint64_t struck[FAULTS]; /* how often each has happened */
	bool all_join;           /* nobody is first: they find out who makes the cluster */
};

void faults_draw(struct world *w);
/* True while this seed has it and nothing is healed yet. */
bool faults_may(const struct world *w, enum fault f);
/* The same, with that chance in percent; true is counted. */
bool faults_strike(struct world *w, enum fault f, unsigned percent);
void faults_count(struct world *w, enum fault f);
const char *fault_text(enum fault f);

/* One of them happens, and the next is planned. */
void faults_next(struct world *w);
/* Everything is mended; a node that is down comes back, or some stay down for good. */
void faults_heal(struct world *w);

/*
 * Until when this happening is held up, because its node is frozen or the direction that it comes
 * by is clogged; 0 when it is not.
 */
struct happening;
int64_t faults_hold(const struct world *w, const struct happening *e);

#endif
