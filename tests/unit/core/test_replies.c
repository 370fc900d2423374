/* What was answered to idempotency keys: how much is kept, and who removes it when. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

TestSuite(replies, .timeout = 60);

#define NOW_MS (WALL_MS + START_MS)
#define DAY_MS (24 * 3600 * 1000)

static char value[REPLIES_BYTES_MAX / 64];

/* A reply that may be read until `expires_ms` on the wall clock of a node that is right. */
static enum err keep(struct node *n, const char *key, size_t bytes, int64_t expires_ms)
{
	struct event e = {.kind = EVENT_KEEP_REPLY};
	struct record *r = record_new(FAMILY_REPLY);
	enum err err;

	r->reply.expires_ms = expires_ms;
	memset(value, ' ', sizeof(value));
	memcpy(value, "{}", 2);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = value;
	e.put.value_bytes = bytes;
	e.put.record = r;
	err = node_does(n, &e);
	if (err != ERR_OK)
		record_free(r);
	return err;
}

static void keep_many(struct node *n, size_t count, size_t bytes, int64_t expires_ms)
{
	char key[40];

	for (size_t i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "idem/%06zu", i);
		cr_assert_eq(keep(n, key, bytes, expires_ms), ERR_OK);
		n->trace[0] = '\0';
	}
}

static size_t kept(const struct node *n)
{
	return map_count(horde_map(n->h), FAMILY_REPLY);
}

Test(replies, one_goes_when_its_time_is_over_and_not_before)
{
	struct node n = node_make("n1", 0);

	cr_expect_eq(n.h->replies_ms, INT64_MAX, "nothing is to be looked at");
	keep(&n, "idem/a", 2, NOW_MS + DAY_MS);
	node_wait(&n, DAY_MS - REPLIES_LOOK_MS);
	cr_assert_eq(kept(&n), 1);
	node_wait(&n, 2 * REPLIES_LOOK_MS);
	cr_assert_eq(kept(&n), 0);
	cr_assert_eq(n.h->replies_bytes, 0);
	node_wait(&n, 2 * REPLIES_LOOK_MS);
	cr_expect_eq(n.h->replies_ms, INT64_MAX, "nothing is left to be looked at");
	node_free(&n);
}

Test(replies, only_some_go_in_one_step)
{
	struct node n = node_make("n1", 0);
	size_t most = 0, steps = 0;

	keep_many(&n, 3 * REPLIES_STEP, 2, NOW_MS);
	while (kept(&n) > 0 && steps++ < 1000) {
		size_t before = kept(&n);

		n.now_ms = horde_deadline_ms(n.h);
		node_tick(&n);
		most = before - kept(&n) > most ? before - kept(&n) : most;
		n.trace[0] = '\0';
	}
	cr_expect_eq(most, REPLIES_STEP);
	cr_expect_leq(steps, 10, "%zu", steps);
	node_free(&n);
}

Test(replies, what_a_newer_version_wrote_is_its_own)
{
	struct event e = {.kind = EVENT_KEEP_REPLY};
	struct node n = node_make("n1", 0);

	e.put.key = "idem/a";
	e.put.key_bytes = 6;
	e.put.value = "7";
	e.put.value_bytes = 1;
	cr_assert_eq(node_does(&n, &e), ERR_OK);
	node_wait(&n, 2 * DAY_MS);
	cr_expect_eq(kept(&n), 1);
	node_free(&n);
}

Test(replies, one_node_removes_it_for_all_and_another_one_when_that_is_dead)
{
	static struct cluster c;

	for (size_t dead = 0; dead < 3; dead++) {
		cluster_make(&c, 3);
		keep_many(&c.peers[0].n, 20, 2, NOW_MS + 5000);
		settle_all(&c);
		for (size_t i = 0; i < 3; i++)
			cr_expect_eq(kept(&c.peers[i].n), 20);
		peer_kill(&c, dead);
		cluster_wait(&c, 20000);
		cluster_wait(&c, 3 * REPLIES_LOOK_MS);
		for (size_t i = 0; i < 3; i++)
			if (i != dead)
				cr_expect_eq(kept(&c.peers[i].n), 0, "%zu at %zu",
					kept(&c.peers[i].n), i);
		cluster_free(&c);
	}
}

Test(replies, nobody_removes_what_is_another_ones_to_remove)
{
	static struct cluster c;
	uint64_t kills = 0;

	cluster_make(&c, 3);
	keep_many(&c.peers[0].n, 30, 2, NOW_MS);
	settle_all(&c);
	for (size_t i = 0; i < 3; i++) {
		struct node *n = &c.peers[i].n;
		size_t before = kept(n);

		n->now_ms += 2 * REPLIES_LOOK_MS;
		n->h->replies_ms = n->now_ms;
		n->h->replies_at_bytes = 0;
		node_tick(n);
		cr_expect_lt(kept(n), before);
		kills += before - kept(n);
	}
	cr_expect_eq(kills, 30, "each by one of them: %llu", (unsigned long long)kills);
	cluster_free(&c);
}

Test(replies, there_are_no_more_than_may_be)
{
	struct node n = node_make("n1", 0);

	keep_many(&n, REPLIES_MAX - 1, 2, NOW_MS + DAY_MS);
	cr_expect_eq(horde_reply_refused(n.h), ERR_OK);
	keep(&n, "idem/last", 2, NOW_MS + DAY_MS);
	cr_expect_eq(horde_reply_refused(n.h), ERR_LIMIT);
	cr_expect_eq(keep(&n, "idem/under-way", 2, NOW_MS + DAY_MS), ERR_OK);
	node_free(&n);
}

Test(replies, nor_of_more_bytes)
{
	struct node n = node_make("n1", 0);

	keep_many(&n, 63, sizeof(value), NOW_MS);
	keep(&n, "idem/a", sizeof(value) - 1, NOW_MS);
	cr_expect_eq(horde_reply_refused(n.h), ERR_OK);
	keep(&n, "idem/a", sizeof(value), NOW_MS);
	cr_expect_eq(n.h->replies_bytes, REPLIES_BYTES_MAX);
	cr_expect_eq(horde_reply_refused(n.h), ERR_LIMIT);
	node_wait(&n, 2 * REPLIES_LOOK_MS);
	cr_expect_eq(n.h->replies_bytes, 0, "%zu", n.h->replies_bytes);
	cr_expect_eq(horde_reply_refused(n.h), ERR_OK);
	node_free(&n);
}

Test(replies, a_node_that_starts_counts_and_removes_those_of_its_store)
{
	static struct cluster c;

	cluster_make(&c, 1);
	keep_many(&c.peers[0].n, 3, 1000, NOW_MS + 5000);
	peer_restart(&c, 0, 7);
	cr_expect_eq(c.peers[0].n.h->replies_bytes, 3000);
	cluster_wait(&c, 3 * REPLIES_LOOK_MS);
	cr_expect_eq(kept(&c.peers[0].n), 0);
	cluster_free(&c);
}

Test(replies, none_is_refused_but_where_no_write_is_taken)
{
	struct node n = node_bare(config_of("n1", 0));

	cr_expect_eq(horde_reply_refused(n.h), horde_write_refused(n.h));
	cr_expect_neq(horde_reply_refused(n.h), ERR_OK);
	node_free(&n);
}
