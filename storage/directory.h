/*
 * The data directory of one daemon: its lock, the identity of the node, the URL it listens on.
 *
 * The lock is a flock on DIR/lock. It belongs to the open file, not to the process: it is held
 * until the last duplicate of `lock_fd` is closed, so the guardian, which is forked (not executed)
 * after directory_open, holds it too, and a new daemon waits until no child of the old one is left.
 * For the same reason nothing here ever unlocks it, it only closes its own descriptor. The
 * descriptor is close-on-exec, or every child would hold the lock; whoever executes a new daemon
 * in place has to clear that flag and hand the number over.
 */
#ifndef HORDE_STORAGE_DIRECTORY_H
#define HORDE_STORAGE_DIRECTORY_H

#include "storage/problem.h"

#define DIRECTORY_PATH_MAX 3800   /* leaves room for the names inside */
#define DIRECTORY_NODE_ID_SIZE 33 /* 32 lower-case hexadecimal digits and a NUL */
#define DIRECTORY_POLL_MS 10

struct directory {
	char *path;
	int fd;      /* the directory itself, close-on-exec */
	int lock_fd; /* see above; the guardian keeps its duplicate and closes all others */
	char node_id[DIRECTORY_NODE_ID_SIZE];
};

/*
 * Opens the directory, making it and its parents (mode 0700) where they are missing; the mode of
 * one that exists is its owner's affair. Takes the lock, waiting up to `wait_ms` for a daemon (or
 * its guardian) that is going away. Reads the node's id, or draws one. Removes an old DIR/url.
 * `ret_problem` may be NULL.
 * Errors: LOCKED, STORAGE_CORRUPT (node_id is not an id; it is left as it is), STORAGE_READ_ONLY,
 * STORAGE_FULL, LIMIT (the path), NO_MEMORY, IO.
 */
enum err directory_open(const char *path, int wait_ms, struct directory *ret_directory,
	struct store_problem *ret_problem);

/* Closes this process's descriptors; the lock goes when nobody else holds it. Removes DIR/url. */
void directory_close(struct directory *d);

/*
 * Renames DIR/url into place, so that whoever sees it may connect. A newline is added.
 * Errors: STORAGE_FULL, STORAGE_READ_ONLY, NO_MEMORY, IO.
 */
enum err directory_write_url(const struct directory *d, const char *url);

#endif
