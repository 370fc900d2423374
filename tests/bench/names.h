/*
 * Many names: keys of 30 bytes with values of 30 bytes, numbered from 0. Both hold digits that do
 * not compress, as host names, addresses and hashes do. A generation of 0 is the first value of a
 * name; another one gives another value.
 */
#ifndef HORDE_BENCH_NAMES_H
#define HORDE_BENCH_NAMES_H

#include "tests/lib/cluster.h"

enum { NAME_KEY_BYTES = 30, NAME_VALUE_BYTES = 30 };

/* The path of a name, and the body that puts it; in turning buffers. */
const char *name_path(unsigned long number);
const char *name_body(unsigned long number, unsigned generation);

/*
 * Puts names `first` to `first + count - 1` through the API, with ack=memory; the last one is on
 * disk on return, and so are all.
 */
void names_fill(
	const struct node *node, unsigned long first, unsigned long count, unsigned generation);

/*
 * Overwrites names out of the first `total`, here and there, at `rate` a second for `ms`. Returns
 * how many were answered.
 */
unsigned long names_update(const struct node *node, unsigned long total, unsigned rate, long ms);

/*
 * Waits until `node` is ready, gives name `last` with the value of this generation and counts
 * `total` names; returns when that was seen (check_now_ns).
 */
int64_t names_until_ns(const struct node *node, unsigned long last, unsigned generation,
	unsigned long total, long ms);

#endif
