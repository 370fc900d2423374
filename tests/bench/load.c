/*
 * A closed loop on each connection: one request, its whole response, the next one. It runs in a
 * process of its own, so that it shares no lock and no heap with what is measured.
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

enum { CONNECTIONS_MAX = 256, REQUEST_BYTES = 4096, RESPONSE_BYTES = 16384, EVENTS = 64 };

struct connection {
	int fd;
	unsigned index;
	unsigned long number;
	size_t used;
	char response[RESPONSE_BYTES];
};

struct generator {
	const struct load *load;
	struct connection *connections;
	int epoll;
	unsigned long sent;
	unsigned open; /* requests without a response */
	int64_t end_ns;
	struct load_result result;
};

static bool may_send(const struct generator *g)
{
	return g->load->requests ? g->sent < g->load->requests : check_now_ns() < g->end_ns;
}

static void send_next(struct generator *g, struct connection *c)
{
	char request[REQUEST_BYTES];

	if (!may_send(g))
		return;
	raw_send(c->fd, request,
		g->load->write(g->load->data, c->index, c->number++, request, sizeof request));
	g->sent++;
	g->open++;
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
	send_next(g, c);
}

static void open_connections(struct generator *g)
{
	CHECK(g->load->connections <= CONNECTIONS_MAX, "too many connections");
	g->connections = calloc(g->load->connections, sizeof *g->connections);
	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	CHECK(g->connections && g->epoll >= 0, "out of memory");
	for (unsigned i = 0; i < g->load->connections; i++) {
		struct connection *c = &g->connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

		c->index = i;
		c->fd = raw_connect(g->load->port);
		CHECK(epoll_ctl(g->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll_ctl");
	}
}

static struct load_result generate(const struct load *load)
{
	struct generator g = {.load = load};
	struct epoll_event events[EVENTS];
	int64_t start_ns;

	open_connections(&g);
	start_ns = check_now_ns();
	g.end_ns = start_ns + load->ms * 1000000;
	for (unsigned i = 0; i < load->connections; i++)
		send_next(&g, &g.connections[i]);
	while (g.open > 0) {
		int count = epoll_wait(g.epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++)
			receive(&g, events[i].data.ptr);
	}
	g.result.seconds = (double)(check_now_ns() - start_ns) / 1e9;
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
