/* What each end of a call means for the peer and for the link. */
#include "tests/unit/core/links.h"

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

/* Its end may never be heard of: the reset was lost, or the machine is new. */
Test(link, a_poll_that_is_parked_at_a_former_life_is_given_up_when_the_new_one_calls)
{
	for (uint64_t life = 0; life < 2; life++) {
		struct node n;

		node_with_peer(&n);
		says_hello(&n, hello_of("n2", life, cluster_of(&n)));
		cr_expect_eq(action(&n, ACTION_UNLINK) != NULL, life == 1);
		cr_expect_eq(action(&n, ACTION_HELLO) != NULL, life == 1);
		node_free(&n);
	}
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

/* Its refusal was that of the life before; the next one says whether this one is gone too. */
Test(link, a_new_life_that_others_tell_of_is_not_dead_with_the_former)
{
	struct node n;
	uint32_t link = node_with_peer(&n), other;

	cr_assert_eq(join(&n, "http://n3", false), ERR_OK);
	other = action(&n, ACTION_HELLO)->link;
	answered(&n, other, hello_of("n3", 0, cluster_of(&n)));
	link_event(&n, EVENT_LINK_LOST, link);
	link_event(&n, EVENT_LINK_REFUSED, link);
	cr_assert_eq(opinion_of_n2(&n), OPINION_DEAD);
	member_arrives(&n, other, "n2", 1);
	cr_expect_eq(opinion_of_n2(&n), OPINION_SUSPECT);
	n.now_ms += 1000;
	node_tick(&n);
	link_event(&n, EVENT_LINK_REFUSED, link);
	cr_expect_eq(opinion_of_n2(&n), OPINION_DEAD);
	node_free(&n);
}

/* The seed is asked on, for whoever comes there next. */
Test(link, a_seed_that_its_node_has_left_for_another_address_says_nothing_of_it)
{
	static const enum event_kind ends[] = {EVENT_LINK_REFUSED, EVENT_LINK_SILENT};

	for (size_t i = 0; i < 2; i++) {
		struct node n;
		uint32_t seed = node_with_peer_kept(&n, true), other;
		struct hello moved = hello_of("n2", 1, cluster_of(&n));
		const struct action *a;

		cr_assert_eq(join(&n, "http://n3", false), ERR_OK);
		other = action(&n, ACTION_HELLO)->link;
		answered(&n, other, hello_of("n3", 0, cluster_of(&n)));
		link_event(&n, EVENT_LINK_LOST, seed);
		link_event(&n, EVENT_LINK_REFUSED, seed);
		cr_assert_eq(opinion_of_n2(&n), OPINION_DEAD, "the life that was there is gone");
		member_arrives_at(&n, other, "n2", 1, "http://n2.new");
		n.now_ms += 1000;
		node_tick(&n);
		link_event(&n, ends[i], seed);
		cr_expect_eq(opinion_of_n2(&n), OPINION_SUSPECT, "nothing is known of the new one");
		a = action(&n, ACTION_HELLO);
		cr_assert(a && strcmp(a->url, "http://n2.new") == 0, "it is called where it is");
		snprintf(moved.url, sizeof(moved.url), "http://n2.new");
		answered(&n, a->link, moved);
		n.now_ms += 1000;
		node_tick(&n);
		link_event(&n, ends[i], seed);
		cr_expect_eq(opinion_of_n2(&n), OPINION_ALIVE);
		node_free(&n);
	}
}
