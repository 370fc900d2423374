/* Stores that are older than the cluster, doubled, tampered with, and written to while killed. */
#include "tests/integration/suite.h"

#include "tests/lib/store.h"
#include "tests/lib/values.h"

#include <dirent.h>

SUITE(stores);

enum { HEAL_MS = 15000, KEYS = 40, DOTS_MAX = 4096, REFUSED_MS = 700 };

static void stop(struct node *node)
{
	CHECK_INT(node_term(node, CLUSTER_START_MS), 0);
}

static void start(struct cluster *c, struct node *node)
{
	node_start(node);
	cluster_settle(c);
}

/* ---- older stores ---- */

/* Every dot that was handed out in this test; none may come twice. */
static struct {
	char texts[DOTS_MAX][64];
	int count;
} dots;

static void note_dot(const char *dot)
{
	CHECK(dots.count < DOTS_MAX && strlen(dot) < sizeof dots.texts[0], "dot '%s'", dot);
	for (int i = 0; i < dots.count; i++)
		CHECK(strcmp(dots.texts[i], dot) != 0, "the dot %s was minted twice", dot);
	strcpy(dots.texts[dots.count++], dot);
}

/* Deletes one key of the age before, writes over another, and makes a third, by every node. */
static void live(struct cluster *c, int age)
{
	for (int i = 0; i < c->count; i++) {
		const struct node *at = &c->nodes[i];
		struct http_reply *gone;

		note_dot(name_put(at, text_of("made-%d-%d", age, i), "made"));
		note_dot(name_put(at, text_of("kept-%d", i), text_of("in %d", age)));
		if (age == 0)
			continue;
		http_until_status(node_url(at, ENTRIES "/made-%d-%d", age - 1, (i + 1) % c->count),
			200, check_ms(CLUSTER_SOON_MS));
		gone = expect_status(node_call(at, "DELETE", NULL, ENTRIES "/made-%d-%d", age - 1,
					     (i + 1) % c->count),
			204);
		CHECK(http_header(gone, "Horde-Dot"), "no Horde-Dot in %s", gone->head);
		note_dot(http_header(gone, "Horde-Dot"));
	}
}

/* What `live` leaves: the last age's names, and the last values. */
static void as_lived(struct cluster *c, int age)
{
	values_settle(c, HEAL_MS);
	for (int n = 0; n < c->count; n++) {
		CHECK_INT(names_count(&c->nodes[n], "made-"), c->count);
		CHECK_INT(names_count(&c->nodes[n], text_of("made-%d-", age)), c->count);
		for (int i = 0; i < c->count; i++)
			CHECK_STR(name_value(&c->nodes[n], text_of("kept-%d", i)),
				text_of("in %d", age));
	}
}

/*
 * The store of n1 is kept at three ages and put back later in another order, while the peers have
 * gone on and know events of n1 that its file has never seen.
 */
CLUSTER_TEST(stores, s120_any_older_store_put_back_converges_and_loses_nothing)
{
	enum { AGES = 3 };
	static const int order[] = {1, 0, 2, 0};
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0];
	int age = 0;

	for (; age < AGES; age++) {
		live(c, age);
		values_settle(c, HEAL_MS);
		stop(n1);
		store_keep(n1, text_of("age-%d", age));
		start(c, n1);
	}
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++, age++) {
		live(c, age);
		values_settle(c, HEAL_MS);
		node_kill(n1);
		/* The peers go on without it, too. */
		note_dot(name_put(&c->nodes[1], text_of("meanwhile-%zu", i), "of n2"));
		if (i > 0)
			names_delete(&c->nodes[2], "meanwhile", (int)i - 1, 1);
		store_put_back(n1, text_of("age-%d", order[i]));
		start(c, n1);
		as_lived(c, age);
		for (int n = 0; n < 3; n++)
			CHECK_INT(names_count(&c->nodes[n], "meanwhile-"), 1);
	}
}

/* All but one lose their stores to older ones: what the last one knows comes back to them. */
CLUSTER_TEST(stores, s120_two_of_three_put_back_and_the_third_tells_them)
{
	struct cluster *c = cluster_start(3, NULL);

	live(c, 0);
	values_settle(c, HEAL_MS);
	for (int i = 0; i < 2; i++) {
		stop(&c->nodes[i]);
		store_keep(&c->nodes[i], "old");
		start(c, &c->nodes[i]);
	}
	live(c, 1);
	live(c, 2);
	values_settle(c, HEAL_MS);
	for (int i = 0; i < 2; i++) {
		node_kill(&c->nodes[i]);
		store_put_back(&c->nodes[i], "old");
	}
	for (int i = 0; i < 2; i++)
		node_start(&c->nodes[i]);
	cluster_settle(c);
	as_lived(c, 2);
	live(c, 3);
	as_lived(c, 3);
}

/* ---- a directory twice ---- */

/* Another daemon with the same store, name and identity, in a directory and at a port of its own.
 */
static struct node *declare_clone(struct cluster *c, const struct node *of)
{
	struct node *clone = cluster_declare(c, &c->nodes[0], NULL);

	CHECK(rmdir(clone->dir) == 0, "%s is not empty", clone->dir);
	store_clone(of, clone->dir);
	node_set_flag(clone, "--name", of->name);
	return clone;
}

/*
 * It ends, or stays unready, runs nothing and takes nothing; and nobody takes it for the other one.
 * That it was refused stands in its log; what it does then is looked for during a stated time.
 */
static void is_refused(struct cluster *c, struct node *clone, const struct node *of)
{
	int64_t end = check_now_ms() + check_ms(HEAL_MS);
	int code = 0;

	node_start(clone);
	while (!strstr(node_log(clone), "peer.rejected") &&
		!strstr(node_log(clone), "name-taken") && !node_has_ended(clone, &code)) {
		CHECK(check_now_ms() < end, "nobody refused it: %s", node_log(clone));
		check_pause_ms(10);
	}
	end = check_now_ms() + REFUSED_MS;
	while (clone->pid && check_now_ms() < end && !node_has_ended(clone, &code)) {
		struct http_reply *ready;

		node_wait_listening(clone);
		ready = node_call(clone, "GET", NULL, "/readyz");
		CHECK(ready->status == 503 || ready->status == 0, "a clone is ready: %ld %s",
			ready->status, ready->body);
		CHECK_INT(children_processes("sleep 1000"), 1);
		check_pause_ms(10);
	}
	if (clone->pid) {
		struct http_reply *put =
			node_call(clone, "PUT", "{\"value\":1," BY_ALICE "}", ENTRIES "/of-clone");

		CHECK(put->status / 100 != 2, "a clone takes writes: %s", put->body);
		node_kill(clone);
	} else {
		CHECK(code != 0, "it ended with 0: %s", node_log(clone));
	}
	for (int i = 0; i < c->count; i++)
		if (c->nodes[i].pid)
			CHECK_STR(json_str(node_call(&c->nodes[i], "GET", NULL,
						   "/v1/cluster/members/%s", of->name)
						   ->json,
					  "url"),
				of->url);
}

CLUSTER_TEST(stores, s120_a_clone_beside_the_original_is_refused)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n2 = &c->nodes[1], *clone;
	char id[64];
	long long pid;

	child_start_on(c, n2, "web", SLEEPER, id, sizeof id);
	pid = json_number_at(child_get(n2, id)->json, "status.pid");
	live(c, 0);
	values_settle(c, HEAL_MS);
	stop(n2);
	clone = declare_clone(c, n2);
	start(c, n2);
	pid = child_until_new_pid(&c->nodes[0], id, (pid_t)pid, HEAL_MS);
	is_refused(c, clone, n2);
	c->count--; /* it is no node of this cluster */
	live(c, 1);
	as_lived(c, 1);
	CHECK_INT(json_number_at(child_get(&c->nodes[0], id)->json, "status.pid"), pid);
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
	CHECK_INT(names_count(&c->nodes[0], "of-clone"), 0);
	c->count++;
}

CLUSTER_TEST(stores, s120_a_clone_in_place_of_the_original_is_an_older_replica)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n2 = &c->nodes[1], *clone;

	live(c, 0);
	values_settle(c, HEAL_MS);
	stop(n2);
	clone = declare_clone(c, n2);
	c->count--;
	start(c, n2);
	live(c, 1);
	values_settle(c, HEAL_MS);
	/* Changing places, and back: each time the one that starts is behind. */
	for (int age = 2; age < 5; age++) {
		char other[sizeof n2->dir];

		node_kill(n2);
		snprintf(
			other, sizeof other, "%s", age % 2 ? text_of("%s/n2", c->dir) : clone->dir);
		node_set_flag(n2, "--data-dir", other);
		memcpy(n2->dir, other, sizeof other);
		start(c, n2);
		as_lived(c, age - 1);
		live(c, age);
		as_lived(c, age);
	}
	c->count++;
}

/* ---- a store that lies ---- */

static bool has_dump(const struct node *node)
{
	DIR *dir = opendir(node->dir);
	struct dirent *item;
	bool found = false;

	while (dir && (item = readdir(dir)))
		found |= strstr(item->d_name, "diverge") != NULL;
	if (dir)
		closedir(dir);
	return found;
}

static void until_dump(const struct node *node)
{
	int64_t end = check_now_ms() + check_ms(HEAL_MS);

	while (!has_dump(node)) {
		CHECK(check_now_ms() < end, "no dump of the divergence in %s", node->dir);
		check_pause_ms(10);
	}
}

static bool digests_equal(const struct http_reply *reply, const void *argument)
{
	json_t *peers = json_at(reply->json, "peers"), *peer;
	size_t i;

	(void)argument;
	if (!peers)
		peers = json_at(reply->json, "items");
	json_array_foreach(
		peers, i, peer) if (!json_is_true(json_at(peer, "digests_equal")) ||
				    !json_is_true(json_at(peer, "vectors_equal"))) return false;
	return reply->status == 200 && json_array_size(peers) > 0;
}

/* Bits that rot: n2 has another value, lacks one, and has one too many, all under honest vectors.
 */
CLUSTER_TEST(stores, a_store_changed_by_hand_raises_the_alarm_and_is_mended)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];

	for (int i = 0; i < KEYS; i++)
		name_put(n1, text_of("k-%d", i), "honest");
	values_settle(c, HEAL_MS);
	stop(n2);
	CHECK_INT(store_change(n2,
			  "UPDATE entry SET val = CAST(replace(CAST(val AS TEXT), "
			  "'honest', 'wicked') AS BLOB) WHERE CAST(key AS TEXT) LIKE '%k-7'"),
		1);
	node_start(n2);
	node_wait_listening(n2);
	node_wait_log(n2, "sync.diverged", HEAL_MS);
	node_wait_log(n1, "sync.diverged", HEAL_MS);
	until_dump(n1);
	until_dump(n2);
	cluster_settle(c);
	for (int i = 0; i < 3; i++)
		http_until(node_url(&c->nodes[i], "/v1/cluster/convergence"), digests_equal, NULL,
			check_ms(HEAL_MS), "equal digests");
	values_settle(c, HEAL_MS);
	CHECK_INT(names_count(n1, "k-"), KEYS);
	/* Both contents were written again; either may be shown, but the same one everywhere. */
	for (int i = 0; i < KEYS; i++)
		if (i != 7)
			CHECK_STR(name_value(n2, text_of("k-%d", i)), "honest");
	name_put(n2, "k-7", "decided");
	values_settle(c, HEAL_MS);
	for (int i = 0; i < 3; i++)
		CHECK_STR(name_value(&c->nodes[i], "k-7"), "decided");
}

CLUSTER_TEST(stores, a_store_that_lost_entries_by_hand_gets_them_back)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];

	for (int i = 0; i < KEYS; i++)
		name_put(n1, text_of("k-%d", i), "honest");
	values_settle(c, HEAL_MS);
	stop(n2);
	CHECK_INT(store_change(n2, "DELETE FROM entry WHERE CAST(key AS TEXT) LIKE '%k-1_'"), 10);
	node_start(n2);
	node_wait_listening(n2);
	node_wait_log(n1, "sync.diverged", HEAL_MS);
	node_wait_log(n2, "sync.diverged", HEAL_MS);
	cluster_settle(c);
	for (int i = 0; i < 3; i++)
		names_until_count(&c->nodes[i], "k-", KEYS, HEAL_MS);
	values_settle(c, HEAL_MS);
}

/* ---- killed while it writes ---- */

enum { WRITERS = 48, SHOTS = 100 };

/* All writers at once, each its own key with the number of this round; false: the end came. */
static bool write_round(const struct node *at, int round, int *acknowledged)
{
	static struct http_request requests[WRITERS];
	static struct http_reply *replies[WRITERS];
	static char urls[WRITERS][128], body[64];
	bool alive = true;

	snprintf(body, sizeof body, "{\"value\":%d}", round);
	for (int i = 0; i < WRITERS; i++) {
		snprintf(urls[i], sizeof urls[i], "%s" META "/w-%d", at->url, i);
		requests[i] = (struct http_request){.method = "PUT", .url = urls[i], .body = body};
	}
	http_send_all(requests, replies, WRITERS);
	for (int i = 0; i < WRITERS; i++) {
		if (replies[i]->status / 100 == 2)
			acknowledged[i] = round;
		alive &= replies[i]->status / 100 == 2;
		CHECK(replies[i]->status / 100 == 2 || replies[i]->status == 0, "%s gave %ld: %s",
			urls[i], replies[i]->status, replies[i]->body);
		http_reply_free(replies[i]);
	}
	return alive;
}

/* What was acknowledged is there; what was on its way may be. */
static void nothing_lost(const struct node *at, const int *acknowledged, int last)
{
	struct http_reply *list =
		expect_status(node_call(at, "GET", NULL, META "?prefix=w-&limit=1000"), 200);
	long long found[WRITERS] = {0};
	json_t *item;
	size_t k;

	json_array_foreach(json_at(list->json, "items"), k, item)
		found[strtol(json_str(item, "key") + 2, NULL, 10)] = json_number_at(item, "value");
	for (int i = 0; i < WRITERS; i++)
		CHECK(found[i] >= acknowledged[i] && found[i] <= last,
			"w-%d has %lld; %d was acknowledged, %d the last one sent", i, found[i],
			acknowledged[i], last);
	http_reply_free(list);
}

CLUSTER_TEST(stores, s118_killed_during_commits_100_times_nothing_acknowledged_is_lost)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	int acknowledged[WRITERS] = {0}, round = 0;

	srandom(118);
	for (int i = 0; i < SHOTS; i++) {
		node_kill_later(n1, 1000 + random() % 25000);
		while (write_round(n1, ++round, acknowledged))
			;
		node_wait_killed(n1);
		node_start(n1);
		node_wait_ready(n1);
		nothing_lost(n1, acknowledged, round);
	}
	CHECK(round > SHOTS, "every shot fell before the first write was answered");
	CHECK_INT(store_number(n1, "SELECT count(*) = 0 FROM pragma_integrity_check "
				   "WHERE integrity_check <> 'ok'"),
		1);
}
