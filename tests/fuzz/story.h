/*
 * A story of three replicas that is the same every time: who wrote, removed and resolved what, and
 * who heard of it when. Its clients are the maps that fuzzed fragments are applied to, and its
 * bodies, which are for those clients, the seeds.
 */
#ifndef HORDE_TESTS_FUZZ_STORY_H
#define HORDE_TESTS_FUZZ_STORY_H

#include "server/core/text.h"
#include "tests/fuzz/rows.h"

#define STORY_WALL_MS 1700000000000
#define STORY_CLIENTS 3 /* 0 knows nothing, 1 the beginning, 2 most of it and things of its own */

/* A client's map, and its rows. Both are the caller's to free. */
struct map *story_client(int client, struct rows *ret_rows);

struct story_body {
	char name[32];
	struct text text;
};

#define STORY_BODIES_MAX 48
/* Bodies of all kinds that the story's servers send to its clients; the texts are the caller's to
 * free. */
size_t story_bodies(struct story_body ret_bodies[STORY_BODIES_MAX]);

#endif
