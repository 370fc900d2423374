/* What a snapshot brings back: merged as an older replica, or put again as new writes. */
#include "tests/integration/suite.h"

#include "tests/lib/snapshots.h"
#include "tests/lib/store.h"
#include "tests/lib/values.h"

SUITE(restore);

enum { HEAL_MS = 15000, KEYS = 30 };

/* ---- restored ---- */

/* A join with an older state of oneself is nothing new; to put again is a new write. */
CLUSTER_TEST(restore, s120_merging_an_old_snapshot_brings_nothing_back_and_putting_again_does)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n1 = &c->nodes[0];
	const char *old;

	names_put(n1, "k", 0, KEYS, 100);
	name_put(n1, "kept", "old");
	old = snapshot_make(n1);
	names_delete(n1, "k", 0, KEYS);
	name_put(n1, "kept", "new");
	snapshot_restored(n1, old, "merge", 0, 0);
	values_settle(c, CLUSTER_SOON_MS);
	CHECK_INT(names_count(&c->nodes[1], "k-"), 0);
	CHECK_STR(name_value(&c->nodes[1], "kept"), "new");
	snapshot_restored(n1, old, "reput", KEYS, 0);
	values_settle(c, CLUSTER_SOON_MS);
	CHECK_INT(names_count(&c->nodes[1], "k-"), KEYS);
	CHECK_STR(name_value(&c->nodes[1], "kept"), "new");
	snapshot_restored(n1, old, "reput", 0, 0);
}

/* Downloaded here and uploaded there; what it says of this node it knows already. */
CLUSTER_TEST(restore, one_is_brought_to_another_node_and_restored_there)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	struct http_reply *file, *put;
	const char *sum;

	names_put(n1, "k", 0, KEYS, 100);
	values_settle(c, CLUSTER_SOON_MS);
	file = snapshot_content(n1, snapshot_make(n1));
	sum = text_of("Horde-Checksum: %s", http_header(file, "Horde-Checksum"));
	names_delete(n1, "k", 0, KEYS);
	values_settle(c, CLUSTER_SOON_MS);
	put = expect_status(snapshot_upload(n2, "of-n1", file->body, file->body_size, sum), 201);
	CHECK_STR(http_header(put, "Location"), SNAPSHOTS "/of-n1");
	CHECK_STR(json_str(put->json, "node"), n2->name);
	CHECK_STR(text_of("Horde-Checksum: %s", json_str(put->json, "checksum")), sum);
	snapshot_restored(n2, "of-n1", "merge", 0, 0);
	CHECK_INT(names_count(n2, "k-"), 0);
	snapshot_restored(n2, "of-n1", "reput", KEYS, 0);
	values_settle(c, CLUSTER_SOON_MS);
	CHECK_INT(names_count(n1, "k-"), KEYS);
}

/* Its kill log is cut once all members have everything on disk; here it is the only one. */
static void until_no_kills(const struct node *node)
{
	int64_t end = check_now_ms() + check_ms(HEAL_MS);

	while (store_number(node, "SELECT count(*) FROM kill") > 0) {
		CHECK(check_now_ms() < end, "the kill log of %s is never cut", node->name);
		check_pause_ms(10);
	}
	CHECK(store_number(node, "SELECT max(floor) FROM vec") > 0, "no floor in the store");
}

/* The store of n1 goes back to before the writes, and only the snapshot has them. */
CLUSTER_TEST(restore, merging_brings_lost_writes_in_and_their_deletes)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *file;

	names_put(n1, "old", 0, KEYS, 100);
	CHECK_INT(node_term(n1, CLUSTER_START_MS), 0);
	store_keep(n1, "early");
	node_start(n1);
	node_wait_ready(n1);
	names_put(n1, "lost", 0, KEYS, 100);
	names_delete(n1, "old", 0, 10);
	name_put(n1, "old-20", "over");
	until_no_kills(n1); /* the snapshot cannot say who killed what */
	file = snapshot_content(n1, snapshot_make(n1));
	node_kill(n1);
	store_put_back(n1, "early");
	node_start(n1);
	node_wait_ready(n1);
	CHECK_INT(names_count(n1, "lost-"), 0);
	CHECK_INT(names_count(n1, "old-"), KEYS);
	expect_status(snapshot_upload(n1, "late", file->body, file->body_size, NULL), 201);
	/* Besides the names there is the member record of the life that was lost. */
	expect_status(snapshot_restore(n1, "late", "merge"), 200);
	CHECK_INT(names_count(n1, "lost-"), KEYS);
	CHECK_INT(names_count(n1, "old-"), KEYS - 10);
	CHECK_STR(name_value(n1, "old-20"), "over");
	snapshot_restored(n1, "late", "merge", 0, 0);
	/* And it is on disk. */
	node_kill(n1);
	node_start(n1);
	node_wait_ready(n1);
	CHECK_INT(names_count(n1, "lost-"), KEYS);
	CHECK_INT(names_count(n1, "old-"), KEYS - 10);
}

/* The same where others have to learn of it, the one that had lost it among them. */
CLUSTER_TEST(restore, what_is_merged_at_one_node_comes_to_the_others)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0], *n3 = &c->nodes[2];
	struct http_reply *file;

	names_put(n1, "old", 0, KEYS, 100);
	values_settle(c, CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++)
		CHECK_INT(node_term(&c->nodes[i], CLUSTER_START_MS), 0);
	store_keep(n1, "early");
	node_start(n1);
	node_wait_listening(n1);
	node_wait_ready(n1);
	names_put(n1, "lost", 0, KEYS, 100);
	names_delete(n1, "old", 0, 10);
	file = snapshot_content(n1, snapshot_make(n1));
	node_kill(n1);
	store_put_back(n1, "early");
	for (int i = 0; i < 3; i++)
		node_start(&c->nodes[i]);
	cluster_settle(c);
	CHECK_INT(names_count(n3, "lost-"), 0);
	expect_status(snapshot_upload(n3, "late", file->body, file->body_size, NULL), 201);
	expect_status(snapshot_restore(n3, "late", "merge"), 200);
	for (int i = 0; i < 3; i++) {
		names_until_count(&c->nodes[i], "lost-", KEYS, HEAL_MS);
		names_until_count(&c->nodes[i], "old-", KEYS - 10, HEAL_MS);
	}
	values_settle(c, HEAL_MS);
}

CLUSTER_TEST(restore, putting_again_starts_deleted_children_and_restores_meta)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *meta;
	const char *old;

	expect_success(node_call(n1, "PUT", "{\"value\":{\"a\":[1,null]}}", META "/m"));
	expect_success(node_call(n1, "PUT", SLEEPER, CHILDREN "/web"));
	expect_success(node_call(n1, "PUT", SLEEPER, CHILDREN "/still"));
	expect_success(node_call(n1, "POST", NULL, CHILDREN "/still/stop"));
	expect_success(node_call(n1, "PUT",
		"{\"value\":1,\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}",
		ENTRIES "/of-web"));
	old = snapshot_make(n1);
	expect_status(node_call(n1, "DELETE", NULL, META "/m"), 204);
	expect_status(node_call(n1, "DELETE", NULL, CHILDREN "/web"), 204);
	expect_status(node_call(n1, "DELETE", NULL, CHILDREN "/still"), 204);
	children_until_processes("sleep 1000", 0, CLUSTER_SOON_MS);
	/* The name of a child comes with its child, not with a snapshot. */
	snapshot_restored(n1, old, "reput", 3, 0);
	meta = expect_status(node_call(n1, "GET", NULL, META "/m"), 200);
	CHECK(strstr(meta->body, "\"value\":{\"a\":[1,null]}"), "%s", meta->body);
	http_until_str(node_url(n1, CHILDREN "/web"), "status.state", "running",
		check_ms(CLUSTER_SOON_MS));
	CHECK_STR(json_str(node_call(n1, "GET", NULL, CHILDREN "/still")->json, "desired"),
		"stopped");
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
	expect_problem(node_call(n1, "GET", NULL, ENTRIES "/of-web"), 404, "key-not-found");
}

/* More keys than one step writes, while others write. */
CLUSTER_TEST(restore, putting_again_goes_on_over_many_steps)
{
	enum { MANY = 1500 };
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	const char *old;

	for (int i = 0; i < MANY; i += 500)
		names_put(n1, "k", i, 500, 20);
	old = snapshot_make(n1);
	for (int i = 0; i < MANY; i += 500)
		names_delete(n1, "k", i, 500);
	snapshot_restored(n1, old, "reput", MANY, 0);
	CHECK_INT(names_count(n1, "k-"), MANY);
}

/* A file that was good when it came, and rots on the disk. */
CLUSTER_TEST(restore, one_that_has_changed_on_the_disk_is_not_restored)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	const char *id;
	struct http_reply *file;

	names_put(n1, "k", 0, KEYS, 100);
	id = snapshot_make(n1);
	file = snapshot_content(n1, id);
	file->body[24] ^= 1; /* a counter that SQLite does not check */
	file_write(text_of("%s/snapshots/%s.db", n1->dir, id), file->body, file->body_size, 0600);
	names_delete(n1, "k", 0, KEYS);
	expect_problem(snapshot_restore(n1, id, "reput"), 422, "invalid-snapshot");
	CHECK_INT(names_count(n1, "k-"), 0);
	CHECK(unlink(text_of("%s/snapshots/%s.db", n1->dir, id)) == 0, "unlink");
	expect_problem(snapshot_restore(n1, id, "reput"), 404, "snapshot-not-found");
	expect_problem(
		node_call(n1, "GET", NULL, SNAPSHOTS "/%s/content", id), 404, "snapshot-not-found");
	expect_status(node_call(n1, "DELETE", NULL, SNAPSHOTS "/%s", id), 204);
}

CLUSTER_TEST(restore, one_of_another_cluster_is_not_restored)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0], *stranger = cluster_add(c, NULL, NULL);
	struct http_reply *file;

	node_wait_ready(stranger);
	names_put(stranger, "k", 0, KEYS, 100);
	file = snapshot_content(stranger, snapshot_make(stranger));
	expect_status(snapshot_upload(n1, "strange", file->body, file->body_size, NULL), 201);
	expect_problem(snapshot_restore(n1, "strange", "merge"), 409, "cluster-mismatch");
	expect_problem(snapshot_restore(n1, "strange", "reput"), 409, "cluster-mismatch");
	CHECK_INT(names_count(n1, ""), 0);
}
