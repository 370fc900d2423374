/* Parked requests: what wakes them, what ends them, what they leave behind. */
#include "tests/unit/api/served.h"

TestSuite(wait, .init = served_setup, .fini = served_stop, .timeout = 60);

static int park(const char *what)
{
	size_t before = http_parked(served.http);
	int fd = served_connect();

	send_request(fd, what, "", NULL);
	wait_parked(before + 1);
	return fd;
}

static const char *body_of(int fd)
{
	return receive(fd, false)->body;
}

Test(wait, a_key_wakes_exactly_its_watchers)
{
	int a = park("GET /wait?key=a/b&wait=60s");
	int ab = park("GET /wait?key=a/b/c&wait=60s");
	int other = park("GET /wait?key=a&wait=300ms");

	ask("POST /wake/a%2Fb", "", NULL);
	cr_expect_str_eq(body_of(a), "woken");
	cr_expect_str_eq(body_of(other), "expired");
	cr_expect_eq(http_parked(served.http), 1);
	ask("POST /wake/a%2Fb%2Fc", "", NULL);
	cr_expect_str_eq(body_of(ab), "woken");
	close(a), close(ab), close(other);
}

Test(wait, a_prefix_wakes_on_every_key_below_it)
{
	static const struct {
		const char *prefix, *key;
		bool wakes;
	} rows[] = {
		{"a%2Fb%2F", "a%2Fb%2Fc", true},
		{"a%2Fb%2Fc", "a%2Fb%2Fcde", true},
		{"a%2Fb%2Fc", "a%2Fb%2Fc", true},
		{"a%2Fb", "a%2Fb%2Fc%2Fd", true},
		{"", "a", true},
		{"", "a%2Fb", true},
		{"a", "ab", true},
		{"a%2Fb%2F", "a%2Fb", false},
		{"a%2Fb%2Fc", "a%2Fb%2Fd", false},
		{"b", "a%2Fb", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char url[100];
		int fd;

		snprintf(url, sizeof(url), "GET /wait?prefix=%s&wait=%s", rows[i].prefix,
			rows[i].wakes ? "60s" : "100ms");
		fd = park(url);
		snprintf(url, sizeof(url), "POST /wake/%s", rows[i].key);
		ask(url, "", NULL);
		cr_expect_str_eq(body_of(fd), rows[i].wakes ? "woken" : "expired", "row %zu", i);
		close(fd);
	}
}

Test(wait, a_deadline_ends_the_wait_and_the_state_is_freed)
{
	cr_expect_str_eq(ask("GET /wait?key=a&wait=30ms", "", NULL)->body, "expired");
	cr_expect_eq(served.runs, 2);
	wait_idle();
	cr_expect_eq(served.freed, 1);
}

Test(wait, a_client_that_goes_away_frees_its_slot)
{
	int fd = park("GET /wait?key=a&wait=60s");

	close(fd);
	wait_parked(0);
	wait_idle();
	cr_expect_eq(served.freed, 1);
	cr_expect_eq(served.runs, 1, "the handler was not called for nobody");
	ask("POST /wake/a", "", NULL);
	cr_expect_eq(served.runs, 1);
}

Test(wait, a_connection_serves_on_after_it_was_parked)
{
	int fd = served_connect();

	for (int i = 0; i < 20; i++) {
		send_request(fd, "GET /wait?key=a&wait=60s", "", NULL);
		wait_parked(1);
		ask("POST /wake/a", "", NULL);
		cr_assert_str_eq(body_of(fd), "woken");
		send_request(fd, "GET /value", "", NULL);
		cr_assert_eq(receive(fd, false)->status, 200);
	}
	close(fd);
}

Test(wait, many_are_woken_by_one_change)
{
	enum { COUNT = 300 };
	int fds[COUNT];

	for (int i = 0; i < COUNT; i++)
		fds[i] =
			park(i % 2 ? "GET /wait?key=a/b&wait=60s" : "GET /wait?prefix=a/&wait=60s");
	ask("POST /wake/a%2Fb", "", NULL);
	for (int i = 0; i < COUNT; i++) {
		cr_assert_str_eq(body_of(fds[i]), "woken");
		close(fds[i]);
	}
	cr_expect_eq(served.runs, 2 * COUNT);
}

Test(wait, a_durable_write_is_answered_when_its_batch_is_settled)
{
	int seven = park("PUT /durable?batch=7");
	int five = park("PUT /durable?batch=5");
	int nine = park("PUT /durable?batch=9");

	ask("POST /commit/6", "", NULL);
	cr_expect_eq(receive(five, false)->status, 204);
	ask("POST /commit/8?full", "", NULL);
	cr_expect_eq(receive(seven, false)->status, 507);
	cr_expect_eq(http_parked(served.http), 1);
	ask("POST /commit/9", "", NULL);
	cr_expect_eq(receive(nine, false)->status, 204);
	ask("POST /commit/3", "", NULL);
	cr_expect_eq(ask("PUT /durable?batch=9", "", NULL)->status, 204, "numbers never go back");
	cr_expect_eq(ask("PUT /durable?batch=6", "", NULL)->status, 204, "settled before");
	cr_expect_eq(ask("PUT /durable?batch=8", "", NULL)->status, 507);
	close(five), close(seven), close(nine);
}

Test(wait, parked_requests_have_a_limit)
{
	static int fds[HTTP_PARKED_MAX];
	struct answer *a;
	int write;

	for (unsigned i = 0; i < HTTP_PARKED_MAX; i++) {
		fds[i] = served_connect();
		send_request(fds[i], "GET /wait?key=a&wait=60s", "", NULL);
	}
	wait_parked(HTTP_PARKED_MAX);
	a = ask("GET /wait?key=a&wait=60s", "", NULL);
	cr_expect_eq(a->status, 503);
	cr_expect(says(a, "watch-slots-exhausted"));
	cr_expect(says(a, "\r\nRetry-After: 1\r\n"));
	cr_expect_eq(ask("GET /value", "", NULL)->status, 200, "plain requests go on");
	write = park("PUT /durable?batch=1");
	ask("POST /commit/1", "", NULL);
	cr_expect_eq(receive(write, false)->status, 204, "so do writes, which wait for the disk");
	close(write);
	a = ask("PUT /durable?batch=9&patient", "", NULL);
	cr_expect_eq(a->status, 503, "but not one that has longer to wait");
	cr_expect(says(a, "watch-slots-exhausted"));
	close(fds[0]);
	wait_parked(HTTP_PARKED_MAX - 1);
	write = park("PUT /durable?batch=2&patient");
	ask("POST /commit/2", "", NULL);
	cr_expect_eq(receive(write, false)->status, 204);
	close(write);
	fds[0] = park("GET /wait?key=b&wait=60s");
	ask("POST /wake/a", "", NULL);
	for (unsigned i = 1; i < HTTP_PARKED_MAX; i++)
		cr_assert_str_eq(body_of(fds[i]), "woken");
	for (unsigned i = 0; i < HTTP_PARKED_MAX; i++)
		close(fds[i]);
}

Test(wait, a_server_that_stops_answers_its_parked_requests)
{
	int fd = park("GET /wait?key=a&wait=60s");
	struct answer *a;

	__atomic_store_n(&served.stop, true, __ATOMIC_RELEASE);
	a = receive(fd, false);
	cr_expect_eq(a->status, 503);
	cr_expect(says(a, "shutting-down"));
	cr_expect_not(says(a, "applied"));
	close(fd);
}

Test(wait, a_write_that_was_applied_is_said_to_be_when_its_wait_ends_badly)
{
	int stopped = park("PUT /durable?batch=8&applied");
	int full = park("PUT /durable?batch=7&applied");
	struct answer *a;

	ask("POST /commit/7?full", "", NULL);
	a = receive(full, false);
	cr_expect_eq(a->status, 507);
	cr_expect(says(a, "\"applied\":true"));
	__atomic_store_n(&served.stop, true, __ATOMIC_RELEASE);
	a = receive(stopped, false);
	cr_expect_eq(a->status, 503);
	cr_expect(says(a, "shutting-down"));
	cr_expect(says(a, "\"applied\":true"));
	close(stopped), close(full);
}
