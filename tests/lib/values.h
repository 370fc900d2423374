/*
 * Many names at once, and the proof that every node holds the same.
 *
 * Names belong to the static owner `alice`. A node that shows what another node has written last
 * shows all that the other had done before, so waiting is by marks: small values that each node
 * writes behind everything else.
 */
#ifndef HORDE_TESTS_VALUES_H
#define HORDE_TESTS_VALUES_H

#include "tests/lib/cluster.h"

#define BY_ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"
#define COUNT "/v1/registries/default/count"

enum { VALUES_BYTES_MAX = 60000 };

/* A JSON text of `bytes` hexadecimal digits that do not compress well. To be freed. */
char *value_random(int bytes);

/* PUT of PREFIX-FROM up to PREFIX-(FROM+COUNT-1), many at once; 2xx each. Values are random. */
void names_put(const struct node *at, const char *prefix, int from, int count, int bytes);

/* The same, DELETE; 204 each. */
void names_delete(const struct node *at, const char *prefix, int from, int count);

/* One with a short text; returns its dot, valid until 16 calls later. */
const char *name_put(const struct node *at, const char *key, const char *value);

/* GET, 200, with the value; valid as long as the reply. */
const char *name_value(const struct node *at, const char *key);

/* A read that waits until `dot` is known there; the reply is unchecked. */
struct http_reply *name_after(const struct node *at, const char *key, const char *dot);

/* How many names begin with `prefix`, now; then waits for a number. */
long long names_count(const struct node *at, const char *prefix);
void names_until_count(const struct node *at, const char *prefix, long long count, long ms);

/* Each running node writes a mark; then the marks are waited for, at every running node. */
void values_mark(struct cluster *cluster);
void values_arrive(struct cluster *cluster, long ms);

/* Both, and then all names and meta values are compared, at once: they must be the same. */
void values_settle(struct cluster *cluster, long ms);
void values_same(struct cluster *cluster);

#endif
