/* Registrations with a majority: who may be told that it has a key. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

#define KEY "entry/default/k"

static struct cluster c;

static struct event asks(enum event_kind kind, const char *owner)
{
	struct event e = {.kind = kind};

	e.entry.key = KEY;
	e.entry.key_bytes = strlen(KEY);
	e.entry.owner_given = true;
	e.entry.owner_kind = OWNER_STATIC;
	e.entry.owner_id = owner;
	e.entry.value = "1";
	e.entry.value_bytes = 1;
	return e;
}

static struct dot registers(size_t at, const char *owner, bool voted)
{
	struct event e = asks(EVENT_REGISTER, owner);

	e.entry.voted = voted;
	cr_assert_eq(peer_does(&c.peers[at], &e), ERR_OK);
	return map_last_dot(horde_map(c.peers[at].n.h));
}

static enum err confirms(size_t at, const char *owner, struct dot dot)
{
	struct event e = asks(EVENT_CONFIRM, owner);
	enum err err;

	e.entry.dot = dot;
	err = node_step(&c.peers[at].n, &e);
	if (err == ERR_OK && !c.peers[at].n.actions.created)
		err = ERR_ALREADY_REGISTERED;
	node_stored(&c.peers[at].n);
	return err;
}

static const char *holder(size_t at)
{
	static struct entry_record r;
	const struct entry *e = node_get(&c.peers[at].n, KEY);

	return e && entry_name(e, &r) ? r.owner_id : "";
}

Test(vote, one_that_met_nobody_is_confirmed_and_may_be_again)
{
	struct dot dot;

	cluster_make(&c, 3);
	dot = registers(0, "a", true);
	settle_all(&c);
	cr_expect_eq(confirms(0, "a", dot), ERR_OK);
	/* It itself, at another node: that is no rival. */
	dot = registers(1, "a", true);
	cr_expect_eq(confirms(1, "a", dot), ERR_OK);
	cluster_free(&c);
}

Test(vote, who_sees_another_owner_beside_itself_withdraws_even_when_it_would_win)
{
	struct dot a, b;

	cluster_make(&c, 2);
	c.peers[1].cut = true;
	a = registers(0, "a", true);
	cr_expect_eq(confirms(0, "a", a), ERR_OK);
	c.peers[1].n.ahead_ms = 1000;
	b = registers(1, "b", true);
	c.peers[1].cut = false;
	cluster_wait(&c, 3000);
	cr_assert_str_eq(holder(1), "b", "its clock is ahead");
	cr_expect_eq(confirms(1, "b", b), ERR_ALREADY_REGISTERED);
	settle_all(&c);
	cr_expect_str_eq(holder(0), "a");
	cr_expect_str_eq(holder(1), "a");
	cr_expect_eq(confirms(1, "b", b), ERR_NOT_FOUND);
	cr_expect_eq(confirms(0, "a", a), ERR_OK);
	cluster_free(&c);
}

Test(vote, one_that_was_freed_is_not_confirmed)
{
	struct event e = asks(EVENT_UNREGISTER, "a");
	struct dot dot;

	cluster_make(&c, 1);
	dot = registers(0, "a", true);
	cr_assert_eq(peer_does(&c.peers[0], &e), ERR_OK);
	cr_expect_eq(confirms(0, "a", dot), ERR_NOT_FOUND);
	cluster_free(&c);
}

Test(vote, what_did_not_ask_the_majority_does_not_take_a_key_from_what_did)
{
	cluster_make(&c, 2);
	c.peers[1].cut = true;
	registers(0, "a", true);
	c.peers[1].n.ahead_ms = 1000;
	registers(1, "b", false);
	c.peers[1].cut = false;
	cluster_wait(&c, 3000);
	cr_expect_str_eq(holder(0), "a");
	cr_expect_str_eq(holder(1), "a");
	cluster_free(&c);
}

Test(vote, what_the_members_had_with_it_is_what_they_said)
{
	struct vector known = VECTOR_INIT;
	struct dot dot;

	cluster_make(&c, 2);
	settle_all(&c);
	c.peers[1].cut = true;
	dot = registers(0, "a", true);
	cr_assert_eq(horde_known_with(c.peers[0].n.h, dot, &known), ERR_OK);
	cr_expect_eq(known.used, 0, "nobody else has it");
	vector_fini(&known);
	c.peers[1].cut = false;
	cluster_wait(&c, 3000);
	cr_assert_eq(horde_known_with(c.peers[0].n.h, dot, &known), ERR_OK);
	cr_expect(vector_has(&known, dot));
	cr_expect(vector_get(&known, c.peers[1].n.h->config.incarnation) > 0);
	vector_fini(&known);
	cluster_free(&c);
}
