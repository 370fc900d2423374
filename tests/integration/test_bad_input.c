/* Bad input is refused whole: every fault named, nothing started, nothing written. One daemon. */
#include "tests/integration/suite.h"

SUITE(bad_input);

enum { DEEP = 100, RAW_BYTES = 65536 };

#define BY_ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"

static struct node *one(void)
{
	return &cluster_start(1, NULL)->nodes[0];
}

/* Nothing was started, nothing was written. */
static void untouched(const struct node *at)
{
	struct http_reply *count = node_call(at, "GET", NULL, "/v1/supervisors/default/count");

	CHECK_INT(json_number_at(expect_status(count, 200)->json, "specs"), 0);
	count = node_call(at, "GET", NULL, "/v1/registries/default/count");
	CHECK_INT(json_number_at(expect_status(count, 200)->json, "count"), 0);
	CHECK_INT(json_array_size(json_at(node_call(at, "GET", NULL, META)->json, "items")), 0);
	CHECK_INT(children_processes("sleep"), 0);
}

CLUSTER_TEST(bad_input, s007_what_is_not_json_is_400)
{
	static const char *const bodies[] = {"", " ", "{", "{\"command\":[\"/bin/sleep\",\"1000\"]",
		"nonsense", "{'a':1}", "{\"command\":[\"/bin/sleep\",]}", "{\"a\":1}{\"b\":2}",
		"{\"a\":01}", "[1,2", "\"abc", "{\"a\":\"\xff\xfe\"}", "{\"a\":\"\\ud800\"}",
		"{\"a\":1,\"a\":2", NULL};
	struct node *n1 = one();

	for (int i = 0; bodies[i]; i++) {
		struct http_request request = {.method = "PUT", .body = bodies[i]};

		request.url = node_url(n1, CHILDREN "/web");
		expect_problem(http_send(&request), 400, "bad-json|bad-request");
		request.url = node_url(n1, ENTRIES "/a");
		expect_problem(http_send(&request), 400, "bad-json|bad-request");
		request.url = node_url(n1, META "/a");
		expect_problem(http_send(&request), 400, "bad-json|bad-request");
	}
	untouched(n1);
}

CLUSTER_TEST(bad_input, s007_json_too_deep_is_refused)
{
	struct node *n1 = one();
	char body[64 + 2 * DEEP];
	int used = sprintf(body, "{\"value\":");
	struct http_reply *reply;

	memset(body + used, '[', DEEP);
	memset(body + used + DEEP, ']', DEEP);
	strcpy(body + used + 2 * DEEP, "}");
	reply = node_call(n1, "PUT", body, META "/deep");
	CHECK(reply->status == 400 || reply->status == 413 || reply->status == 422, "gave %ld: %s",
		reply->status, reply->body);
	expect_problem(reply, reply->status, NULL);
	untouched(n1);
}

CLUSTER_TEST(bad_input, s007_numbers_json_can_say_but_c_cannot)
{
	static const char *const values[] = {"1e400", "9223372036854775808", "\"\\u0000\"", NULL};
	struct node *n1 = one();

	for (int i = 0; values[i]; i++) {
		struct http_reply *reply =
			node_call(n1, "PUT", text_of("{\"value\":%s}", values[i]), META "/number");

		CHECK(reply->status == 400 || reply->status == 422, "%s gave %ld: %s", values[i],
			reply->status, reply->body);
		expect_problem(reply, reply->status, NULL);
	}
	untouched(n1);
}

CLUSTER_TEST(bad_input, s007_every_fault_of_a_spec_is_named)
{
	static const struct {
		const char *spec, *pointer;
	} rows[] = {{"{}", "/command"}, {"[]", ""}, {"5", ""}, {"null", ""}, {"\"text\"", ""},
		{"{\"command\":[]}", "/command"}, {"{\"command\":\"sleep 1000\"}", "/command"},
		{"{\"command\":[\"/bin/sleep\",1000]}", "/command/1"},
		{"{\"command\":[\"sleep\"],\"restart\":\"sometimes\"}", "/restart"},
		{"{\"command\":[\"sleep\"],\"restart\":5}", "/restart"},
		{"{\"command\":[\"sleep\"],\"max_restarts\":-1}", "/max_restarts"},
		{"{\"command\":[\"sleep\"],\"max_restarts\":1.5}", "/max_restarts"},
		{"{\"command\":[\"sleep\"],\"max_restarts\":\"3\"}", "/max_restarts"},
		{"{\"command\":[\"sleep\"],\"max_seconds\":0}", "/max_seconds"},
		{"{\"command\":[\"sleep\"],\"on_max_restarts\":\"panic\"}", "/on_max_restarts"},
		{"{\"command\":[\"sleep\"],\"shutdown\":{\"timeout_ms\":-5}}",
			"/shutdown/timeout_ms"},
		{"{\"command\":[\"sleep\"],\"shutdown\":{\"timeout_ms\":86400001}}",
			"/shutdown/timeout_ms"},
		{"{\"command\":[\"sleep\"],\"shutdown\":{\"signal\":\"WHAT\"}}",
			"/shutdown/signal"},
		{"{\"command\":[\"sleep\"],\"shutdown\":7}", "/shutdown"},
		{"{\"command\":[\"sleep\"],\"backoff\":{\"factor\":0}}", "/backoff/factor"},
		{"{\"command\":[\"sleep\"],\"backoff\":{\"initial\":1}}", "/backoff/initial"},
		{"{\"command\":[\"sleep\"],\"env\":{\"A\":1}}", "/env/A"},
		{"{\"command\":[\"sleep\"],\"env\":[]}", "/env"},
		{"{\"command\":[\"sleep\"],\"cwd\":\"relative\"}", "/cwd"},
		{"{\"command\":[\"sleep\"],\"cwd\":null}", "/cwd"},
		{"{\"command\":[\"sleep\"],\"success_exit_codes\":[0,256]}",
			"/success_exit_codes/1"},
		{"{\"command\":[\"sleep\"],\"nonsense\":1}", "/nonsense"},
		{"{\"command\":[\"sleep\"],\"a/b~c\":1}", "/a~1b~0c"}};
	struct node *n1 = one();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_reply *reply = child_put(n1, "web", rows[i].spec);

		CHECK_INT(reply->status, 422);
		expect_fault(expect_problem(reply, 422, "invalid-spec"), rows[i].pointer);
		reply = node_call(n1, "POST", rows[i].spec, CHILDREN);
		expect_fault(expect_problem(reply, 422, "invalid-spec"), rows[i].pointer);
	}
	untouched(n1);
}

CLUSTER_TEST(bad_input, s007_all_faults_come_in_one_answer)
{
	struct node *n1 = one();
	struct http_reply *reply;

	reply = child_put(n1, "web",
		"{\"comand\":[\"sleep\"],\"restart\":\"maybe\",\"max_restarts\":-1,"
		"\"shutdown\":{\"timeout_ms\":\"5s\",\"sginal\":\"TERM\"}}");
	expect_problem(reply, 422, "invalid-spec");
	expect_fault(reply, "/command");
	expect_fault(reply, "/comand");
	expect_fault(reply, "/restart");
	expect_fault(reply, "/max_restarts");
	expect_fault(reply, "/shutdown/timeout_ms");
	expect_fault(reply, "/shutdown/sginal");
	CHECK_INT(json_array_size(json_at(reply->json, "errors")), 6);
	untouched(n1);
}

CLUSTER_TEST(bad_input, faults_of_entries_are_named)
{
	static const struct {
		const char *body, *pointer;
	} rows[] = {{"{}", "/owner"}, {"{\"value\":1}", "/owner"},
		{"{\"value\":1,\"owner\":5}", "/owner"},
		{"{\"value\":1,\"owner\":{}}", "/owner/kind"},
		{"{\"value\":1,\"owner\":{\"kind\":\"static\"}}", "/owner/id"},
		{"{\"value\":1,\"owner\":{\"kind\":\"ghost\",\"id\":\"x\"}}", "/owner/kind"},
		{"{\"value\":1,\"owner\":{\"kind\":\"static\",\"id\":\"\"}}", "/owner/id"},
		{"{\"value\":1,\"owner\":{\"kind\":\"static\",\"id\":\"x\",\"y\":1}}", "/owner/y"},
		{"{\"value\":1,\"valeu\":2," BY_ALICE "}", "/valeu"}};
	struct node *n1 = one();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_reply *reply = node_call(n1, "PUT", rows[i].body, ENTRIES "/a");

		expect_fault(expect_problem(reply, 422, "invalid-spec"), rows[i].pointer);
	}
	expect_problem(node_call(n1, "PUT",
			       "{\"value\":1,\"owner\":{\"kind\":\"child\","
			       "\"id\":\"default/none\"}}",
			       ENTRIES "/a"),
		422, NULL);
	expect_fault(expect_problem(node_call(n1, "PUT", "{}", META "/a"), 422, "invalid-spec"),
		"/value");
	untouched(n1);
}

CLUSTER_TEST(bad_input, s006_ids_outside_their_pattern_are_422)
{
	static const char *const ids[] = {"-web", "web-", ".web", "web.", "a:b", "a%20b", "a%2Fb",
		"gr%C3%BCn", "_web", "web_", NULL};
	struct node *n1 = one();
	char longest[130];

	for (int i = 0; ids[i]; i++) {
		struct http_reply *reply = child_put(n1, ids[i], SLEEPER);

		expect_problem(reply, 422, "invalid-spec");
		expect_problem(
			node_call(n1, "GET", NULL, CHILDREN "/%s", ids[i]), 422, "invalid-spec");
	}
	memset(longest, 'x', 129);
	longest[129] = '\0';
	expect_problem(child_put(n1, longest, SLEEPER), 422, "invalid-spec");
	untouched(n1);
	longest[128] = '\0';
	child_start(n1, longest, SLEEPER);
}

CLUSTER_TEST(bad_input, broken_percent_encoding_is_400)
{
	static const char *const paths[] = {CHILDREN "/a%", CHILDREN "/a%2", CHILDREN "/a%zz",
		CHILDREN "/%g0", ENTRIES "/%", ENTRIES "/a%1", META "/%%", NULL};
	struct node *n1 = one();

	for (int i = 0; paths[i]; i++) {
		expect_problem(node_call(n1, "PUT", SLEEPER, "%s", paths[i]), 400, "bad-escape");
		expect_problem(node_call(n1, "GET", NULL, "%s", paths[i]), 400, "bad-escape");
	}
	untouched(n1);
}

CLUSTER_TEST(bad_input, command_and_env_have_a_limit)
{
	struct node *n1 = one();
	char *body = malloc(200 * 1024);
	int used = sprintf(body, "{\"command\":[\"/bin/sleep\",\"");

	memset(body + used, '1', 140 * 1024);
	strcpy(body + used + 140 * 1024, "\"]}");
	CHECK(child_put(n1, "web", body)->status / 100 == 4, "140 KiB of command were taken");
	used = sprintf(body, "{\"command\":[\"/bin/sleep\",\"1000\"],\"env\":{\"A\":\"");
	memset(body + used, '1', 140 * 1024);
	strcpy(body + used + 140 * 1024, "\"}}");
	expect_problem(child_put(n1, "web", body), 422, "invalid-spec");
	free(body);
	untouched(n1);
}

CLUSTER_TEST(bad_input, nul_bytes_never_reach_exec)
{
	struct node *n1 = one();

	CHECK(child_put(n1, "web", "{\"command\":[\"/bin/sleep\\u0000x\",\"1\"]}")->status / 100 ==
			4,
		"a NUL in a command was taken");
	CHECK(child_put(n1, "web",
		      "{\"command\":[\"/bin/sleep\",\"1\"],\"env\":{\"A\\u0000\":\"b\"}}")
					->status /
				100 ==
			4,
		"a NUL in an environment was taken");
	expect_problem(
		child_put(n1, "web", "{\"command\":[\"/bin/sleep\"],\"env\":{\"A=B\":\"c\"}}"), 422,
		"invalid-spec");
	expect_problem(child_put(n1, "web", "{\"command\":[\"/bin/sleep\"],\"env\":{\"\":\"c\"}}"),
		422, "invalid-spec");
	untouched(n1);
}

/* Requests that are hardly HTTP; whatever is answered, the daemon goes on. */
CLUSTER_TEST(bad_input, rubbish_on_the_wire_ends_nothing)
{
	static const char *const rubbish[] = {"\r\n\r\n", "GET\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
		"PUT /v1/node HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"PUT " CHILDREN
		"/web HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999\r\n\r\n{",
		"PUT " CHILDREN
		"/web HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\n{\"comm",
		NULL};
	static char out[RAW_BYTES];
	static char longest[40000];
	struct node *n1 = one();

	for (int i = 0; rubbish[i]; i++)
		http_raw(n1->port, rubbish[i], strlen(rubbish[i]), out, sizeof out, 200);
	memset(longest, 'a', sizeof longest - 1);
	memcpy(longest, "GET /v1/", 8);
	http_raw(n1->port, longest, strlen(longest), out, sizeof out, 500);
	memcpy(longest, "GET /v1/node HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", 44);
	http_raw(n1->port, longest, strlen(longest), out, sizeof out, 500);
	untouched(n1);
	CHECK(procs_alive(n1->pid), "the daemon has ended");
}
