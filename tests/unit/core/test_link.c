/* First contact, and what each end of a call means for the peer and for the link. */
#include "tests/unit/core/support.h"

#define URL "http://n2"

static struct hello hello_of(const char *name, uint64_t life, struct origin_id cluster_id)
{
	struct horde_config config = config_of(name, life);
	struct hello h = {.cluster = "horde",
		.cluster_id = cluster_id,
		.node_id = config.node_id,
		.incarnation = config.incarnation,
		.protocol_min = PROTOCOL_VERSION,
		.protocol_max = PROTOCOL_VERSION};

	snprintf(h.name, sizeof(h.name), "%s", name);
	snprintf(h.url, sizeof(h.url), "http://%s", name);
	return h;
}

static struct origin_id cluster_of(const struct node *n)
{
	struct hello h;

	horde_hello(n->h, &h);
	return h.cluster_id;
}

static enum err join(struct node *n, const char *url, bool keep)
{
	struct event e = {.kind = EVENT_JOIN};

	e.join.url = url;
	e.join.keep = keep;
	n->writes_kept = true; /* so that the actions of the step can be looked at */
	return node_does(n, &e);
}

static enum err says_hello(struct node *n, struct hello h)
{
	struct event e = {.kind = EVENT_HELLO, .hello = &h};

	n->writes_kept = true;
	return node_does(n, &e);
}

static const struct action *action(const struct node *n, enum action_kind kind)
{
	for (size_t i = 0; i < n->actions.used; i++)
		if (n->actions.items[i].kind == kind)
			return &n->actions.items[i];
	return NULL;
}

static void answered(struct node *n, uint32_t link, struct hello h)
{
	struct event e = {.kind = EVENT_HELLO_ANSWERED, .link = link, .hello = &h};

	node_does(n, &e);
}

static void link_event(struct node *n, enum event_kind kind, uint32_t link)
{
	node_does(n, &(struct event){.kind = kind, .link = link});
}

/* The fragment of a node that knows nothing but its own member record. */
static void member_arrives(struct node *n, uint32_t link, const char *name, uint64_t life)
{
	struct horde_config config = config_of(name, life);
	struct changes changes = {0};
	struct record r = {.family = FAMILY_MEMBER};
	struct map *m;
	struct fragment f;
	struct event e = {.kind = EVENT_FRAGMENT, .link = link, .fragment = &f};
	char url[32], key[64] = "member/";

	snprintf(url, sizeof(url), "http://%s", name);
	r.member = (struct member_record){.name = (char *)(uintptr_t)name,
		.url = url,
		.incarnation = config.incarnation,
		.started = 1 + life,
		.state = MEMBER_ALIVE};
	origin_to_hex(config.node_id, key + 7);
	cr_assert_eq(map_new(config.incarnation, 0, &m), ERR_OK);
	map_put(m, key, strlen(key), "{}", 2, record_dup(&r), 1, &changes);
	map_difference(m, map_vector(horde_map(n->h)), &f);
	node_does(n, &e);
	fragment_fini(&f);
	changes_fini(&changes);
	map_free(m);
}

/* A node that polls n2, which is a member; returns the link. */
static uint32_t node_with_peer(struct node *n)
{
	const struct action *a;
	uint32_t link;

	*n = node_make("n1", 0);
	cr_assert_eq(join(n, URL, false), ERR_OK);
	a = action(n, ACTION_HELLO);
	cr_assert(a && strcmp(a->url, URL) == 0);
	link = a->link;
	answered(n, link, hello_of("n2", 0, cluster_of(n)));
	cr_assert(action(n, ACTION_POLL));
	member_arrives(n, link, "n2", 0);
	cr_assert(action(n, ACTION_POLL), "it polls again");
	cr_assert_eq(horde_member_count(n->h), 2);
	return link;
}

static enum opinion opinion_of_n2(const struct node *n)
{
	return horde_member_by_id(n->h, id_of(2))->opinion;
}

Test(contact, a_node_without_seeds_makes_the_cluster_at_once)
{
	struct node n = node_make("n1", 0);

	cr_expect(origin_equal(cluster_of(&n), id_of(5001)));
	cr_expect(horde_readiness(n.h).synced);
	node_free(&n);
}

Test(contact, a_node_with_seeds_waits_and_the_least_name_makes_the_cluster)
{
	static const char *const names[] = {"n1", "n3"};

	for (int i = 0; i < 2; i++) {
		struct horde_config config = config_of(names[i], 0);
		struct node n;

		config.joins = true;
		n = node_bare(config);
		join(&n, URL, true);
		node_start(&n);
		cr_assert(origin_is_zero(cluster_of(&n)));
		cr_expect_eq(horde_write_refused(n.h), ERR_NOT_READY);
		answered(&n, 1, hello_of("n2", 0, (struct origin_id){0}));
		cr_expect_eq(!origin_is_zero(cluster_of(&n)), i == 0, "%s", names[i]);
		node_free(&n);
	}
}

Test(contact, a_seed_that_refuses_keeps_a_joining_node_waiting_for_ever)
{
	struct horde_config config = config_of("n1", 0);
	struct node n;

	config.joins = true;
	n = node_bare(config);
	join(&n, URL, true);
	node_start(&n);
	for (int i = 0; i < 20; i++) {
		link_event(&n, EVENT_LINK_REFUSED, 1);
		n.now_ms += 1000;
		node_tick(&n);
		cr_assert(action(&n, ACTION_HELLO), "%d", i);
	}
	cr_expect(origin_is_zero(cluster_of(&n)));
	cr_expect_not(horde_readiness(n.h).synced);
	node_free(&n);
}

Test(contact, a_copy_whose_original_lives_runs_nothing_until_its_peer_answers)
{
	struct horde_config config = config_of("n1", 0);
	struct event e = {.kind = EVENT_START}, taken = {.kind = EVENT_LINK_REJECTED, .link = 1};
	struct node n;

	e.start.cluster_id = id_of(7);
	taken.rejected.err = ERR_NAME_TAKEN;
	config.joins = true;
	n = node_bare(config);
	join(&n, URL, true);
	node_does(&n, &e);
	for (int i = 0; i < 20; i++) {
		node_does(&n, &taken);
		cr_assert_eq(horde_write_refused(n.h), ERR_NOT_READY);
		cr_assert_str_eq(horde_silent_at(n.h, 0), URL);
		n.now_ms += 1000;
		node_tick(&n);
		cr_assert(action(&n, ACTION_HELLO), "%d", i);
	}
	/* That this one is gone does not say that the original is. */
	link_event(&n, EVENT_LINK_REFUSED, 1);
	cr_expect_not(horde_readiness(n.h).synced);
	n.now_ms += 1000;
	node_tick(&n);
	answered(&n, 1, hello_of("n2", 0, id_of(7)));
	link_event(&n, EVENT_LINK_SILENT, 1);
	cr_expect(horde_readiness(n.h).synced);
	node_free(&n);
}

/* Long after the grace: a half of what was sent is nothing, and the peer lives and has more. */
Test(contact, a_first_difference_that_is_cut_is_waited_for_until_its_peer_is_gone)
{
	for (int ends = 0; ends < 2; ends++) {
		struct horde_config config = config_of("n1", 0);
		struct event e = {.kind = EVENT_START};
		struct node n;

		e.start.cluster_id = id_of(7);
		config.joins = true;
		n = node_bare(config);
		join(&n, URL, true);
		node_does(&n, &e);
		for (int i = 0; i < 20; i++) {
			answered(&n, 1, hello_of("n2", 0, id_of(7)));
			cr_assert(action(&n, ACTION_POLL), "%d", i);
			link_event(&n, EVENT_LINK_LOST, 1);
			cr_assert_not(horde_readiness(n.h).synced, "%d", i);
			n.now_ms += 1000;
			node_tick(&n);
			cr_assert(action(&n, ACTION_HELLO), "%d", i);
			cr_assert_not(horde_readiness(n.h).synced, "%d", i);
		}
		if (ends == 0) {
			answered(&n, 1, hello_of("n2", 0, id_of(7)));
			member_arrives(&n, 1, "n2", 0);
		} else {
			link_event(&n, EVENT_LINK_REFUSED, 1);
		}
		cr_expect(horde_readiness(n.h).synced, "%d", ends);
		node_free(&n);
	}
}

Test(contact, a_virgin_store_adopts_and_any_other_is_refused)
{
	struct node virgin = node_make("n1", 0), used = node_make("n1", 0);
	struct hello other = hello_of("n2", 0, id_of(7));

	cr_expect_eq(says_hello(&virgin, other), ERR_OK);
	cr_expect(origin_equal(cluster_of(&virgin), id_of(7)));
	node_put(&used, "default/a", plain_spec(1));
	cr_expect_eq(says_hello(&used, other), ERR_CLUSTER_MISMATCH);
	cr_expect(origin_equal(cluster_of(&used), id_of(5001)));
	other.virgin = true;
	cr_expect_eq(says_hello(&used, other), ERR_OK, "it will adopt ours");
	cr_expect(origin_equal(cluster_of(&used), id_of(5001)));
	node_free(&virgin);
	node_free(&used);
}

Test(contact, between_two_virgin_stores_the_lesser_id_stays)
{
	for (uint64_t peer = 5000; peer < 5003; peer += 2) {
		struct node n = node_make("n1", 0);
		struct hello other = hello_of("n2", 0, id_of(peer));

		other.virgin = true;
		cr_expect_eq(says_hello(&n, other), ERR_OK);
		cr_expect(origin_equal(cluster_of(&n), id_of(peer < 5001 ? peer : 5001)));
		node_free(&n);
	}
}

Test(contact, other_clusters_protocols_and_taken_names_are_refused)
{
	struct node n;
	struct hello h;

	node_with_peer(&n);
	h = hello_of("n3", 0, cluster_of(&n));
	snprintf(h.cluster, sizeof(h.cluster), "other");
	cr_expect_eq(says_hello(&n, h), ERR_CLUSTER_MISMATCH);
	h = hello_of("n3", 0, cluster_of(&n));
	h.protocol_min = h.protocol_max = PROTOCOL_VERSION + 1;
	cr_expect_eq(says_hello(&n, h), ERR_PROTOCOL);
	h = hello_of("n3", 0, cluster_of(&n));
	snprintf(h.name, sizeof(h.name), "n1");
	cr_expect_eq(says_hello(&n, h), ERR_NAME_TAKEN, "ours");
	snprintf(h.name, sizeof(h.name), "n2");
	cr_expect_eq(says_hello(&n, h), ERR_NAME_TAKEN, "a live member's");
	cr_expect_eq(says_hello(&n, hello_of("n1", 1, cluster_of(&n))), ERR_NAME_TAKEN,
		"another life of ourselves");
	link_event(&n, EVENT_LINK_REFUSED, 1);
	cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD);
	cr_expect_eq(says_hello(&n, h), ERR_OK, "a dead member's name is free");
	node_free(&n);
}

Test(contact, a_hello_links_back_and_crossing_hellos_come_to_an_end)
{
	struct node n = node_make("n1", 0);
	uint32_t link;

	cr_expect_eq(says_hello(&n, hello_of("n2", 0, cluster_of(&n))), ERR_OK);
	cr_assert(action(&n, ACTION_HELLO));
	link = action(&n, ACTION_HELLO)->link;
	cr_expect_eq(says_hello(&n, hello_of("n2", 0, cluster_of(&n))), ERR_OK);
	cr_expect_null(action(&n, ACTION_HELLO), "one is under way");
	answered(&n, link, hello_of("n2", 0, cluster_of(&n)));
	cr_expect(action(&n, ACTION_POLL));
	node_free(&n);
}

Test(link, a_poll_is_answered_410_until_hello)
{
	struct node n = node_make("n1", 0);
	struct poll poll = {.all = true};
	struct event e = {.kind = EVENT_POLLED, .polled = {id_of(102), &poll}};

	cr_expect_eq(node_does(&n, &e), ERR_UNKNOWN_LINK);
	says_hello(&n, hello_of("n2", 0, cluster_of(&n)));
	cr_expect_eq(node_does(&n, &e), ERR_OK);
	node_free(&n);
}

Test(link, a_lost_poll_is_greeted_at_once_and_refused_means_dead)
{
	struct node n;
	uint32_t link = node_with_peer(&n);

	link_event(&n, EVENT_LINK_LOST, link);
	cr_expect(action(&n, ACTION_HELLO), "before any deadline");
	cr_expect_eq(opinion_of_n2(&n), OPINION_ALIVE);
	link_event(&n, EVENT_LINK_REFUSED, link);
	cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD);
	cr_expect(action(&n, ACTION_WAKE));
	cr_expect_str_eq(member_status(horde_member_by_id(n.h, id_of(2))), "dead");
	n.now_ms += 100;
	node_tick(&n);
	cr_assert(action(&n, ACTION_HELLO));
	answered(&n, link, hello_of("n2", 1, cluster_of(&n)));
	cr_expect_eq(opinion_of_n2(&n), OPINION_ALIVE, "welcome back");
	node_free(&n);
}

Test(link, silence_is_suspect_and_never_dead)
{
	struct node n;
	uint32_t link = node_with_peer(&n);

	link_event(&n, EVENT_LINK_SILENT, link);
	for (int i = 0; i < 30; i++) {
		cr_assert_eq(opinion_of_n2(&n), OPINION_SUSPECT);
		n.now_ms += 1000;
		node_tick(&n);
		link_event(&n, EVENT_LINK_SILENT, link);
	}
	node_free(&n);
}

Test(link, restart_grace_delays_the_verdict_and_a_deadline_says_when)
{
	struct horde_config config = config_of("n1", 0);
	struct node n;
	struct hello h;

	config.restart_grace_ms = 3000;
	n = node_bare(config);
	node_start(&n);
	join(&n, URL, false);
	answered(&n, 1, hello_of("n2", 0, cluster_of(&n)));
	member_arrives(&n, 1, "n2", 0);
	link_event(&n, EVENT_LINK_REFUSED, 1);
	cr_expect_eq(opinion_of_n2(&n), OPINION_SUSPECT);
	for (int64_t end = n.now_ms + 2999; n.now_ms < end;) {
		int64_t at = horde_deadline_ms(n.h);

		n.now_ms = at < end ? at : end;
		node_tick(&n);
		if (action(&n, ACTION_HELLO))
			link_event(&n, EVENT_LINK_REFUSED, 1);
		cr_assert_eq(opinion_of_n2(&n), OPINION_SUSPECT);
	}
	cr_expect_leq(horde_deadline_ms(n.h), n.now_ms + 1);
	n.now_ms++;
	node_tick(&n);
	cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD);
	horde_hello(n.h, &h);
	node_free(&n);
}

Test(link, back_off_doubles_to_a_second_and_a_rejection_waits_for_five)
{
	static const int64_t waits[] = {100, 200, 400, 800, 1000, 1000};
	struct node n;
	uint32_t link = node_with_peer(&n);
	struct event e = {.kind = EVENT_LINK_REJECTED, .link = link};

	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		link_event(&n, EVENT_LINK_REFUSED, link);
		cr_expect_eq(horde_deadline_ms(n.h) - n.now_ms, waits[i], "%zu", i);
		n.now_ms += waits[i];
		node_tick(&n);
		cr_assert(action(&n, ACTION_HELLO));
	}
	e.rejected.err = ERR_CLUSTER_MISMATCH;
	node_does(&n, &e);
	cr_expect_eq(horde_deadline_ms(n.h) - n.now_ms, 5000);
	node_free(&n);
}

Test(link, what_comes_after_the_link_was_dropped_is_ignored)
{
	static const enum event_kind late[] = {
		EVENT_LINK_REFUSED, EVENT_LINK_LOST, EVENT_LINK_SILENT, EVENT_LINK_REJECTED};
	struct node n;
	uint32_t link = node_with_peer(&n);

	link_event(&n, EVENT_LINK_SILENT, link); /* waits for its back-off now */
	for (size_t i = 0; i < 4; i++) {
		link_event(&n, late[i], link);
		cr_expect_eq(opinion_of_n2(&n), OPINION_SUSPECT);
		link_event(&n, late[i], 99);
	}
	cr_expect_eq(horde_deadline_ms(n.h) - n.now_ms, 100);
	node_free(&n);
}

Test(link, an_address_that_leads_to_us_is_done_and_one_that_fails_once_is_told)
{
	struct node n = node_make("n1", 0);
	enum err err = ERR_OK;

	join(&n, "http://n1.alias", false);
	cr_expect_eq(horde_link_result(n.h, "http://n1.alias", &err), LINK_PENDING);
	answered(&n, 1, hello_of("n1", 0, cluster_of(&n)));
	cr_expect_eq(horde_link_result(n.h, "http://n1.alias", &err), LINK_JOINED);
	join(&n, "http://nobody", false);
	link_event(&n, EVENT_LINK_REFUSED, 2);
	cr_expect_eq(horde_link_result(n.h, "http://nobody", &err), LINK_FAILED);
	cr_expect_eq(horde_deadline_ms(n.h), INT64_MAX, "and not tried again");
	cr_expect_eq(horde_link_result(n.h, "http://never", &err), LINK_FAILED);
	node_free(&n);
}

Test(link, addresses_that_led_nowhere_do_not_keep_later_ones_out)
{
	struct node n = node_make("n1", 0);
	char url[32];

	for (uint32_t i = 1; i <= 2 * MEMBERS_MAX; i++) {
		snprintf(url, sizeof(url), "http://nobody%u", i);
		cr_assert_eq(join(&n, url, false), ERR_OK, "%u", i);
		link_event(&n, EVENT_LINK_REFUSED, i);
	}
	cr_expect_eq(join(&n, URL, false), ERR_OK);
	cr_expect(action(&n, ACTION_UNLINK), "what is under way there is dropped");
	cr_expect(action(&n, ACTION_HELLO));
	node_free(&n);
}

Test(link, a_peer_that_moved_is_polled_where_it_answers_and_not_called_dead)
{
	struct node n;
	uint32_t old = node_with_peer(&n), fresh;
	struct hello moved;

	link_event(&n, EVENT_LINK_REFUSED, old);
	cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD);
	join(&n, "http://n2.new", false);
	fresh = action(&n, ACTION_HELLO)->link;
	moved = hello_of("n2", 1, cluster_of(&n));
	snprintf(moved.url, sizeof(moved.url), "http://n2.new");
	answered(&n, fresh, moved);
	cr_assert(action(&n, ACTION_POLL));
	cr_expect_eq(action(&n, ACTION_POLL)->link, fresh);
	n.now_ms += 5000;
	node_tick(&n);
	cr_expect_null(action(&n, ACTION_HELLO), "the old address is asked no more");
	cr_expect_eq(opinion_of_n2(&n), OPINION_ALIVE);
	node_free(&n);
}

Test(link, another_node_at_the_address_means_that_the_old_one_is_gone)
{
	for (int called = 0; called < 2; called++) {
		struct node n;
		uint32_t link = node_with_peer(&n);
		struct hello other = hello_of("n3", 0, cluster_of(&n));

		snprintf(other.url, sizeof(other.url), URL);
		if (called) {
			says_hello(&n, other);
		} else {
			link_event(&n, EVENT_LINK_LOST, link);
			answered(&n, link, other);
		}
		cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD, "called %d", called);
		node_free(&n);
	}
}

Test(link, a_goodbye_counts_only_for_the_life_that_said_it)
{
	struct node n;
	struct event e = {.kind = EVENT_GOODBYE};
	uint32_t link = node_with_peer(&n);

	e.goodbye.node_id = id_of(2);
	e.goodbye.incarnation = id_of(9);
	e.goodbye.reason = GOODBYE_RESTART;
	e.goodbye.back_within_ms = 10000;
	cr_expect_eq(node_does(&n, &e), ERR_NOT_FOUND);
	e.goodbye.incarnation = id_of(102);
	cr_expect_eq(node_does(&n, &e), ERR_OK);
	link_event(&n, EVENT_LINK_LOST, link);
	link_event(&n, EVENT_LINK_REFUSED, link);
	n.now_ms += 9000;
	node_tick(&n);
	cr_expect_neq(opinion_of_n2(&n), OPINION_DEAD, "it said when it would be back");
	answered(&n, link, hello_of("n2", 1, cluster_of(&n)));
	cr_expect_eq(opinion_of_n2(&n), OPINION_ALIVE);
	member_arrives(&n, link, "n2", 1);
	link_event(&n, EVENT_LINK_LOST, link);
	link_event(&n, EVENT_LINK_REFUSED, link);
	cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD, "its new life said nothing");
	node_free(&n);
}

Test(link, a_record_of_a_former_life_that_outranks_ours_is_raised_above)
{
	struct node n;
	uint32_t link = node_with_peer(&n);
	struct origin_id self = id_of(1);
	char hex[ORIGIN_HEX_BYTES], key[64];

	member_arrives(&n, link, "n1", UINT64_MAX / 101); /* written by a clock far ahead */
	origin_to_hex(self, hex);
	snprintf(key, sizeof(key), "member/%s", hex);
	cr_assert(node_get(&n, key));
	cr_expect(origin_equal(
		node_get(&n, key)->record->member.incarnation, horde_config(n.h)->incarnation));
	node_free(&n);
}
