/* Snapshots of a node's store, by HTTP: made, downloaded, brought to another node, restored. */
#ifndef HORDE_TESTS_SNAPSHOTS_H
#define HORDE_TESTS_SNAPSHOTS_H

#include "tests/lib/cluster.h"

#define SNAPSHOTS "/v1/storage/snapshots"
#define RESTORE "/v1/storage/restore"

/* POST, 201; returns the id, valid until 32 texts later. */
const char *snapshot_make(const struct node *at);

/* Its file, 200, which looks like a database. */
struct http_reply *snapshot_content(const struct node *at, const char *id);

/* PUT of a file; `header` is one more, or NULL. The reply is unchecked. */
struct http_reply *snapshot_upload(
	const struct node *at, const char *id, const char *bytes, size_t size, const char *header);

/* POST to restore it; the reply is unchecked. Then: 200, and so many entries came and went. */
struct http_reply *snapshot_restore(const struct node *at, const char *id, const char *mode);
struct http_reply *snapshot_restored(const struct node *at, const char *id, const char *mode,
	long long added, long long removed);

#endif
