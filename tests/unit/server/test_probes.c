/* Tries against real sockets: what each comes to, within its time, and nothing after it was
 * dropped. */
#include "server/probes.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000

struct scene {
	struct loop *loop;
	struct probes *probes;
	struct loop_timer limit;
	int port;
	int listener;
	int accepted;
	struct loop_io io;
	const char *reply; /* NULL: it says nothing; "": it closes */
	int events;
	int wanted;
	bool ok;
	char why[64];
	uint32_t number;
	bool refuses; /* to start commands */
	char started[64];
	char killed[64];
};

static void on_event(void *data, struct event *e)
{
	struct scene *s = data;

	cr_assert_eq(e->kind, EVENT_PROBED);
	cr_assert_str_eq(e->probed.ref, "default/web");
	cr_assert_eq(e->probed.epoch, 7);
	cr_assert_eq(e->probed.check, 2);
	cr_assert_eq(e->probed.ok, e->probed.why == NULL);
	s->ok = e->probed.ok;
	s->number = e->probed.number;
	snprintf(s->why, sizeof s->why, "%s", e->probed.why ? e->probed.why : "");
	if (++s->events == s->wanted)
		loop_stop(s->loop);
}

/* It answers before it is asked: this thread has to send the question too. */
static void on_connection(void *data, uint32_t events)
{
	struct scene *s = data;
	int fd = accept(s->listener, NULL, NULL);

	(void)events;
	s->accepted++;
	if (s->reply && s->reply[0])
		cr_assert_gt(write(fd, s->reply, strlen(s->reply)), 0);
	if (s->reply && !s->reply[0])
		close(fd);
	else if (s->reply)
		shutdown(fd, SHUT_WR);
}

static void on_limit(void *data)
{
	(void)data;
	cr_assert_fail("no event");
}

static int before_sleep(void *data)
{
	struct scene *s = data;

	probes_turn(s->probes);
	return s->events >= s->wanted ? 0 : -1;
}

static enum err on_exec(void *data, const char *name, const struct action *a)
{
	struct scene *s = data;

	cr_assert_str_eq(a->probe->command[0], "test");
	snprintf(s->started, sizeof s->started, "%s", name);
	return s->refuses ? ERR_NO_MEMORY : ERR_OK;
}

static void on_kill(void *data, const char *name, uint64_t epoch)
{
	struct scene *s = data;

	cr_assert_eq(epoch, 7);
	snprintf(s->killed, sizeof s->killed, "%s", name);
}

static void begin(struct scene *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof at;
	struct probes_config c = {.event = on_event, .exec = on_exec, .kill = on_kill, .data = s};

	*s = (struct scene){.wanted = 1};
	cr_assert_eq(loop_new(&s->loop), ERR_OK);
	c.loop = s->loop;
	cr_assert_eq(probes_new(&c, &s->probes), ERR_OK);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(listen(s->listener, 512), 0);
	cr_assert_eq(getsockname(s->listener, (struct sockaddr *)&at, &bytes), 0);
	s->port = ntohs(at.sin_port);
	cr_assert_eq(loop_watch(s->loop, &s->io, s->listener, EPOLLIN, on_connection, s), ERR_OK);
	cr_assert_eq(
		loop_timer_set(s->loop, &s->limit, loop_clock_ms() + WAIT_MS, on_limit, s), ERR_OK);
}

static void end(struct scene *s)
{
	loop_timer_cancel(s->loop, &s->limit);
	loop_unwatch(s->loop, &s->io);
	close(s->listener);
	probes_free(s->probes);
	loop_free(s->loop);
}

static void try_it(struct scene *s, struct check check, int64_t timeout_ms, uint32_t number)
{
	struct action a = {.kind = ACTION_PROBE,
		.ref = "default/web",
		.epoch = 7,
		.probe = &check,
		.check = 2,
		.number = number,
		.timeout_ms = timeout_ms};

	a.port = check.port ? check.port : (uint16_t)s->port;
	cr_assert_eq(probes_begin(s->probes, &a), ERR_OK);
}

static void cr_comes_to(const char *reply, struct check check, const char *why)
{
	struct scene s;

	begin(&s);
	s.reply = reply;
	try_it(&s, check, 500, 5);
	loop_run(s.loop, before_sleep, &s);
	cr_assert_str_eq(s.why, why, "'%s' is not '%s', of %s", s.why, why, reply);
	cr_assert_eq(s.ok, why[0] == '\0');
	cr_assert_eq(s.number, 5);
	end(&s);
}

#define HEAD "Content-Length: 2\r\n\r\nok"

Test(probes, a_port_that_takes_a_connection_is_well)
{
	cr_comes_to(NULL, (struct check){.kind = CHECK_TCP}, "");
	cr_comes_to(NULL, (struct check){.kind = CHECK_TCP, .host = (char[]){"localhost"}}, "");
	cr_comes_to(NULL, (struct check){.kind = CHECK_TCP, .port = 1}, "connection refused");
	cr_comes_to(NULL, (struct check){.kind = CHECK_TCP, .host = (char[]){"::1"}, .port = 1},
		"connection refused");
}

Test(probes, http_is_judged_by_its_status_alone)
{
	struct check http = {.kind = CHECK_HTTP, .path = (char[]){"/x?y=1"}};

	cr_comes_to("HTTP/1.1 200 OK\r\n" HEAD, http, "");
	cr_comes_to("HTTP/1.0 204 No\r\n\r\n", http, "");
	cr_comes_to("HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\n" HEAD, http, "");
	cr_comes_to("HTTP/1.1 399 x\r\n" HEAD, http, "");
	cr_comes_to("HTTP/1.1 400 x\r\n" HEAD, http, "status 400");
	cr_comes_to("HTTP/1.1 503 x\r\n" HEAD, http, "status 503");
	cr_comes_to("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx", http, "");
	cr_comes_to("", http, "connection closed");
	cr_comes_to("SSH-2.0-x\r\n", http, "no HTTP answer");
	cr_comes_to(NULL, http, "timeout");
	http.port = 1;
	cr_comes_to(NULL, http, "connection refused");
}

Test(probes, what_was_dropped_is_never_told)
{
	struct scene s;

	begin(&s);
	try_it(&s, (struct check){.kind = CHECK_HTTP}, 100, 1);
	try_it(&s, (struct check){.kind = CHECK_HTTP}, 300, 2);
	probes_turn(s.probes);
	probes_drop(s.probes, "default/other");
	probes_drop(s.probes, "default/web");
	try_it(&s, (struct check){.kind = CHECK_HTTP}, 500, 3);
	loop_run(s.loop, before_sleep, &s);
	cr_assert_eq(s.events, 1);
	cr_assert_eq(s.number, 3);
	end(&s);
}

Test(probes, more_than_there_is_room_for_wait_and_all_are_told)
{
	struct scene s;

	begin(&s);
	s.reply = "HTTP/1.1 200 OK\r\n" HEAD;
	s.wanted = PROBES_MAX + 50;
	for (int i = 0; i < s.wanted; i++)
		try_it(&s, (struct check){.kind = CHECK_HTTP}, WAIT_MS, (uint32_t)i + 1);
	probes_turn(s.probes);
	cr_assert_eq(s.accepted, 0);
	loop_run(s.loop, before_sleep, &s);
	cr_assert_eq(s.events, s.wanted);
	cr_assert_eq(s.accepted, s.wanted);
	cr_assert(s.ok);
	end(&s);
}

Test(probes, no_more_than_there_is_room_for_are_under_way)
{
	struct scene s;

	begin(&s);
	s.wanted = PROBES_MAX + 20;
	for (int i = 0; i < s.wanted; i++)
		try_it(&s, (struct check){.kind = CHECK_HTTP}, 1000, (uint32_t)i + 1);
	loop_run(s.loop, before_sleep, &s);
	cr_assert_eq(s.events, s.wanted);
	cr_assert_str_eq(s.why, "timeout");
	cr_assert_leq(s.accepted, PROBES_MAX);
	end(&s);
}

Test(probes, the_end_leaves_nothing)
{
	struct scene s;

	begin(&s);
	for (uint32_t i = 1; i < 20; i++)
		try_it(&s, (struct check){.kind = i % 2 ? CHECK_HTTP : CHECK_TCP}, WAIT_MS, i);
	probes_turn(s.probes);
	end(&s);
}

static struct check command(void)
{
	static char *words[] = {"test", NULL};

	return (struct check){.kind = CHECK_EXEC, .port = 1, .command = words};
}

Test(probes, a_command_is_told_by_its_end_and_its_name_is_no_child_s)
{
	static const char *const ends[] = {NULL, "exit code 3"};

	for (int i = 0; i < 2; i++) {
		struct scene s;

		begin(&s);
		try_it(&s, command(), WAIT_MS, 5);
		cr_assert(probes_own(s.started));
		cr_assert_not(probes_own("default/web"));
		probes_ended(s.probes, "default/web:99", NULL);
		cr_assert_eq(s.events, 0);
		probes_ended(s.probes, s.started, ends[i]);
		cr_assert_eq(s.events, 1);
		cr_assert_eq(s.ok, ends[i] == NULL);
		cr_assert_str_eq(s.why, ends[i] ? ends[i] : "");
		probes_ended(s.probes, s.started, NULL);
		cr_assert_eq(s.events, 1, "once");
		cr_assert_str_eq(s.killed, "");
		end(&s);
	}
}

Test(probes, a_command_is_killed_when_its_time_is_over_or_it_is_dropped)
{
	struct scene s;

	begin(&s);
	try_it(&s, command(), 100, 5);
	loop_run(s.loop, before_sleep, &s);
	cr_assert_str_eq(s.why, "timeout");
	cr_assert_str_eq(s.killed, s.started);
	try_it(&s, command(), WAIT_MS, 6);
	probes_drop(s.probes, "default/web");
	cr_assert_str_eq(s.killed, s.started);
	s.killed[0] = '\0';
	try_it(&s, command(), WAIT_MS, 6);
	end(&s);
	cr_assert_str_eq(s.killed, s.started, "with the daemon");
	cr_assert_eq(s.events, 1);
}

Test(probes, two_commands_at_a_time_have_two_names)
{
	struct scene s;
	char first[64];

	begin(&s);
	try_it(&s, command(), WAIT_MS, 5);
	strcpy(first, s.started);
	try_it(&s, command(), WAIT_MS, 6);
	cr_assert_str_neq(first, s.started);
	probes_ended(s.probes, first, NULL);
	cr_assert_eq(s.number, 5);
	end(&s);
}

Test(probes, a_command_that_cannot_be_started_is_told_in_the_next_turn)
{
	struct scene s;

	begin(&s);
	s.refuses = true;
	s.wanted = 2;
	try_it(&s, command(), WAIT_MS, 5);
	try_it(&s, command(), WAIT_MS, 6);
	cr_assert_eq(s.events, 0);
	probes_turn(s.probes);
	cr_assert_eq(s.events, 2);
	cr_assert_str_eq(s.why, "it could not be started");
	cr_assert_str_eq(s.killed, "");
	end(&s);
}
