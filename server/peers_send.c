#include "server/options.h"
#include "server/peers_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- links ---- */

struct peer_link *peers_link(struct peers *p, uint32_t link)
{
	struct peer_link *l = p->links;

	while (l && l->link != link)
		l = l->next;
	return l;
}

static struct peer_link *make_link(struct peers *p, uint32_t link)
{
	struct peer_link *l = peers_link(p, link);

	if (l || p->link_count == PEERS_LINKS_MAX)
		return l;
	l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->link = link;
	l->next = p->links;
	p->links = l;
	p->link_count++;
	return l;
}

/* At most one request of a link is under way; the newer one wins and the older is forgotten. */
static void drop_requests(struct peers *p, uint32_t link)
{
	struct transfer *next;

	for (struct transfer *t = p->transfers; t; t = next) {
		next = t->next;
		if ((t->kind == TRANSFER_HELLO || t->kind == TRANSFER_POLL) && t->link == link)
			transfer_free(t);
	}
	for (size_t i = 0; i < p->failed_count; i++)
		if (p->failed[i] == link)
			p->failed[i--] = p->failed[--p->failed_count];
}

void peers_unlink(struct peers *p, uint32_t link)
{
	struct peer_link **place = &p->links;

	drop_requests(p, link);
	while (*place && (*place)->link != link)
		place = &(*place)->next;
	if (*place) {
		struct peer_link *gone = *place;
		*place = gone->next;
		free(gone);
		p->link_count--;
	}
}

static void fail_link(struct peers *p, uint32_t link)
{
	/* There is one per link, and no more links than places: drop_requests came before. */
	if (p->failed_count < PEERS_LINKS_MAX)
		p->failed[p->failed_count++] = link;
}

/* ---- requests ---- */

static CURL *take_handle(struct peers *p)
{
	return p->spare_count > 0 ? p->spare[--p->spare_count] : curl_easy_init();
}

static void give_handle(struct peers *p, CURL *easy)
{
	if (!easy)
		return;
	multi_remove(&p->multi, easy);
	if (p->spare_count == PEERS_SPARE_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	p->spare[p->spare_count++] = easy;
}

void transfer_free(struct transfer *t)
{
	struct transfer **place = &t->peers->transfers;

	while (*place && *place != t)
		place = &(*place)->next;
	if (*place)
		*place = t->next;
	if (t->kind == TRANSFER_CALL)
		t->peers->calls--;
	loop_timer_cancel(t->peers->config.loop, &t->timer);
	give_handle(t->peers, t->easy);
	if (t->reader)
		wire_reader_free(t->reader);
	vector_fini(&t->after);
	text_fini(&t->body);
	text_fini(&t->reply);
	free(t);
}

static struct transfer *transfer_new(struct peers *p, enum transfer_kind kind)
{
	struct transfer *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->peers = p;
	t->kind = kind;
	t->next = p->transfers;
	p->transfers = t;
	if (kind == TRANSFER_CALL)
		p->calls++;
	t->easy = take_handle(p);
	return t;
}

/* Peers are spoken to directly, at the address that was given: no proxy, no redirect, no file:. */
static bool set_request(struct transfer *t, const char *url, int64_t timeout_ms)
{
	CURL *e = t->easy;
	curl_off_t bytes = (curl_off_t)t->body.used;

	return !curl_easy_setopt(e, CURLOPT_URL, url) &&
	       !curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       !curl_easy_setopt(e, CURLOPT_PROXY, "") &&
	       !curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)PEERS_CONNECT_MS) &&
	       !curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, (long)PEERS_RESOLVED_S) &&
	       !curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)timeout_ms) &&
	       !curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->peers->headers) &&
	       !curl_easy_setopt(e, CURLOPT_USERAGENT, "horde/" HORDE_VERSION) &&
	       !curl_easy_setopt(e, CURLOPT_POST, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->body.bytes ? t->body.bytes : "") &&
	       !curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, bytes) &&
	       !curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, transfer_receive) &&
	       !curl_easy_setopt(e, CURLOPT_WRITEDATA, t) &&
	       !curl_easy_setopt(e, CURLOPT_PRIVATE, t);
}

/* An answer that has begun may take long, but not stand still; and it may be compressed. */
static bool set_poll(struct transfer *t, int64_t wait_ms)
{
	struct loop *loop = t->peers->config.loop;
	int64_t late_ms = loop_clock_ms() + wait_ms + PEERS_SLACK_MS;

	return !curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, transfer_receive_head) &&
	       !curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t) &&
	       !curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "zstd, deflate") &&
	       loop_timer_set(loop, &t->timer, late_ms, transfer_late, t) == ERR_OK;
}

/* Queues the request; peers_turn sets it going. False without memory: the caller frees `t`. */
static bool send_request(struct transfer *t, const char *base, const char *path, int64_t timeout_ms)
{
	struct text url = TEXT_INIT;
	size_t bytes = strlen(base);
	bool sent;

	while (bytes > 0 && base[bytes - 1] == '/')
		bytes--;
	text_add(&url, base, bytes);
	text_adds(&url, path);
	sent = t->easy && text_ok(&t->body) && text_cstr(&url) &&
	       set_request(t, text_cstr(&url), timeout_ms) &&
	       multi_add(&t->peers->multi, t->easy) == ERR_OK;
	text_fini(&url);
	return sent;
}

void peers_hello(struct peers *p, uint32_t link, const char *url, const struct hello *self)
{
	struct peer_link *l;
	struct transfer *t;

	drop_requests(p, link);
	l = make_link(p, link);
	t = l ? transfer_new(p, TRANSFER_HELLO) : NULL;
	if (t) {
		l->seen = 0;
		l->retired_hash = 0;
		t->link = link;
		peers_hello_write(&t->body, self);
		if (send_request(t, url, "/peer/v1/hello", PEERS_HELLO_MS))
			return;
		transfer_free(t);
	}
	fail_link(p, link);
}

/* A link's name is unique to this life of this node, so a restart never inherits a parked poll. */
static void name_link(
	const struct hello *self, uint32_t link, char ret_name[WIRE_LINK_BYTES_MAX + 1])
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex(self->incarnation, hex);
	snprintf(ret_name, WIRE_LINK_BYTES_MAX + 1, "%s-%u", hex, (unsigned)link);
}

/*
 * Vectors leave out what the peer has in its table of retired origins, when it is the same. Errors:
 * NO_MEMORY.
 */
static enum err write_ask(struct transfer *t, struct peer_link *l, const struct hello *self,
	const struct peers_ask *ask)
{
	const struct peers_config *c = &t->peers->config;
	struct wire_request q = {.n = ++l->polls,
		.seen = l->seen,
		.wait_ms = ask->wait_ms,
		.digest = ask->digest,
		.repair = ask->repair,
		.poll = *ask->poll};
	const struct vector *retired = c->retired(c->data, &q.retired_hash);

	name_link(self, l->link, q.link);
	q.compact = q.retired_hash != 0 && q.retired_hash == l->retired_hash;
	q.poll.ack = *ask->ack;
	if (ask->digest)
		q.blocks = *ask->sums;
	wire_request_write(&q, retired, &t->body);
	return vector_copy(&ask->poll->after, &t->after);
}

void peers_poll(struct peers *p, uint32_t link, const char *url, const struct hello *self,
	const struct peers_ask *ask)
{
	const char *path = ask->digest ? "/peer/v1/digest" : "/peer/v1/deltas";
	struct peer_link *l;
	struct transfer *t;

	drop_requests(p, link);
	l = make_link(p, link);
	t = l && (!ask->digest || ask->sums) ? transfer_new(p, TRANSFER_POLL) : NULL;
	if (t) {
		t->link = link;
		if (write_ask(t, l, self, ask) == ERR_OK && t->easy && set_poll(t, ask->wait_ms) &&
			send_request(t, url, path, PEERS_ANSWER_MS_MAX))
			return;
		transfer_free(t);
	}
	fail_link(p, link);
}

void peers_goodbye(struct peers *p, const char *url, const struct hello *self,
	enum goodbye_reason reason, int64_t back_within_ms)
{
	struct transfer *t = transfer_new(p, TRANSFER_GOODBYE);

	if (!t)
		return;
	peers_goodbye_write(&t->body, self, reason, back_within_ms);
	if (!send_request(t, url, "/peer/v1/goodbye", PEERS_GOODBYE_MS))
		transfer_free(t);
}

size_t peers_goodbyes(const struct peers *p)
{
	size_t count = 0;

	for (const struct transfer *t = p->transfers; t; t = t->next)
		count += t->kind == TRANSFER_GOODBYE;
	return count;
}

/* ---- calls ---- */

static struct transfer *find_call(const struct peers *p, uint64_t ticket)
{
	struct transfer *t = p->transfers;

	while (t && (t->kind != TRANSFER_CALL || t->ticket != ticket))
		t = t->next;
	return t;
}

enum err peers_call(struct peers *p, const char *url, const char *path, const char *body,
	size_t body_bytes, int64_t timeout_ms, uint64_t *ret_ticket)
{
	struct transfer *t;

	if (p->calls == PEERS_CALLS_MAX)
		return ERR_LIMIT;
	t = transfer_new(p, TRANSFER_CALL);
	if (!t)
		return ERR_NO_MEMORY;
	t->ticket = ++p->tickets;
	text_add(&t->body, body, body_bytes);
	if (timeout_ms < 1 || timeout_ms > PEERS_CALL_MS_MAX)
		timeout_ms = PEERS_CALL_MS_MAX;
	if (!send_request(t, url, path, timeout_ms)) {
		transfer_free(t);
		return ERR_NO_MEMORY;
	}
	*ret_ticket = t->ticket;
	return ERR_OK;
}

enum call_state peers_call_result(const struct peers *p, uint64_t ticket, unsigned *ret_status,
	const char **ret_body, size_t *ret_bytes)
{
	const struct transfer *t = find_call(p, ticket);

	if (t && !t->ended)
		return CALL_PENDING;
	if (!t || t->refused || t->result != CURLE_OK || t->status == 0)
		return CALL_FAILED;
	*ret_status = (unsigned)t->status;
	*ret_body = t->reply.bytes ? t->reply.bytes : "";
	*ret_bytes = t->reply.used;
	return CALL_ANSWERED;
}

void peers_call_end(struct peers *p, uint64_t ticket)
{
	struct transfer *t = find_call(p, ticket);

	if (t)
		transfer_free(t);
}
