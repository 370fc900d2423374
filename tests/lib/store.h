/*
 * The files of a node that does not run: kept aside, put back, cloned, looked into, and tampered
 * with. What is in them is described by storage/schema.sql.
 */
#ifndef HORDE_TESTS_STORE_H
#define HORDE_TESTS_STORE_H

#include "tests/lib/cluster.h"

/* Keeps its store (database and write-ahead log) under a name; the node must not run. */
void store_keep(const struct node *node, const char *name);

/* Puts a kept one back in place of what is there; the node must not run. */
void store_put_back(const struct node *node, const char *name);

/* Copies its whole data directory to `to`, which must not exist. */
void store_clone(const struct node *node, const char *to);

/* One number out of a store, by SQL; the node may run. */
long long store_number(const struct node *node, const char *sql);

/* Changes a store by SQL; returns how many rows were changed. The node must not run. */
int store_change(const struct node *node, const char *sql);

#endif
