/* Snapshots by HTTP: made, listed, downloaded, put back, and cut short by the daemon's death. */
#include "tests/integration/suite.h"

#include "tests/lib/store.h"
#include "tests/lib/values.h"

SUITE(snapshots);

#define SNAPSHOTS "/v1/storage/snapshots"

enum { HEAL_MS = 15000, KEYS = 30, SHOTS = 40 };

/* Makes one; returns its id, valid until 32 texts later. */
static const char *make(const struct node *at)
{
	struct http_reply *made = expect_success(node_call(at, "POST", NULL, SNAPSHOTS));
	const char *id = json_str(made->json, "id");

	CHECK(*id, "no id in %s", made->body);
	return text_of("%s", id);
}

static struct http_reply *content(const struct node *at, const char *id)
{
	struct http_reply *reply =
		expect_status(node_call(at, "GET", NULL, SNAPSHOTS "/%s/content", id), 200);

	CHECK(reply->body_size > 512 && memcmp(reply->body, "SQLite format 3", 16) == 0,
		"the snapshot %s is no database of SQLite", id);
	return reply;
}

/* In place of the store of a node that does not run. */
static void replace_store(const struct node *node, const struct http_reply *snapshot)
{
	unlink(text_of("%s/horde.db-wal", node->dir));
	unlink(text_of("%s/horde.db-shm", node->dir));
	file_write(text_of("%s/horde.db", node->dir), snapshot->body, snapshot->body_size, 0600);
}

static struct http_reply *restore(
	const struct node *at, const struct http_reply *snapshot, const char *mode)
{
	return http_send(&(struct http_request){.method = "POST",
		.url = node_url(at, "/v1/storage/restore?mode=%s", mode),
		.body = snapshot->body,
		.body_size = snapshot->body_size,
		.headers = {"Content-Type: application/octet-stream"}});
}

CLUSTER_TEST(snapshots, made_listed_downloaded_and_deleted)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *list;
	const char *id;

	names_put(n1, "k", 0, KEYS, 100);
	id = make(n1);
	list = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS), 200);
	CHECK_INT(json_array_size(json_at(list->json, "items")), 1);
	CHECK_STR(json_str(list->json, "items.0.id"), id);
	expect_status(node_call(n1, "GET", NULL, SNAPSHOTS "/%s", id), 200);
	content(n1, id);
	expect_status(node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s", id), 204);
	expect_problem(node_call(n1, "GET", NULL, SNAPSHOTS "/%s", id), 404, NULL);
	expect_problem(node_call(n1, "GET", NULL, SNAPSHOTS "/%s/content", id), 404, NULL);
}

/* Of what it holds: all that was acknowledged before it was asked for, and nothing later. */
CLUSTER_TEST(snapshots, s120_a_snapshot_put_in_place_of_the_store_is_an_older_replica)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *old;

	names_put(n1, "k", 0, KEYS, 100);
	values_settle(c, CLUSTER_SOON_MS);
	old = content(n1, make(n1));
	names_delete(&c->nodes[1], "k", 0, KEYS / 2);
	names_put(&c->nodes[2], "later", 0, KEYS, 100);
	values_settle(c, CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++)
		node_kill(&c->nodes[i]);
	replace_store(n1, old);
	node_start(n1);
	node_wait_listening(n1);
	CHECK_INT(names_count(n1, "k-"), KEYS);
	CHECK_INT(names_count(n1, "later-"), 0);
	node_start(&c->nodes[1]);
	node_start(&c->nodes[2]);
	cluster_settle(c);
	values_settle(c, HEAL_MS);
	CHECK_INT(names_count(n1, "k-"), KEYS - KEYS / 2);
	CHECK_INT(names_count(n1, "later-"), KEYS);
}

/* A join with an older state of oneself is nothing new; to put again is a new write. */
CLUSTER_TEST(snapshots, s120_merging_an_old_snapshot_brings_nothing_back_and_putting_again_does)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *old;

	names_put(n1, "k", 0, KEYS, 100);
	name_put(n1, "kept", "old");
	old = content(n1, make(n1));
	names_delete(n1, "k", 0, KEYS);
	name_put(n1, "kept", "new");
	expect_success(restore(n1, old, "merge"));
	values_settle(c, CLUSTER_SOON_MS);
	CHECK_INT(names_count(&c->nodes[1], "k-"), 0);
	CHECK_STR(name_value(&c->nodes[1], "kept"), "new");
	expect_success(restore(n1, old, "reput"));
	values_settle(c, CLUSTER_SOON_MS);
	CHECK_INT(names_count(&c->nodes[1], "k-"), KEYS);
	CHECK_STR(name_value(&c->nodes[1], "kept"), "new");
}

CLUSTER_TEST(snapshots, what_is_no_snapshot_is_refused)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *good, *bad;

	names_put(n1, "k", 0, KEYS, 100);
	good = content(n1, make(n1));
	names_delete(n1, "k", 0, KEYS);
	memset(good->body + good->body_size / 2, 'x', good->body_size / 4);
	bad = restore(n1, good, "reput");
	CHECK(bad->status / 100 == 4, "a damaged snapshot gave %ld: %s", bad->status, bad->body);
	expect_problem(bad, bad->status, NULL);
	CHECK_INT(names_count(n1, ""), 0);
	CHECK(restore(n1, good, "nonsense")->status / 100 == 4, "an unknown mode was taken");
}

/* ---- killed in the middle ---- */

/* A snapshot and writes at the same time, until the end; the last value acknowledged. */
static int snap_and_write(const struct node *at, int value, bool *ret_alive)
{
	struct http_request requests[] = {{.method = "POST", .url = node_url(at, SNAPSHOTS)},
		{.method = "PUT",
			.url = node_url(at, META "/last"),
			.body = text_of("{\"value\":%d}", value)}};
	struct http_reply *replies[2];
	bool written;

	http_send_all(requests, replies, 2);
	CHECK(replies[0]->status == 0 || replies[0]->status / 100 == 2, "POST gave %ld: %s",
		replies[0]->status, replies[0]->body);
	written = replies[1]->status / 100 == 2;
	*ret_alive = replies[0]->status && replies[1]->status;
	return written ? value : 0;
}

CLUSTER_TEST(snapshots, s118_killed_during_snapshots_the_store_opens_and_nothing_is_lost)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	int value = 0, acknowledged = 0;
	json_t *item;
	size_t k;

	srandom(1180);
	names_put(n1, "k", 0, 1000, 400);
	for (int i = 0; i < SHOTS; i++) {
		struct http_reply *list;
		bool alive = true;

		node_kill_later(n1, 500 + random() % 15000);
		while (alive) {
			int now = snap_and_write(n1, ++value, &alive);

			acknowledged = now ? now : acknowledged;
		}
		node_wait_killed(n1);
		node_start(n1);
		node_wait_ready(n1);
		CHECK_INT(names_count(n1, "k-"), 1000);
		if (acknowledged)
			CHECK(json_number_at(node_call(n1, "GET", NULL, META "/last")->json,
				      "value") >= acknowledged,
				"the write of %d is lost", acknowledged);
		/* What is listed is whole, and room is made for more. */
		list = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS "?limit=1000"), 200);
		json_array_foreach(json_at(list->json, "items"), k, item)
		{
			http_reply_free(content(n1, json_str(item, "id")));
			expect_status(node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s",
					      json_str(item, "id")),
				204);
		}
	}
}
