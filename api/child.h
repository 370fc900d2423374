/*
 * One child as the API shows it: its spec as asked for, and its status as this node knows it.
 * Shared by the files of children handlers.
 */
#ifndef HORDE_API_CHILD_H
#define HORDE_API_CHILD_H

#include "api/resource.h"
#include "api/selector.h"
#include "api/spec.h"

struct child {
	char ref[REF_BYTES_MAX]; /* "default/web" */
	const char *sup;         /* "default", as it was given to child_look */
	const char *id;          /* within ref */
	struct child_view view;
	const char *value; /* the spec's value in the map; NULL when it has none */
	size_t value_bytes;
};

/*
 * Fills `ret_child`, which borrows `sup` and points into the map. Both names have at most 128
 * bytes. child_of_path: the one that the request's path names.
 */
void child_look(const struct exchange *x, const char *sup, const char *id, struct child *ret_child);
void child_of_path(const struct exchange *x, struct child *ret_child);
/* Every change of the child wakes the exchange. */
void child_watch(struct exchange *x, const struct child *c);
/* True when nothing of it is left: no spec, and no process either. */
bool child_gone(const struct child *c);
/* The `desired` of its spec. */
bool child_wanted(const struct child *c);
/* Its spec came from a configuration file, and nobody has put another since. */
bool child_from_file(const struct child *c);
/* The labels of a child's spec as they were written, an object; NULL: it has none. */
const char *child_labels(const struct entry *spec, size_t *ret_bytes);
/* NULL, which has no spec, has none. */
bool child_labels_match(const struct entry *spec, const struct selector *selector);
/* The status record of its winning assignment, or NULL. */
const struct status_record *child_status(const struct child *c);
/* It runs, and it is ready; by its status. */
bool child_is_ready(const struct child *c);

/* "<hash of the spec>-<hash of the rest>"; no local opinion is part of it. Needs a spec. */
struct etag child_etag(const struct child *c);
uint64_t child_hash(const struct child *c);

/* The child's object, without its end: further members may follow. */
void child_open(struct text *out, const struct horde *h, const struct child *c);
/* The member `status`. */
void child_put_status(struct text *out, const struct horde *h, const struct child *c);
/* The member `items`: what it went through last, the oldest first. */
void child_put_history(struct text *out, const struct horde *h, const struct child *c);
/* The member `warnings`, when there is something to warn of. */
void child_put_warnings(struct text *out, const struct child *c);
/* The member `applied`: what a change of its spec means for the process. */
void applied_put(struct text *out, enum applied applied);
/* A whole object with its etag. */
void child_write(struct text *out, const struct horde *h, const struct child *c);

/* Answers with the child, its ETag and the headers of the write `w` (NULL: none). */
void child_reply(struct exchange *x, unsigned status, const struct child *c, const struct write *w);
void child_not_found(struct exchange *x, const struct child *c);

#endif
