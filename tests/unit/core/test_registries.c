/* Which registries there are, their end, and keys that are held back. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

static struct record *rules(struct registry_record r)
{
	struct record *record = record_new(FAMILY_REGISTRY);

	r.created_at_ms = 1;
	record->registry = r;
	return record;
}

static enum err does(struct node *n, enum event_kind kind, const char *key, struct record *r)
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

static enum err makes(struct node *n, struct registry_record r)
{
	return does(n, EVENT_PUT_REGISTRY, "registry/reg", rules(r));
}

static enum err removes(struct node *n)
{
	return does(n, EVENT_REMOVE_REGISTRY, "registry/reg", NULL);
}

static enum err claims(struct node *n, const char *key, const char *owner)
{
	struct event e = {.kind = EVENT_REGISTER};

	e.entry.key = key;
	e.entry.key_bytes = strlen(key);
	e.entry.owner_given = true;
	e.entry.owner_kind = strchr(owner, '/') ? OWNER_CHILD : OWNER_STATIC;
	e.entry.owner_id = owner;
	e.entry.value = "1";
	e.entry.value_bytes = 1;
	return node_does(n, &e);
}

static size_t names(const struct node *n)
{
	return map_count_prefix(horde_map(n->h), "entry/reg/", strlen("entry/reg/"));
}

static bool exists(const struct node *n)
{
	const struct entry *e;

	return horde_registry(n->h, "reg", &e);
}

Test(registries, a_name_needs_a_registry)
{
	struct node n = node_make("n1", 0);

	cr_expect_eq(claims(&n, "entry/reg/k", "tool"), ERR_NOT_FOUND);
	cr_expect_eq(claims(&n, "entry/default/k", "tool"), ERR_OK);
	cr_expect_eq(makes(&n, (struct registry_record){0}), ERR_OK);
	cr_expect_eq(claims(&n, "entry/reg/k", "tool"), ERR_OK);
	cr_expect_eq(makes(&n, (struct registry_record){.conflict = WINS_FIRST}), ERR_OK);
	cr_expect_eq(claims(&n, "entry/reg/k", "other"), ERR_ALREADY_REGISTERED);
	node_free(&n);
}

Test(registries, the_end_of_a_big_one_takes_several_steps_and_it_goes_last)
{
	struct node n = node_make("n1", 0);
	char key[40];

	cr_assert_eq(makes(&n, (struct registry_record){0}), ERR_OK);
	for (int i = 0; i < REGISTRY_REMOVE_MAX; i++) {
		snprintf(key, sizeof(key), "entry/reg/k%d", i);
		cr_assert_eq(claims(&n, key, "tool"), ERR_OK);
	}
	cr_assert_eq(does(&n, EVENT_PUT_META, "meta/reg/m", NULL), ERR_OK);
	cr_assert_eq(claims(&n, "entry/default/k", "tool"), ERR_OK);
	cr_expect_eq(removes(&n), ERR_OK);
	cr_expect_eq(names(&n), 0);
	cr_expect_not_null(node_get(&n, "meta/reg/m"));
	cr_expect(exists(&n));
	cr_expect_eq(removes(&n), ERR_OK);
	cr_expect_null(node_get(&n, "meta/reg/m"));
	cr_expect_not(exists(&n));
	cr_expect_eq(removes(&n), ERR_NOT_FOUND);
	cr_expect_not_null(node_get(&n, "entry/default/k"));
	node_free(&n);
}

/* Two nodes, one of which deletes what the other one still uses: the first in order sweeps. */
Test(registries, what_is_stranded_is_swept_by_one)
{
	static struct cluster c;
	size_t swept = 0;

	cluster_make(&c, 2);
	cr_assert_eq(makes(&c.peers[0].n, (struct registry_record){0}), ERR_OK);
	settle_all(&c);
	c.peers[0].cut = true;
	cr_assert_eq(claims(&c.peers[1].n, "entry/reg/k", "tool"), ERR_OK);
	cr_assert_eq(removes(&c.peers[0].n), ERR_OK);
	settle_all(&c);
	cr_expect_eq(names(&c.peers[1].n), 1);
	c.peers[0].cut = false;
	cluster_wait(&c, 5000);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(names(&c.peers[i].n), 0);
		cr_expect_not(exists(&c.peers[i].n));
		swept += c.peers[i].n.h->stranded_ms == INT64_MAX;
	}
	cr_expect_eq(swept, 2, "nobody looks any more");
	cluster_free(&c);
}

Test(registries, only_its_owner_gets_a_key_back_that_it_lost_by_its_end)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(makes(&n, (struct registry_record){.lock_delay_ms = 1000}), ERR_OK);
	node_runs(&n, "default/a", plain_spec(1));
	node_runs(&n, "default/b", plain_spec(1));
	cr_assert_eq(claims(&n, "entry/reg/k", "default/a"), ERR_OK);
	cr_assert_eq(claims(&n, "entry/default/k", "default/a"), ERR_OK);
	node_remove(&n, "default/a");
	node_exited(&n, "default/a", -1, 15);
	cr_assert_eq(names(&n), 0);
	cr_expect_eq(claims(&n, "entry/reg/k", "default/b"), ERR_HELD_BACK);
	cr_expect_eq(horde_held_back_ms(n.h, "entry/reg/k", strlen("entry/reg/k")), 1000);
	cr_expect_eq(claims(&n, "entry/default/k", "default/b"), ERR_OK, "no delay there");
	node_runs(&n, "default/a", plain_spec(1));
	cr_expect_eq(claims(&n, "entry/reg/k", "default/a"), ERR_OK);
	node_free(&n);
}
