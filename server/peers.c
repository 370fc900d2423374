/*
 * libcurl's multi interface on the loop. curl says which sockets and which time it wants watched;
 * we tell it what happened. Ended transfers are collected after curl has returned, so no handle is
 * ever removed from inside one of its callbacks.
 */
#include "server/peers_inside.h"

#include <stdlib.h>
#include <sys/epoll.h>

struct peer_socket { /* one descriptor of curl's */
	struct loop_io io;
	struct peers *peers;
};

/* ---- what has ended ---- */

void transfer_end(struct transfer *t)
{
	struct peers *p = t->peers;

	t->ended = true;
	switch (t->kind) {
	case TRANSFER_HELLO:
	case TRANSFER_POLL:
		transfer_answer(t);
		break;
	case TRANSFER_GOODBYE:
		transfer_free(t);
		break;
	case TRANSFER_CALL: /* kept for peers_call_result */
		p->config.call_ended(p->config.data, t->ticket);
		break;
	}
}

static void collect(struct peers *p)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(p->multi, &left))) {
		struct transfer *t = NULL;
		CURL *easy = message->easy_handle;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
		t->result = message->data.result;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->status);
		transfer_end(t);
	}
}

static void act_on(struct peers *p, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(p->multi, fd, what, &running);
	collect(p);
}

/* ---- sockets and the timer ---- */

static void socket_ready(void *data, uint32_t events)
{
	struct peer_socket *s = data;
	int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	/* A hang-up must be read to be understood: as an error alone curl would not look. */
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	act_on(s->peers, s->io.fd, what);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned)
{
	struct peers *p = data;
	struct peer_socket *s = assigned;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			loop_unwatch(p->config.loop, &s->io);
		free(s);
		curl_multi_assign(p->multi, fd, NULL);
		return 0;
	}
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return -1;
		s->peers = p;
		curl_multi_assign(p->multi, fd, s);
	}
	return loop_watch(p->config.loop, &s->io, fd, events, socket_ready, s) ? -1 : 0;
}

static void timer_fired(void *data)
{
	act_on(data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *data)
{
	struct peers *p = data;

	(void)multi;
	if (ms < 0) {
		loop_timer_cancel(p->config.loop, &p->timer);
		return 0;
	}
	return loop_timer_set(p->config.loop, &p->timer, loop_clock_ms() + ms, timer_fired, p) ? -1
											       : 0;
}

void peers_turn(struct peers *p)
{
	/* What could not begin is answered here, as if it had been tried. */
	while (p->failed_count > 0) {
		struct event e = {.kind = EVENT_LINK_SILENT};
		e.link = p->failed[--p->failed_count];
		p->config.event(p->config.data, &e);
	}
	if (!p->kick)
		return;
	p->kick = false;
	act_on(p, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- life ---- */

static bool add_header(struct peers *p, const char *line)
{
	struct curl_slist *longer = curl_slist_append(p->headers, line);

	if (longer)
		p->headers = longer;
	return longer;
}

static bool make_headers(struct peers *p)
{
	struct text line = TEXT_INIT;
	bool made = true;

	if (p->config.secret) {
		text_addf(&line, "Authorization: Bearer %s", p->config.secret);
		made = text_cstr(&line) && add_header(p, text_cstr(&line));
	}
	/* Without the empty Expect a large body waits a second for a 100 that never comes. */
	made = made && add_header(p, "Content-Type: application/json") &&
	       add_header(p, "Expect:") && add_header(p, "Accept:");
	text_fini(&line);
	return made;
}

static bool set_multi(struct peers *p)
{
	return !curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket) &&
	       !curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p) &&
	       !curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timer) &&
	       !curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p) &&
	       !curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) &&
	       !curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)PEERS_LINKS_MAX);
}

enum err peers_new(const struct peers_config *config, struct peers **ret_peers)
{
	struct peers *p = calloc(1, sizeof *p);

	if (!p)
		return ERR_NO_MEMORY;
	/* TLS, should a peer's URL ask for it, is set up then: idle nodes save its memory. */
	if (curl_global_init(CURL_GLOBAL_NOTHING)) {
		free(p);
		return ERR_NO_MEMORY;
	}
	p->config = *config;
	p->multi = curl_multi_init();
	if (!p->multi || !set_multi(p) || !make_headers(p)) {
		peers_free(p);
		return ERR_NO_MEMORY;
	}
	*ret_peers = p;
	return ERR_OK;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	while (p->transfers)
		transfer_free(p->transfers);
	while (p->links) {
		struct peer_link *next = p->links->next;
		free(p->links);
		p->links = next;
	}
	while (p->spare_count > 0)
		curl_easy_cleanup(p->spare[--p->spare_count]);
	if (p->multi)
		curl_multi_cleanup(p->multi);
	loop_timer_cancel(p->config.loop, &p->timer);
	curl_slist_free_all(p->headers);
	free(p);
	curl_global_cleanup();
}
