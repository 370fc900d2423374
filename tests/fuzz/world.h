/*
 * Three replicas of the map, each with its held slices, its store and the stream that it may be
 * sending; and the letters under way between them: bodies as they are on the wire. Whatever a
 * replica does is compared with the history of all events (history.h) and its store (rows.h).
 */
#ifndef HORDE_TESTS_FUZZ_WORLD_H
#define HORDE_TESTS_FUZZ_WORLD_H

#include "server/core/held.h"
#include "server/core/stream.h"
#include "tests/fuzz/body.h"
#include "tests/fuzz/history.h"
#include "tests/fuzz/rows.h"

#define REPLICAS HISTORY_REPLICAS
#define LETTERS_MAX 6

struct letter { /* zero is none */
	int from;
	struct text body;
	struct vector after; /* what its asker knew */
};

struct sending { /* a stream under way; zero when there is none */
	struct stream *stream;
	struct wire_writer *writer;
	struct letter letter; /* what was sent so far */
	bool begun;
};

struct replica {
	struct map *map;
	struct held *held;
	struct rows rows;
	struct rows synced; /* the store as it was once; a crash falls back to it */
	struct sending sending;
};

struct world {
	struct history_log history;
	struct replica replicas[REPLICAS];
	struct letter letters[LETTERS_MAX];
	uint64_t clock;
};

extern struct world w;

void world_open(void);
void world_close(void);
/*
 * After a step of `r`: the changes are judged by the history and stored, and replicas that know the
 * same must hold the same. Ends the run when that is not so.
 */
void world_settle(int r, struct changes *c);
/* A new life on these rows; false when there are no more origins. */
bool world_restart(int r, const struct rows *rows);
/* A fresh origin within the same life. */
void world_renew(int r);

void letter_fini(struct letter *l);

/* ---- what `from` answers to `asker` ---- */
/* A difference; a digest answer when that needs block sums. Borrows from the map of `from`. */
struct fragment world_difference(int from, int asker);
/* Joins it at once. */
void world_pull(int r, int from);
/* It is under way. */
struct letter world_ask_all(int from, int asker);
/* Slices of its own origin and of those in `others`, a bit for each of the history's. */
struct letter world_ask_slices(int from, int asker, uint64_t others);
/* The difference piece by piece. */
void world_stream_open(int from, int asker);
void world_stream_close(int from);
/* The next piece; true when that was the last, and the letter is there. */
bool world_stream_next(int from, size_t most, struct letter *ret);

/*
 * `r` gets a letter, whoever it was for and however late. One that was for another may be refused,
 * then nothing has changed; what was asked for must be joined.
 */
void world_deliver(int r, const struct letter *l);

#endif
