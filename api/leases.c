/* Leases: createLease, getLease, renewLease, deleteLease. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/lease.h"
#include "server/core/times.h"

#define RENEWALS_A_TTL 3 /* of a parked read */

static const char *path_id(const struct exchange *x)
{
	return exchange_path(x, "lease");
}

static struct etag etag_of_lease(const struct entry *e)
{
	return etag_of(entry_content(e));
}

static void over(struct exchange *x)
{
	exchange_problem(x, PROBLEM_LEASE_EXPIRED, "lease '%s' is over", path_id(x));
}

static void reply_lease(struct exchange *x, const struct entry *e)
{
	struct etag etag = etag_of_lease(e);
	struct text body = TEXT_INIT;

	lease_open(&body, x, e, NULL);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

/* ---- createLease ---- */

/* What the later runs need: id and secret, each with its NUL. */
struct told {
	char id[UUID_TEXT_BYTES];
	char secret[LEASE_SECRET_HEX];
};

static enum err create(struct exchange *x, struct write *w)
{
	const json_t *ttl = json_object_get(exchange_body(x), "ttl_ms");
	struct event event = {.kind = EVENT_PUT_LEASE};
	unsigned char hash[LEASE_SECRET_BYTES];
	struct told *told = (struct told *)(void *)w->kept;
	enum err e = resource_new_id(x, 0, told->id);

	if (e == ERR_OK)
		e = lease_secret_make(told->secret, hash);
	event.lease.id = told->id;
	event.lease.ttl_ms = json_integer_value(ttl);
	event.lease.secret = hash;
	return e == ERR_OK ? write_command(x, &event, w) : e;
}

static struct write *begin_create(struct exchange *x)
{
	const struct told room = {0};
	struct write *w = write_begin(x, WAIT_ACK_MS);
	enum err e;

	if (!w || !write_keep(x, w, (const char *)&room, sizeof(room)))
		return NULL;
	e = create(x, w);
	if (e == ERR_LIMIT)
		exchange_problem(x, PROBLEM_OVERLOADED, "there are %d leases already", LEASES_MAX);
	else if (e == ERR_FORBIDDEN)
		exchange_problem(x, PROBLEM_FORBIDDEN, "a child has no leases");
	else if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

static void create_lease(struct exchange *x)
{
	struct write *w = exchange_state(x);
	const struct told *told;
	const struct entry *e;
	char location[64];
	struct text body = TEXT_INIT;
	struct etag etag;

	exchange_secret_set(x);
	if ((!w && !(w = begin_create(x))) || !write_settled(x, w))
		return;
	told = (const struct told *)(const void *)w->kept;
	e = lease_find(x, told->id);
	if (!e) {
		write_headers(x, w, NULL);
		exchange_problem(x, PROBLEM_WRONG_STATE, "the lease has ended meanwhile");
		return;
	}
	etag = etag_of_lease(e);
	lease_open(&body, x, e, told->secret);
	etag_put(&body, &etag);
	json_end_object(&body);
	write_headers(x, w, &etag);
	snprintf(location, sizeof(location), "/v1/leases/%s", told->id);
	exchange_header_set(x, "Location", location);
	exchange_reply(x, 201, &body);
}

/* ---- renewing ---- */

struct renewing { /* the exchange's state */
	struct renewal renewal;
	int64_t next_ms;  /* of a parked read: when it renews again; 0: at once */
	int64_t until_ms; /* a renewal that is under way may take; 0: none is */
};

static void free_renewing(void *state)
{
	struct renewing *s = state;

	renewal_fini(&s->renewal);
	free(s);
}

/* NULL: 503 was answered. */
static struct renewing *renewing_of(struct exchange *x)
{
	struct renewing *s = exchange_state(x);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (s)
		exchange_state_set(x, s, free_renewing);
	else
		exchange_fail(x, ERR_NO_MEMORY);
	return s;
}

static void wait_for(struct exchange *x, struct renewing *s)
{
	/* A call ends by itself in time, and so does a commit; this is for more than that. */
	if (s->until_ms == 0)
		s->until_ms = exchange_now_ms(x) + WRITE_COMMIT_MS_MAX;
	if (resource_late(x, s->until_ms))
		exchange_problem(x, PROBLEM_WAIT_TIMEOUT, "it is not renewed for certain yet");
	else if (exchange_has_room(x))
		exchange_park(x, s->until_ms);
}

/* True when it is done; false: the exchange has parked, or was answered (`over` by the caller). */
static bool renewed(struct exchange *x, struct renewing *s, bool *ret_over)
{
	enum renewal_state state = renewal_go(x, &s->renewal, path_id(x));

	*ret_over = state == RENEWAL_OVER;
	if (state == RENEWAL_UNDER_WAY)
		wait_for(x, s);
	else
		s->until_ms = 0;
	return state == RENEWAL_DONE && !renewal_told(x, &s->renewal);
}

static void renew_lease(struct exchange *x)
{
	struct renewing *s = exchange_state(x);
	const struct entry *e = lease_find(x, path_id(x));
	bool is_over;

	if (!e) {
		over(x);
		return;
	}
	if (!s && (!lease_proved(x, e) || !(s = renewing_of(x))))
		return;
	if (renewed(x, s, &is_over)) {
		e = lease_find(x, path_id(x));
		if (e)
			reply_lease(x, e);
	}
	if (is_over || (!e && !exchange_replied(x)))
		over(x);
}

/* ---- getLease ---- */

static void not_there(struct exchange *x)
{
	reads_absent(x, PROBLEM_LEASE_NOT_FOUND, "there is no lease '%s'", path_id(x));
}

/* Who reads with the secret keeps it alive. False: parked, or answered. */
static bool keep_alive(struct exchange *x, const struct entry *e, struct renewing *s)
{
	int64_t ttl_ms = e->record->lease.ttl_ms;
	bool is_over;

	if (exchange_now_ms(x) < s->next_ms)
		return true;
	if (renewed(x, s, &is_over)) {
		s->next_ms = exchange_now_ms(x) + ttl_ms / RENEWALS_A_TTL;
		return true;
	}
	if (is_over)
		not_there(x);
	return false;
}

static void get_lease(struct exchange *x)
{
	const struct entry *e = lease_find(x, path_id(x));
	bool proves = exchange_header(x, LEASE_SECRET) != NULL;
	struct renewing *s = NULL;
	char key[KEY_BYTES_MAX + 1];
	struct etag etag;
	int64_t until_ms;

	exchange_watch_key(x, key, (size_t)snprintf(key, sizeof(key), "lease/%s", path_id(x)));
	if (!e) {
		not_there(x);
		return;
	}
	if (proves && (!lease_proved(x, e) || !(s = renewing_of(x)) || !keep_alive(x, e, s)))
		return;
	e = lease_find(x, path_id(x)); /* a takeover is another one */
	if (!e) {
		not_there(x);
		return;
	}
	etag = etag_of_lease(e);
	if (!reads_settled(x, &etag)) {
		reply_lease(x, e);
	} else if (s && !exchange_replied(x)) {
		until_ms = exchange_started_ms(x) + reads_wait_ms(x, 0);
		exchange_park(x, s->next_ms < until_ms ? s->next_ms : until_ms);
	}
}

/* ---- deleteLease ---- */

static struct write *begin_delete(struct exchange *x)
{
	struct event event = {.kind = EVENT_REMOVE_LEASE};
	const struct entry *present = lease_find(x, path_id(x));
	struct write *w;
	enum err e;

	if (present && exchange_header(x, LEASE_SECRET) && !lease_proved(x, present))
		return NULL;
	w = write_begin(x, WAIT_ACK_MS);
	if (!w)
		return NULL;
	event.lease.id = path_id(x);
	e = write_command(x, &event, w);
	if (e == ERR_NOT_FOUND && exchange_query_bool(x, "missing_ok", false)) {
		write_missing(w);
		return w;
	}
	if (e == ERR_NOT_FOUND)
		exchange_problem(x, PROBLEM_LEASE_NOT_FOUND, "there is no lease '%s'", path_id(x));
	else if (e == ERR_FORBIDDEN)
		exchange_problem(x, PROBLEM_FORBIDDEN, "a child has no leases");
	else if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

static void delete_lease(struct exchange *x)
{
	struct write *w = exchange_state(x);

	if ((!w && !(w = begin_delete(x))) || !write_settled(x, w))
		return;
	write_headers(x, w, NULL);
	exchange_reply_empty(x, 204);
}

const struct binding lease_bindings[] = {
	{"createLease", create_lease},
	{"getLease", get_lease},
	{"renewLease", renew_lease},
	{"deleteLease", delete_lease},
	{NULL, NULL},
};
