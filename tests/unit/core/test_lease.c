/* Who holds a lease, when it ends, and what goes with it. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

#define TTL_MS 10000
#define TICK_MS 50

static const unsigned char secret[LEASE_SECRET_BYTES] = {1, 2, 3};

static enum err makes(struct node *n, const char *id)
{
	struct event e = {.kind = EVENT_PUT_LEASE};

	e.lease.id = id;
	e.lease.ttl_ms = TTL_MS;
	e.lease.secret = secret;
	return node_does(n, &e);
}

static enum err renews_or_takes(struct node *n, const char *id, bool take, struct text *lost)
{
	struct event e = {.kind = EVENT_RENEW_LEASE};

	e.lease.id = id;
	e.lease.take = take;
	e.lease.ret_lost = lost;
	return node_does(n, &e);
}

static enum err renews(struct node *n, const char *id)
{
	return renews_or_takes(n, id, false, NULL);
}

/* Whether it had to be taken over for that. */
static bool takes(struct node *n, const char *id)
{
	struct event e = {.kind = EVENT_RENEW_LEASE};
	bool took;

	e.lease.id = id;
	e.lease.take = true;
	cr_expect_eq(node_step(n, &e), ERR_OK);
	took = n->actions.created;
	node_stored(n);
	return took;
}

static enum err ends(struct node *n, const char *id)
{
	struct event e = {.kind = EVENT_REMOVE_LEASE};

	e.lease.id = id;
	return node_does(n, &e);
}

static enum err claims(struct node *n, const char *key, enum owner_kind kind, const char *owner)
{
	char full[KEY_BYTES_MAX];
	struct event e = {.kind = EVENT_REGISTER};

	snprintf(full, sizeof(full), "entry/default/%s", key);
	e.entry.key = full;
	e.entry.key_bytes = strlen(full);
	e.entry.owner_given = true;
	e.entry.owner_kind = kind;
	e.entry.owner_id = owner;
	e.entry.value = "{\"port\":1}";
	e.entry.value_bytes = strlen(e.entry.value);
	return node_does(n, &e);
}

static const struct entry *name(const struct node *n, const char *key)
{
	char full[KEY_BYTES_MAX];

	snprintf(full, sizeof(full), "entry/default/%s", key);
	return node_get(n, full);
}

static uint64_t epoch_of(const struct node *n, const char *key)
{
	struct entry_record r;

	cr_assert(entry_name(name(n, key), &r));
	return r.epoch;
}

static const char *holder(const struct node *n, const char *id)
{
	const struct lease_record *r = lease_of(n->h, id);

	return r ? horde_member_name(n->h, r->node) : "nobody";
}

/* The time, in steps that end with what is due. */
static void passes(struct node *n, int64_t ms)
{
	for (; ms > 0; ms -= TICK_MS) {
		n->now_ms += TICK_MS;
		node_does(n, &(struct event){.kind = EVENT_TICK});
	}
}

Test(lease, it_lives_as_long_as_it_is_renewed_and_takes_its_names_along)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(makes(&n, "l"), ERR_OK);
	cr_expect_eq(memcmp(lease_of(n.h, "l")->secret, secret, sizeof(secret)), 0);
	cr_assert_eq(claims(&n, "k", OWNER_LEASE, "l"), ERR_OK);
	cr_assert_eq(claims(&n, "other", OWNER_STATIC, "tool"), ERR_OK);
	for (int i = 0; i < 5; i++) {
		passes(&n, TTL_MS - TICK_MS);
		cr_assert_eq(renews(&n, "l"), ERR_OK);
		cr_expect_eq(n.actions.changes.used, 0, "a renewal writes nothing");
	}
	passes(&n, TTL_MS - TICK_MS);
	cr_expect(name(&n, "k"));
	cr_expect_eq(horde_deadline_ms(n.h), n.now_ms + TICK_MS);
	passes(&n, TICK_MS);
	cr_expect_null(name(&n, "k"));
	cr_expect_not_null(name(&n, "other"));
	cr_expect_null(lease_of(n.h, "l"));
	cr_expect_eq(renews(&n, "l"), ERR_NOT_FOUND);
	cr_expect_eq(claims(&n, "k", OWNER_LEASE, "l"), ERR_OWNER_UNKNOWN);
	cr_expect_eq(n.h->leases.count, 0);
	node_free(&n);
}

Test(lease, many_end_each_at_its_time_whatever_was_renewed)
{
	struct node n = node_make("n1", 0);
	char id[16];

	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "l%d", i);
		cr_assert_eq(makes(&n, id), ERR_OK);
		passes(&n, TICK_MS);
	}
	for (int i = 0; i < 20; i += 2) {
		snprintf(id, sizeof(id), "l%d", i);
		cr_assert_eq(renews(&n, id), ERR_OK);
	}
	passes(&n, TTL_MS - TICK_MS);
	cr_expect_eq(map_count(horde_map(n.h), FAMILY_LEASE), 10);
	passes(&n, TICK_MS);
	cr_expect_eq(map_count(horde_map(n.h), FAMILY_LEASE), 0);
	node_free(&n);
}

Test(lease, more_than_one_step_may_end_are_ended_by_the_next_ones)
{
	struct node n = node_make("n1", 0);
	char id[16];

	for (int i = 0; i < 2 * LEASES_A_STEP; i++) {
		snprintf(id, sizeof(id), "l%d", i);
		cr_assert_eq(makes(&n, id), ERR_OK);
	}
	n.now_ms += TTL_MS;
	node_step(&n, &(struct event){.kind = EVENT_TICK});
	cr_expect_gt(map_count(horde_map(n.h), FAMILY_LEASE), 0);
	cr_expect_leq(horde_deadline_ms(n.h), n.now_ms);
	for (int i = 0; i < 8; i++)
		node_step(&n, &(struct event){.kind = EVENT_TICK});
	cr_expect_eq(map_count(horde_map(n.h), FAMILY_LEASE), 0);
	cr_expect_gt(horde_deadline_ms(n.h), n.now_ms);
	node_free(&n);
}

Test(lease, one_that_is_deleted_takes_its_names_along)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(makes(&n, "l"), ERR_OK);
	cr_assert_eq(claims(&n, "k", OWNER_LEASE, "l"), ERR_OK);
	cr_expect_eq(ends(&n, "l"), ERR_OK);
	cr_expect_null(name(&n, "k"));
	cr_expect_eq(ends(&n, "l"), ERR_NOT_FOUND);
	cr_expect_eq(n.h->leases.count, 0);
	node_free(&n);
}

Test(lease, who_does_not_hold_it_says_so_and_takes_it_when_its_holder_does_not_answer)
{
	static struct cluster c;
	struct node *n1, *n2;

	cluster_make(&c, 2);
	n1 = &c.peers[0].n;
	n2 = &c.peers[1].n;
	cr_assert_eq(makes(n1, "l"), ERR_OK);
	cr_assert_eq(claims(n1, "k", OWNER_LEASE, "l"), ERR_OK);
	settle_all(&c);
	cr_expect_eq(renews(n2, "l"), ERR_ELSEWHERE);
	cr_expect(takes(n2, "l"));
	cr_expect_not(takes(n2, "l"), "it has it");
	settle_all(&c);
	cr_expect_str_eq(holder(n1, "l"), "n2");
	cr_expect_eq(epoch_of(n1, "k"), lease_of(n1->h, "l")->epoch, "its names are of that epoch");
	cr_expect_eq(n1->h->leases.count, 0, "the other one just drops it");
	cr_expect_eq(renews(n1, "l"), ERR_ELSEWHERE);
	cluster_free(&c);
}

Test(lease, the_dead_leave_theirs_to_one_of_the_others_with_all_names)
{
	static struct cluster c;
	struct node *n2, *n3;
	char id[16];
	size_t taken = 0;

	cluster_make(&c, 3);
	n2 = &c.peers[1].n;
	n3 = &c.peers[2].n;
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "l%d", i);
		cr_assert_eq(makes(&c.peers[0].n, id), ERR_OK);
		cr_assert_eq(claims(&c.peers[0].n, id, OWNER_LEASE, id), ERR_OK);
	}
	settle_all(&c);
	peer_kill(&c, 0);
	cluster_wait(&c, 1000);
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "l%d", i);
		cr_expect_str_neq(holder(n2, id), "n1");
		cr_expect_str_eq(holder(n2, id), holder(n3, id));
		cr_expect_not(horde_entry_stale(n3->h, name(n3, id)));
		taken += strcmp(holder(n2, id), "n2") == 0;
	}
	cr_expect(taken > 0 && taken < 8, "both have taken some");
	cluster_wait(&c, TTL_MS - 1100);
	cr_expect_eq(map_count(horde_map(n2->h), FAMILY_LEASE), 8, "each has a full time");
	cluster_wait(&c, 1000 + TTL_MS / LEASE_JITTER + 100);
	cr_expect_eq(map_count(horde_map(n2->h), FAMILY_LEASE), 0);
	cr_expect_eq(map_count(horde_map(n3->h), FAMILY_ENTRY), 0);
	cluster_free(&c);
}

Test(lease, a_node_that_starts_again_holds_its_own_for_a_full_time)
{
	static struct cluster c;
	struct node *n1;

	cluster_make(&c, 1);
	cr_assert_eq(makes(&c.peers[0].n, "l"), ERR_OK);
	cr_assert_eq(claims(&c.peers[0].n, "k", OWNER_LEASE, "l"), ERR_OK);
	cluster_wait(&c, TTL_MS - 100);
	peer_kill(&c, 0);
	c.peers[0].n.now_ms += 10 * TTL_MS;
	peer_restart(&c, 0, 1);
	n1 = &c.peers[0].n;
	cluster_wait(&c, TTL_MS - 100);
	cr_expect(name(n1, "k"));
	cr_expect_eq(renews(n1, "l"), ERR_OK);
	cluster_wait(&c, TTL_MS + 100);
	cr_expect_null(name(n1, "k"));
	cluster_free(&c);
}

static struct node *cut_of_two(struct cluster *c)
{
	cluster_make(c, 2);
	cr_assert_eq(makes(&c->peers[0].n, "l"), ERR_OK);
	cr_assert_eq(claims(&c->peers[0].n, "k", OWNER_LEASE, "l"), ERR_OK);
	settle_all(c);
	c->peers[1].cut = true;
	return &c->peers[1].n;
}

static void heal(struct cluster *c)
{
	c->peers[1].cut = false;
	/* What was parked is lost with the cut, as when a connection breaks. */
	for (size_t i = 0; i < c->count; i++)
		while (c->peers[i].call_count > 0) {
			uint32_t link = c->peers[i].calls[0].link;

			drop_call(&c->peers[i], link);
			peer_does(&c->peers[i],
				&(struct event){.kind = EVENT_LINK_LOST, .link = link});
		}
	cluster_wait(c, 2000);
}

Test(lease, what_ended_on_one_side_of_a_cut_and_was_taken_on_the_other_goes_on)
{
	static struct cluster c;
	struct node *n1, *n2 = cut_of_two(&c);

	n1 = &c.peers[0].n;
	cr_assert_eq(renews_or_takes(n2, "l", true, NULL), ERR_OK);
	for (int i = 0; i < 4; i++) {
		passes(n1, TTL_MS / 2);
		passes(n2, TTL_MS / 2);
		cr_assert_eq(renews(n2, "l"), ERR_OK);
	}
	cr_expect_null(lease_of(n1->h, "l"), "nobody renewed it there");
	cr_expect_null(name(n1, "k"));
	for (int i = 0; i < 3; i++) {
		heal(&c);
		renews(n2, "l");
	}
	cr_expect_str_eq(holder(n1, "l"), "n2");
	cr_expect(name(n1, "k") && name(n2, "k"), "the lower epoch's end took nothing of it");
	cluster_free(&c);
}

Test(lease, a_name_that_came_for_one_that_had_ended_elsewhere_goes)
{
	static struct cluster c;
	struct node *n1, *n2 = cut_of_two(&c);

	n1 = &c.peers[0].n;
	passes(n1, 2 * TTL_MS);
	cr_assert_null(lease_of(n1->h, "l"));
	cr_assert_eq(claims(n2, "late", OWNER_LEASE, "l"), ERR_OK);
	n2->now_ms = n1->now_ms;
	heal(&c);
	cr_expect_null(lease_of(n2->h, "l"));
	cr_expect_null(name(n1, "late"));
	cr_expect_null(name(n2, "late"));
	cluster_free(&c);
}

Test(lease, a_name_that_it_has_lost_is_told_once_and_the_others_stay)
{
	static struct cluster c;
	struct node *n1, *n2 = cut_of_two(&c);
	struct text lost = TEXT_INIT;

	n1 = &c.peers[0].n;
	cr_assert_eq(claims(n1, "both", OWNER_LEASE, "l"), ERR_OK);
	n2->ahead_ms = 10;
	cr_assert_eq(claims(n2, "both", OWNER_STATIC, "tool"), ERR_OK);
	heal(&c);
	cr_expect_str_eq(holder(n1, "l"), "n1");
	cr_expect_null(name(n1, "both")->sibling, "the loser is gone");
	cr_expect_eq(renews_or_takes(n1, "l", false, &lost), ERR_OK);
	cr_expect_str_eq(text_cstr(&lost), "\"default/both\"");
	text_clear(&lost);
	cr_expect_eq(renews_or_takes(n1, "l", false, &lost), ERR_OK);
	cr_expect_eq(lost.used, 0, "once");
	cr_expect(name(n1, "k") && name(n2, "k"));
	text_fini(&lost);
	cluster_free(&c);
}

Test(lease, of_two_that_took_it_the_higher_epoch_stays)
{
	static struct cluster c;
	struct node *n1, *n2 = cut_of_two(&c);

	n1 = &c.peers[0].n;
	cr_assert_eq(renews_or_takes(n2, "l", true, NULL), ERR_OK);
	cr_assert_eq(makes(n1, "l"), ERR_OK);
	cr_assert_eq(makes(n1, "l"), ERR_OK);
	cr_assert_eq(claims(n1, "k2", OWNER_LEASE, "l"), ERR_OK);
	heal(&c);
	cr_expect_str_eq(holder(n1, "l"), "n1");
	cr_expect_str_eq(holder(n2, "l"), "n1");
	cr_expect_null(node_get(n2, "lease/l")->sibling, "resolved");
	cr_expect_eq(n2->h->leases.count, 0);
	cr_expect_eq(epoch_of(n2, "k"), lease_of(n2->h, "l")->epoch);
	cluster_free(&c);
}

Test(lease, there_are_at_most_so_many)
{
	struct node n = node_make("n1", 0);
	char id[16];

	for (int i = 0; i < LEASES_MAX; i++) {
		snprintf(id, sizeof(id), "l%d", i);
		cr_assert_eq(makes(&n, id), ERR_OK);
	}
	cr_expect_eq(makes(&n, "one-more"), ERR_LIMIT);
	cr_expect_eq(makes(&n, "l7"), ERR_OK, "it is there already");
	node_free(&n);
}
