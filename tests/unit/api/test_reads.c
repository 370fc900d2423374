/* ETags, blocking reads, preconditions, Horde-Min-Dot, pages. */
#include "tests/unit/api/served.h"

#define JSON "Content-Type: application/json\r\n"
#define ETAG0 "\"0000000000000000\""
#define ETAG1 "\"0000000000000001\""

TestSuite(reads, .init = served_setup, .fini = served_stop, .timeout = 60);

static int park(const char *what, const char *headers)
{
	int fd = served_connect();

	send_request(fd, what, headers, NULL);
	wait_parked(1);
	return fd;
}

Test(reads, a_known_version_is_304_and_another_is_200)
{
	struct answer *a = ask("GET /value", "If-None-Match: " ETAG0 "\r\n", NULL);

	cr_expect_eq(a->status, 304);
	cr_expect(says(a, "\r\nETag: " ETAG0 "\r\n"));
	cr_expect_eq(
		ask("GET /value", "If-None-Match: " ETAG1 ", W/" ETAG0 "\r\n", NULL)->status, 304);
	cr_expect_eq(ask("GET /value", "If-None-Match: *\r\n", NULL)->status, 304);
	cr_expect_eq(ask("HEAD /value", "If-None-Match: " ETAG0 "\r\n", NULL)->status, 304);
	a = ask("GET /value", "If-None-Match: " ETAG1 "\r\n", NULL);
	cr_expect_eq(a->status, 200);
	cr_expect(says(a, "\r\nETag: " ETAG0 "\r\n"));
	cr_expect(says(a, "{\"value\":0,\"etag\":" ETAG0 "}"));
}

Test(reads, a_blocking_read_answers_when_the_content_differs)
{
	static const char *const ways[][2] = {
		{"GET /value?wait=60s", "If-None-Match: " ETAG0 "\r\n"},
		{"GET /value", "Prefer: respond-async, wait=60\r\nIf-None-Match: " ETAG0 "\r\n"},
		{"GET /value?since=0000000000000000&wait=60s", ""},
		{"GET /value?since=%220000000000000000%22&wait=60s", ""},
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct answer *a;
		int fd;

		served.value = 0;
		fd = park(ways[i][0], ways[i][1]);
		ask("POST /wake/value", "", NULL);
		a = receive(fd, false);
		cr_expect_eq(a->status, 200, "way %zu", i);
		cr_expect(says(a, "\"value\":1"), "way %zu", i);
		cr_expect_eq(says(a, "\r\nHorde-Changed: true\r\n"), i > 1, "way %zu", i);
		close(fd);
	}
}

Test(reads, a_wake_that_changes_nothing_is_not_answered)
{
	int fd = park("GET /value?wait=60s", "If-None-Match: " ETAG0 "\r\n");

	served.value = -1; /* the wake makes it 0 again */
	ask("POST /wake/value", "", NULL);
	ask("GET /value", "", NULL);
	cr_expect_eq(http_parked(served.http), 1);
	ask("POST /wake/value", "", NULL);
	cr_expect_eq(receive(fd, false)->status, 200);
	close(fd);
}

Test(reads, at_the_end_of_the_wait_it_is_304_or_an_unchanged_200)
{
	struct answer *a = ask("GET /value?wait=30ms", "If-None-Match: " ETAG0 "\r\n", NULL);

	cr_expect_eq(a->status, 304);
	a = ask("GET /value?wait=30ms&since=0000000000000000", "", NULL);
	cr_expect_eq(a->status, 200);
	cr_expect(says(a, "\r\nHorde-Changed: false\r\n"));
	cr_expect(says(a, "\"value\":0"));
}

Test(reads, one_can_wait_for_something_to_appear)
{
	struct answer *a = ask("GET /entries/a", "", NULL);
	int fd;

	cr_expect_eq(a->status, 404);
	cr_expect(says(a, "\r\nETag: " ETAG0 "\r\n"));
	cr_expect(says(a, "\"etag\":" ETAG0));
	cr_expect_eq(ask("GET /entries/a?wait=30ms", "", NULL)->status, 404);
	fd = park("GET /entries/a?wait=60s", "");
	ask("POST /present", "", NULL);
	a = receive(fd, false);
	cr_expect_eq(a->status, 200);
	cr_expect(says(a, "{\"etag\":\"0000000000000001-0000000000000002\"}"));
	close(fd);
	fd = park("GET /entries/a?wait=60s",
		"If-None-Match: \"0000000000000001-0000000000000002\"\r\n");
	ask("POST /present?is=false", "", NULL);
	cr_expect_eq(receive(fd, false)->status, 404, "and for it to vanish");
	close(fd);
}

Test(reads, conditions_of_writes_compare_the_first_part)
{
	static const char body[] = "{\"value\":1}";
	static const char same[] = JSON "If-Match: \"0000000000000001-0000000000000009\"\r\n";
	struct answer *a;

	cr_expect_eq(ask("PUT /entries/a", JSON "If-None-Match: *\r\n", body)->status, 201);
	a = ask("PUT /entries/a", same, body);
	cr_expect_eq(a->status, 412);
	served.present = true;
	cr_expect_eq(ask("PUT /entries/a", same, body)->status, 201);
	cr_expect_eq(ask("PUT /entries/a", JSON "If-Match: *\r\n", body)->status, 201);
	a = ask("PUT /entries/a", JSON "If-None-Match: *\r\n", body);
	cr_expect_eq(a->status, 412);
	cr_expect(says(a, "\r\nETag: \"0000000000000001-0000000000000002\"\r\n"));
	a = ask("PUT /entries/a", JSON "If-Match: \"0000000000000002-0000000000000002\"\r\n", body);
	cr_expect_eq(a->status, 412);
	cr_expect(says(a, "etag-mismatch"));
}

Test(reads, a_read_waits_for_the_dots_it_names)
{
	struct answer *a;
	int fd;

	cr_expect_eq(ask("GET /value", "Horde-Min-Dot: x\r\n", NULL)->status, 400);
	a = ask("GET /value?wait=30ms", "Horde-Min-Dot: a:1\r\n", NULL);
	cr_expect_eq(a->status, 504);
	cr_expect(says(a, "not-yet-replicated"));
	fd = park("GET /value?wait=60s", "Horde-Min-Dot: a:1\r\n");
	ask("POST /dots/a:1", "", NULL);
	cr_expect_eq(receive(fd, false)->status, 200);
	cr_expect_eq(ask("GET /value", "Horde-Min-Dot: a:1\r\n", NULL)->status, 200);
	close(fd);
}

Test(reads, dots_may_come_in_several_headers)
{
	static const char *const bad[] = {"Horde-Min-Dot: a:1\r\nhorde-min-dot: x\r\n",
		"Horde-Min-Dot: x\r\nHorde-Min-Dot: a:1\r\n"};
	static const char *const more[] = {"Horde-Min-Dot: a:1\r\nhorde-min-dot: b:1\r\n",
		"Horde-Min-Dot: b:1\r\nHorde-Min-Dot: a:1\r\n"};

	ask("POST /dots/a:1", "", NULL);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(ask("GET /value?wait=10ms", bad[i], NULL)->status, 400, "%s", bad[i]);
		cr_expect_eq(
			ask("GET /value?wait=10ms", more[i], NULL)->status, 504, "%s", more[i]);
	}
	cr_expect_eq(
		ask("GET /value", "Horde-Min-Dot: a:1\r\nHorde-Min-Dot: a:1\r\n", NULL)->status,
		200);
}

Test(reads, dots_mean_nothing_where_the_document_does_not_speak_of_them)
{
	cr_expect_eq(ask("GET /owned", "Horde-Min-Dot: a:1\r\n", NULL)->status, 409);
	cr_expect_eq(ask("GET /owned", "Horde-Min-Dot: x\r\n", NULL)->status, 409);
	cr_expect_eq(ask("POST /wake/a", "Horde-Min-Dot: a:1\r\n", "")->status, 204);
}

/* The text behind `before` up to the next `end`. */
static const char *cut(const struct answer *a, const char *before, char end)
{
	static char text[400];
	const char *from = strstr(a->bytes, before);

	text[0] = '\0';
	if (from)
		snprintf(text, sizeof(text), "%s", from + strlen(before));
	text[strcspn(text, (char[]){end, 0})] = '\0';
	return text;
}

Test(reads, pages_follow_each_other_until_the_end)
{
	char url[500] = "GET /numbers?limit=4&state=up";
	static const char *const pages[] = {
		"[\"0\",\"1\",\"2\",\"3\"]", "[\"4\",\"5\",\"6\",\"7\"]", "[\"8\",\"9\"]"};

	for (int i = 0; i < 3; i++) {
		struct answer *a = ask(url, "", NULL);

		cr_assert_eq(a->status, 200, "%s", a->bytes);
		cr_expect(says(a, pages[i]), "page %d: %s", i, a->bytes);
		cr_expect_eq(says(a, "next_cursor"), i < 2);
		cr_expect_eq(says(a, "rel=\"next\""), i < 2);
		snprintf(url, sizeof(url), "GET %s", cut(a, "\r\nLink: <", '>'));
	}
}

Test(reads, a_cursor_belongs_to_its_filters)
{
	char cursor[200], url[500];

	snprintf(cursor, sizeof(cursor), "%s",
		cut(ask("GET /numbers?limit=4&state=up", "", NULL), "\"next_cursor\":\"", '"'));
	snprintf(url, sizeof(url), "GET /numbers?limit=2&state=up&cursor=%s", cursor);
	cr_expect_eq(ask(url, "", NULL)->status, 200, "another limit is fine");
	snprintf(url, sizeof(url), "GET /numbers?limit=4&state=down&cursor=%s", cursor);
	cr_expect_eq(ask(url, "", NULL)->status, 400);
	snprintf(url, sizeof(url), "GET /numbers?limit=4&cursor=%s", cursor);
	cr_expect(says(ask(url, "", NULL), "bad-cursor"));
}
