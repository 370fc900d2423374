/*
 * What links carry, while memory runs out: every allocation of a node's steps fails once, each in a
 * run of its own. In the end all nodes know and hold the same, as if nothing had happened.
 */
#include "tests/unit/core/failing.h"

#include "server/core/serve.h"
#include "tests/unit/core/cluster.h"

#define ALLOCATIONS_MAX 2000

static struct cluster c;

static struct peer *const n1 = &c.peers[0], *const n2 = &c.peers[1], *const n3 = &c.peers[2];

/* Runs `story` with the n-th allocation of its node failing, for each n until there is none. */
static void each_fails(bool (*story)(long fail_at), long least)
{
	long n = 1;

	while (story(n))
		cr_assert_lt(++n, ALLOCATIONS_MAX);
	cr_assert_gt(n, least, "%ld allocations", n);
}

static void writes(struct peer *p, enum event_kind kind, const char *key)
{
	struct event e = {.kind = kind};
	enum err err;

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "1";
	e.put.value_bytes = 1;
	err = peer_does(p, &e);
	if (err == ERR_NO_MEMORY)
		err = peer_does(p, &e);
	cr_assert_eq(err, ERR_OK);
}

static void puts_meta(struct peer *p, const char *key)
{
	writes(p, EVENT_PUT_META, key);
}

static void removes_meta(struct peer *p, const char *key)
{
	writes(p, EVENT_REMOVE_META, key);
}

static bool has(const struct peer *p, const char *key)
{
	return node_get(&p->n, key) != NULL;
}

static void expect_equal(long fail_at)
{
	const struct map *first = horde_map(n1->n.h);

	for (size_t i = 1; i < c.count; i++) {
		const struct map *other = horde_map(c.peers[i].n.h);

		cr_expect(vector_equal(map_vector(first), map_vector(other)), "%ld: n%zu", fail_at,
			i + 1);
		cr_expect_eq(map_digest(first).sums[0], map_digest(other).sums[0], "%ld: n%zu",
			fail_at, i + 1);
	}
}

/* True when the allocation did fail. */
static bool ends(struct peer *p)
{
	bool failed = p->n.fail_at == 0;

	cluster_free(&c);
	return failed;
}

/* ---- slices ---- */

static bool slices_story(long fail_at)
{
	cluster_make(&c, 3);
	n2->n.fail_at = fail_at;
	puts_meta(n1, "meta/default/a");
	puts_meta(n3, "meta/default/b");
	settle_all(&c);
	removes_meta(n3, "meta/default/a");
	puts_meta(n2, "meta/default/b");
	settle_all(&c);
	cluster_wait(&c, 3000);
	expect_equal(fail_at);
	cr_expect_not(has(n2, "meta/default/a"), "%ld", fail_at);
	cr_expect(has(n2, "meta/default/b"), "%ld", fail_at);
	return ends(n2);
}

Test(sync_memory, slices_of_two_peers_arrive)
{
	each_fails(slices_story, 20);
}

/* What n3 has told n1 alone before it died comes to n2 by a graft. */
static bool graft_story(long fail_at)
{
	cluster_make(&c, 3);
	n2->cut = true;
	puts_meta(n3, "meta/default/a");
	settle_all(&c);
	peer_kill(&c, 2);
	n2->cut = false;
	n2->n.fail_at = fail_at;
	c.count = 2;
	cluster_wait(&c, 8000);
	expect_equal(fail_at);
	cr_expect(has(n2, "meta/default/a"), "%ld", fail_at);
	c.count = 3;
	return ends(n2);
}

Test(sync_memory, the_events_of_a_dead_node_arrive)
{
	each_fails(graft_story, 5);
}

/* ---- below a floor ---- */

static bool digest_story(long fail_at)
{
	struct changes changes = {0};
	struct map *m;

	cluster_make(&c, 2);
	puts_meta(n1, "meta/default/a");
	puts_meta(n1, "meta/default/b");
	settle_all(&c);
	n2->cut = true;
	removes_meta(n1, "meta/default/a");
	puts_meta(n1, "meta/default/c");
	m = horde_map_mutable(n1->n.h);
	cr_assert_eq(map_truncate(m, map_vector(m), &changes), ERR_OK);
	changes_fini(&changes);
	n2->cut = false;
	n2->n.fail_at = fail_at;
	cluster_wait(&c, 3000);
	expect_equal(fail_at);
	cr_expect_not(has(n2, "meta/default/a"), "%ld", fail_at);
	cr_expect(has(n2, "meta/default/b") && has(n2, "meta/default/c"), "%ld", fail_at);
	return ends(n2);
}

Test(sync_memory, who_is_below_a_floor_gets_there_by_block_sums)
{
	each_fails(digest_story, 10);
}

/* ---- what all have on disk is forgotten ---- */

static bool acks_story(long fail_at)
{
	uint64_t hash, other;

	cluster_make(&c, 2);
	peer_kill(&c, 1);
	peer_restart(&c, 1, 1);
	n1->n.fail_at = fail_at;
	puts_meta(n1, "meta/default/a");
	removes_meta(n1, "meta/default/a");
	cluster_wait(&c, 60000);
	expect_equal(fail_at);
	cr_expect_eq(map_kills(horde_map(n1->n.h)), 0, "%ld", fail_at);
	horde_retired(n1->n.h, &hash);
	horde_retired(n2->n.h, &other);
	cr_expect_neq(other, 0, "the first life of n2 is over");
	cr_expect_eq(hash, other, "%ld", fail_at);
	return ends(n1);
}

Test(sync_memory, kill_records_and_former_lives_are_forgotten)
{
	each_fails(acks_story, 10);
}

/* ---- what must not happen ---- */

/* An event of `origin` that only `p` has an entry of. */
static void knows(struct peer *p, struct origin_id origin, uint64_t count, const char *key)
{
	struct map *m = horde_map_mutable(p->n.h);
	struct dot dot = {origin, count};

	if (key)
		cr_assert_eq(map_load_entry(m, dot, 1, key, strlen(key), "1", 1, NULL), ERR_OK);
	cr_assert_eq(map_load_vector(m, origin, count, 0, 0), ERR_OK);
	cr_assert_eq(map_load_end(m), ERR_OK);
}

static bool diverged_story(long fail_at, struct peer *p)
{
	cluster_make(&c, 2);
	knows(n1, id_of(77), 1, "meta/default/a");
	knows(n2, id_of(77), 1, NULL);
	knows(n2, id_of(78), 1, "meta/default/b");
	knows(n1, id_of(78), 1, NULL);
	knows(n1, id_of(79), 1, "meta/default/e"); /* one dot twice */
	knows(n2, id_of(79), 1, "meta/default/f");
	p->n.fail_at = fail_at;
	puts_meta(n1, "meta/default/c");
	settle_all(&c);
	puts_meta(n2, "meta/default/d");
	cluster_wait(&c, 20000);
	expect_equal(fail_at);
	for (const char *key = "abef"; *key; key++) {
		char name[] = "meta/default/?";

		name[sizeof(name) - 2] = *key;
		cr_expect(has(n1, name) && has(n2, name), "%ld: %s", fail_at, name);
	}
	return ends(p);
}

static bool diverged_first(long fail_at)
{
	return diverged_story(fail_at, n1);
}

static bool diverged_second(long fail_at)
{
	return diverged_story(fail_at, n2);
}

Test(sync_memory, nothing_is_lost_in_the_repair_of_a_divergence)
{
	each_fails(diverged_first, 20);
	each_fails(diverged_second, 20);
}

/* n2 knows an event of n1 that n1 has not written: another process has, with the same origin. */
static bool forked_story(long fail_at)
{
	struct origin_id before, after;

	cluster_make(&c, 2);
	before = horde_config(n1->n.h)->incarnation;
	n1->n.fail_at = fail_at;
	knows(n2, before, map_last_dot(horde_map(n1->n.h)).seq + 1, "meta/default/a");
	puts_meta(n2, "meta/default/b");
	cluster_wait(&c, 20000);
	after = horde_config(n1->n.h)->incarnation;
	cr_expect_not(origin_equal(before, after), "%ld", fail_at);
	cr_expect(origin_equal(map_last_dot(horde_map(n1->n.h)).origin, after), "%ld", fail_at);
	expect_equal(fail_at);
	cr_expect(has(n1, "meta/default/a") && has(n1, "meta/default/b"), "%ld", fail_at);
	return ends(n1);
}

Test(sync_memory, who_is_forked_takes_a_fresh_origin)
{
	each_fails(forked_story, 20);
}
