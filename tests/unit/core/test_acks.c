/* When peers are asked to say soon what they have on disk, and what is made of it. */
#include "server/core/serve.h"
#include "tests/unit/core/cluster.h"

static struct dot put_meta(struct peer *p, const char *key, bool ack_wanted)
{
	struct event e = {.kind = EVENT_PUT_META, .ack_wanted = ack_wanted};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "1";
	e.put.value_bytes = 1;
	cr_assert_eq(peer_does(p, &e), ERR_OK);
	return p->n.actions.dot;
}

/* What `to` would answer to the poll of `p` that is on its way. */
static bool asks_for_acks(struct peer *to, struct peer *p)
{
	struct fragment f;
	bool asks;

	for (size_t i = 0; i < p->call_count; i++) {
		if (p->calls[i].kind != ACTION_POLL)
			continue;
		cr_assert(arrive(p, to, i));
		cr_assert_eq(horde_serve(to->n.h, &p->calls[i].poll, &f), ERR_OK);
		asks = f.ack_wanted;
		fragment_fini(&f);
		return asks;
	}
	cr_assert_fail("no poll is on its way");
	return false;
}

static void expect_replicated(const struct peer *p, struct dot d, size_t have, size_t of)
{
	size_t members;

	cr_expect_eq(horde_replicated(p->n.h, d, &members), have);
	cr_expect_eq(members, of);
}

Test(acks, peers_are_asked_while_a_writer_waits_for_one_of_them)
{
	struct cluster c;
	struct peer *n1 = &c.peers[0], *n2 = &c.peers[1];
	struct dot d;

	cluster_make(&c, 3);
	put_meta(n1, "meta/default/a", false);
	cr_expect_not(asks_for_acks(n1, n2), "nobody waits");
	settle_all(&c);
	c.peers[2].cut = true;
	d = put_meta(n1, "meta/default/b", true);
	cr_expect(asks_for_acks(n1, n2));
	settle_all(&c);
	expect_replicated(n1, d, 2, 3);
	cr_expect(asks_for_acks(n1, n2), "for the sake of n3");
	c.peers[2].cut = false;
	settle_all(&c);
	expect_replicated(n1, d, 3, 3);
	put_meta(n1, "meta/default/c", false);
	cr_expect_not(asks_for_acks(n1, n2));
	cluster_free(&c);
}

/* It has no record before it has answered, and gets the write before it has one. */
Test(acks, a_node_that_joins_is_asked_with_the_first_it_is_told)
{
	struct cluster c;
	struct peer *n1 = &c.peers[0], *n2 = &c.peers[1];
	struct dot d;

	cluster_make(&c, 1);
	d = put_meta(n1, "meta/default/k", true);
	expect_replicated(n1, d, 1, 1);
	c.count = 2;
	peer_begin(&c, 1, "http://n1");
	while (n2->calls[0].kind == ACTION_HELLO)
		deliver(&c, n2, 0);
	cr_assert_eq(horde_member_by_name(n1->n.h, "n2"), NULL);
	cr_expect(asks_for_acks(n1, n2));
	cluster_wait(&c, 2000);
	expect_replicated(n1, d, 2, 2);
	cluster_free(&c);
}
