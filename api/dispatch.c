#include "api/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/entry.h"
#include "api/follow.h"
#include "api/pass.h"

struct dispatching { /* the state of an exchange */
	const struct dispatch_service *service;
	struct dispatch *d;
	char name[DISPATCH_HOST_BYTES_MAX + 1]; /* of the owner's node, or its host */
};

static void free_dispatching(void *state)
{
	struct dispatching *s = state;

	if (s->d)
		s->service->end(s->d);
	free(s);
}

/* ---- the beginning ---- */

/* Of several owners of one key: the first that is ready, else the first. */
static const struct entry *first_ready(struct exchange *x)
{
	char prefix[KEY_BYTES_MAX + 1];
	const struct entry *first = entry_first_of(x, exchange_path(x, "key"), prefix), *e = first;

	for (size_t n = 0; e && n < DISPATCH_OWNERS_MAX; n++, e = entry_next_of(x, prefix, e))
		if (horde_entry_ready(resource_horde(x), e))
			return e;
	return first;
}

/* The entry of the path's key; NULL: there is none, and that was answered. */
static const struct entry *find_entry(struct exchange *x)
{
	const struct entry *e;

	if (!resource_registry(x))
		return NULL;
	e = entry_shared(x) ? first_ready(x) : entry_present(x, NULL);
	if (!e)
		key_not_found(x);
	return e;
}

static void send_on(struct exchange *x, struct dispatching *s, const struct dispatch_target *at,
	bool body, int64_t length)
{
	struct text headers = TEXT_INIT, target = TEXT_INIT;
	struct dispatch_request r = {.method = exchange_method(x),
		.host = at->host,
		.port = at->port,
		.body = body,
		.length = length};
	enum err e = ERR_NO_MEMORY;

	text_adds(&target, at->base);
	pass_target(x, &target);
	if (!dispatch_request_head(x, &headers))
		goto out;
	r.target = text_cstr(&target);
	r.headers = headers.bytes;
	r.headers_bytes = headers.used;
	if (r.target)
		e = s->service->begin(resource_service(x)->node, &r, &s->d);
	if (e == ERR_LIMIT)
		exchange_problem(x, PROBLEM_OVERLOADED, "%u dispatches are under way already",
			DISPATCHES_MAX);
	else if (e != ERR_OK)
		exchange_fail(x, e);
out:
	text_fini(&headers);
	text_fini(&target);
}

/* NULL: a problem was answered. */
static struct dispatching *begin(struct exchange *x, bool body, int64_t length)
{
	const struct entry *e = find_entry(x);
	struct dispatch_target at;
	struct dispatching *s;

	if (!e || !dispatch_target(x, e, &at))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	s->service = resource_service(x)->dispatch;
	memcpy(s->name, at.name, sizeof(s->name));
	exchange_state_set(x, s, free_dispatching);
	send_on(x, s, &at, body, length);
	return s->d ? s : NULL;
}

static void watch(struct exchange *x, const struct dispatching *s)
{
	char key[32];

	exchange_watch_key(x, key,
		(size_t)snprintf(key, sizeof(key), "dispatch/%llu",
			(unsigned long long)s->service->ticket(s->d)));
}

static void answer_failure(
	struct exchange *x, const struct dispatching *s, const struct dispatch_view *v)
{
	exchange_problem(x, v->late ? PROBLEM_WAIT_TIMEOUT : PROBLEM_OWNER_UNREACHABLE,
		"the owner, at %s: %s", s->name, v->why);
}

/* ---- the request's body ---- */

static void receive(struct exchange *x, const char *bytes, size_t count)
{
	struct dispatching *s = exchange_state(x);
	struct dispatch_view v;

	if (!s)
		s = begin(x, true, pass_length(x));
	if (!s)
		return;
	switch (s->service->send(s->d, bytes, count)) {
	case DISPATCH_SEND_MORE:
		return;
	case DISPATCH_SEND_HOLD:
		watch(x, s);
		pass_hold(x);
		return;
	case DISPATCH_SEND_OVER:
		v = s->service->view(s->d);
		if (v.state == DISPATCH_FAILED && v.status == 0)
			answer_failure(x, s, &v);
		else
			pass_refuse(x);
	}
}

/* ---- the reply ---- */

static void await(struct exchange *x, const struct dispatching *s)
{
	watch(x, s);
	exchange_park(x, exchange_now_ms(x) + HTTP_WAIT_MS_MAX);
}

/* A piece of its body, its end, or neither yet. */
static void give_piece(struct exchange *x, const struct dispatching *s)
{
	struct text *out = exchange_follow_out(x);
	struct dispatch_view v;

	s->service->take(s->d, out);
	if (out->used || !text_ok(out))
		return;
	v = s->service->view(s->d);
	if (v.state == DISPATCH_ENDED)
		exchange_follow_end(x);
	else if (v.state == DISPATCH_FAILED)
		exchange_follow_cut(x);
	else
		await(x, s);
}

static void give_head(
	struct exchange *x, const struct dispatching *s, const struct dispatch_view *v)
{
	struct follow_head head = {.status = v->status};
	struct dispatch_reply_head r;

	if (v->head_bytes > pass_head_room(x)) {
		exchange_problem(x, PROBLEM_OWNER_UNREACHABLE,
			"the owner, at %s: the head of its reply is too large beside that of the "
			"request",
			s->name);
		return;
	}
	dispatch_reply_head(x, v, s->name, &r);
	head.length = r.length;
	head.headers = r.headers.bytes;
	head.headers_bytes = r.headers.used;
	if (text_ok(&r.headers))
		exchange_follow_pass(x, &head);
	else
		exchange_fail(x, ERR_NO_MEMORY);
	text_fini(&r.headers);
}

static void go_on(struct exchange *x, const struct dispatching *s)
{
	struct dispatch_view v = s->service->view(s->d);

	if (exchange_following(x))
		give_piece(x, s);
	else if (v.status)
		give_head(x, s, &v);
	else if (v.state == DISPATCH_FAILED)
		answer_failure(x, s, &v);
	else
		await(x, s);
}

static void dispatch_plain(struct exchange *x)
{
	struct dispatching *s = exchange_state(x);
	size_t body = 0;

	exchange_body_text(x, &body);
	if (body) {
		exchange_problem(x, PROBLEM_BAD_REQUEST, "a %s is passed on without a body",
			exchange_method(x));
		return;
	}
	if (!s)
		s = begin(x, false, -1);
	if (s)
		go_on(x, s);
}

static void dispatch_body(struct exchange *x)
{
	struct dispatching *s = exchange_state(x);

	if (!s)
		s = begin(x, false, 0);
	if (!s)
		return;
	s->service->finish(s->d);
	go_on(x, s);
}

const struct binding dispatch_bindings[] = {
	{"dispatchGet", dispatch_plain},
	{"dispatchDelete", dispatch_plain},
	{"dispatchPost", dispatch_body},
	{"dispatchPut", dispatch_body},
	{"dispatchPatch", dispatch_body},
	{NULL, NULL},
};

const struct receiver dispatch_receivers[] = {
	{"dispatchPost", receive},
	{"dispatchPut", receive},
	{"dispatchPatch", receive},
	{NULL, NULL},
};
