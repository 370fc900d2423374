/* One encoding for all who wait for the same thing. */
#include <sys/resource.h>

#include "tests/unit/api/served.h"

TestSuite(share, .init = served_setup, .fini = served_stop, .timeout = 60);

#define OLD "0000000000000000" /* the version that /value has at first */
#define NEW "0000000000000001"
#define WAIT "GET /value?wait=60s&since="
#define WAKE "POST /wake/value"

static int park(const char *what, const char *headers)
{
	size_t before = http_parked(served.http);
	int fd = served_connect();

	send_request(fd, what, headers, NULL);
	wait_parked(before + 1);
	return fd;
}

/* The answer, which is valid until the next one. */
static const struct answer *answer(int fd)
{
	struct answer *a = receive(fd, false);

	close(fd);
	return a;
}

static void request_id(const struct answer *a, char ret[40])
{
	const char *at = strcasestr(a->bytes, "\r\nHorde-Request-Id: ");

	cr_assert(at);
	snprintf(ret, 40, "%.*s", (int)strcspn(at + 2, "\r"), at + 2);
}

Test(share, all_who_wait_for_it_get_the_same_bytes)
{
	enum { COUNT = 300 };
	int fds[COUNT];
	char ids[COUNT][40];

	for (int i = 0; i < COUNT; i++)
		fds[i] = park(WAIT OLD, "");
	ask(WAKE, "", NULL);
	for (int i = 0; i < COUNT; i++) {
		const struct answer *a = answer(fds[i]);

		cr_assert_eq(a->status, 200);
		cr_assert_str_eq(a->body, "{\"value\":1,\"etag\":\"" NEW "\"}");
		cr_assert(says(a, "\r\nETag: \"" NEW "\"\r\n"), "%s", a->bytes);
		cr_assert(says(a, "\r\nHorde-Changed: true\r\n"), "%s", a->bytes);
		cr_assert(says(a, "\r\nContent-Type: application/json\r\n"), "%s", a->bytes);
		request_id(a, ids[i]);
		cr_assert(i == 0 || strcmp(ids[i], ids[i - 1]) != 0, "each is a request");
	}
	cr_expect_eq(served.encodings, 1);
}

/* Who was parked last is woken first, and encodes for all. */
Test(share, each_says_by_itself_which_version_it_has_and_how_long_it_waits)
{
	static const struct {
		const char *what, *headers;
		bool changed; /* it is told so */
	} rows[] = {{WAIT OLD, "", true}, {"GET /value?since=" OLD "&wait=50s", "", true},
		{"GET /value?wait=60s", "If-None-Match: \"" OLD "\"\r\n", false},
		{"GET /value", "Prefer: wait=60\r\nIf-None-Match: W/\"" OLD "\"\r\n", false}};
	const struct answer *a;
	int fds[4];

	for (int first = 0; first < 4; first++) {
		served.encodings = 0;
		served.value = 0;
		for (int i = 0; i < 4; i++)
			fds[i] = park(rows[(first + i) % 4].what, rows[(first + i) % 4].headers);
		ask(WAKE, "", NULL);
		for (int i = 0; i < 4; i++) {
			a = answer(fds[i]);
			cr_expect_eq(a->status, 200, "%s", a->bytes);
			cr_expect(says(a, "\"value\":1"), "%s", a->bytes);
			cr_expect_eq(says(a, "Horde-Changed"), rows[(first + i) % 4].changed,
				"%d %d: %s", first, i, a->bytes);
		}
		cr_expect_eq(served.encodings, 1);
	}
}

Test(share, who_has_the_new_version_already_waits_on)
{
	int has, lacks[2];

	served.value = 1;
	lacks[0] = served_connect(), lacks[1] = served_connect();
	has = park(WAIT NEW, "");
	served.value = 0;
	for (int i = 0; i < 2; i++) {
		send_request(lacks[i], WAIT OLD, "", NULL);
		wait_parked((size_t)i + 2);
	}
	ask(WAKE, "", NULL);
	for (int i = 0; i < 2; i++)
		cr_expect(says(answer(lacks[i]), "\"value\":1"));
	cr_expect_eq(http_parked(served.http), 1, "it has nothing new to be told");
	ask(WAKE, "", NULL);
	cr_expect(says(answer(has), "\"value\":2"));
}

Test(share, another_question_has_its_own_answer)
{
	int plain[] = {park(WAIT OLD, ""), park(WAIT OLD, "")};
	int pretty[] = {park(WAIT OLD "&pretty", ""), park(WAIT OLD "&pretty", "")};
	int head = park("HEAD /value?wait=60s&since=" OLD, "");

	ask(WAKE, "", NULL);
	for (int i = 0; i < 2; i++) {
		cr_expect_str_eq(answer(plain[i])->body, "{\"value\":1,\"etag\":\"" NEW "\"}");
		cr_expect(says(answer(pretty[i]), "{\n  \"value\": 1,"));
	}
	cr_expect_eq(receive(head, true)->status, 200);
	close(head);
	cr_expect_leq(served.encodings, 3);
	served.encodings = 0;
	plain[0] = park("GET /value?wait=60s&a=1&since=" NEW, "");
	plain[1] = park("GET /value?wait=60s&b=1&since=" NEW, "");
	ask(WAKE, "", NULL);
	for (int i = 0; i < 2; i++)
		cr_expect(says(answer(plain[i]), "\"value\":2"));
	cr_expect_eq(served.encodings, 2);
}

/* Those who were parked last are woken first. */
Test(share, what_changes_in_between_is_shared_no_longer)
{
	int before = park(WAIT OLD, ""), bump, after;

	bump = served_connect();
	send_request(bump, "POST /bump", "", NULL);
	wait_parked(2);
	after = park(WAIT OLD, "");
	ask(WAKE, "", NULL);
	cr_expect(says(answer(after), "\"value\":1"));
	cr_expect(says(answer(before), "\"value\":2"));
	cr_expect_eq(answer(bump)->status, 204);
}

/* More than are run in one go, and others have their turn in between. */
Test(share, thousands_are_woken_by_one_change)
{
	enum { COUNT = 5000 };
	static int fds[COUNT];

	for (int i = 0; i < COUNT; i++) {
		fds[i] = served_connect();
		send_request(fds[i], WAIT OLD, "", NULL);
	}
	wait_parked(COUNT);
	ask(WAKE, "", NULL);
	for (int i = 0; i < COUNT; i++)
		cr_assert(says(answer(fds[i]), "\"value\":1"));
	cr_expect_leq(served.encodings, COUNT / HTTP_WOKEN_MAX + 1, "%d", served.encodings);
}

Test(share, thousands_that_hang_up_at_once_are_noticed)
{
	enum { COUNT = 5000 };
	static int fds[COUNT];

	for (int i = 0; i < COUNT; i++) {
		fds[i] = served_connect();
		send_request(fds[i], WAIT OLD, "", NULL);
	}
	wait_parked(COUNT);
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	wait_parked(0);
	wait_idle();
	cr_expect_eq(served.encodings, 0);
}

/* ---- where there are few files ---- */

TestSuite(few_files, .timeout = 60);

Test(few_files, there_are_fewer_slots)
{
	enum { FILES = 800 };
	struct rlimit files;
	static int fds[FILES];
	unsigned slots = FILES / 2 * HTTP_PARKED_MAX / HTTP_CONNECTIONS_MAX;
	struct answer *a;
	char text[60];

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = FILES;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	served_setup();
	files.rlim_cur = files.rlim_max; /* for the clients, which are in this process too */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (unsigned i = 0; i < slots; i++)
		fds[i] = park(WAIT OLD, "");
	a = ask(WAIT OLD, "", NULL);
	cr_expect_eq(a->status, 503, "%s", a->bytes);
	snprintf(text, sizeof(text), "%u requests wait already", slots);
	cr_expect(says(a, text), "%s", a->bytes);
	cr_expect_eq(ask("GET /value", "", NULL)->status, 200, "others go on");
	for (unsigned i = 0; i < slots; i++)
		close(fds[i]);
	served_stop();
}
