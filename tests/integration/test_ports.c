/* Ports that nodes give, `${HORDE_NAME}` in specs, and what becomes of both over restarts. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/integration/suite.h"

SUITE(ports);

static int number_of(const struct http_reply *child, const char *name)
{
	return (int)json_number_at(child->json, text_of("status.ports.%s", name));
}

/* Listens on it itself, or somebody else does already; the caller closes it. */
static int stranger_on(int port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	CHECK((bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0) ||
			errno == EADDRINUSE,
		"port %d is not ours", port);
	return fd;
}

/* A port that nobody listens on now. */
static int some_port(void)
{
	int fd = stranger_on(0), port;
	struct sockaddr_in at;
	socklen_t bytes = sizeof(at);

	CHECK(getsockname(fd, (struct sockaddr *)&at, &bytes) == 0, "no name");
	port = ntohs(at.sin_port);
	close(fd);
	return port;
}

CLUSTER_TEST(ports, what_a_spec_names_in_braces_is_what_its_process_is_told)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	struct http_reply *child, *entry;
	char *spec = NULL;

	CHECK(asprintf(&spec,
		      "{\"command\":[\"/bin/sh\",\"-c\",\"echo \\\"${HORDE_CHILD_REF} $$HORDE_NODE "
		      "$HORDE_NODE $A $PWD $HORDE_PORT_HTTP_ADMIN ${HORDE_PORT_HTTP_ADMIN}\\\" "
		      ">%s/told; exec sleep 1000\"],\"env\":{\"A\":\"<${HORDE_SUPERVISOR}>\"},"
		      "\"cwd\":\"${HORDE_RUN_DIR}\",\"ports\":[{\"name\":\"http-admin\"}],"
		      "\"register\":[{\"key\":\"at/${HORDE_CHILD}\",\"value\":"
		      "{\"port\":\"${HORDE_PORT_HTTP_ADMIN}\",\"node\":\"${HORDE_NODE}\"}}]}",
		      c->dir) > 0,
		"no memory");
	child = child_start(n, "we.b", spec);
	file_until(text_of("%s/told", c->dir),
		text_of("default/we.b n1 n1 <default> %s/run/default/we.b %d %d\n", n->dir,
			number_of(child, "http-admin"), number_of(child, "http-admin")),
		10000);
	entry = node_call(n, "GET", NULL, ENTRIES "/at%%2Fwe.b");
	expect_status(entry, 200);
	CHECK_STR(json_str(entry->json, "value.node"), "n1");
	CHECK_STR(
		json_str(entry->json, "value.port"), text_of("%d", number_of(child, "http-admin")));
	child_delete(c, n, "we.b");
	expect_status(node_call(n, "GET", NULL, ENTRIES "/at%%2Fwe.b"), 404);
	free(spec);
}

CLUSTER_TEST(ports, a_number_is_kept_over_restarts_of_the_process_and_of_the_daemon)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	const char *spec =
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"ports\":[{\"name\":\"http\"}]}";
	struct http_reply *child = child_start(n, "kept", spec);
	int number = number_of(child, "http"), second;
	pid_t pid = (pid_t)json_number_at(child->json, "status.pid");

	CHECK(number >= 20000 && number <= 31999, "%d is out of the range", number);
	kill(pid, SIGKILL);
	pid = child_until_new_pid(n, "kept", pid, 10000);
	CHECK_INT(number_of(child_get(n, "kept"), "http"), number);
	node_kill(n);
	node_start(n);
	pid = child_until_new_pid(n, "kept", pid, 20000);
	CHECK_INT(number_of(child_get(n, "kept"), "http"), number);
	/* A stranger was faster: another one, and no failure is counted. */
	expect_status(node_call(n, "POST", "", CHILDREN "/kept/stop"), 200);
	second = stranger_on(number);
	expect_status(node_call(n, "POST", "", CHILDREN "/kept/start"), 200);
	child = child_until(n, "kept", "running", 10000);
	CHECK(number_of(child, "http") != number, "two have %d", number);
	close(second);
	/* It keeps that one now, though its first one is free again. */
	number = number_of(child, "http");
	pid = (pid_t)json_number_at(child->json, "status.pid");
	/* What is shown may not be on disk yet; what was written before a durable write is. */
	expect_success(node_call(n, "PUT", "{\"value\":1}", META "/mark"));
	node_kill(n);
	node_start(n);
	child_until_new_pid(n, "kept", pid, 20000);
	CHECK_INT(number_of(child_get(n, "kept"), "http"), number);
}

CLUSTER_TEST(ports, of_four_that_ask_for_one_number_three_nodes_run_one_each)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n = &c->nodes[0];
	char *spec = NULL, node[3][16];
	struct http_reply *child;

	CHECK(asprintf(&spec,
		      "{\"command\":[\"/bin/sleep\",\"1000\"],\"ports\":[{\"name\":\"a\","
		      "\"port\":%d}]}",
		      some_port()) > 0,
		"no memory");
	for (int i = 0; i < 3; i++) {
		child = child_start(&c->nodes[i], text_of("w%d", i), spec);
		snprintf(node[i], sizeof(node[i]), "%s", json_str(child->json, "status.node"));
	}
	CHECK(strcmp(node[0], node[1]) && strcmp(node[1], node[2]) && strcmp(node[0], node[2]),
		"%s %s %s", node[0], node[1], node[2]);
	expect_status(node_call(n, "PUT", spec, CHILDREN "/w3"), 202);
	CHECK_STR(json_str(child_get(n, "w3")->json, "status.state"), "pending");
	child_delete(c, n, "w1");
	child = child_until(n, "w3", "running", 20000);
	CHECK_STR(json_str(child->json, "status.node"), node[1]);
	free(spec);
}

CLUSTER_TEST(ports, a_number_that_a_stranger_has_is_named_as_the_step_that_failed)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	int port = some_port(), fd = stranger_on(port);
	struct http_reply *child;

	expect_status(node_call(n, "PUT",
			      text_of("{\"command\":[\"/bin/sleep\",\"1000\"],\"ports\":[{\"name\":"
				      "\"admin\",\"port\":%d}],\"backoff\":{\"max_ms\":200}}",
				      port),
			      CHILDREN "/web"),
		201);
	child = child_until(n, "web", "backoff", 10000);
	CHECK_STR(json_str(child->json, "status.error"), "ports.admin: EADDRINUSE");
	close(fd);
	child_until(n, "web", "running", 10000);
}

CLUSTER_TEST(ports, a_check_asks_the_port_of_that_name)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];

	child_start(n, "web",
		text_of("{\"command\":[\"python3\",\"-m\",\"http.server\",\"${HORDE_PORT_HTTP}\"],"
			"\"cwd\":\"${HORDE_RUN_DIR}\",\"ports\":[{\"name\":\"http\"}],\"ready\":"
			"{\"kind\":\"http\",\"port_name\":\"http\",\"path\":\"/?${HORDE_CHILD}\"},"
			"\"health\":[{\"kind\":\"exec\",\"command\":[\"/bin/sh\",\"-c\",\"echo "
			"${HORDE_CHILD} $(test $HORDE_PORT_HTTP = ${HORDE_PORT_HTTP} && echo yes) "
			">%s/told\"],\"period_ms\":1000,\"grace_ms\":0}]}",
			c->dir));
	expect_status(node_call(n, "GET", NULL, CHILDREN "/web/wait?until=ready&wait=10s"), 200);
	file_until(text_of("%s/told", c->dir), "web yes\n", 10000);
}

CLUSTER_TEST(ports, what_nobody_knows_is_refused_and_all_of_it_named)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	struct http_reply *r = node_call(n, "PUT",
		"{\"command\":[\"/bin/sleep\",\"${HORDE_PORT_X}\"],\"cwd\":\"/${HORDE_NO}\","
		"\"env\":{\"A\":\"${HORDE_CHILD_TOKEN}\"},"
		"\"ports\":[{\"name\":\"a\",\"port\":1},{\"name\":\"a\"},{\"name\":\"b\",\"port\":"
		"1}],"
		"\"ready\":{\"kind\":\"tcp\",\"port\":1,\"port_name\":\"a\"},"
		"\"health\":[{\"kind\":\"tcp\"},{\"kind\":\"tcp\",\"port_name\":\"zz\"}],"
		"\"register\":[{\"key\":\"${HORDE_NODE}\",\"value\":[\"${HORDE_Q}\"]}]}",
		CHILDREN "/web");
	static const char *const pointers[] = {"/command/1", "/cwd", "/env/A", "/ports/1/name",
		"/ports/2/port", "/ready/port_name", "/health/0/port", "/health/1/port_name",
		"/register/0/key", "/register/0/value/0"};

	expect_status(r, 422);
	for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
		expect_fault(r, pointers[i]);
	expect_status(node_call(n, "GET", NULL, CHILDREN "/web"), 404);
}

/* Of a supervisor's defaults it is known only at a start what ports there are. */
CLUSTER_TEST(ports, defaults_may_name_a_port_and_one_without_it_does_not_start)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	struct http_reply *child;

	expect_status(
		node_call(n, "PUT", "{\"child_defaults\":{\"env\":{\"P\":\"${HORDE_PORT_HTTP}\"}}}",
			"/v1/supervisors/team"),
		201);
	expect_status(
		node_call(n, "PUT",
			"{\"command\":[\"/bin/sleep\",\"1000\"],\"ports\":[{\"name\":\"http\"}]}",
			"/v1/supervisors/team/children/with"),
		201);
	expect_status(node_call(n, "PUT", SLEEPER, "/v1/supervisors/team/children/without"), 201);
	child = node_call(n, "GET", NULL, "/v1/supervisors/team/children/without");
	CHECK_STR(json_str(child->json, "status.error"), "expand: no HORDE_PORT_HTTP");
}
