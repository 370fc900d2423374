/* Disks that are full, memory that is short, answers that are torn, peers that talk rubbish. */
#include "tests/integration/suite.h"

#include "tests/lib/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>

SUITE(faults);

enum {
	ENTRIES_COUNT = 300,
	TORN_BYTES = 2000, /* less than the entries' random keys take, however they are packed */
	ROUNDS = 40,
	BIG_BYTES = 1000 * 1000
};

#define BY_ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"

static struct http_reply *put_entry(const struct node *at, const char *key)
{
	return node_call(at, "PUT",
		"{\"value\":\"0123456789012345678901234567890123456789\"," BY_ALICE "}",
		ENTRIES "/%s", key);
}

/* ---- storage ---- */

/* Writes until the disk refuses, which it must within some rounds; every refusal is a problem. */
static void write_until_refused(const struct node *at)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct http_reply *reply = put_entry(at, text_of("full-%d", i));

		if (reply->status / 100 == 2)
			continue;
		CHECK(reply->status == 507 || reply->status == 503, "gave %ld: %s%s", reply->status,
			reply->error, reply->body);
		expect_problem(reply, reply->status, NULL);
		return;
	}
	CHECK(false, "%d writes were taken without a disk", ROUNDS);
}

static void reads_go_on(const struct node *at)
{
	expect_status(node_call(at, "GET", NULL, ENTRIES "/before"), 200);
	expect_status(node_call(at, "GET", NULL, CHILDREN), 200);
	expect_status(node_call(at, "GET", NULL, "/livez"), 200);
}

static void recovers(struct node *node, pid_t pid)
{
	int64_t end = check_now_ms() + check_ms(10000);
	struct http_reply *reply;

	while ((reply = put_entry(node, "after"))->status / 100 != 2) {
		CHECK(check_now_ms() < end, "no recovery: %ld %s", reply->status, reply->body);
		check_pause_ms(20);
	}
	CHECK_INT(node->pid, pid);
	node_kill(node);
	node_start(node);
	node_wait_ready(node);
	expect_status(node_call(node, "GET", NULL, ENTRIES "/before"), 200);
	expect_status(node_call(node, "GET", NULL, ENTRIES "/after"), 200);
}

/* A mount of this process alone, so that none is left however the test ends. */
static bool mount_small(const char *dir)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", dir, "tmpfs", 0, "size=2m,mode=0700") == 0;
}

static void fill(const char *path)
{
	static char block[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0, "cannot create %s", path);
	while (write(fd, block, sizeof block) > 0)
		;
	CHECK(errno == ENOSPC, "%s: %s", path, strerror(errno));
	close(fd);
}

CLUSTER_TEST(faults, s119_a_full_disk_is_507_and_reads_go_on)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n1 = cluster_declare(c, NULL, NULL);
	const char *filler;
	long long pid;

	if (!mount_small(n1->dir))
		cr_skip_test("a small tmpfs needs root");
	node_start(n1);
	node_wait_ready(n1);
	expect_status(put_entry(n1, "before"), 201);
	pid = json_number_at(child_start(n1, "web", SLEEPER)->json, "status.pid");
	filler = text_of("%s/filler", n1->dir);
	fill(filler);
	write_until_refused(n1);
	reads_go_on(n1);
	CHECK(procs_alive((pid_t)pid), "a full disk ended a child");
	unlink(filler);
	recovers(n1, n1->pid);
	umount2(n1->dir, MNT_DETACH);
}

/* The next directory may find no room then; what is told before the signal takes none. */
CLUSTER_TEST(faults, a_full_disk_keeps_no_signal_and_no_start_from_a_child)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n1 = cluster_declare(c, NULL, NULL);
	const char *told = text_of("%s/told", c->dir), *spec;
	pid_t pid;

	if (!mount_small(n1->dir))
		cr_skip_test("a small tmpfs needs root");
	node_start(n1);
	node_wait_ready(n1);
	spec = text_of("{\"command\":[\"/bin/sh\",\"-c\",\"trap 'cat $HORDE_RUN_DIR/stop_reason "
		       ">>%s; exit' TERM; echo ready "
		       ">>%s; while :; do sleep 0.05; done\"],\"shutdown\":{\"timeout_ms\":60000}}",
		told, told);
	pid = (pid_t)json_number_at(child_start(n1, "web", spec)->json, "status.pid");
	file_until(told, "ready\n", CLUSTER_FAIL_MS);
	fill(text_of("%s/filler", n1->dir));
	kill(pid, SIGKILL);
	child_until_new_pid(n1, "web", pid, CLUSTER_SOON_MS);
	file_until(told, "ready\nready\n", CLUSTER_FAIL_MS);
	node_term(n1, 10000);
	file_until(told, "ready\nready\nnode_restart\n", CLUSTER_FAIL_MS);
	umount2(n1->dir, MNT_DETACH);
}

CLUSTER_TEST(faults, s119_a_disk_that_refuses_writes_is_no_end)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
	struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	struct node *n1;

	/* The daemon inherits this: the kernel would end it otherwise, as no real disk does. */
	signal(SIGXFSZ, SIG_IGN);
	n1 = &cluster_start(1, NULL)->nodes[0];
	expect_status(put_entry(n1, "before"), 201);
	CHECK(prlimit(n1->pid, RLIMIT_FSIZE, &none, NULL) == 0, "prlimit: %s", strerror(errno));
	write_until_refused(n1);
	reads_go_on(n1);
	CHECK(prlimit(n1->pid, RLIMIT_FSIZE, &all, NULL) == 0, "prlimit: %s", strerror(errno));
	recovers(n1, n1->pid);
}

/* ---- memory ---- */

static rlim_t address_space(pid_t pid)
{
	FILE *file = fopen(text_of("/proc/%d/statm", (int)pid), "re");
	unsigned long pages = 0;

	CHECK(file && fscanf(file, "%lu", &pages) == 1, "no statm");
	fclose(file);
	return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

CLUSTER_TEST(faults, short_memory_in_a_request_ends_nothing)
{
	struct node *n1 = &cluster_start(1, NULL)->nodes[0];
	long long pid = json_number_at(child_start(n1, "web", SLEEPER)->json, "status.pid");
	struct rlimit tight, all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	char *body;

	if (getenv("HORDE_TEST_LEAKS"))
		cr_skip_test("a sanitizer's allocator cannot live in so little");
	body = malloc(BIG_BYTES + 1);
	/* Many small strings, which take far more room as a tree than as text. */
	CHECK(body, "out of memory");
	memset(body, ' ', BIG_BYTES);
	body[BIG_BYTES] = '\0';
	memcpy(body, "{\"command\":[", 12);
	for (size_t i = 12; i + 4 < BIG_BYTES - 8; i += 4)
		memcpy(body + i, i == 12 ? "\"a\" " : ",\"a\"", 4);
	memcpy(body + BIG_BYTES - 4, "]}  ", 4);
	tight = (struct rlimit){
		.rlim_cur = address_space(n1->pid) + 512 * 1024, .rlim_max = RLIM_INFINITY};
	CHECK(prlimit(n1->pid, RLIMIT_AS, &tight, NULL) == 0, "prlimit: %s", strerror(errno));
	for (int i = 0; i < 8; i++) {
		struct http_reply *reply = child_put(n1, text_of("big-%d", i), body);

		CHECK(reply->status == 0 || reply->status == 503 || reply->status / 100 == 4,
			"gave %ld: %s", reply->status, reply->body);
		CHECK(procs_alive(n1->pid), "the daemon has ended: %s", node_log(n1));
	}
	CHECK(prlimit(n1->pid, RLIMIT_AS, &all, NULL) == 0, "prlimit: %s", strerror(errno));
	expect_status(put_entry(n1, "after"), 201);
	CHECK_INT(json_number_at(child_get(n1, "web")->json, "status.pid"), pid);
	free(body);
}

/* ---- torn answers ---- */

CLUSTER_TEST(faults, s111_a_fragment_torn_in_the_middle_changes_nothing)
{
	static const struct cluster_options proxied = {.proxied = true};
	struct cluster *c = cluster_new(&proxied);
	struct node *n1 = cluster_add(c, NULL, NULL), *n2;
	int64_t end;
	int torn;

	node_wait_ready(n1);
	for (int i = 0; i < ENTRIES_COUNT; i++)
		expect_status(
			put_entry(n1, text_of("k-%d-%08lx%08lx", i, random(), random())), 201);
	proxy_mode(n1->proxy, PROXY_TEAR, TORN_BYTES);
	n2 = cluster_add(c, n1, NULL);
	end = check_now_ms() + check_ms(15000);
	do {
		struct http_reply *count =
			node_call(n2, "GET", NULL, "/v1/registries/default/count");

		torn = proxy_torn(n1->proxy);
		CHECK(count->status != 200 || json_number_at(count->json, "count") == 0,
			"half applied after %d torn answers: %s", torn, count->body);
		CHECK(check_now_ms() < end, "only %d answers were torn", torn);
		check_pause_ms(10);
	} while (torn < 3);
	proxy_mode(n1->proxy, PROXY_FORWARD, 0);
	cluster_settle(c);
	http_until_int(node_url(n2, "/v1/registries/default/count"), "count", ENTRIES_COUNT,
		check_ms(CLUSTER_FAIL_MS));
}

/* ---- peers that are none ---- */

struct rubbish {
	int listener, port;
	const char *answer;
};

/* Answers whatever comes with the same bytes and closes; ends when its listener is shut down. */
static void *talk_rubbish(void *arg)
{
	const struct rubbish *rubbish = arg;
	char in[8192];
	int fd;

	while ((fd = accept4(rubbish->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		if (poll(&ready, 1, 2000) > 0 && recv(fd, in, sizeof in, 0) > 0 &&
			send(fd, rubbish->answer, strlen(rubbish->answer), MSG_NOSIGNAL) > 0)
			shutdown(fd, SHUT_WR);
		close(fd);
	}
	return NULL;
}

static pthread_t rubbish_start(struct rubbish *rubbish, const char *answer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	pthread_t thread;

	rubbish->answer = answer;
	rubbish->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(rubbish->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
			listen(rubbish->listener, 16) == 0 &&
			getsockname(rubbish->listener, (struct sockaddr *)&address, &size) == 0 &&
			pthread_create(&thread, NULL, talk_rubbish, rubbish) == 0,
		"cannot listen");
	rubbish->port = ntohs(address.sin_port);
	return thread;
}

static void rubbish_stop(struct rubbish *rubbish, pthread_t thread)
{
	shutdown(rubbish->listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(rubbish->listener);
}

/* A hello as peer.yaml has it, with some parts to get wrong. */
static const char *hello(const char *cluster, const char *name, int protocol, const char *more)
{
	return text_of("{\"cluster\":\"%s\",\"cluster_id\":\"none\","
		       "\"node_id\":\"0c6f1f4c9f0e4b0fa3a1c2d3e4f50617\",\"name\":\"%s\","
		       "\"incarnation\":\"9f3c5a7e1b2d4c6f8091a2b3c4d5e6f7\","
		       "\"url\":\"http://127.0.0.1:1\",\"protocol_min\":%d,\"protocol_max\":%d,"
		       "\"started\":114087288832000000,\"clk\":114087288832065536%s}",
		cluster, name, protocol, protocol, more);
}

static const char *ok_with(const char *body, int claimed)
{
	return text_of("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
		       "Connection: close\r\n\r\n%s",
		claimed ? claimed : (int)strlen(body), body);
}

static void unchanged(const struct cluster *c)
{
	for (int i = 0; i < c->count; i++) {
		struct http_reply *list = expect_status(
			node_call(&c->nodes[i], "GET", NULL, "/v1/cluster/members"), 200);
		json_t *item;
		size_t k;

		json_array_foreach(json_at(list->json, "items"), k, item)
			CHECK(*json_str(item, "name") == 'n' ||
					strcmp(json_str(item, "status"), "joining") == 0,
				"a stranger is a member: %s", list->body);
		CHECK_INT(json_number_at(node_call(&c->nodes[i], "GET", NULL,
						 "/v1/registries/default/count")
						 ->json,
				  "count"),
			1);
	}
}

CLUSTER_TEST(faults, peers_that_answer_rubbish_never_become_members)
{
	struct cluster *c = cluster_start(2, NULL);
	long long pid =
		json_number_at(child_start(&c->nodes[0], "web", SLEEPER)->json, "status.pid");

	expect_status(put_entry(&c->nodes[0], "before"), 201);
	http_until_status(
		node_url(&c->nodes[1], ENTRIES "/before"), 200, check_ms(CLUSTER_SOON_MS));
	for (int kind = 0; kind < 8; kind++) {
		struct rubbish rubbish;
		const char *answers[] = {"not http at all\r\n",
			"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
			ok_with("<html>hello</html>", 0), ok_with("{}", 0),
			ok_with("{\"cluster\":5,\"x\":[[[[", 0),
			ok_with(hello("horde", "stranger", 2, ""), 100000),
			ok_with(hello("horde", "stranger", 999, ""), 0),
			ok_with(hello("other", "stranger", 2, ""), 0)};
		pthread_t thread = rubbish_start(&rubbish, answers[kind]);
		struct http_reply *reply = node_call(&c->nodes[0], "POST",
			text_of("{\"addresses\":[\"http://127.0.0.1:%d\"]}", rubbish.port),
			"/v1/cluster/join?wait=2s");

		rubbish_stop(&rubbish, thread);
		CHECK(reply->status == 502 || reply->status == 409, "kind %d gave %ld: %s", kind,
			reply->status, reply->body);
		expect_problem(reply, reply->status, NULL);
		unchanged(c);
	}
	CHECK_INT(json_number_at(child_get(&c->nodes[0], "web")->json, "status.pid"), pid);
}

CLUSTER_TEST(faults, s117_peer_requests_that_are_wrong_change_nothing)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n1 = &c->nodes[0];
	static const char deltas[] =
		"{\"link\":\"nobody\",\"n\":5,\"seen\":0,\"after\":[],\"ack\":[],"
		"\"want\":\"*\",\"wait_ms\":100}";

	expect_status(put_entry(n1, "before"), 201);
	http_until_status(
		node_url(&c->nodes[1], ENTRIES "/before"), 200, check_ms(CLUSTER_SOON_MS));
	expect_problem(node_call(n1, "POST", "rubbish", "/peer/v1/hello"), 400, "bad-json");
	expect_problem(node_call(n1, "POST", "{}", "/peer/v1/hello"), 422, "invalid-spec");
	expect_problem(node_call(n1, "POST", hello("horde", "stranger", 999, ""), "/peer/v1/hello"),
		422, "unsupported");
	expect_problem(node_call(n1, "POST", hello("other", "stranger", 2, ""), "/peer/v1/hello"),
		409, "cluster-mismatch");
	expect_problem(node_call(n1, "POST", hello("horde", "n1", 2, ""), "/peer/v1/hello"), 409,
		"name-taken");
	expect_problem(
		node_call(n1, "POST", hello("horde", "stranger", 2, ",\"x\":1"), "/peer/v1/hello"),
		422, "invalid-spec");
	expect_problem(node_call(n1, "POST", deltas, "/peer/v1/deltas"), 410, "unknown-link");
	expect_problem(
		node_call(n1, "POST", "{\"link\":\"x\"", "/peer/v1/deltas"), 400, "bad-json");
	expect_problem(
		node_call(n1, "POST", "{\"link\":5}", "/peer/v1/deltas"), 422, "invalid-spec");
	expect_problem(node_call(n1, "POST",
			       "{\"op\":\"signal\",\"supervisor\":\"default\",\"child\":\"none\","
			       "\"signal\":\"KILL\",\"hops\":0}",
			       "/peer/v1/call"),
		404, "child-not-found");
	expect_problem(node_call(n1, "POST",
			       "{\"node_id\":\"0c6f1f4c9f0e4b0fa3a1c2d3e4f50617\","
			       "\"incarnation\":\"9f3c5a7e1b2d4c6f8091a2b3c4d5e6f7\","
			       "\"reason\":\"leave\"}",
			       "/peer/v1/goodbye"),
		409, "not-a-member");
	unchanged(c);
	cluster_settle(c);
}
