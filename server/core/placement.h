/*
 * Where a child goes: rendezvous hashing on its name, with bounded load (replication.md part 2).
 *
 * Every node computes the same answer from the same members and the same assigns. The load counted
 * is what the map says, never what runs locally. Sources: Thaler, Ravishankar, "Using Name-Based
 * Mappings to Increase Hit Rates" (1998); Mirrokni et al., "Consistent Hashing with Bounded Loads".
 */
#ifndef HORDE_CORE_PLACEMENT_H
#define HORDE_CORE_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/dot.h"

#define PLACEMENT_SLACK_PERCENT 10 /* no node above 1.1 times its fair share */

struct candidate {
	struct origin_id node;
	uint32_t load; /* children assigned to it, raised by place() */
	bool barred;   /* not for this name */
};

struct placement {
	size_t index;       /* of the chosen candidate */
	bool over_capacity; /* all were at the cap, so the cap was ignored */
};

/* The hash that orders `node` for `name`: the greatest wins. */
uint64_t rendezvous_score(const char *name, size_t name_bytes, struct origin_id node);
/* The most children a node may have when `total` are shared by `count` nodes. */
uint32_t placement_cap(uint32_t total, size_t count);
/* Chooses for `name`, and raises that candidate's load. False when none is there, or all barred. */
bool place(struct candidate *candidates, size_t count, uint32_t cap, const char *name,
	size_t name_bytes, struct placement *ret);
/* How many candidates come before `node` in the rendezvous order of `name`. */
size_t rendezvous_rank(const struct candidate *candidates, size_t count, const char *name,
	size_t name_bytes, struct origin_id node);

#endif
