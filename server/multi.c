#include "server/multi.h"

#include <stdlib.h>
#include <sys/epoll.h>

struct multi_socket { /* one descriptor of curl's */
	struct loop_io io;
	struct multi *multi;
};

/* ---- what has ended ---- */

static void collect(struct multi *m)
{
	CURLMsg *message;
	int left;

	/* The message is gone with its handle: it is read before. */
	while ((message = curl_multi_info_read(m->handle, &left))) {
		if (message->msg == CURLMSG_DONE)
			m->ended(m->data, message->easy_handle, message->data.result);
	}
}

static void act_on(struct multi *m, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(m->handle, fd, what, &running);
	collect(m);
}

/* ---- sockets and the timer ---- */

static void socket_ready(void *data, uint32_t events)
{
	struct multi_socket *s = data;
	int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	/* A hang-up must be read to be understood: as an error alone curl would not look. */
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	act_on(s->multi, s->io.fd, what);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned)
{
	struct multi *m = data;
	struct multi_socket *s = assigned;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			loop_unwatch(m->loop, &s->io);
		free(s);
		curl_multi_assign(m->handle, fd, NULL);
		return 0;
	}
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return -1;
		s->multi = m;
		curl_multi_assign(m->handle, fd, s);
	}
	return loop_watch(m->loop, &s->io, fd, events, socket_ready, s) ? -1 : 0;
}

static void timer_fired(void *data)
{
	act_on(data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *handle, long ms, void *data)
{
	struct multi *m = data;

	(void)handle;
	if (ms < 0) {
		loop_timer_cancel(m->loop, &m->timer);
		return 0;
	}
	return loop_timer_set(m->loop, &m->timer, loop_clock_ms() + ms, timer_fired, m) ? -1 : 0;
}

enum err multi_add(struct multi *m, CURL *easy)
{
	if (curl_multi_add_handle(m->handle, easy))
		return ERR_NO_MEMORY;
	m->kick = true;
	return ERR_OK;
}

void multi_remove(struct multi *m, CURL *easy)
{
	curl_multi_remove_handle(m->handle, easy);
}

void multi_turn(struct multi *m)
{
	if (!m->kick)
		return;
	m->kick = false;
	act_on(m, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- life ---- */

static bool set_up(struct multi *m)
{
	return !curl_multi_setopt(m->handle, CURLMOPT_SOCKETFUNCTION, on_socket) &&
	       !curl_multi_setopt(m->handle, CURLMOPT_SOCKETDATA, m) &&
	       !curl_multi_setopt(m->handle, CURLMOPT_TIMERFUNCTION, on_timer) &&
	       !curl_multi_setopt(m->handle, CURLMOPT_TIMERDATA, m) &&
	       !curl_multi_setopt(m->handle, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

enum err multi_init(struct multi *m, struct loop *l,
	void (*ended)(void *data, CURL *easy, CURLcode result), void *data)
{
	*m = (struct multi){.handle = curl_multi_init(), .loop = l, .ended = ended, .data = data};
	if (m->handle && set_up(m))
		return ERR_OK;
	multi_fini(m);
	return ERR_NO_MEMORY;
}

void multi_fini(struct multi *m)
{
	if (m->handle)
		curl_multi_cleanup(m->handle);
	if (m->loop)
		loop_timer_cancel(m->loop, &m->timer);
	*m = (struct multi){0};
}
