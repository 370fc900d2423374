/* Transfers against real sockets of the test's own: their times, their limits, and what is told. */
#include "server/dispatches.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct scene {
	struct loop *loop;
	struct dispatches *all;
	struct dispatch *d;
	struct loop_timer limit, trickle;
	struct loop_io io;
	int listener, port, fd;
	const char *reply; /* NULL: it says nothing */
	bool closes;
	bool trickles; /* a byte more each 20 ms */
	struct text got;
};

static void on_limit(void *data)
{
	(void)data;
	cr_assert_fail("it does not end");
}

static void on_trickle(void *data)
{
	struct scene *s = data;

	if (send(s->fd, "x", 1, MSG_NOSIGNAL) == 1)
		loop_timer_set(s->loop, &s->trickle, loop_clock_ms() + 20, on_trickle, s);
}

static void on_connection(void *data, uint32_t events)
{
	struct scene *s = data;

	(void)events;
	s->fd = accept(s->listener, NULL, NULL);
	if (s->reply)
		cr_assert_gt(send(s->fd, s->reply, strlen(s->reply), MSG_NOSIGNAL), 0);
	if (s->closes)
		shutdown(s->fd, SHUT_WR);
	if (s->trickles)
		on_trickle(s);
}

static void moved(void *data, uint64_t ticket)
{
	struct scene *s = data;

	cr_assert(!s->d || ticket == dispatch_ticket(s->d));
}

static void listen_at(struct scene *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(listen(s->listener, 1), 0);
	cr_assert_eq(getsockname(s->listener, (struct sockaddr *)&at, &size), 0);
	s->port = ntohs(at.sin_port);
}

static void begin(struct scene *s, int64_t connect_ms, int64_t idle_ms, int64_t total_ms)
{
	struct dispatches_config c = {.moved = moved,
		.data = s,
		.max = 2,
		.connect_ms = connect_ms,
		.idle_ms = idle_ms,
		.total_ms = total_ms};

	*s = (struct scene){.fd = -1};
	cr_assert_eq(loop_new(&s->loop), ERR_OK);
	c.loop = s->loop;
	cr_assert_eq(dispatches_new(&c, &s->all), ERR_OK);
	listen_at(s);
	loop_timer_set(s->loop, &s->limit, loop_clock_ms() + 20000, on_limit, s);
}

static void end(struct scene *s)
{
	dispatch_end(s->d);
	dispatches_free(s->all);
	loop_unwatch(s->loop, &s->io);
	loop_free(s->loop);
	close(s->listener);
	if (s->fd >= 0)
		close(s->fd);
	text_fini(&s->got);
}

static enum err ask(struct scene *s, bool body, struct dispatch **ret)
{
	static const char headers[] = "X-A: 1\0X-B: ";
	struct dispatch_request r = {.method = body ? "POST" : "GET",
		.host = "127.0.0.1",
		.port = (uint16_t)s->port,
		.target = "/x",
		.headers = headers,
		.headers_bytes = sizeof headers,
		.body = body,
		.length = -1};

	return dispatches_begin(s->all, &r, ret);
}

static int before_sleep(void *data)
{
	struct scene *s = data;

	dispatches_turn(s->all);
	dispatch_take(s->d, &s->got);
	if (dispatch_view(s->d).state >= DISPATCH_ENDED)
		loop_stop(s->loop);
	return -1;
}

static void run(struct scene *s, bool accepts)
{
	if (accepts)
		loop_watch(s->loop, &s->io, s->listener, EPOLLIN, on_connection, s);
	loop_run(s->loop, before_sleep, s);
}

Test(dispatches, who_says_nothing_is_late)
{
	struct dispatch_view v;
	struct scene s;

	begin(&s, 5000, 150, 100000);
	cr_assert_eq(ask(&s, false, &s.d), ERR_OK);
	run(&s, true);
	v = dispatch_view(s.d);
	cr_assert_eq(v.state, DISPATCH_FAILED);
	cr_assert(v.late);
	cr_assert_eq(v.status, 0);
	end(&s);
}

Test(dispatches, who_goes_on_for_too_long_is_late_behind_its_head)
{
	struct dispatch_view v;
	struct scene s;

	begin(&s, 5000, 10000, 300);
	s.reply = "HTTP/1.1 200 OK\r\n\r\n";
	s.trickles = true;
	cr_assert_eq(ask(&s, false, &s.d), ERR_OK);
	run(&s, true);
	v = dispatch_view(s.d);
	cr_assert_eq(v.state, DISPATCH_FAILED);
	cr_assert(v.late);
	cr_assert_eq(v.status, 200);
	cr_assert_gt(s.got.used, 0);
	end(&s);
}

/* Nobody else is slow here: the body is still to come. */
Test(dispatches, who_waits_for_a_body_is_not_late_before_its_whole_time)
{
	struct dispatch_view v;
	struct scene s;

	begin(&s, 5000, 50, 500);
	cr_assert_eq(ask(&s, true, &s.d), ERR_OK);
	run(&s, true);
	v = dispatch_view(s.d);
	cr_assert(v.late);
	cr_assert_str_eq(v.why, "it took too long");
	end(&s);
}

/* A queue that is full does not answer: the kernel drops who comes then. */
Test(dispatches, a_connection_that_does_not_come_about_is_given_up)
{
	int fds[8];
	struct dispatch_view v;
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct scene s;

	begin(&s, 200, 10000, 20000);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)s.port);
	for (int i = 0; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&at, sizeof at);
	}
	cr_assert_eq(ask(&s, false, &s.d), ERR_OK);
	run(&s, false);
	v = dispatch_view(s.d);
	cr_assert_eq(v.state, DISPATCH_FAILED);
	cr_assert(!v.late);
	cr_assert_str_eq(v.why, "no connection came about in time");
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	end(&s);
}

Test(dispatches, a_head_is_told_and_a_body_whole)
{
	static const char lines[] = "X-One: 1\0X-Two: 2\0Content-Length: 3";
	struct dispatch_view v;
	struct scene s;

	begin(&s, 5000, 5000, 20000);
	s.reply = "HTTP/1.1 100 Continue\r\nX-No: 1\r\n\r\n"
		  "HTTP/1.1 207 x\r\nX-One: 1\r\nX-Two: 2\r\nContent-Length: 3\r\n\r\nabc";
	cr_assert_eq(ask(&s, false, &s.d), ERR_OK);
	run(&s, true);
	v = dispatch_view(s.d);
	cr_assert_eq(v.state, DISPATCH_ENDED);
	cr_assert_eq(v.status, 207);
	cr_assert_eq(v.head_bytes, sizeof lines);
	cr_assert_eq(memcmp(v.head, lines, sizeof lines), 0);
	cr_assert_str_eq(text_cstr(&s.got), "abc");
	end(&s);
}

Test(dispatches, a_reply_that_ends_too_early_has_failed)
{
	struct dispatch_view v;
	struct scene s;

	begin(&s, 5000, 5000, 20000);
	s.reply = "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nabc";
	s.closes = true;
	cr_assert_eq(ask(&s, false, &s.d), ERR_OK);
	run(&s, true);
	v = dispatch_view(s.d);
	cr_assert_eq(v.state, DISPATCH_FAILED);
	cr_assert_eq(v.status, 200);
	cr_assert_str_eq(text_cstr(&s.got), "abc");
	end(&s);
}

Test(dispatches, a_head_that_is_too_large_is_refused)
{
	static char reply[DISPATCH_HEAD_BYTES_MAX + 64];
	struct scene s;

	begin(&s, 5000, 5000, 20000);
	memset(reply, 'x', sizeof reply - 1);
	memcpy(reply, "HTTP/1.1 200 x\r\nA: ", 19);
	memcpy(reply + sizeof reply - 5, "\r\n\r\n", 4);
	s.reply = reply;
	cr_assert_eq(ask(&s, false, &s.d), ERR_OK);
	run(&s, true);
	cr_assert_eq(dispatch_view(s.d).status, 0);
	cr_assert_str_eq(dispatch_view(s.d).why, "the head of its reply is too large");
	end(&s);
}

Test(dispatches, no_more_than_there_is_room_for)
{
	struct dispatch *second, *third;
	struct scene s;

	begin(&s, 5000, 5000, 20000);
	cr_assert_eq(ask(&s, false, &s.d), ERR_OK);
	cr_assert_eq(ask(&s, false, &second), ERR_OK);
	cr_assert_eq(ask(&s, false, &third), ERR_LIMIT);
	dispatch_end(second);
	cr_assert_eq(ask(&s, false, &third), ERR_OK);
	dispatch_end(third);
	end(&s);
}

Test(dispatches, what_is_sent_is_held_until_it_is_taken)
{
	static const char piece[16384];
	struct scene s;
	size_t held = 0;

	begin(&s, 5000, 5000, 20000);
	cr_assert_eq(ask(&s, true, &s.d), ERR_OK);
	while (dispatch_send(s.d, piece, sizeof piece) == DISPATCH_SEND_MORE)
		held += sizeof piece;
	cr_assert_lt(held, DISPATCH_HELD_BYTES);
	end(&s);
}
