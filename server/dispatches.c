#include "server/dispatches.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/multi.h"

#define URL_MAX (DISPATCH_HOST_BYTES_MAX + 32)

struct dispatch {
	struct dispatches *all;
	struct dispatch *next, **place;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t ticket;
	struct loop_timer timer;
	int64_t moved_ms, end_ms;
	struct text up; /* of the request's body: from `up_at` on it is still to be sent */
	size_t up_at;
	bool up_ended;    /* no more of it comes */
	bool up_paused;   /* curl waits for more of it */
	struct text down; /* of the reply's body */
	bool down_paused; /* curl waits for that to be taken */
	bool resumes;     /* at the next turn curl looks again */
	struct text head;
	unsigned status; /* of the head that is being read */
	bool headed;     /* it is whole */
	bool over;
	bool late;
	const char *why; /* it failed */
};

struct dispatches {
	struct dispatches_config config;
	struct multi multi;
	struct dispatch *first;
	unsigned count;
	uint64_t tickets;
	bool resuming; /* some of them */
};

static void moved(struct dispatch *d)
{
	d->moved_ms = loop_now_ms(d->all->config.loop);
	d->all->config.moved(d->all->config.data, d->ticket);
}

static void fail(struct dispatch *d, const char *why)
{
	d->over = true;
	d->why = why;
	loop_timer_cancel(d->all->config.loop, &d->timer);
	moved(d);
}

/* ---- what curl asks for ---- */

static size_t left_to_send(const struct dispatch *d)
{
	return d->up.used - d->up_at;
}

static size_t on_read(char *bytes, size_t one, size_t count, void *data)
{
	struct dispatch *d = data;
	size_t left = left_to_send(d), size = one * count < left ? one * count : left;

	if (left == 0 && !d->up_ended) {
		d->up_paused = true;
		return CURL_READFUNC_PAUSE;
	}
	if (size == 0)
		return 0;
	memcpy(bytes, d->up.bytes + d->up_at, size);
	d->up_at += size;
	if (left_to_send(d) == 0) {
		text_clear(&d->up);
		d->up_at = 0;
	}
	moved(d);
	return size;
}

static size_t on_write(char *bytes, size_t one, size_t count, void *data)
{
	struct dispatch *d = data;

	if (d->down.used >= DISPATCH_HELD_BYTES) {
		d->down_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	text_add(&d->down, bytes, one * count);
	moved(d);
	return text_ok(&d->down) ? one * count : 0;
}

/* A 100 Continue has a head of its own, and trailers are none. */
static bool take_line(struct dispatch *d, const char *line, size_t count)
{
	char status[4] = "";

	if (d->headed)
		return true;
	if (count > 5 && memcmp(line, "HTTP/", 5) == 0) {
		const char *space = memchr(line, ' ', count);

		if (space && (size_t)(line + count - space) > 3)
			memcpy(status, space + 1, 3);
		d->status = (unsigned)strtoul(status, NULL, 10);
		text_clear(&d->head);
		return true;
	}
	if (count == 0) {
		d->headed = d->status >= 200;
		return true;
	}
	text_add(&d->head, line, count);
	text_add(&d->head, "", 1);
	return d->head.used <= DISPATCH_HEAD_BYTES_MAX;
}

static size_t on_head(char *bytes, size_t one, size_t count, void *data)
{
	struct dispatch *d = data;
	size_t length = one * count;

	while (length && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
		length--;
	if (!take_line(d, bytes, length))
		d->why = "the head of its reply is too large";
	if (!text_ok(&d->head))
		d->why = "there is no memory for its reply";
	moved(d);
	return d->why ? 0 : one * count;
}

static const char *why_not(CURLcode result)
{
	switch ((int)result) {
	case CURLE_COULDNT_CONNECT:
		return "it refuses connections";
	case CURLE_COULDNT_RESOLVE_HOST:
		return "its host has no address";
	case CURLE_OPERATION_TIMEDOUT:
		return "no connection came about in time";
	default:
		return "it broke off, or does not speak HTTP";
	}
}

static void on_ended(void *data, CURL *easy, CURLcode result)
{
	struct dispatch *d = NULL;

	(void)data;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&d);
	if (d->over)
		return;
	if (result && !d->why)
		d->why = why_not(result);
	if (!d->why && !d->headed)
		d->why = "it gave no reply";
	fail(d, d->why);
}

/* ---- time ---- */

/* Nobody is waited for but the owner. */
static bool owner_is_silent(const struct dispatch *d)
{
	bool awaits_body = d->up_paused && !d->resumes && !d->up_ended;
	bool awaits_reader = d->down_paused && !d->resumes && d->up_ended;

	return !awaits_body && !awaits_reader;
}

static enum err set_timer(struct dispatch *d);

static void on_time(void *data)
{
	struct dispatch *d = data;
	int64_t now_ms = loop_now_ms(d->all->config.loop);

	if (!owner_is_silent(d))
		d->moved_ms = now_ms;
	if (now_ms < d->end_ms && now_ms < d->moved_ms + d->all->config.idle_ms && !set_timer(d))
		return;
	multi_remove(&d->all->multi, d->easy);
	d->late = true;
	fail(d, now_ms < d->end_ms ? "it says nothing" : "it took too long");
}

static enum err set_timer(struct dispatch *d)
{
	int64_t at_ms = d->moved_ms + d->all->config.idle_ms;

	return loop_timer_set(
		d->all->config.loop, &d->timer, at_ms < d->end_ms ? at_ms : d->end_ms, on_time, d);
}

/* ---- begin and end ---- */

static bool add_header(struct dispatch *d, const char *line)
{
	struct curl_slist *longer = curl_slist_append(d->headers, line);

	if (longer)
		d->headers = longer;
	return longer;
}

/* curl wants "Name;" for a header without a value, and adds some where nobody gave them. */
static bool add_headers(struct dispatch *d, const struct dispatch_request *r)
{
	bool accepts = false, ok = true;

	for (const char *at = r->headers; ok && at < r->headers + r->headers_bytes;) {
		size_t count = strlen(at);
		struct text line = TEXT_INIT;

		text_add(&line, at, count);
		if (count > 1 && strcmp(at + count - 2, ": ") == 0) {
			line.used -= 2;
			text_adds(&line, ";");
		}
		accepts = accepts || strncasecmp(at, "Accept:", 7) == 0;
		ok = text_cstr(&line) && add_header(d, line.bytes);
		text_fini(&line);
		at += count + 1;
	}
	ok = ok && add_header(d, "Expect:");
	return ok && (accepts || add_header(d, "Accept:"));
}

/* Spoken to directly, once, and not followed elsewhere. */
static bool set_place(struct dispatch *d, const struct dispatch_request *r)
{
	CURL *e = d->easy;
	bool bare = strchr(r->host, ':');
	char url[URL_MAX];

	snprintf(url, sizeof url, "http://%s%s%s:%u/", bare ? "[" : "", r->host, bare ? "]" : "",
		(unsigned)r->port);
	return !curl_easy_setopt(e, CURLOPT_URL, url) &&
	       !curl_easy_setopt(e, CURLOPT_REQUEST_TARGET, r->target) &&
	       !curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http") &&
	       !curl_easy_setopt(e, CURLOPT_PROXY, "") &&
	       !curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) &&
	       !curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)d->all->config.connect_ms);
}

static bool set_method(struct dispatch *d, const struct dispatch_request *r)
{
	CURL *e = d->easy;
	bool head = strcmp(r->method, "HEAD") == 0;

	if (head || (!r->body && r->length < 0))
		return !curl_easy_setopt(e, head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L) &&
		       (head || !curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method));
	return !curl_easy_setopt(e, CURLOPT_UPLOAD, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method) &&
	       !curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->length);
}

static bool set_callbacks(struct dispatch *d)
{
	CURL *e = d->easy;

	return !curl_easy_setopt(e, CURLOPT_PRIVATE, d) &&
	       !curl_easy_setopt(e, CURLOPT_HTTPHEADER, d->headers) &&
	       !curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read) &&
	       !curl_easy_setopt(e, CURLOPT_READDATA, d) &&
	       !curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write) &&
	       !curl_easy_setopt(e, CURLOPT_WRITEDATA, d) &&
	       !curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head) &&
	       !curl_easy_setopt(e, CURLOPT_HEADERDATA, d);
}

enum err dispatches_begin(
	struct dispatches *all, const struct dispatch_request *r, struct dispatch **ret_dispatch)
{
	struct dispatch *d;

	if (all->count == all->config.max)
		return ERR_LIMIT;
	d = calloc(1, sizeof *d);
	if (!d)
		return ERR_NO_MEMORY;
	d->all = all;
	d->ticket = ++all->tickets;
	d->next = all->first;
	d->place = &all->first;
	if (d->next)
		d->next->place = &d->next;
	all->first = d;
	all->count++;
	d->up_ended = !r->body;
	d->moved_ms = loop_now_ms(all->config.loop);
	d->end_ms = d->moved_ms + all->config.total_ms;
	d->easy = curl_easy_init();
	if (!d->easy || !add_headers(d, r) || !set_place(d, r) || !set_method(d, r) ||
		!set_callbacks(d) || set_timer(d) || multi_add(&all->multi, d->easy)) {
		dispatch_end(d);
		return ERR_NO_MEMORY;
	}
	*ret_dispatch = d;
	return ERR_OK;
}

void dispatch_end(struct dispatch *d)
{
	struct dispatches *all = d->all;

	*d->place = d->next;
	if (d->next)
		d->next->place = d->place;
	all->count--;
	loop_timer_cancel(all->config.loop, &d->timer);
	if (d->easy) {
		multi_remove(&all->multi, d->easy);
		curl_easy_cleanup(d->easy);
	}
	curl_slist_free_all(d->headers);
	text_fini(&d->up);
	text_fini(&d->down);
	text_fini(&d->head);
	free(d);
}

/* ---- what handlers do ---- */

uint64_t dispatch_ticket(const struct dispatch *d)
{
	return d->ticket;
}

/* Not at once: curl would call back in the midst of a handler. */
static void resume_later(struct dispatch *d)
{
	d->resumes = d->all->resuming = true;
	d->moved_ms = loop_now_ms(d->all->config.loop);
}

enum dispatch_send dispatch_send(struct dispatch *d, const char *bytes, size_t count)
{
	if (d->over)
		return DISPATCH_SEND_OVER;
	if (d->up_at) {
		d->up.used -= d->up_at;
		memmove(d->up.bytes, d->up.bytes + d->up_at, d->up.used);
		d->up_at = 0;
	}
	text_add(&d->up, bytes, count);
	if (!text_ok(&d->up)) {
		multi_remove(&d->all->multi, d->easy);
		fail(d, "there is no memory for the request");
		return DISPATCH_SEND_OVER;
	}
	if (d->up_paused)
		resume_later(d);
	return d->up.used < DISPATCH_HELD_BYTES ? DISPATCH_SEND_MORE : DISPATCH_SEND_HOLD;
}

void dispatch_finish(struct dispatch *d)
{
	if (d->up_ended)
		return;
	d->up_ended = true;
	if (d->up_paused && !d->over)
		resume_later(d);
}

struct dispatch_view dispatch_view(const struct dispatch *d)
{
	struct dispatch_view v = {.status = d->headed ? d->status : 0,
		.head = d->head.bytes,
		.head_bytes = d->head.used,
		.why = d->why,
		.late = d->late};

	v.state = d->over     ? (d->why ? DISPATCH_FAILED : DISPATCH_ENDED)
		  : d->headed ? DISPATCH_REPLIES
			      : DISPATCH_PENDING;
	return v;
}

void dispatch_take(struct dispatch *d, struct text *out)
{
	text_add(out, d->down.bytes, d->down.used);
	text_clear(&d->down);
	if (d->down_paused && !d->over)
		resume_later(d);
}

/* ---- turns and life ---- */

static void resume(struct dispatch *d)
{
	d->resumes = false;
	if (d->over)
		return;
	d->up_paused = d->down_paused = false; /* or they are set again by this: */
	curl_easy_pause(d->easy, CURLPAUSE_CONT);
}

void dispatches_turn(struct dispatches *all)
{
	if (all->resuming) {
		all->resuming = false;
		for (struct dispatch *d = all->first; d; d = d->next)
			if (d->resumes)
				resume(d);
	}
	multi_turn(&all->multi);
}

enum err dispatches_new(const struct dispatches_config *config, struct dispatches **ret)
{
	struct dispatches *all = calloc(1, sizeof *all);

	if (!all)
		return ERR_NO_MEMORY;
	if (curl_global_init(CURL_GLOBAL_NOTHING)) {
		free(all);
		return ERR_NO_MEMORY;
	}
	all->config = *config;
	if (multi_init(&all->multi, config->loop, on_ended, all)) {
		dispatches_free(all);
		return ERR_NO_MEMORY;
	}
	*ret = all;
	return ERR_OK;
}

void dispatches_free(struct dispatches *all)
{
	if (!all)
		return;
	assert(!all->first);
	multi_fini(&all->multi);
	free(all);
	curl_global_cleanup();
}
