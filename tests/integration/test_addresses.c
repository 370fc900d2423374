/* Nodes that come back: within their grace, at another port, at another address of one name. */
#include "tests/integration/suite.h"

#include "tests/lib/values.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

SUITE(addresses);

enum { SOME = 24, HEAL_MS = 10000 };

/* ---- within the grace ---- */

static int starts_on(const struct cluster *c, const struct node *node)
{
	return trace_starts(c, NULL, node->name);
}

CLUSTER_TEST(addresses, s044_within_the_grace_the_children_wait_for_their_node)
{
	static const char *const grace[] = {"--restart-grace-ms", "5000", NULL};
	struct cluster *c = cluster_start(3, &(struct cluster_options){.args = grace});
	struct node *n2 = &c->nodes[1];
	char *spec = trace_spec(c, NULL);
	int on[3];

	children_start(c, "web", SOME, spec);
	free(spec);
	children_until_active(c, SOME, CLUSTER_FAIL_MS);
	trace_until_starts(c, NULL, NULL, SOME, CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++)
		on[i] = starts_on(c, &c->nodes[i]);
	CHECK(on[1] > 0, "no child was placed on n2");
	for (int round = 1; round <= 2; round++) {
		node_kill(n2);
		/* Both survivors know of the death, and wait. */
		for (int i = 0; i < 3; i += 2)
			http_until_str(node_url(&c->nodes[i], "/v1/cluster/members/n2"), "status",
				"suspect", check_ms(CLUSTER_SOON_MS));
		trace_stays(c, 500);
		node_start(n2);
		cluster_settle(c);
		children_until_active(c, SOME, CLUSTER_FAIL_MS);
		trace_until_starts(c, NULL, "n2", on[1] * (1 + round), CLUSTER_FAIL_MS);
		CHECK_INT(starts_on(c, &c->nodes[0]), on[0]);
		CHECK_INT(starts_on(c, &c->nodes[2]), on[2]);
	}
	trace_no_overlap(c);
	trace_stays(c, 500);
}

/* ---- another port ---- */

/* Where it listens and what it tells the others; its store knows only the old one. */
static void move_to(struct node *node, int port)
{
	node->port = port;
	node_set_listen(node, port);
}

static void listed_at(const struct cluster *c, const struct node *moved)
{
	for (int i = 0; i < c->count; i++)
		if (c->nodes[i].pid)
			http_until_str(
				node_url(&c->nodes[i], "/v1/cluster/members/%s", moved->name),
				"url", moved->url, check_ms(HEAL_MS));
}

/* n1 is the address that the others once joined; then two of three move at the same time. */
CLUSTER_TEST(addresses, s049_a_node_that_comes_back_at_another_port_is_found)
{
	struct cluster *c = cluster_start(3, NULL);

	values_settle(c, CLUSTER_SOON_MS);
	for (int round = 0; round < 3; round++) {
		struct node *moved[2] = {&c->nodes[round], &c->nodes[(round + 1) % 3]};
		int count = round == 2 ? 2 : 1;

		for (int i = 0; i < count; i++)
			node_kill(moved[i]);
		name_put(&c->nodes[(round + 2) % 3], text_of("round-%d", round), "meanwhile");
		for (int i = 0; i < count; i++) {
			move_to(moved[i], cluster_free_port());
			node_start(moved[i]);
			node_wait_listening(moved[i]);
		}
		cluster_settle(c);
		for (int i = 0; i < count; i++)
			listed_at(c, moved[i]);
		values_settle(c, HEAL_MS);
		for (int i = 0; i < 3; i++)
			CHECK_STR(
				name_value(&c->nodes[i], text_of("round-%d", round)), "meanwhile");
	}
}

/* ---- another address of the same name ---- */

/* /etc/hosts of this process and its children alone; gone with them. */
static bool own_hosts(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
}

/* In place: the mount is of this very file. */
static void name_nodes(const char *path, const struct cluster *c)
{
	FILE *file = fopen(path, "we");

	CHECK(file, "%s: %s", path, strerror(errno));
	fprintf(file, "127.0.0.1 localhost\n");
	for (int i = 0; c && i < c->count; i++)
		fprintf(file, "%s node-%s\n", c->nodes[i].host, c->nodes[i].name);
	CHECK(fclose(file) == 0, "%s: %s", path, strerror(errno));
}

/* Known to all by its name, at an address of its own. */
static void declare_named(struct cluster *c, int i, int port)
{
	struct node *node = cluster_declare(c, NULL, NULL);

	snprintf(node->host, sizeof node->host, "127.0.0.%d", 11 + i);
	node->port = port;
	node_set_listen(node, port);
	node_set_flag(node, "--advertise", text_of("http://node-%s:%d", node->name, port));
	node_set_flag(node, "--allow-host", node->host);
	if (i > 0)
		node_set_flag(node, "--join", text_of("http://node-n1:%d", port));
}

CLUSTER_TEST(addresses, s049_a_name_that_means_another_address_now_is_resolved_again)
{
	struct cluster *c = cluster_new(NULL);
	const char *hosts = text_of("%s/hosts", c->dir);
	char path[400];
	int port = cluster_free_port();

	snprintf(path, sizeof path, "%s", hosts);
	name_nodes(path, NULL);
	if (!own_hosts(path))
		cr_skip_test("an /etc/hosts of one's own needs root");
	for (int i = 0; i < 3; i++)
		declare_named(c, i, port);
	name_nodes(path, c);
	for (int i = 0; i < 3; i++) {
		node_start(&c->nodes[i]);
		node_wait_listening(&c->nodes[i]);
	}
	cluster_settle(c);
	values_settle(c, CLUSTER_SOON_MS);
	/* All come back at once at other addresses, as a restart of all containers gives them. */
	for (int i = 0; i < 3; i++) {
		node_kill(&c->nodes[i]);
		snprintf(c->nodes[i].host, sizeof c->nodes[i].host, "127.0.0.%d", 24 - i);
		node_set_flag(&c->nodes[i], "--allow-host", c->nodes[i].host);
		name_nodes(path, c);
		node_start(&c->nodes[i]);
		node_wait_listening(&c->nodes[i]);
		name_put(&c->nodes[(i + 1) % 3], text_of("moved-%d", i), "told");
		cluster_settle(c);
		values_settle(c, HEAL_MS);
	}
	umount2("/etc/hosts", MNT_DETACH);
}
