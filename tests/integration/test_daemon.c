/* One daemon as a program: its options, its data directory, how it starts and how it ends. */
#include "tests/integration/suite.h"

#include <errno.h>
#include <fcntl.h>

SUITE(daemon);

enum { END_MS = 15000, FILE_BYTES_MAX = 1024 * 1024 };

CLUSTER_TEST(daemon, a_second_daemon_on_the_same_directory_ends_with_1)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0], *second;
	const char *args[] = {"--data-dir", n1->dir, NULL};

	child_start(n1, "web", SLEEPER);
	second = cluster_declare(c, NULL, args);
	node_start(second);
	CHECK_INT(node_wait_exit(second, END_MS), 1);
	CHECK(strstr(node_log(second), n1->dir), "the directory is not named: %s",
		node_log(second));
	CHECK(strstr(node_log(second), "in use"), "it does not say why: %s", node_log(second));
	expect_status(node_call(n1, "GET", NULL, "/readyz"), 200);
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
	node_wait_listening(n1);
}

static size_t read_whole(const char *path, char *out)
{
	FILE *file = fopen(path, "re");
	size_t got;

	CHECK(file, "cannot read %s", path);
	got = fread(out, 1, FILE_BYTES_MAX, file);
	fclose(file);
	return got;
}

enum damage { HEADER, RUBBISH, TRUNCATED, EMPTY_PAGES };

static void do_damage(const char *path, enum damage damage, size_t size)
{
	static char junk[8192];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	memset(junk, damage == EMPTY_PAGES ? 0 : 0xA5, sizeof junk);
	CHECK(fd >= 0, "cannot open %s", path);
	switch (damage) {
	case HEADER:
		CHECK(pwrite(fd, junk, 100, 0) == 100, "pwrite");
		break;
	case RUBBISH:
		for (size_t at = 0; at + 4096 <= size; at += 4096)
			CHECK(pwrite(fd, junk, 4096, (off_t)at) == 4096, "pwrite");
		break;
	case TRUNCATED:
		CHECK(ftruncate(fd, (off_t)size / 2 + 100) == 0, "ftruncate");
		break;
	case EMPTY_PAGES:
		for (size_t at = 4096; at + 4096 <= size; at += 4096)
			CHECK(pwrite(fd, junk, 4096, (off_t)at) == 4096, "pwrite");
		break;
	}
	close(fd);
}

static void damaged_store_is_refused(enum damage damage)
{
	static char before[FILE_BYTES_MAX], after[FILE_BYTES_MAX];
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	const char *path = text_of("%s/horde.db", n1->dir);
	size_t size;

	for (int i = 0; i < 50; i++)
		expect_status(node_call(n1, "PUT",
				      "{\"value\":1,\"owner\":{\"kind\":\"static\","
				      "\"id\":\"alice\"}}",
				      ENTRIES "/k-%d", i),
			201);
	CHECK_INT(node_term(n1, END_MS), 0);
	/* A log that survived a clean end would heal the damage, so it goes as well. */
	unlink(text_of("%s-wal", path));
	unlink(text_of("%s-shm", path));
	size = read_whole(path, before);
	do_damage(path, damage, size);
	size = read_whole(path, before);
	for (int i = 0; i < 2; i++) {
		node_start(n1);
		CHECK_INT(node_wait_exit(n1, END_MS), 1);
	}
	CHECK(strstr(node_log(n1), path), "the file is not named: %s", node_log(n1));
	CHECK_INT(read_whole(path, after), size);
	CHECK(memcmp(before, after, size) == 0, "a damaged store was written to");
}

CLUSTER_TEST(daemon, a_store_with_a_damaged_header_is_named_and_left_alone)
{
	damaged_store_is_refused(HEADER);
}

CLUSTER_TEST(daemon, a_store_of_rubbish_is_named_and_left_alone)
{
	damaged_store_is_refused(RUBBISH);
}

CLUSTER_TEST(daemon, a_truncated_store_is_named_and_left_alone)
{
	damaged_store_is_refused(TRUNCATED);
}

CLUSTER_TEST(daemon, a_store_with_lost_pages_is_named_and_left_alone)
{
	damaged_store_is_refused(EMPTY_PAGES);
}

/* Runs a daemon that must refuse to start; returns what it said. */
static const char *refuses(struct cluster *c, const char *const *args)
{
	struct node *node = cluster_declare(c, NULL, args);
	int code;

	node_start(node);
	code = node_wait_exit(node, END_MS);
	CHECK(code == 1 || code == 2, "it ended with %d: %s", code, node_log(node));
	CHECK(access(text_of("%s/url", node->dir), F_OK) < 0, "it was listening");
	return node_log(node);
}

CLUSTER_TEST(daemon, other_than_loopback_needs_a_token_and_consent)
{
	struct cluster *c = cluster_new(NULL);
	const char *tokens = text_of("%s/tokens", c->dir), *said;
	/* An address of the documentation range: should it be accepted, nobody can connect. */
	const char *bare[] = {"--listen", "192.0.2.1:0", NULL};
	const char *with_token[] = {"--listen", "192.0.2.1:0", "--token-file", tokens, NULL};
	const char *with_consent[] = {"--listen", "192.0.2.1:0", "--insecure-plain-http", NULL};
	const char *any[] = {"--listen", "0.0.0.0:0", NULL};

	file_write(tokens, "a-long-enough-token-0123456789\n", 31, 0600);
	said = refuses(c, bare);
	CHECK(strstr(said, "--token-file") && strstr(said, "--insecure-plain-http"),
		"it does not say what would allow it: %s", said);
	said = refuses(c, with_token);
	CHECK(strstr(said, "--insecure-plain-http"), "it does not say what would allow it: %s",
		said);
	said = refuses(c, with_consent);
	CHECK(strstr(said, "--token-file"), "it does not say what would allow it: %s", said);
	said = refuses(c, any);
	CHECK(strstr(said, "--token-file"), "it does not say what would allow it: %s", said);
}

CLUSTER_TEST(daemon, bad_options_are_named)
{
	struct cluster *c = cluster_new(NULL);
	const char *unknown[] = {"--lisen", "127.0.0.1:0", NULL};
	const char *no_port[] = {"--listen", "127.0.0.1:http", NULL};
	const char *word[] = {"--on-terminate", "explode", NULL};
	const char *late[] = {"--startup-grace-ms", "soon", NULL};
	const char *name[] = {"--name", "a:b", NULL};
	const char *secret[] = {"--secret-file", "/does/not/exist", NULL};

	CHECK(strstr(refuses(c, unknown), "--listen"), "the nearest is not named");
	CHECK(strstr(refuses(c, no_port), "listen"), "not named");
	CHECK(strstr(refuses(c, word), "on-terminate"), "not named");
	CHECK(strstr(refuses(c, late), "startup-grace-ms"), "not named");
	CHECK(strstr(refuses(c, name), "name"), "not named");
	CHECK(strstr(refuses(c, secret), "/does/not/exist"), "not named");
}

CLUSTER_TEST(daemon, options_come_from_file_environment_and_flags)
{
	struct cluster *c = cluster_new(NULL);
	const char *path = text_of("%s/horde.yaml", c->dir);
	const char *args[] = {"--config", path, NULL};
	const char *flag[] = {"--config", path, "--cluster", "by-flag", NULL};
	struct node *node;

	file_write(path, "cluster: by-file\n", 17, 0600);
	node = cluster_add(c, NULL, args);
	CHECK_STR(json_str(node_call(node, "GET", NULL, "/v1/node")->json, "cluster"), "by-file");
	setenv("HORDE_CLUSTER", "by-environment", 1);
	node = cluster_add(c, NULL, args);
	CHECK_STR(json_str(node_call(node, "GET", NULL, "/v1/node")->json, "cluster"),
		"by-environment");
	node = cluster_add(c, NULL, flag);
	CHECK_STR(json_str(node_call(node, "GET", NULL, "/v1/node")->json, "cluster"), "by-flag");
	unsetenv("HORDE_CLUSTER");
	file_write(path, "clustre: x\n", 11, 0600);
	CHECK(strstr(refuses(c, args), "cluster"), "the nearest key is not named");
}

CLUSTER_TEST(daemon, identity_stays_and_incarnation_changes)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *before, *after;

	before = expect_status(node_call(n1, "GET", NULL, "/v1/node"), 200);
	node_kill(n1);
	node_start(n1);
	node_wait_ready(n1);
	after = expect_status(node_call(n1, "GET", NULL, "/v1/node"), 200);
	CHECK_STR(json_str(after->json, "node_id"), json_str(before->json, "node_id"));
	CHECK_STR(json_str(after->json, "cluster_id"), json_str(before->json, "cluster_id"));
	CHECK(strcmp(json_str(after->json, "incarnation"), json_str(before->json, "incarnation")) !=
			0,
		"the incarnation is the same: %s", after->body);
}

CLUSTER_TEST(daemon, what_was_answered_survives_kill_9)
{
	enum { WRITES = 60 };
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < WRITES; i++)
			expect_success(node_call(
				n1, "PUT", text_of("{\"value\":%d}", round), META "/m-%d", i));
		node_kill(n1);
		node_start(n1);
		node_wait_ready(n1);
		for (int i = 0; i < WRITES; i++)
			CHECK_INT(json_number_at(node_call(n1, "GET", NULL, META "/m-%d", i)->json,
					  "value"),
				round);
	}
}

CLUSTER_TEST(daemon, term_ends_parked_requests_and_exits_0)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *list = node_call(n1, "GET", NULL, ENTRIES);
	FILE *parked;
	char out[64] = "";

	child_start(n1, "web", SLEEPER);
	parked = popen(
		text_of("curl -sS --noproxy '*' -o /dev/null -w '%%{http_code}' '%s'",
			node_url(n1, ENTRIES "?wait=60s&since=%s", json_str(list->json, "etag"))),
		"re");
	CHECK(parked, "no curl");
	/* It is parked once the daemon has its connection; whether that is so does not matter much.
	 */
	check_pause_ms(200);
	CHECK_INT(node_term(n1, END_MS), 0);
	CHECK(fgets(out, sizeof out, parked), "curl said nothing");
	pclose(parked);
	CHECK(strcmp(out, "503") == 0 || strcmp(out, "200") == 0, "the parked request got '%s'",
		out);
	CHECK_INT(children_processes("sleep 1000"), 0);
}

CLUSTER_TEST(daemon, term_waits_for_slow_children_and_kills_deaf_ones)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	char *slow = trace_script(c,
		"trap 'sleep 0.5; : >\"$1.bye\"; exit 0' TERM; "
		": >\"$1.slow\"; while :; do sleep 0.05; done",
		NULL);
	char *deaf = trace_script(c, "trap '' TERM; : >\"$1.deaf\"; while :; do sleep 0.05; done",
		"\"shutdown\":{\"timeout_ms\":1000}");
	int64_t begun;

	child_start(n1, "slow", slow);
	child_start(n1, "deaf", deaf);
	free(slow);
	free(deaf);
	file_wait(text_of("%s/trace.slow", c->dir), CLUSTER_SOON_MS);
	file_wait(text_of("%s/trace.deaf", c->dir), CLUSTER_SOON_MS);
	begun = check_now_ms();
	CHECK_INT(node_term(n1, END_MS), 0);
	CHECK(check_now_ms() - begun >= 990, "it did not wait for the deaf one");
	CHECK(access(text_of("%s/trace.bye", c->dir), F_OK) == 0, "the slow one was killed");
}
