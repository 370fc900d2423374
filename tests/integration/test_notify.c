/* Processes that tell of themselves: readiness, status, the watchdog, and who is not heard. */
#include "tests/integration/ready.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

SUITE(notify);

static void notify_from_test(const char *address, const char *text)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t bytes = strlen(address);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path + 1, address + 1, bytes - 1);
	CHECK(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&at,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)) > 0,
		"it is open to all");
	close(fd);
}

CLUSTER_TEST(notify, a_process_says_itself_that_it_is_ready_and_how_it_is)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *r;

	r = child_start(&c->nodes[0], "web",
		helper_spec(text_of("notify STATUS=warming up; await %s; notify STATUS=up|READY=1; "
				    "await %s; notify STOPPING=1",
				    in(c, "go"), in(c, "end")),
			NOTIFY ",\"shutdown\":{\"timeout_ms\":300}"));
	CHECK(!is_ready(r), "it did not say so");
	r = http_until_str(node_url(&c->nodes[1], CHILDREN "/web"), "status.status_text",
		"warming up", check_ms(CLUSTER_SOON_MS));
	CHECK(!is_ready(r), "still not");
	file_write(in(c, "go"), "", 0, 0600);
	wait_ready(&c->nodes[1], "web");
	r = http_until_str(node_url(&c->nodes[1], CHILDREN "/web"), "status.status_text", "up",
		check_ms(5000));
	CHECK(is_ready(r), "it said both at once");
	file_write(in(c, "end"), "", 0, 0600);
	http_until_str(node_url(&c->nodes[1], CHILDREN "/web/history"), "items.1.reason", "health",
		check_ms(20000));
}

CLUSTER_TEST(notify, a_word_comes_from_any_process_of_the_child)
{
	struct cluster *c = cluster_start(1, NULL);

	expect_status(
		put_until(&c->nodes[0], "fork", "ready", helper_spec("fork READY=1", NOTIFY)), 201);
}

CLUSTER_TEST(notify, nobody_speaks_for_another)
{
	struct cluster *c = cluster_start(1, NULL);
	const char *socket_file = in(c, "socket");
	char address[256] = "";
	struct http_reply *r;

	child_start(&c->nodes[0], "victim",
		helper_spec(text_of("tell %s; await %s; notify READY=1", socket_file, in(c, "go")),
			NOTIFY));
	CHECK(sscanf(file_wait(socket_file, 5000), "%255s", address) == 1 && address[0] == '@',
		"there is a socket");
	/* One that is heard itself, one that is not, and one that is no child. */
	expect_status(
		put_until(&c->nodes[0], "heard", "ready",
			helper_spec(text_of("to %s READY=1|STATUS=mine", socket_file), NOTIFY)),
		201);
	child_start(&c->nodes[0], "stranger",
		helper_spec(text_of("to %s READY=1|STOPPING=1|STATUS=bad; touch %s", socket_file,
				    in(c, "done")),
			NULL));
	file_wait(in(c, "done"), 5000);
	notify_from_test(address, "READY=1");
	r = http_until_str(node_url(&c->nodes[0], CHILDREN "/heard"), "status.status_text", "mine",
		check_ms(CLUSTER_SOON_MS));
	r = child_get(&c->nodes[0], "victim");
	CHECK(!is_ready(r), "somebody else said it");
	CHECK(!json_at(r->json, "status.status_text"), "and more");
	file_write(in(c, "go"), "", 0, 0600);
	wait_ready(&c->nodes[0], "victim");
}

CLUSTER_TEST(notify, a_silent_watchdog_ends_a_process_and_a_fed_one_does_not)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;
	char usec[64] = "", address[256];
	pid_t pid;

	r = child_start(&c->nodes[0], "web",
		helper_spec(text_of("tell %s; feed 100 %s", in(c, "socket"), in(c, "enough")),
			"\"watchdog_ms\":1000"));
	pid = (pid_t)json_number_at(r->json, "status.pid");
	CHECK_INT(sscanf(file_wait(in(c, "socket"), 5000), "%255s %63s", address, usec), 2);
	CHECK_STR(usec, "1000000");
	expect_problem(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/web/wait?until=exited&wait=2500ms"),
		504, "wait-timeout");
	r = child_get(&c->nodes[0], "web");
	CHECK_INT(json_number_at(r->json, "status.pid"), pid);
	file_write(in(c, "enough"), "", 0, 0600);
	child_until_new_pid(&c->nodes[0], "web", pid, 20000);
	r = node_call(&c->nodes[0], "GET", NULL, CHILDREN "/web/history");
	CHECK_STR(json_str(r->json, "items.1.reason"), "health");
	CHECK_STR(json_str(r->json, "items.1.error"), "watchdog: silent");
}

CLUSTER_TEST(notify, what_a_process_is_given_takes_a_new_one)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	child_start(&c->nodes[0], "web", helper_spec(text_of("tell %s", in(c, "a")), NULL));
	CHECK_STR(file_wait(in(c, "a"), 5000), "- -\n");
	CHECK_INT(unlink(in(c, "a")), 0);
	r = expect_status(
		node_call(&c->nodes[0], "PATCH", "{\"watchdog_ms\":86400000}", CHILDREN "/web"),
		200);
	CHECK_STR(json_str(r->json, "applied"), "replaced");
	CHECK(strstr(file_wait(in(c, "a"), 5000), " 86400000000\n"), "and the time");
}
