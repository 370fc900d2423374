/*
 * libmicrohttpd on the loop. What it really does was measured (version 0.9.75), and shapes this:
 *
 * - The first call of the access handler for a request neither answers nor suspends: the connection
 *   would be closed after the reply.
 * - It decodes %2F before anybody sees the path, unless its unescape callback does nothing.
 * - Its timeout does not see connections that were resumed: resume, MHD_run, then ask for it.
 * - One resume walks all suspended connections: wakes are collected, one MHD_run a turn.
 */
#include "api/http.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "api/http_inside.h"
#include "api/http_glue.h"

/* Rounds of wakes and MHD_run in one turn, when handlers wake each other. */
#define ROUNDS_MAX 4

static enum MHD_Result begin(struct http *h, struct MHD_Connection *connection, const char *url,
	const char *method, void **con_cls)
{
	struct exchange *x = exchange_take(h);

	if (!x)
		return MHD_NO;
	x->connection = connection;
	x->url = url;
	x->method_text = method;
	*con_cls = x;
	request_begin(x);
	/* The one reply that may be given in the first call, because it is meant to close. */
	return x->response && x->close ? reply_queue(x) : MHD_YES;
}

/* Room for the body at once when its length is known. */
static void make_room(struct exchange *x, size_t count)
{
	size_t length = x->heads.content_length ? strtoull(x->heads.content_length, NULL, 10) : 0;
	char *bytes;

	if (x->body.used || length <= count || length < x->body.size)
		return;
	bytes = realloc(x->body.bytes, length + 1);
	if (!bytes)
		return;
	x->body.bytes = bytes;
	x->body.size = length + 1;
}

/* No more of the body is read until it is woken; libmicrohttpd keeps what is not taken. */
static bool hold(struct exchange *x)
{
	if (!wait_hold(x))
		return false;
	MHD_suspend_connection(x->connection);
	x->suspended = true;
	return true;
}

/* To the operation's own receiver, which keeps it somewhere else or not at all. False: it is held,
 * and the piece was not taken. */
static bool pass_on(struct exchange *x, const char *bytes, size_t count)
{
	if (x->body_passed == 0 && !content_check_first(x))
		return true;
	if (x->body_passed == 0 && !min_dot_covered(x))
		return x->response || !hold(x);
	x->body_passed += count;
	x->operation->receive(x, bytes, count);
	hold(x);
	return true;
}

static enum MHD_Result read_more(struct exchange *x, const char *bytes, size_t *count_left)
{
	size_t count = *count_left;

	if (x->gone)
		return MHD_NO;
	if (x->held)
		return MHD_YES;
	*count_left = 0;
	if (x->response || x->body_refused) {
		x->discarded += count;
		return x->discarded <= HTTP_DISCARD_BYTES_MAX ? MHD_YES : MHD_NO;
	}
	if (x->body.used + x->body_passed + count > x->operation->body_bytes_max) {
		exchange_problem(x, PROBLEM_BODY_TOO_LARGE, "the body has more than %zu bytes",
			x->operation->body_bytes_max);
		x->discarded = x->body.used + count;
		return MHD_YES;
	}
	if (x->operation->receive) {
		if (!pass_on(x, bytes, count))
			*count_left = count;
		return MHD_YES;
	}
	if (x->http->body_bytes + count > HTTP_BODIES_BYTES_MAX) {
		exchange_problem(
			x, PROBLEM_OVERLOADED, "too many bodies of requests are on their way");
		return MHD_YES;
	}
	make_room(x, count);
	text_add(&x->body, bytes, count);
	x->body_counted += count;
	x->http->body_bytes += count;
	if (!text_ok(&x->body)) {
		text_clear(&x->body);
		exchange_fail(x, ERR_NO_MEMORY);
	}
	return MHD_YES;
}

static enum MHD_Result complete(struct exchange *x)
{
	if (x->gone)
		return MHD_NO;
	if (!x->response) {
		x->started_ms = loop_now_ms(x->http->config.loop);
		content_check(x);
	}
	if (!x->response)
		wait_run(x);
	if (x->response)
		return reply_queue(x);
	MHD_suspend_connection(x->connection);
	x->suspended = true;
	return MHD_YES;
}

enum MHD_Result http_access(void *data, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **con_cls)
{
	struct exchange *x = *con_cls;

	(void)version;
	if (!x)
		return begin(data, connection, url, method, con_cls);
	if (*upload_size == 0)
		return complete(x);
	return read_more(x, upload, upload_size);
}

void http_completed(void *data, struct MHD_Connection *connection, void **con_cls,
	enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *con_cls;
	const struct http_config *c;

	(void)data;
	(void)connection;
	(void)code;
	if (!x)
		return;
	*con_cls = NULL;
	c = &x->http->config;
	if (c->answered && x->status)
		c->answered(c->service, x->method_text, x->url, x->status, x->request_id,
			loop_now_ms(c->loop) - x->started_ms);
	exchange_release(x);
}

size_t http_unescape(void *data, struct MHD_Connection *connection, char *text)
{
	(void)data;
	(void)connection;
	return strlen(text);
}

/* ---- turns ---- */

/* Back to libmicrohttpd: with a reply, or, for a client that has gone, to be closed. */
static void resume(struct exchange *x)
{
	bool held = x->held; /* its body has not ended yet */

	x->held = false;
	if (x->response && !x->gone && !held)
		reply_queue(x);
	x->suspended = false;
	MHD_resume_connection(x->connection);
}

static void run_woken(struct http *h)
{
	struct exchange *x, *last = NULL;
	size_t count = 0;

	/* Those that were woken by now; who is woken by these handlers has its run in the next
	 * round, or two that wake each other would hold the loop. */
	for (x = h->woken; x && count++ < HTTP_WOKEN_MAX; x = x->woken_next)
		last = x;
	while (last && (x = wait_next(h))) {
		bool stop = x == last;

		if (x->gone && !once_goes_on(x)) {
			wait_leave(x);
			exchange_state_set(x, NULL, NULL);
			resume(x);
		} else if (x->held) {
			wait_leave(x);
			arena_rewind(&x->arena, x->run_mark);
			resume(x);
		} else {
			wait_run(x);
			if (x->response || follow_ready(x))
				resume(x);
		}
		if (stop)
			return;
	}
}

int http_turn(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	for (int i = 0; i < ROUNDS_MAX; i++) {
		run_woken(h);
		MHD_run(h->daemon);
		if (!h->woken)
			break;
	}
	share_forget(h);
	if (h->woken)
		return 0;
	if (MHD_get_timeout(h->daemon, &timeout) != MHD_YES)
		return -1;
	return timeout > INT_MAX ? INT_MAX : (int)timeout;
}

size_t http_parked(const struct http *h)
{
	return h->parked_count;
}

size_t http_busy(const struct http *h)
{
	return h->busy;
}

void http_drain(struct http *h)
{
	h->draining = true;
	wait_wake_all(h);
}
