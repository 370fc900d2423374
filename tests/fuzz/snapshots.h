/* The snapshots of node.h's node: a few in memory, made and received at once. */
#ifndef HORDE_TESTS_FUZZ_SNAPSHOTS_H
#define HORDE_TESTS_FUZZ_SNAPSHOTS_H

#include "api/snapshot_service.h"

/* There is one at first; its id. */
#define SNAPSHOTS_FIRST "01956f3e-7c1a-7b52-9d44-5a0c8e2f1b33"

extern const struct snapshot_service snapshots_service;

/* Back to the first one. No job may be under way. */
void snapshots_reset(void);
void snapshots_free(void);

#endif
