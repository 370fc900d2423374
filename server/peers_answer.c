#include "server/peers_inside.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#define TRIM_PUTS 4096 /* an answer with more entries is large */

/* Feeds a poll's answer to the decoder as it comes, so that its size is bounded by the decoder. */
static bool receive_lines(struct transfer *t, const char *bytes, size_t count)
{
	if (!t->reader)
		t->refused = wire_reader_new(&t->reader);
	if (!t->refused)
		t->refused = wire_reader_feed(t->reader, bytes, count);
	return !t->refused;
}

/* The answer moves: from its begin on only a standstill is waited for. */
static void move(struct transfer *t)
{
	struct loop *loop = t->peers->config.loop;
	bool first = t->moved_ms == 0;

	t->moved_ms = loop_clock_ms();
	/* Without memory the first limit stays: it is late then, and asked again. */
	if (first && t->kind == TRANSFER_POLL)
		loop_timer_set(loop, &t->timer, t->moved_ms + PEERS_STALL_MS, transfer_late, t);
}

void transfer_late(void *data)
{
	struct transfer *t = data;
	int64_t until_ms = t->moved_ms + PEERS_STALL_MS;

	if (t->moved_ms > 0 && loop_clock_ms() < until_ms &&
		loop_timer_set(t->peers->config.loop, &t->timer, until_ms, transfer_late, t) ==
			ERR_OK)
		return;
	t->result = CURLE_OPERATION_TIMEDOUT;
	transfer_end(t);
}

size_t transfer_receive_head(char *bytes, size_t one, size_t count, void *data)
{
	(void)bytes;
	move(data);
	return one * count;
}

size_t transfer_receive(char *bytes, size_t one, size_t count, void *data)
{
	struct transfer *t = data;
	long status = 0;

	move(t);
	count *= one;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (t->kind == TRANSFER_POLL && status == 200)
		return receive_lines(t, bytes, count) ? count : 0;
	if (t->reply.used + count > PEERS_REPLY_BYTES_MAX) {
		t->refused = ERR_MALFORMED;
		return 0;
	}
	text_add(&t->reply, bytes, count);
	if (t->reply.failed)
		t->refused = ERR_NO_MEMORY;
	return t->refused ? 0 : count;
}

/* ---- what an answer means for the link ---- */

static bool was_refused(const struct transfer *t)
{
	long error = 0;

	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);
	return error == ECONNREFUSED;
}

static enum event_kind failure_kind(const struct transfer *t)
{
	switch ((int)t->result) {
	case CURLE_COULDNT_CONNECT:
		return was_refused(t) ? EVENT_LINK_REFUSED : EVENT_LINK_SILENT;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return EVENT_LINK_LOST;
	case CURLE_OPERATION_TIMEDOUT:
		return t->kind == TRANSFER_POLL && t->moved_ms > 0 ? EVENT_LINK_LOST
								   : EVENT_LINK_SILENT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_OUT_OF_MEMORY:
	case CURLE_AGAIN:
	case CURLE_FAILED_INIT:
		return EVENT_LINK_SILENT;
	default: /* it does not speak HTTP, or the URL is none */
		return EVENT_LINK_REJECTED;
	}
}

/* Fills the event of a good answer. Errors: MALFORMED and what the peer's hello has wrong. */
static enum err read_answer(
	struct transfer *t, struct event *e, struct hello *hello, struct fragment *fragment)
{
	enum err err;

	if (t->kind == TRANSFER_HELLO) {
		err = peers_hello_read(t->reply.bytes ? t->reply.bytes : "", t->reply.used, hello);
		e->kind = EVENT_HELLO_ANSWERED;
		e->hello = hello;
		return err;
	}
	e->kind = EVENT_FRAGMENT;
	e->fragment = fragment;
	if (!t->reader)
		return ERR_MALFORMED;
	return wire_reader_end(t->reader, &t->after, fragment);
}

static void reject(struct event *e, enum err err)
{
	/* Our own lack of memory is not the peer's fault; it is asked again soon. */
	e->kind = err == ERR_NO_MEMORY ? EVENT_LINK_SILENT : EVENT_LINK_REJECTED;
	if (e->kind == EVENT_LINK_REJECTED)
		e->rejected.err = err;
}

static void judge(
	struct transfer *t, struct event *e, struct hello *hello, struct fragment *fragment)
{
	enum err err;

	if (t->refused) {
		reject(e, t->refused);
	} else if (t->result != CURLE_OK) {
		e->kind = failure_kind(t);
		if (e->kind == EVENT_LINK_REJECTED)
			e->rejected.err = ERR_MALFORMED;
	} else if (t->status == 410) {
		e->kind = EVENT_LINK_LOST;
	} else if (t->status != 200) {
		reject(e, peers_problem_read(t->status, t->reply.bytes, t->reply.used));
		/* It is about to be gone: asked again, it is refused, and that says more. */
		if (e->kind == EVENT_LINK_REJECTED && e->rejected.err == ERR_SHUTTING_DOWN)
			e->kind = EVENT_LINK_LOST;
	} else {
		err = read_answer(t, e, hello, fragment);
		if (err)
			reject(e, err);
	}
}

/* What the exchange took on the wire, heads included. */
static void count_bytes(const struct transfer *t, struct event *e)
{
	curl_off_t received = 0, sent = 0;
	long head = 0, request = 0;

	curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
	curl_easy_getinfo(t->easy, CURLINFO_HEADER_SIZE, &head);
	curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request);
	e->bytes_received = (uint64_t)received + (uint64_t)head;
	e->bytes_sent = (uint64_t)request;
}

/*
 * What a large answer was staged in lies among what was kept of it, and goes back to the system
 * only when it is asked for: half of a replica's memory after a cold join.
 */
static void release(struct fragment *f)
{
	bool large = f->put_count > TRIM_PUTS;

	fragment_fini(f);
	if (large)
		malloc_trim(0);
}

void transfer_answer(struct transfer *t)
{
	struct event e = {.link = t->link};
	struct hello hello = {0};
	struct fragment fragment = {0};
	struct peers *p = t->peers;
	struct peer_link *link = peers_link(p, t->link);

	judge(t, &e, &hello, &fragment);
	if (e.kind == EVENT_FRAGMENT)
		count_bytes(t, &e);
	if (link && e.kind == EVENT_FRAGMENT) {
		link->seen = link->polls;
		link->retired_hash = wire_reader_retired(t->reader);
	}
	/* Freed first: the event may well start the next request of this link. */
	transfer_free(t);
	p->config.event(p->config.data, &e);
	if (e.kind == EVENT_FRAGMENT)
		release(&fragment);
}
