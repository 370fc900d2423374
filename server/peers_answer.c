#include "server/peers_inside.h"

#include <errno.h>
#include <string.h>

/* Feeds a poll's answer to the decoder as it comes, so that its size is bounded by the decoder. */
static bool receive_lines(struct transfer *t, const char *bytes, size_t count)
{
	if (!t->reader)
		t->refused = wire_reader_new(&t->reader);
	if (!t->refused)
		t->refused = wire_reader_feed(t->reader, bytes, count);
	return !t->refused;
}

size_t transfer_receive(char *bytes, size_t one, size_t count, void *data)
{
	struct transfer *t = data;
	long status = 0;

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
	return t->reader ? wire_reader_end(t->reader, fragment) : ERR_MALFORMED;
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

void transfer_answer(struct transfer *t)
{
	struct event e = {.link = t->link};
	struct hello hello = {0};
	struct fragment fragment = {0};
	struct peers *p = t->peers;
	struct peer_link *link = peers_link(p, t->link);

	judge(t, &e, &hello, &fragment);
	if (link && e.kind == EVENT_FRAGMENT)
		link->seen = link->polls;
	/* Freed first: the event may well start the next request of this link. */
	transfer_free(t);
	p->config.event(p->config.data, &e);
	if (e.kind == EVENT_FRAGMENT)
		fragment_fini(&fragment);
}
