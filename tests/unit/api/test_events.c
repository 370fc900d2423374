/* What has happened: pages, topics, waiting, and streams of it. */
#include "tests/unit/api/scene.h"

#include "server/core/times.h"

TestSuite(events, .timeout = 60);

/* ---- what happens ---- */

static void put_meta(const char *key, const char *value)
{
	char full[KEY_BYTES_MAX];
	struct event e = {.kind = EVENT_PUT_META};

	snprintf(full, sizeof(full), "meta/default/%s", key);
	e.put.key = full;
	e.put.key_bytes = strlen(full);
	e.put.value = value;
	e.put.value_bytes = strlen(value);
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
	scene_store(ERR_OK);
}

static void put_many(const char *key, int count)
{
	char value[16];

	for (int i = 0; i < count; i++) {
		snprintf(value, sizeof(value), "%d", i);
		put_meta(key, value);
		if (i % 256 == 0)
			http_turn(scene.http);
	}
}

static void start(void)
{
	scene_start(1);
}

/* The id of the latest. */
static const char *latest(void)
{
	static char id[EVENT_ID_BYTES];
	const struct events *ev = horde_events(scene.service.horde);

	events_id(ev, events_last(ev), id);
	return id;
}

__attribute__((format(printf, 1, 2))) static const char *get_of(const char *format, ...)
{
	static char what[6000];
	va_list args;
	int used = snprintf(what, sizeof(what), "GET /v1/events");

	va_start(args, format);
	vsnprintf(what + used, sizeof(what) - (size_t)used, format, args);
	va_end(args);
	return what;
}

static size_t count_of(const struct answer *a, const char *text)
{
	size_t count = 0;

	for (const char *at = a->body; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static const char *next_after(const struct answer *a)
{
	static char id[EVENT_ID_BYTES];
	const char *at = strstr(a->body, "\"next_after\":\"");

	cr_assert(at, "%s", a->body);
	snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 14, "\""), at + 14);
	return id;
}

/* ---- pages ---- */

Test(events, pages_go_on_behind_each_other)
{
	struct answer *a;

	start();
	a = scene_ask(get_of("?from=now"));
	cr_expect(says(a, "{\"items\":[],\"next_after\":"), "%s", a->body);
	cr_expect_str_eq(next_after(a), latest());
	put_many("k", 5);
	a = scene_ask(get_of("?limit=2&after=%s", next_after(a)));
	cr_assert_eq(a->status, 200, "%s", a->bytes);
	cr_expect_eq(count_of(a, "\"meta.put\""), 2);
	cr_expect(says(a, "\"key\":\"k\",\"value\":0}") && says(a, "\"value\":1}"), "%s", a->body);
	cr_expect(says(a, "\"node\":\"n1\"}"));
	a = scene_ask(get_of("?after=%s", next_after(a)));
	cr_expect_eq(count_of(a, "\"meta.put\""), 3);
	cr_expect(says(a, "\"value\":2}") && says(a, "\"value\":4}"), "%s", a->body);
	cr_expect_str_eq(next_after(a), latest());
	a = scene_ask(get_of("?from=start"));
	cr_expect(says(a, "\"member.joined\"") && says(a, "\"value\":4}"), "%s", a->body);
	scene_end();
}

Test(events, topics_choose)
{
	static const struct {
		const char *topics;
		size_t count; /* of what is put below */
	} rows[] = {{"meta:default/web/1", 1}, {"meta:default/web/*", 2}, {"meta:default/web*", 3},
		{"meta:*", 5}, {"meta:default/web", 1}, {"meta:default/we", 0}, {"meta:other/*", 0},
		{"registry:*", 0}, {"member", 0}, {"meta:default/web/1,meta:default/web/2", 2},
		{"meta:default/web/1,meta:default/web*", 3}, {"meta:default/a%252Cb", 1},
		{"meta:default/a%252C*", 1}, {"meta:default/s%252A", 1}, {"meta:default/s*", 1},
		{"member,quorum,sync,storage,guardian,child:a/b,child:c/*,meta:default/web", 1},
		{"member,quorum,sync,storage,guardian,child:a/b,child:c/*,child:*,registry:*,"
		 "meta:default/web",
			1}};
	struct answer *a;

	start();
	put_meta("web", "1");
	put_meta("web/1", "1");
	put_meta("web/2", "1");
	put_meta("a,b", "1");
	put_meta("s*", "1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a = scene_ask(get_of("?topics=%s", rows[i].topics));
		cr_assert_eq(a->status, 200, "%s: %s", rows[i].topics, a->bytes);
		cr_expect_eq(count_of(a, "\"meta.put\""), rows[i].count, "%s: %s", rows[i].topics,
			a->body);
	}
	scene_end();
}

Test(events, what_is_no_topic_is_named)
{
	static const char *const bad[] = {"", "members", "child", "child:", "child:a", "child:/a",
		"child:a/", "registry:default", "*", "member*", "x:*", "meta:a/%25zz",
		"meta:a/%25ff", "meta:a/%2500", "member%20", "member,", ",member"};
	struct answer *a;

	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		a = scene_ask(get_of("?topics=%s", bad[i]));
		cr_expect_eq(a->status, 400, "%s: %s", bad[i], a->bytes);
		cr_expect(says(a, "\"code\":\"bad-query\""), "%s: %s", bad[i], a->body);
		a = scene_ask(get_of("/stream?topics=%s", bad[i]));
		cr_expect_eq(a->status, 400, "%s: %s", bad[i], a->bytes);
	}
	a = scene_ask(get_of("?topics=one,member,two"));
	cr_expect(says(a, "'one' is no topic") && says(a, "'two' is no topic"), "%s", a->body);
	a = scene_ask(get_of("?topics=%s%s", "sync,sync,sync,sync,sync,sync,sync,sync,",
		"sync,sync,sync,sync,sync,sync,sync,sync"));
	cr_expect_eq(a->status, 200, "sixteen");
	a = scene_ask(get_of("?topics=%s%s", "sync,sync,sync,sync,sync,sync,sync,sync,sync,",
		"sync,sync,sync,sync,sync,sync,sync,sync"));
	cr_expect_eq(a->status, 400, "seventeen");
	cr_expect(says(a, "\"too-many\""), "%s", a->body);
	scene_end();
}

Test(events, what_is_not_kept_or_not_of_this_life_is_gone)
{
	char first[EVENT_ID_BYTES];
	struct answer *a;

	start();
	snprintf(first, sizeof(first), "%s", latest());
	put_many("k", EVENTS_MAX);
	a = scene_ask(get_of("?after=%s&topics=member", first));
	cr_expect_eq(a->status, 200, "all of it is just kept: %s", a->bytes);
	put_many("k", 1);
	a = scene_ask(get_of("?after=%s&topics=member", first));
	cr_expect_eq(a->status, 410);
	cr_expect(says(a, "\"code\":\"events-expired\"") && says(a, "\"oldest_after\":\"") &&
			  says(a, latest()),
		"%s", a->body);
	a = scene_ask(get_of("?after=0123456789abcdef-1"));
	cr_expect_eq(a->status, 410, "%s", a->bytes);
	a = scene_ask(get_of("?after=%s0", latest()));
	cr_expect_eq(a->status, 410, "it has not happened: %s", a->bytes);
	a = scene_ask(get_of("?after=nonsense"));
	cr_expect_eq(a->status, 400, "%s", a->bytes);
	scene_end();
}

/* ---- waiting ---- */

Test(events, an_empty_page_waits_for_what_it_can_show)
{
	struct answer *a;
	int fd;

	start();
	fd = scene_park(get_of("?wait=60s&from=now&topics=meta:default/mine"), NULL);
	put_meta("other", "1");
	put_meta("mine/too", "1");
	cr_expect_eq(http_parked(scene.http), 1);
	put_meta("mine", "7");
	a = scene_answer(fd);
	cr_expect_eq(count_of(a, "\"meta.put\""), 1, "%s", a->body);
	cr_expect(says(a, "\"value\":7}"), "%s", a->body);
	a = scene_ask(get_of("?wait=50ms&topics=quorum"));
	cr_expect(says(a, "{\"items\":[],"), "%s", a->body);
	cr_expect_str_eq(next_after(a), latest(), "it has looked at all");
	scene_end();
}

Test(events, more_topics_than_watches_are_waited_for_too)
{
	int fd;

	start();
	fd = scene_park(get_of("?wait=60s&from=now&topics=%s",
				"member,quorum,sync,storage,guardian,child:*,registry:*,"
				"meta:default/a,meta:default/b"),
		NULL);
	put_meta("c", "1");
	put_meta("b", "1");
	cr_expect(says(scene_answer(fd), "\"key\":\"b\""));
	fd = scene_park(get_of("?wait=60s&from=now"), NULL);
	put_meta("c", "2");
	cr_expect(says(scene_answer(fd), "\"key\":\"c\""), "all, without topics");
	scene_end();
}

/* ---- streams ---- */

static char streamed[64 << 20];
static size_t streamed_bytes;
static const char *streamed_wanted;

static bool has_come(long fd)
{
	size_t from = streamed_bytes, before = strlen(streamed_wanted);
	ssize_t n;

	do {
		n = recv((int)fd, streamed + streamed_bytes, sizeof(streamed) - streamed_bytes - 1,
			MSG_DONTWAIT);
		streamed_bytes += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	streamed[streamed_bytes] = '\0';
	return strstr(streamed + (from > before ? from - before : 0), streamed_wanted);
}

static void comes(int fd, const char *text)
{
	streamed_wanted = text;
	if (!strstr(streamed, text))
		scene_until(has_come, fd);
}

static int open_stream(const char *what, const char *head)
{
	int fd = served_connect();

	streamed[streamed_bytes = 0] = '\0';
	send_request(fd, what, head, NULL);
	comes(fd, "\"type\":\"open\"");
	return fd;
}

static void close_stream(int fd)
{
	close(fd);
	scene_until(is_idle, 0);
}

Test(events, a_page_ends_when_it_is_large)
{
	static char value[60002];
	int fd;

	memset(value, 'x', 60001);
	value[0] = value[60000] = '"';
	value[60001] = '\0';
	start();
	for (int i = 0; i < 12; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		put_meta(key, value);
	}
	fd = scene_send(get_of("?topics=meta:*"), NULL);
	streamed[streamed_bytes = 0] = '\0';
	comes(fd, "\"next_after\"");
	cr_expect(strstr(streamed, "\"k4\"") && !strstr(streamed, "\"k5\""));
	close_stream(fd);
	scene_end();
}

Test(events, a_stream_is_server_sent_events)
{
	char wanted[300];
	int fd;

	start();
	snprintf(wanted, sizeof(wanted), "id: %s\nevent: open\ndata: {\"id\":\"%s\"", latest(),
		latest());
	fd = open_stream("GET /v1/events/stream", "");
	cr_expect(strstr(streamed, "Content-Type: text/event-stream\r\n"), "%s", streamed);
	cr_expect(strstr(streamed, "Cache-Control: no-store\r\n"), "%s", streamed);
	cr_expect(strstr(streamed, wanted), "%s", streamed);
	put_meta("k", "1");
	snprintf(wanted, sizeof(wanted),
		"id: %s\nevent: meta.put\ndata: {\"id\":\"%s\",\"type\":\"meta.put\",\"at\":",
		latest(), latest());
	comes(fd, wanted);
	comes(fd, "\"value\":1}\n\n");
	cr_expect_null(strstr(streamed, "member.joined"), "from now on");
	close_stream(fd);
	scene_end();
}

Test(events, a_stream_is_lines_for_who_wants_them)
{
	int fd;

	start();
	fd = open_stream("GET /v1/events/stream?from=start&topics=meta:default/k,member",
		"Accept: application/x-ndjson\r\n");
	cr_expect(strstr(streamed, "Content-Type: application/x-ndjson\r\n"), "%s", streamed);
	comes(fd, "\n{\"id\":\"");
	comes(fd, "\"type\":\"member.joined\"");
	put_meta("other", "1");
	put_meta("k", "1");
	comes(fd, "\"key\":\"k\",\"value\":1}\n");
	cr_expect_null(strstr(streamed, "other"));
	close_stream(fd);
	scene_end();
}

Test(events, a_stream_goes_on_where_it_was)
{
	char head[100], what[100];
	int fd;

	start();
	put_meta("k", "1");
	snprintf(head, sizeof(head), "Last-Event-ID: %s\r\n", latest());
	snprintf(what, sizeof(what), "GET /v1/events/stream?from=%s", latest());
	put_meta("k", "2");
	put_meta("k", "3");
	fd = open_stream(what, "");
	comes(fd, "\"value\":3}");
	cr_expect(strstr(streamed, "\"value\":2}") && !strstr(streamed, "\"value\":1}"));
	close_stream(fd);
	fd = open_stream("GET /v1/events/stream?from=start", head);
	comes(fd, "\"value\":3}");
	cr_expect(strstr(streamed, "\"value\":2}") && !strstr(streamed, "\"value\":1}"));
	cr_expect_null(strstr(streamed, "\"reset\""));
	close_stream(fd);
	scene_end();
}

Test(events, who_was_elsewhere_or_away_for_too_long_is_reset)
{
	static const char *const others[] = {"Last-Event-ID: 0123456789abcdef-1\r\n",
		"Last-Event-ID: whatever\r\n", "Last-Event-ID: now\r\n"};
	char old[100];
	int fd;

	start();
	snprintf(old, sizeof(old), "Last-Event-ID: %s\r\n", latest());
	put_meta("k", "1");
	for (size_t i = 0; i < 3; i++) {
		fd = open_stream("GET /v1/events/stream?from=start", others[i]);
		cr_expect(strstr(streamed, "event: reset\n"), "%s", streamed);
		cr_expect(strstr(streamed, "\"reason\":\"elsewhere\"}"), "%s", streamed);
		close_stream(fd);
	}
	fd = open_stream("GET /v1/events/stream?from=0123456789abcdef-1", "");
	cr_expect(strstr(streamed, "\"reason\":\"elsewhere\"}"), "%s", streamed);
	close_stream(fd);
	put_many("k", EVENTS_MAX);
	fd = open_stream("GET /v1/events/stream", old);
	cr_expect(strstr(streamed, "\"reason\":\"expired\"}"), "%s", streamed);
	put_meta("k", "\"behind\"");
	comes(fd, "\"behind\"");
	cr_expect_null(strstr(streamed, "\"value\":7}"), "what was missed is not told in part");
	close_stream(fd);
	scene_end();
}

Test(events, a_stream_with_nothing_to_tell_says_how_far_it_is)
{
	char wanted[100];
	int fd;

	start();
	fd = open_stream("GET /v1/events/stream?topics=quorum&heartbeat=1ms", "");
	put_meta("k", "1");
	snprintf(wanted, sizeof(wanted), "id: %s\nevent: heartbeat\n", latest());
	comes(fd, wanted);
	close_stream(fd);
	scene_end();
}

Test(events, a_slow_reader_is_reset_and_nothing_is_missing_behind_that)
{
	static char value[2002];
	char wanted[100];
	const char *reset;
	int fd;

	memset(value, 'x', 2001);
	value[0] = value[2000] = '"';
	value[2001] = '\0';
	start();
	streamed[streamed_bytes = 0] = '\0';
	fd = served_connect();
	send_request(fd, "GET /v1/events/stream?topics=meta:*", "", NULL);
	comes(fd, "\"type\":\"open\"");
	for (int i = 0; i < 2 * EVENTS_MAX; i++) { /* beyond what sockets hold */
		value[1] = (char)('a' + i % 26);
		put_meta("k", value);
		if (i % 8 == 0) /* faster than what comes, until no more goes in */
			http_turn(scene.http);
	}
	put_meta("k", "\"the last\"");
	snprintf(wanted, sizeof(wanted), "id: %s\nevent: reset\n", latest());
	comes(fd, wanted);
	reset = strstr(streamed, wanted);
	put_meta("k", "\"behind\"");
	comes(fd, "\"behind\"");
	cr_expect_null(strstr(reset + strlen(wanted), "event: reset"), "once");
	cr_expect_null(strstr(reset, "xxx"), "what was missed is not told in part");
	cr_expect_null(strstr(streamed, "the last"));
	close_stream(fd);
	scene_end();
}

Test(events, who_waits_needs_nothing_kept_that_is_of_no_interest)
{
	struct answer *a;
	int fd;

	start();
	fd = scene_park(get_of("?wait=60s&from=now&topics=meta:default/mine"), NULL);
	put_many("other", EVENTS_MAX + 10);
	cr_expect_eq(http_parked(scene.http), 1);
	put_meta("mine", "1");
	a = scene_answer(fd);
	cr_expect_eq(a->status, 200, "%s", a->bytes);
	fd = open_stream("GET /v1/events/stream?topics=meta:default/mine", "");
	put_many("other", EVENTS_MAX + 10);
	put_meta("mine", "2");
	comes(fd, "\"value\":2}");
	cr_expect_null(strstr(streamed, "reset"));
	close_stream(fd);
	scene_end();
}

Test(events, too_much_in_one_turn_is_gone_for_who_waits_too)
{
	char value[16];
	int fd;

	start();
	fd = scene_park(get_of("?wait=60s&from=now&topics=meta:default/mine"), NULL);
	for (int i = 0; i <= EVENTS_MAX; i++) {
		snprintf(value, sizeof(value), "%d", i);
		put_meta("other", value);
	}
	cr_expect_eq(scene_answer(fd)->status, 410);
	scene_end();
}
