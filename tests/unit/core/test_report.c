/* How far peers are apart, as one of them says it. */
#include "server/core/report.h"
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

static void put_meta(struct peer *p, const char *key)
{
	struct event e = {.kind = EVENT_PUT_META};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "1";
	e.put.value_bytes = 1;
	cr_assert_eq(peer_does(p, &e), ERR_OK);
}

static struct peer_report report_of(const struct peer *p, const char *name)
{
	struct peer_report r;

	cr_assert(horde_report_peer(p->n.h, horde_member_by_name(p->n.h, name), &r), "%s", name);
	cr_expect_str_eq(r.name, name);
	return r;
}

static struct report report(const struct peer *p)
{
	struct report r;

	horde_report(p->n.h, &r);
	return r;
}

static void polls(struct peer *p, struct peer *from, struct poll *poll)
{
	struct event e = {.kind = EVENT_POLLED};

	e.polled.incarnation = horde_config(from->n.h)->incarnation;
	e.polled.poll = poll;
	cr_assert_eq(peer_does(p, &e), ERR_OK);
	poll_fini(poll);
}

/* A poll of `p`'s peer that knows `more` events of its own than `p` does, and has none on disk. */
static void polls_from_ahead(struct peer *p, struct peer *from, uint64_t more)
{
	struct poll poll = {.all = false};
	struct origin_id origin = horde_config(from->n.h)->incarnation;
	const struct vector *known = map_vector(horde_map(p->n.h));

	cr_assert_eq(vector_copy(known, &poll.after), ERR_OK);
	cr_assert_eq(vector_raise(&poll.after, origin, vector_get(known, origin) + more), ERR_OK);
	polls(p, from, &poll);
}

Test(report, alone_it_is_converged_once_it_has_started)
{
	struct cluster c = {.count = 1};

	peer_bare(&c, 0, 0, false);
	cr_expect_not(report(&c.peers[0]).converged, "before the start");
	peer_does(&c.peers[0], &(struct event){.kind = EVENT_START});
	cr_expect(report(&c.peers[0]).converged);
	cr_expect_eq(report(&c.peers[0]).origins, 1);
	cluster_free(&c);
}

Test(report, at_rest_all_peers_are_equal)
{
	static const char *const names[] = {"n1", "n2", "n3"};
	struct cluster c;

	cluster_make(&c, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct peer *p = &c.peers[i];
		struct peer_report r;
		struct digest d = report(p).digest, first = report(&c.peers[0]).digest;

		cr_expect(report(p).converged, "n%zu", i + 1);
		cr_expect_eq(report(p).origins, 3);
		cr_expect_eq(report(p).kill_records, map_kills(horde_map(p->n.h)));
		cr_expect(d.sums[0] == first.sums[0] && d.sums[1] == first.sums[1]);
		cr_expect_not(horde_report_peer(p->n.h, horde_member_by_name(p->n.h, names[i]), &r),
			"no node is its own peer");
		for (size_t k = 0; k < 3; k++) {
			if (k == i)
				continue;
			r = report_of(p, names[k]);
			cr_expect(r.connected && r.vectors_equal && r.digests_equal);
			cr_expect_not(r.diverged);
			cr_expect_eq(r.lag_events + r.behind, 0);
			cr_expect_gt(r.synced_ms, 0);
			cr_expect_eq(r.held, 0);
		}
	}
	cluster_free(&c);
}

Test(report, a_peer_that_is_cut_off_lags_by_what_was_written_since)
{
	struct cluster c;
	struct peer *n1 = &c.peers[0];
	uint64_t ahead;

	cluster_make(&c, 3);
	ahead = report_of(n1, "n3").ahead;
	c.peers[2].cut = true;
	for (int i = 0; i < 5; i++)
		put_meta(n1, "meta/default/k");
	cr_expect_eq(report_of(n1, "n2").lag_events, 5);
	cr_expect_not(report(n1).converged);
	settle_all(&c);
	cr_expect(report_of(n1, "n2").vectors_equal, "it has polled with them");
	cr_expect_eq(report_of(n1, "n2").ahead, 0);
	cr_expect_eq(report_of(n1, "n3").lag_events, 5);
	cr_expect_eq(report_of(n1, "n3").ahead, ahead + 5);
	cr_expect_eq(report_of(n1, "n3").behind, 0);
	cr_expect_not(report_of(n1, "n3").vectors_equal);
	cr_expect_not(report(n1).converged);
	c.peers[2].cut = false;
	cluster_wait(&c, 2000);
	cr_expect(report_of(n1, "n3").vectors_equal);
	cr_expect_eq(report_of(n1, "n3").ahead, 0);
	cr_expect(report(n1).converged);
	cluster_free(&c);
}

Test(report, a_peer_that_has_more_is_one_to_be_behind)
{
	struct cluster c;
	struct peer *n1 = &c.peers[0];
	struct peer_report r;

	cluster_make(&c, 2);
	put_meta(n1, "meta/default/k");
	polls_from_ahead(n1, &c.peers[1], 3);
	r = report_of(n1, "n2");
	cr_expect_eq(r.behind, 3);
	cr_expect_eq(r.lag_events, 3, "the poll had the other one");
	cr_expect_not(r.vectors_equal);
	cr_expect_geq(r.ahead, 2, "nothing of it is on its disk");
	cr_expect_not(report(n1).converged);
	cluster_free(&c);
}

Test(report, a_peer_that_makes_up_events_is_far_ahead_and_never_near)
{
	struct cluster c;
	struct poll poll = {.all = false};
	struct peer_report r;

	cluster_make(&c, 2);
	for (uint64_t i = 1; i <= 4; i++)
		cr_assert_eq(vector_raise(&poll.after, id_of(9000 + i), INT64_MAX), ERR_OK);
	polls(&c.peers[0], &c.peers[1], &poll);
	r = report_of(&c.peers[0], "n2");
	cr_expect_eq(r.behind, UINT64_MAX, "the sum does not come round: %" PRIu64, r.behind);
	cr_expect_eq(r.lag_events, UINT64_MAX);
	cr_expect_not(r.vectors_equal);
	cluster_free(&c);
}

Test(report, a_peer_that_is_gone_is_not_connected_until_it_has_left)
{
	struct cluster c;
	struct peer *n1 = &c.peers[0];
	struct event leave = {.kind = EVENT_STOP};
	struct peer_report r;

	cluster_make(&c, 3);
	peer_kill(&c, 2);
	cluster_wait(&c, 1000);
	cr_expect_not(report_of(n1, "n3").connected);
	cr_expect_not(report_of(n1, "n3").vectors_equal);
	cr_expect_eq(report_of(n1, "n3").lag_events, 0, "as it was last");
	cr_expect_not(report(n1).converged, "it may have what nobody else has");
	peer_restart(&c, 2, 1);
	cluster_wait(&c, 2000);
	cr_expect(report(n1).converged);
	leave.stop.reason = GOODBYE_LEAVE;
	peer_does(&c.peers[2], &leave);
	settle_all(&c);
	peer_kill(&c, 2);
	cluster_wait(&c, 1000);
	cr_expect_not(horde_report_peer(n1->n.h, horde_member_by_name(n1->n.h, "n3"), &r));
	cr_expect(report(n1).converged, "who has left counts no more");
	cluster_free(&c);
}

/* An answer of n2 with n1's own vector, and with its digest or another one. */
static void answers(struct peer *p, struct link *l, uint64_t apart)
{
	struct fragment f = {.mode = FRAGMENT_TICK,
		.from = l->incarnation,
		.digest = map_digest(horde_map(p->n.h)),
		.clock = horde_clock(p->n.h)};
	struct event e = {.kind = EVENT_FRAGMENT,
		.link = l->id,
		.fragment = &f,
		.bytes_received = 70,
		.bytes_sent = 30};

	f.digest.sums[0] += apart;
	cr_assert_eq(vector_copy(map_vector(horde_map(p->n.h)), &f.vector), ERR_OK);
	cr_assert_eq(l->state, LINK_POLLING);
	peer_does(p, &e);
	fragment_fini(&f);
}

Test(report, other_entries_with_the_same_events_are_said_until_they_are_mended)
{
	struct cluster c;
	struct peer *n1 = &c.peers[0];
	struct link *l;

	cluster_make(&c, 2);
	l = link_by_node(n1->n.h, id_of(2));
	answers(n1, l, 1);
	cr_expect(report_of(n1, "n2").vectors_equal);
	cr_expect_not(report_of(n1, "n2").digests_equal);
	cr_expect_not(report_of(n1, "n2").diverged, "once is no proof");
	cr_expect_not(report(n1).converged, "but reason enough to doubt");
	answers(n1, l, 1);
	cr_expect(report_of(n1, "n2").diverged);
	cr_expect_eq(report_of(n1, "n2").bytes_received, 140);
	cr_expect_eq(report_of(n1, "n2").bytes_sent, 60);
	cluster_wait(&c, 500); /* the exchange of block sums */
	answers(n1, l, 0);
	cr_expect_not(report_of(n1, "n2").diverged);
	cr_expect(report_of(n1, "n2").digests_equal);
	cr_expect(report(n1).converged);
	cluster_free(&c);
}
