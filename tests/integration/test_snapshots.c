/* Snapshots by HTTP: made, listed, downloaded, uploaded, and cut short by the daemon's death. */
#include "tests/integration/suite.h"

#include "tests/lib/snapshots.h"
#include "tests/lib/store.h"
#include "tests/lib/values.h"

SUITE(snapshots);

enum { HEAL_MS = 15000, KEYS = 30, SHOTS = 100, KEPT_MAX = 16 };

/* In place of the store of a node that does not run. */
static void replace_store(const struct node *node, const struct http_reply *snapshot)
{
	unlink(text_of("%s/horde.db-wal", node->dir));
	unlink(text_of("%s/horde.db-shm", node->dir));
	file_write(text_of("%s/horde.db", node->dir), snapshot->body, snapshot->body_size, 0600);
}

/* ---- kept ---- */

CLUSTER_TEST(snapshots, made_listed_downloaded_and_deleted)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *list, *one, *file;
	const char *id, *etag;

	names_put(n1, "k", 0, KEYS, 100);
	list = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS), 200);
	CHECK_INT(json_array_size(json_at(list->json, "items")), 0);
	id = snapshot_make(n1);
	list = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS), 200);
	CHECK_INT(json_array_size(json_at(list->json, "items")), 1);
	CHECK_STR(json_str(list->json, "items.0.id"), id);
	one = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS "/%s", id), 200);
	CHECK_STR(json_str(one->json, "node"), n1->name);
	etag = expect_etag(one);
	file = snapshot_content(n1, id);
	CHECK_INT(json_number_at(one->json, "size_bytes"), file->body_size);
	CHECK_STR(http_header(file, "Horde-Checksum"), json_str(one->json, "checksum"));
	CHECK_STR(http_header(file, "Content-Type"), "application/octet-stream");
	CHECK_STR(http_header(file, "ETag"), etag);
	expect_status(
		http_send(&(struct http_request){.url = node_url(n1, SNAPSHOTS "/%s/content", id),
			.headers = {text_of("If-None-Match: %s", etag)}}),
		304);
	expect_status(node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s", id), 204);
	expect_problem(node_call(n1, "GET", NULL, SNAPSHOTS "/%s", id), 404, "snapshot-not-found");
	expect_problem(
		node_call(n1, "GET", NULL, SNAPSHOTS "/%s/content", id), 404, "snapshot-not-found");
	expect_problem(
		node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s", id), 404, "snapshot-not-found");
	expect_status(node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s?missing_ok", id), 204);
}

CLUSTER_TEST(snapshots, listed_by_pages_and_waited_for)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *page;
	const char *first = snapshot_make(n1), *second = snapshot_make(n1);

	page = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS "?limit=1"), 200);
	CHECK_STR(json_str(page->json, "items.0.id"), first);
	page = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS "?limit=1&cursor=%s",
				     json_str(page->json, "next_cursor")),
		200);
	CHECK_STR(json_str(page->json, "items.0.id"), second);
	CHECK_STR(json_str(page->json, "next_cursor"), "");
	http_send_all(
		(struct http_request[]){
			{.url = node_url(n1, SNAPSHOTS "?wait=10s&since=%s",
				 json_str(node_call(n1, "GET", NULL, SNAPSHOTS)->json, "etag"))},
			{.method = "DELETE", .url = node_url(n1, SNAPSHOTS "/%s", first)}},
		(struct http_reply *[2]){NULL}, 2);
	page = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS), 200);
	CHECK_STR(json_str(page->json, "items.0.id"), second);
}

/* They are on the disk of one node, and survive its death. */
CLUSTER_TEST(snapshots, kept_over_a_restart_and_no_more_than_a_number_of_them)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *before;

	for (int i = 0; i < KEPT_MAX; i++)
		snapshot_make(n1);
	expect_problem(node_call(n1, "POST", NULL, SNAPSHOTS), 409, "max-snapshots");
	expect_problem(snapshot_upload(n1, "one-more", "x", 1, NULL), 409, "max-snapshots");
	before = expect_status(node_call(n1, "GET", NULL, SNAPSHOTS), 200);
	node_kill(n1);
	node_start(n1);
	node_wait_ready(n1);
	CHECK_STR(expect_status(node_call(n1, "GET", NULL, SNAPSHOTS), 200)->body, before->body);
	expect_status(node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s",
			      json_str(before->json, "items.3.id")),
		204);
	snapshot_make(n1);
}

/* ---- put in place of a store ---- */

/* Of what it holds: all that was acknowledged before it was asked for, and nothing later. */
CLUSTER_TEST(snapshots, s120_a_snapshot_put_in_place_of_the_store_is_an_older_replica)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *old;

	names_put(n1, "k", 0, KEYS, 100);
	values_settle(c, CLUSTER_SOON_MS);
	old = snapshot_content(n1, snapshot_make(n1));
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

/* ---- refused ---- */

CLUSTER_TEST(snapshots, what_is_no_snapshot_is_refused)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *good;
	char text[64];

	names_put(n1, "k", 0, KEYS, 100);
	good = snapshot_content(n1, snapshot_make(n1));
	expect_problem(snapshot_upload(n1, "bad", "rubbish", 7, NULL), 422, "invalid-snapshot");
	expect_problem(snapshot_upload(n1, "bad", good->body, good->body_size / 2, NULL), 422,
		"invalid-snapshot");
	snprintf(text, sizeof text, "Horde-Checksum: %032d", 7);
	expect_problem(snapshot_upload(n1, "bad", good->body, good->body_size, text), 422,
		"invalid-snapshot");
	memset(good->body + good->body_size / 2, 'x', good->body_size / 4);
	expect_problem(snapshot_upload(n1, "bad", good->body, good->body_size, NULL), 422,
		"invalid-snapshot");
	expect_problem(
		snapshot_upload(n1, "bad", good->body, good->body_size, "Horde-Checksum: 12"), 400,
		"bad-header");
	expect_problem(node_call(n1, "GET", NULL, SNAPSHOTS "/bad"), 404, "snapshot-not-found");
	expect_problem(snapshot_restore(n1, "bad", "reput"), 404, "snapshot-not-found");
	CHECK_INT(names_count(n1, "k-"), KEYS);
}

CLUSTER_TEST(snapshots, bad_input_is_said)
{
	static char out[8192];
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *good;
	const char *id = snapshot_make(n1), *request;

	good = snapshot_content(n1, id);
	expect_problem(snapshot_restore(n1, id, "nonsense"), 400, "bad-query");
	expect_problem(snapshot_restore(n1, "no-such", "merge"), 404, "snapshot-not-found");
	expect_problem(node_call(n1, "POST", NULL, RESTORE), 400, "bad-json");
	expect_fault(
		expect_problem(node_call(n1, "POST", "{\"snapshots\":\"a\"}", RESTORE), 422, NULL),
		"/snapshots");
	expect_problem(
		node_call(n1, "POST", "{\"snapshot\":\"a/b\"}", RESTORE), 422, "invalid-spec");
	expect_problem(node_call(n1, "GET", NULL, SNAPSHOTS "/.hidden"), 422, "invalid-spec");
	expect_problem(snapshot_upload(n1, "a%2Fb", good->body, good->body_size, NULL), 422,
		"invalid-spec");
	expect_problem(
		node_call(n1, "PUT", "{}", SNAPSHOTS "/a/content"), 415, "unsupported-media-type");
	expect_problem(node_call(n1, "GET", NULL, SNAPSHOTS "?cursor=abcd"), 400, "bad-cursor");
	expect_problem(
		node_call(n1, "PATCH", "{}", SNAPSHOTS "/%s", id), 405, "method-not-allowed");
	expect_problem(snapshot_upload(n1, id, good->body, good->body_size, "If-None-Match: *"),
		412, "etag-mismatch");
	expect_problem(snapshot_upload(n1, "new", good->body, good->body_size, "If-Match: \"a\""),
		412, "etag-mismatch");
	expect_status(snapshot_upload(n1, id, good->body, good->body_size, "If-Match: *"), 200);
	/* 4 GiB and a byte, of which nobody sends any. */
	request = text_of("PUT " SNAPSHOTS "/a/content HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			  "Content-Type: application/octet-stream\r\nExpect: 100-continue\r\n"
			  "Content-Length: 4294967297\r\n\r\n");
	CHECK(http_raw(n1->port, request, strlen(request), out, sizeof out, check_ms(3000)) > 0,
		"no answer");
	CHECK(strncmp(out, "HTTP/1.1 413", 12) == 0 && strstr(out, "body-too-large"), "%s", out);
}

CLUSTER_TEST(snapshots, a_client_that_goes_away_in_the_middle_leaves_nothing)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	const char *request =
		text_of("PUT " SNAPSHOTS "/half/content HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			"Content-Type: application/octet-stream\r\n"
			"Content-Length: 100000\r\n\r\nSQLite format 3");
	static char out[1024];
	struct http_reply *good = snapshot_content(n1, snapshot_make(n1));
	long status = 0;

	/* Closes when its patience is over. */
	CHECK_INT(http_raw(n1->port, request, strlen(request), out, sizeof out, 300), 0);
	for (int i = 0; i < 300 && status != 201; i++) {
		/* Under the same id: it is refused while the other one is on its way. */
		status = snapshot_upload(n1, "half", good->body, good->body_size, NULL)->status;
		CHECK(status == 201 || status == 409, "%ld", status);
		check_pause_ms(10);
	}
	CHECK_INT(status, 201);
	CHECK(access(text_of("%s/snapshots/.half.db", n1->dir), F_OK) != 0, "it left a file");
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
			http_reply_free(snapshot_content(n1, json_str(item, "id")));
			expect_status(node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s",
					      json_str(item, "id")),
				204);
		}
	}
}
