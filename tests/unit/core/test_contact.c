/* First contact: whose cluster it is, and when a node that starts has heard enough of it. */
#include "tests/unit/core/links.h"

/* What its store held: an entry of a former life. */
static void has_something(struct node *n)
{
	struct map *m = horde_map_mutable(n->h);
	struct origin_id former = id_of(77);

	cr_assert_eq(
		map_load_entry(m, (struct dot){former, 1}, 1, "meta/a", 6, "1", 1, NULL), ERR_OK);
	cr_assert_eq(map_load_vector(m, former, 1, 0, 0), ERR_OK);
	cr_assert_eq(map_load_end(m), ERR_OK);
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
		/* Who has made it has nothing to wait for. */
		link_event(&n, EVENT_LINK_REFUSED, 1);
		cr_expect_eq(horde_readiness(n.h).synced, i == 0, "%s", names[i]);
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
	has_something(&n);
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

/* The original's address refuses for ever; that a peer takes the copy in says that it is gone. */
Test(contact, a_copy_takes_the_place_of_an_original_that_is_gone)
{
	struct horde_config config = config_of("n1", 0);
	struct event e = {.kind = EVENT_START}, taken = {.kind = EVENT_LINK_REJECTED};
	struct node n;

	e.start.cluster_id = id_of(7);
	taken.rejected.err = ERR_NAME_TAKEN;
	config.joins = true;
	n = node_bare(config);
	has_something(&n);
	join(&n, URL, true);
	join(&n, "http://original", true);
	node_does(&n, &e);
	for (taken.link = 1; taken.link <= 2; taken.link++)
		node_does(&n, &taken);
	link_event(&n, EVENT_LINK_REFUSED, 2);
	n.now_ms += 1000;
	node_tick(&n);
	cr_expect_not(horde_readiness(n.h).synced, "its peer may know better");
	answered(&n, 1, hello_of("n2", 0, id_of(7)));
	member_arrives(&n, 1, "n2", 0);
	cr_expect_not(horde_readiness(n.h).synced);
	link_event(&n, EVENT_LINK_REFUSED, 2);
	cr_expect(horde_readiness(n.h).synced);
	node_free(&n);
}

static void knows_member(struct node *n, const char *name, enum member_state state)
{
	struct map *m = horde_map_mutable(n->h);
	struct horde_config config = config_of(name, 0);
	struct record r = {.family = FAMILY_MEMBER};
	char url[32], key[64] = "member/";

	snprintf(url, sizeof(url), "http://%s", name);
	r.member = (struct member_record){.name = (char *)(uintptr_t)name,
		.url = url,
		.incarnation = config.incarnation,
		.started = 1,
		.state = state};
	origin_to_hex(config.node_id, key + 7);
	cr_assert_eq(map_load_entry(m, (struct dot){config.incarnation, 1}, 1, key, strlen(key),
			     "{}", 2, record_dup(&r)),
		ERR_OK);
	cr_assert_eq(map_load_vector(m, config.incarnation, 1, 0, 0), ERR_OK);
	cr_assert_eq(map_load_end(m), ERR_OK);
}

/* Nobody calls a member that left; but what it said of our name would stand for ever. */
Test(contact, a_member_that_left_and_knew_better_is_asked_until_it_is_gone)
{
	struct event e = {.kind = EVENT_START}, taken = {.kind = EVENT_LINK_REJECTED, .link = 1};
	struct node n = node_bare(config_of("n1", 0));

	e.start.cluster_id = id_of(7);
	taken.rejected.err = ERR_NAME_TAKEN;
	knows_member(&n, "n2", MEMBER_LEFT);
	knows_member(&n, "n3", MEMBER_ALIVE);
	node_does(&n, &e);
	node_does(&n, &taken);
	answered(&n, 2, hello_of("n3", 0, id_of(7)));
	member_arrives(&n, 2, "n3", 0);
	cr_expect_not(horde_readiness(n.h).synced);
	n.writes_kept = true;
	n.now_ms += 1000;
	node_tick(&n);
	cr_assert(action(&n, ACTION_HELLO));
	link_event(&n, EVENT_LINK_REFUSED, 1);
	cr_expect(horde_readiness(n.h).synced);
	node_free(&n);
}

static struct hello copy_of_n2(const struct node *n)
{
	struct hello h = hello_of("n2", 1, cluster_of(n));

	snprintf(h.url, sizeof(h.url), "http://copy");
	return h;
}

/* The copy was here first; its original calls, is turned away, and is no more dead than before. */
Test(contact, the_end_of_a_copy_is_not_the_end_of_its_original)
{
	struct node n;
	uint32_t link = node_with_peer(&n);

	cr_expect_eq(says_hello(&n, copy_of_n2(&n)), ERR_NAME_TAKEN);
	link_event(&n, EVENT_LINK_LOST, link);
	link_event(&n, EVENT_LINK_REFUSED, link);
	cr_expect_eq(opinion_of_n2(&n), OPINION_SUSPECT, "one of two is gone");
	cr_expect_eq(says_hello(&n, copy_of_n2(&n)), ERR_OK);
	cr_expect_eq(opinion_of_n2(&n), OPINION_ALIVE);
	node_free(&n);
}

Test(contact, the_end_of_a_copy_that_was_taken_in_is_not_the_end_of_its_original)
{
	struct node n;
	uint32_t link = node_with_peer(&n);

	link_event(&n, EVENT_LINK_SILENT, link);
	cr_expect_eq(says_hello(&n, copy_of_n2(&n)), ERR_OK);
	link_event(&n, EVENT_LINK_REFUSED, link); /* it has called since: one more attempt */
	node_tick(&n);
	link_event(&n, EVENT_LINK_REFUSED, link);
	cr_expect_eq(opinion_of_n2(&n), OPINION_SUSPECT);
	node_free(&n);
}

Test(contact, of_two_that_claim_to_be_one_the_last_is_dead_in_time)
{
	struct node n;
	uint32_t link = node_with_peer(&n);

	n.writes_kept = false;
	cr_expect_eq(says_hello(&n, copy_of_n2(&n)), ERR_NAME_TAKEN);
	link_event(&n, EVENT_LINK_LOST, link);
	for (int i = 0; i < 10; i++) {
		link_event(&n, EVENT_LINK_REFUSED, link);
		cr_expect_eq(opinion_of_n2(&n), OPINION_SUSPECT, "%d", i);
		n.now_ms += 1000;
		node_tick(&n);
	}
	cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD);
	node_free(&n);
}

/* A copy had a link of its own; when it is gone its node is called where it calls from. */
Test(contact, a_node_is_called_where_it_calls_from_though_another_link_led_there)
{
	struct node n;
	uint32_t link = node_with_peer(&n);
	const struct action *greets;

	link_event(&n, EVENT_LINK_SILENT, link);
	cr_assert_eq(join(&n, "http://copy", true), ERR_OK);
	greets = action(&n, ACTION_HELLO);
	cr_assert(greets && strcmp(greets->url, "http://copy") == 0);
	link = greets->link;
	answered(&n, link, copy_of_n2(&n));
	link_event(&n, EVENT_LINK_LOST, link);
	link_event(&n, EVENT_LINK_REFUSED, link);
	cr_assert_eq(says_hello(&n, hello_of("n2", 0, cluster_of(&n))), ERR_OK);
	greets = action(&n, ACTION_HELLO);
	cr_assert(greets);
	cr_expect_str_eq(greets->url, URL);
	node_free(&n);
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

/* ---- the first sync ---- */

/* Node n1 of a cluster that it knows, with one seed, which has just answered its hello. */
static struct node restarted(bool virgin)
{
	struct horde_config config = config_of("n1", 0);
	struct event e = {.kind = EVENT_START};
	struct node n;

	e.start.cluster_id = id_of(7);
	config.joins = true;
	n = node_bare(config);
	if (!virgin)
		has_something(&n);
	join(&n, URL, true);
	node_does(&n, &e);
	answered(&n, 1, hello_of("n2", 0, id_of(7)));
	cr_assert(action(&n, ACTION_POLL));
	return n;
}

static void cut_and_greeted(struct node *n)
{
	link_event(n, EVENT_LINK_LOST, 1);
	cr_assert_not(horde_readiness(n->h).synced);
	n->now_ms += 1000;
	node_tick(n);
	cr_assert_not(horde_readiness(n->h).synced);
	answered(n, 1, hello_of("n2", 0, id_of(7)));
	cr_assert(action(n, ACTION_POLL));
}

Test(first_sync, an_answer_that_breaks_off_is_waited_for_however_often)
{
	struct node n = restarted(false);

	for (int i = 0; i < 20; i++)
		cut_and_greeted(&n);
	member_arrives(&n, 1, "n2", 0);
	cr_expect(horde_readiness(n.h).synced);
	node_free(&n);
}

Test(first_sync, who_is_gone_after_an_answer_that_broke_off_is_not_waited_for)
{
	static const enum event_kind gone[] = {
		EVENT_LINK_REFUSED, EVENT_LINK_SILENT, EVENT_LINK_LOST, EVENT_LINK_REJECTED};

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		struct event e = {.kind = gone[i], .link = 1};
		struct node n = restarted(false);

		cut_and_greeted(&n);
		link_event(&n, EVENT_LINK_LOST, 1);
		n.now_ms += 1000;
		node_tick(&n);
		cr_assert(action(&n, ACTION_HELLO));
		cr_assert_not(horde_readiness(n.h).synced);
		if (gone[i] == EVENT_LINK_REJECTED)
			e.rejected.err = ERR_PROTOCOL;
		node_does(&n, &e); /* what became of the hello */
		cr_expect(horde_readiness(n.h).synced, "%zu", i);
		node_free(&n);
	}
}

Test(first_sync, who_holds_nothing_waits_until_a_peer_has_answered)
{
	struct fragment tick = {.mode = FRAGMENT_TICK, .from = id_of(102)};
	struct event e = {.kind = EVENT_FRAGMENT, .link = 1, .fragment = &tick};
	struct node n = restarted(true);

	link_event(&n, EVENT_LINK_LOST, 1);
	for (int i = 0; i < 20; i++) {
		n.now_ms += 1000;
		node_tick(&n);
		link_event(&n, EVENT_LINK_REFUSED, 1);
		cr_assert_not(horde_readiness(n.h).synced);
		cr_assert_eq(horde_write_refused(n.h), ERR_NOT_READY);
		cr_assert_str_eq(horde_silent_at(n.h, 0), URL);
	}
	n.now_ms += 1000;
	node_tick(&n);
	answered(&n, 1, hello_of("n2", 0, id_of(7)));
	cr_assert_not(horde_readiness(n.h).synced, "a greeting is no answer");
	node_does(&n, &e); /* it has nothing either */
	cr_expect(horde_readiness(n.h).synced);
	cr_expect_null(horde_silent_at(n.h, 0));
	node_free(&n);
}
