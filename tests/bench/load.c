/*
 * On each connection one request, its whole response, the next one: at once (closed loop), or when
 * it is due (open loop). It runs in a process of its own, so that it shares no lock and no heap
 * with what is measured.
 */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, REQUEST_BYTES = 4096, RESPONSE_BYTES = 512 * 1024, EVENTS = 64 };

struct connection {
	int fd;
	unsigned index;
	struct connection *next; /* among those without a request */
	size_t used;
	char response[RESPONSE_BYTES];
};

struct generator {
	const struct load *load;
	struct connection *connections;
	int epoll;
	unsigned long sent;
	unsigned open;                   /* requests without a response */
	struct connection *free, **last; /* without a request, the one that waits longest first */
	int64_t start_ns, end_ns;
	struct load_result result;
};

static bool may_send(const struct generator *g)
{
	return g->load->requests ? g->sent < g->load->requests : check_now_ns() < g->end_ns;
}

static int64_t due_ns(const struct generator *g)
{
	return g->load->rate ? g->start_ns + (int64_t)g->sent * 1000000000 / g->load->rate : 0;
}

/* Gives what is due to the free connections. */
static void send_due(struct generator *g)
{
	while (g->free && may_send(g) && due_ns(g) <= check_now_ns()) {
		struct connection *c = g->free;
		char request[REQUEST_BYTES];

		g->free = c->next;
		if (!g->free)
			g->last = &g->free;
		raw_send(c->fd, request,
			g->load->write(
				g->load->data, c->index, g->sent++, request, sizeof request));
		g->open++;
	}
}

/* -1: until an answer comes. */
static int until_due_ms(const struct generator *g)
{
	int64_t left_ns = due_ns(g) - check_now_ns();

	if (!g->free || !may_send(g))
		return -1;
	return left_ns > 0 ? (int)((left_ns + 999999) / 1000000) : 0;
}

static void set_free(struct generator *g, struct connection *c)
{
	c->next = NULL;
	*g->last = c;
	g->last = &c->next;
}

static void receive(struct generator *g, struct connection *c)
{
	ssize_t got = recv(c->fd, c->response + c->used, sizeof c->response - c->used, 0);
	size_t whole;
	int status = 0;

	CHECK(got > 0, "the server closed a connection under load");
	c->used += (size_t)got;
	whole = raw_response(c->response, c->used, &status);
	CHECK(whole || c->used < sizeof c->response, "a response is too long");
	if (!whole)
		return;
	c->used = 0;
	g->open--;
	if (status / 100 == 2)
		g->result.good++;
	else
		g->result.bad++;
	set_free(g, c);
	send_due(g);
}

static void open_connections(struct generator *g)
{
	CHECK(g->load->connections <= CONNECTIONS_MAX, "too many connections");
	g->connections = calloc(g->load->connections, sizeof *g->connections);
	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	CHECK(g->connections && g->epoll >= 0, "out of memory");
	g->last = &g->free;
	for (unsigned i = 0; i < g->load->connections; i++) {
		struct connection *c = &g->connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

		c->index = i;
		c->fd = raw_connect(g->load->port);
		CHECK(epoll_ctl(g->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll_ctl");
		set_free(g, c);
	}
}

static struct load_result generate(const struct load *load)
{
	struct generator g = {.load = load};
	struct epoll_event events[EVENTS];

	open_connections(&g);
	g.start_ns = check_now_ns();
	g.end_ns = g.start_ns + load->ms * 1000000;
	for (send_due(&g); g.open > 0 || may_send(&g); send_due(&g)) {
		int count = epoll_wait(g.epoll, events, EVENTS, until_due_ms(&g));

		for (int i = 0; i < count; i++)
			receive(&g, events[i].data.ptr);
	}
	g.result.seconds = (double)(check_now_ns() - g.start_ns) / 1e9;
	return g.result;
}

struct load_run load_begin(const struct load *load)
{
	struct load_run run;
	int ends[2];

	CHECK(pipe(ends) == 0, "no pipe");
	run.pid = raw_fork();
	run.fd = ends[0];
	if (run.pid == 0) {
		struct load_result result = generate(load);

		_exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
	}
	close(ends[1]);
	return run;
}

struct load_result load_end(struct load_run run)
{
	struct load_result result;

	CHECK(read(run.fd, &result, sizeof result) == sizeof result, "the load generator failed");
	close(run.fd);
	waitpid(run.pid, NULL, 0);
	return result;
}

double load_rate(const struct load *load)
{
	struct load_result result = load_end(load_begin(load));

	CHECK(result.bad == 0 && result.good > 0, "%lu of %lu requests were refused", result.bad,
		result.bad + result.good);
	return (double)result.good / result.seconds;
}
