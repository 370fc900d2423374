/* What getConvergence says, of a cluster at rest and of one that is cut. */
#include "tests/unit/api/scene.h"

TestSuite(convergence, .timeout = 60);

static bool has_member(const char *object, const char *end, const char *member)
{
	const char *at = strstr(object, member);

	return at && at < end;
}

/* Does the peer's part of the answer hold this text? */
static bool of_peer(const struct answer *a, const char *name, const char *text)
{
	char start[40];
	const char *from;

	snprintf(start, sizeof(start), "{\"name\":\"%s\",", name);
	from = strstr(a->body, start);
	return from && has_member(from, strchr(from, '}'), text);
}

static struct answer *ask_convergence(void)
{
	struct answer *a = scene_ask("GET /v1/cluster/convergence");

	cr_assert_eq(a->status, 200, "%s", a->bytes);
	return a;
}

static void put(const char *key)
{
	char what[100];
	int fd;

	snprintf(what, sizeof(what), "PUT /v1/registries/default/meta/%s", key);
	fd = scene_park(what, "{\"value\":1}");
	scene_store(ERR_OK);
	cr_assert_eq(scene_answer(fd)->status, 201);
}

Test(convergence, alone_there_are_no_peers)
{
	struct answer *a;

	scene_start(1);
	a = ask_convergence();
	cr_expect(says(a, "{\"node\":\"n1\",\"converged\":true,\"digest\":\""), "%s", a->body);
	cr_expect(says(a, "\"origins\":1,\"retired_origins\":0,\"kill_records\":0,\"peers\":[]}"),
		"%s", a->body);
	scene_end();
}

Test(convergence, at_rest_each_peer_is_equal)
{
	static const char *const peers[] = {"n2", "n3"};
	static const char *const facts[] = {"\"connected\":true", "\"vectors_equal\":true",
		"\"digests_equal\":true", "\"diverged\":false", "\"lag_events\":0",
		"\"behind_events\":0", "\"held\":0", "\"last_sync_at\":\"",
		"\"node_id\":\"0000000000001", "\"bytes_received\":", "\"bytes_sent\":"};
	struct answer *a;
	char digest[60];
	struct digest d;

	scene_start(3);
	put("k");
	scene_flow();
	a = ask_convergence();
	cr_expect(says(a, "\"converged\":true"), "%s", a->body);
	d = map_digest(horde_map(scene.c.peers[1].n.h));
	snprintf(digest, sizeof(digest), "\"digest\":\"%016" PRIx64 "%016" PRIx64 "\"", d.sums[0],
		d.sums[1]);
	cr_expect(says(a, digest), "n2 has %s: %s", digest, a->body);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(facts) / sizeof(facts[0]); k++)
			cr_expect(of_peer(a, peers[i], facts[k]), "%s: no %s in %s", peers[i],
				facts[k], a->body);
	cr_expect_not(says(a, "\r\nETag:"), "it changes with every poll");
	scene_end();
}

Test(convergence, who_is_cut_off_lags_and_the_others_do_not)
{
	struct answer *a;

	scene_start(3);
	scene.c.peers[2].cut = true;
	put("a");
	put("b");
	scene_flow();
	a = ask_convergence();
	cr_expect(says(a, "\"converged\":false"));
	cr_expect(of_peer(a, "n2", "\"vectors_equal\":true"), "%s", a->body);
	cr_expect(of_peer(a, "n3", "\"vectors_equal\":false"), "%s", a->body);
	cr_expect(of_peer(a, "n3", "\"digests_equal\":false"), "%s", a->body);
	cr_expect(of_peer(a, "n3", "\"lag_events\":2,\"behind_events\":0,"), "%s", a->body);
	cr_expect(of_peer(a, "n3", "\"unacknowledged_events\":2,"), "%s", a->body);
	a = scene_ask("GET /v1/cluster/members/n3");
	cr_expect(says(a, "\"lag\":0,"), "it has nothing that is not here: %s", a->body);
	scene_end();
}

/* A vector is whatever its sender says, and JSON has no numbers beyond 2^53. */
Test(convergence, what_a_peer_makes_up_stays_a_number_of_json)
{
	struct poll poll = {.all = false};
	struct event e = {.kind = EVENT_POLLED};
	struct answer *a;

	scene_start(2);
	cr_assert_eq(vector_raise(&poll.after, id_of(9001), INT64_MAX), ERR_OK);
	e.polled.incarnation = horde_config(scene.c.peers[1].n.h)->incarnation;
	e.polled.poll = &poll;
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
	poll_fini(&poll);
	a = ask_convergence();
	cr_expect(of_peer(a, "n2", "\"behind_events\":9007199254740991,"), "%s", a->body);
	a = scene_ask("GET /v1/cluster/members/n2");
	cr_expect(says(a, "\"lag\":9007199254740991,"), "%s", a->body);
	scene_end();
}

Test(convergence, it_takes_no_waiting_and_says_so)
{
	struct answer *a;

	scene_start(1);
	a = scene_ask("GET /v1/cluster/convergence?wait=1s&since=x");
	cr_expect_eq(a->status, 400);
	cr_expect(says(a, "query.wait") && says(a, "query.since"), "%s", a->body);
	a = scene_ask("POST /v1/cluster/convergence");
	cr_expect_eq(a->status, 405);
	cr_expect(says(a, "\r\nAllow: GET, HEAD"), "%s", a->bytes);
	scene_end();
}
