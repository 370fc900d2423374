/* Supervisors and the children of the one called "team", for their tests. */
#ifndef HORDE_TESTS_UNIT_CORE_TEAM_H
#define HORDE_TESTS_UNIT_CORE_TEAM_H

#include "tests/unit/core/cluster.h"

static inline struct record *options(uint32_t most, uint32_t most_per_node)
{
	struct record *r = record_new(FAMILY_SUPERVISOR);

	r->supervisor = (struct supervisor_record){
		.max_children = most, .max_children_per_node = most_per_node, .created_at_ms = 1};
	return r;
}

static inline enum err does(struct node *n, enum event_kind kind, const char *key, struct record *r)
{
	struct event e = {.kind = kind};
	enum err err;

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "{}";
	e.put.value_bytes = 2;
	e.put.record = r;
	err = node_does(n, &e);
	if (err != ERR_OK)
		record_free(r);
	return err;
}

static inline void describe(struct node *n, const char *name, struct record *r)
{
	char key[64];

	snprintf(key, sizeof(key), "supervisor/%s", name);
	cr_assert_eq(does(n, EVENT_PUT_SUPERVISOR, key, r), ERR_OK);
}

static inline bool exists(const struct node *n, const char *name)
{
	const struct entry *e;

	return horde_supervisor(n->h, name, &e);
}

static inline unsigned of_team(const struct peer *p)
{
	unsigned count = 0;

	for (size_t i = 0; i < p->proc_count; i++)
		count += strncmp(p->procs[i].ref, "team/", 5) == 0;
	return count;
}

static inline enum err put_team(struct cluster *c, size_t at, int i, struct record *spec)
{
	char ref[32];
	enum err err;

	snprintf(ref, sizeof(ref), "team/c%d", i);
	err = node_put(&c->peers[at].n, ref, spec);
	settle_all(c);
	return err;
}

#endif
