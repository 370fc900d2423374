/*
 * Watches, parking and wakes. A watch is found from a changed key by hashing: an exact one by the
 * whole key, one for a prefix by the prefix up to its last slash. So a change looks at one bucket
 * for itself and one for each slash in it, however many requests are parked.
 */
#include "api/wait.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "api/http_inside.h"

#define BUCKETS_FIRST 1024u

enum err wait_init(struct http *h)
{
	h->woken_end = &h->woken;
	h->buckets = calloc(BUCKETS_FIRST, sizeof(struct watch *));
	if (!h->buckets)
		return ERR_NO_MEMORY;
	h->bucket_count = BUCKETS_FIRST;
	return ERR_OK;
}

void wait_fini(struct http *h)
{
	assert(h->watch_count == 0);
	free(h->buckets);
	h->buckets = NULL;
}

/* ---- the table of watches ---- */

static uint64_t hash_of(const char *key, size_t length, bool prefix)
{
	return XXH3_64bits_withSeed(key, length, prefix);
}

static void link_watch(struct http *h, struct watch *w)
{
	w->place = &h->buckets[w->hash & (h->bucket_count - 1)];
	w->next = *w->place;
	if (w->next)
		w->next->place = &w->next;
	*w->place = w;
}

static void unlink_watch(struct watch *w)
{
	*w->place = w->next;
	if (w->next)
		w->next->place = w->place;
	w->place = NULL;
}

/* Without memory the table stays as it is, and its chains get longer. */
static void grow(struct http *h)
{
	size_t count = h->bucket_count;
	struct watch **old = h->buckets, **new = calloc(count * 2, sizeof(*new));

	if (!new)
		return;
	h->buckets = new;
	h->bucket_count = count * 2;
	for (size_t i = 0; i < count; i++) {
		while (old[i]) {
			struct watch *w = old[i];

			unlink_watch(w);
			link_watch(h, w);
		}
	}
	free(old);
}

static void add_watch(struct exchange *x, const char *key, size_t length, bool prefix)
{
	struct watch *w = &x->watches[x->watch_count];
	const char *slash;

	if (x->watch_count == HTTP_WATCHES_MAX) {
		x->watches_everything = true; /* woken too often is slow; too seldom is wrong */
		w = &x->watches[0];
		key = "";
		length = 0;
		prefix = true;
	} else {
		x->watch_count++;
	}
	*w = (struct watch){.x = x, .length = length, .hashed = length, .prefix = prefix};
	w->key = arena_copy(&x->arena, key, length);
	if (!w->key) {
		x->starved = true;
		w->key = "";
		w->length = w->hashed = 0;
	}
	if (prefix) {
		slash = length ? memrchr(key, '/', length) : NULL;
		w->hashed = slash ? (size_t)(slash - key) + 1 : 0;
	}
	w->hash = hash_of(key, w->hashed, prefix);
}

void exchange_watch_key(struct exchange *x, const char *key, size_t length)
{
	add_watch(x, key, length, false);
}

void exchange_watch_prefix(struct exchange *x, const char *prefix, size_t length)
{
	add_watch(x, prefix, length, true);
}

void exchange_watch_commit(struct exchange *x, uint64_t number)
{
	if (!x->watches_commit || number < x->commit_number)
		x->commit_number = number;
	x->watches_commit = true;
}

static void wake_chain(struct http *h, const char *key, size_t length, size_t hashed, bool prefix)
{
	uint64_t hash = hash_of(key, hashed, prefix);
	struct watch *w = h->buckets[hash & (h->bucket_count - 1)];

	for (; w; w = w->next)
		if (w->hash == hash && w->prefix == prefix && w->hashed == hashed &&
			(prefix ? w->length <= length : w->length == length) &&
			memcmp(w->key, key, w->length) == 0)
			wait_wake(w->x);
}

void http_wake_key(struct http *h, const char *key, size_t length)
{
	share_forget(h);
	if (h->watch_count == 0)
		return;
	wake_chain(h, key, length, length, false);
	wake_chain(h, key, length, 0, true);
	for (size_t i = 0; i < length; i++)
		if (key[i] == '/')
			wake_chain(h, key, length, i + 1, true);
}

/* ---- store batches ---- */

static void join_commits(struct exchange *x)
{
	struct http *h = x->http;
	struct exchange *before = h->commits_last;

	while (before && before->commit_number > x->commit_number)
		before = before->commit_before;
	x->commit_before = before;
	x->commit_next = before ? before->commit_next : h->commits;
	if (x->commit_next)
		x->commit_next->commit_before = x;
	else
		h->commits_last = x;
	if (before)
		before->commit_next = x;
	else
		h->commits = x;
	x->in_commits = true;
}

static void leave_commits(struct exchange *x)
{
	struct http *h = x->http;

	if (!x->in_commits)
		return;
	if (x->commit_next)
		x->commit_next->commit_before = x->commit_before;
	else
		h->commits_last = x->commit_before;
	if (x->commit_before)
		x->commit_before->commit_next = x->commit_next;
	else
		h->commits = x->commit_next;
	x->in_commits = false;
}

void http_wake_commit(struct http *h, uint64_t number, enum err result)
{
	if (number <= h->settled)
		return;
	if (result != ERR_OK) {
		h->failed[h->failed_next] = (struct failed_batches){
			.after = h->settled, .up_to = number, .result = result};
		h->failed_next = (h->failed_next + 1) % HTTP_FAILED_KEPT;
	}
	h->settled = number;
	for (struct exchange *x = h->commits; x && x->commit_number <= number; x = x->commit_next)
		wait_wake(x);
}

bool exchange_stored(const struct exchange *x, uint64_t number, enum err *ret_err)
{
	const struct http *h = x->http;

	if (number > h->settled)
		return false;
	*ret_err = ERR_OK;
	for (size_t i = 0; i < HTTP_FAILED_KEPT; i++)
		if (number > h->failed[i].after && number <= h->failed[i].up_to)
			*ret_err = h->failed[i].result;
	return true;
}

/* ---- waking ---- */

void wait_wake(struct exchange *x)
{
	struct http *h = x->http;

	if (x->woken || !x->parked)
		return;
	x->woken = true;
	x->woken_next = NULL;
	*h->woken_end = x;
	h->woken_end = &x->woken_next;
}

struct exchange *wait_next(struct http *h)
{
	struct exchange *x = h->woken;

	if (!x)
		return NULL;
	h->woken = x->woken_next;
	if (!h->woken)
		h->woken_end = &h->woken;
	x->woken = false;
	return x;
}

static void forget_wake(struct exchange *x)
{
	struct http *h = x->http;
	struct exchange **place = &h->woken;

	if (!x->woken)
		return;
	while (*place != x)
		place = &(*place)->woken_next;
	*place = x->woken_next;
	if (!*place)
		h->woken_end = place;
	x->woken = false;
}

void wait_wake_all(struct http *h)
{
	for (struct exchange *x = h->parked; x; x = x->parked_next)
		wait_wake(x);
}

static void deadline_passed(void *data)
{
	struct exchange *x = data;

	x->expired = true;
	wait_wake(x);
}

static void client_gone(void *data, uint32_t events)
{
	struct exchange *x = data;

	(void)events;
	x->gone = true;
	wait_wake(x);
}

/* ---- parking ---- */

bool exchange_has_room(struct exchange *x)
{
	if (x->parked || x->http->parked_count < x->http->parked_max)
		return true;
	exchange_problem(x, PROBLEM_WATCH_SLOTS, "%u requests wait already", x->http->parked_max);
	return false;
}

void exchange_park(struct exchange *x, int64_t deadline_ms)
{
	int64_t latest = x->started_ms + HTTP_WAIT_MS_MAX;

	if (x->response)
		return;
	/* Only who reads is refused: a write was applied by now and waits for the disk, and without
	 * its polls the cluster would fall apart. */
	if (x->operation->method == METHOD_GET && !x->follow.begun && !exchange_has_room(x))
		return;
	x->wants_park = true;
	x->deadline_ms = deadline_ms < latest ? deadline_ms : latest;
}

bool exchange_expired(const struct exchange *x)
{
	return x->expired;
}

static void join_parked(struct exchange *x)
{
	struct http *h = x->http;

	x->parked = true;
	x->parked_before = NULL;
	x->parked_next = h->parked;
	if (h->parked)
		h->parked->parked_before = x;
	h->parked = x;
	h->parked_count++;
}

static void leave_parked(struct exchange *x)
{
	struct http *h = x->http;

	if (!x->parked)
		return;
	if (x->parked_next)
		x->parked_next->parked_before = x->parked_before;
	if (x->parked_before)
		x->parked_before->parked_next = x->parked_next;
	else
		h->parked = x->parked_next;
	x->parked = false;
	h->parked_count--;
}

/* What a parked exchange watches until its next run. */
static void leave_watches(struct exchange *x)
{
	for (size_t i = 0; i < x->watch_count; i++) {
		if (!x->watches[i].place)
			continue;
		unlink_watch(&x->watches[i]);
		x->http->watch_count--;
	}
	x->watch_count = 0;
	x->watches_everything = false;
	leave_commits(x);
	x->watches_commit = false;
}

static void join_watches(struct exchange *x)
{
	struct http *h = x->http;

	for (size_t i = 0; i < x->watch_count; i++) {
		if (h->watch_count >= h->bucket_count)
			grow(h);
		link_watch(h, &x->watches[i]);
		h->watch_count++;
	}
	if (x->watches_commit)
		join_commits(x);
}

/* A parked connection does not notice that its client has gone. Who waits for nothing but the disk
 * is answered so soon that it is not worth two system calls. */
static enum err watch_client(struct exchange *x)
{
	const union MHD_ConnectionInfo *info;

	if (x->io.watched || (x->watches_commit && x->watch_count == 0))
		return ERR_OK;
	info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return loop_watch(x->http->config.loop, &x->io, info->connect_fd, EPOLLRDHUP | EPOLLONESHOT,
		client_gone, x);
}

static enum err settle_down(struct exchange *x)
{
	enum err e = watch_client(x);

	if (e == ERR_OK)
		e = loop_timer_set(
			x->http->config.loop, &x->timer, x->deadline_ms, deadline_passed, x);
	if (e != ERR_OK)
		return e;
	if (!x->parked)
		join_parked(x);
	join_watches(x);
	if (x->watches_commit && x->commit_number <= x->http->settled)
		wait_wake(x);
	return ERR_OK;
}

void wait_leave(struct exchange *x)
{
	struct loop *loop = x->http->config.loop;

	forget_wake(x);
	leave_watches(x);
	leave_parked(x);
	loop_timer_cancel(loop, &x->timer);
	if (x->io.watched)
		loop_unwatch(loop, &x->io);
}

bool wait_hold(struct exchange *x)
{
	bool wanted = x->wants_park && !x->response && !x->body_refused;

	x->wants_park = false;
	if (wanted && x->http->draining) {
		exchange_problem(x, PROBLEM_SHUTTING_DOWN, NULL);
		wanted = false;
	}
	if (!wanted) {
		leave_watches(x);
		return false;
	}
	if (settle_down(x) != ERR_OK) {
		wait_leave(x);
		exchange_fail(x, ERR_NO_MEMORY);
		return false;
	}
	x->held = true;
	return true;
}

/* ---- running ---- */

void wait_run(struct exchange *x)
{
	leave_watches(x);
	reply_forget(x);
	arena_rewind(&x->arena, x->run_mark);
	x->wants_park = false;
	if (once_sent(x))
		goto settle;
	if (x->http->draining)
		exchange_problem(x, PROBLEM_SHUTTING_DOWN, NULL);
	else if (min_dot_covered(x) && !share_taken(x) && once_begins(x))
		x->operation->handle(x);
	if (!x->response && x->starved)
		exchange_fail(x, ERR_NO_MEMORY);
	once_keep(x);
settle:
	if (x->deadline_ms > exchange_now_ms(x))
		x->expired = false;
	else if (!x->response && x->wants_park && x->expired)
		exchange_problem(x, PROBLEM_WAIT_TIMEOUT, NULL); /* it would spin */
	if (!x->response && !x->wants_park && !follow_ready(x))
		exchange_problem(x, PROBLEM_INTERNAL, "%s gave no answer", x->operation->id);
	if (!follow_settled(x) && !x->response) {
		if (settle_down(x) == ERR_OK)
			return;
		exchange_fail(x, ERR_NO_MEMORY);
		follow_settled(x);
	}
	wait_leave(x);
}
