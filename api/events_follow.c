/*
 * Events as they happen (streamEvents): as Server-Sent Events, or as a line of JSON each. A
 * listener who missed some is told `reset` before anything else, and goes on from there.
 * Source: WHATWG HTML, "Server-sent events".
 */
#include <stdlib.h>
#include <string.h>

#include "api/events.h"
#include "api/follow.h"
#include "api/resource.h"

struct listening {
	struct topics topics;
	bool lines;    /* of JSON; else Server-Sent Events */
	uint64_t told; /* up to this event */
	int64_t beat_ms;
};

/* ---- what he is sent ---- */

static void put(struct exchange *x, const struct listening *l, const char *id, const char *type,
	const char *text, size_t bytes)
{
	struct text *out = exchange_follow_out(x);

	if (!l->lines) {
		text_adds(out, "id: ");
		text_adds(out, id);
		text_adds(out, "\nevent: ");
		text_adds(out, type);
		text_adds(out, "\ndata: ");
	}
	text_add(out, text, bytes);
	text_adds(out, l->lines ? "\n" : "\n\n");
}

/* About the stream itself: where it is; why, of a reset. */
static void put_own(
	struct exchange *x, const struct listening *l, const char *type, const char *reason)
{
	const struct horde *h = resource_horde(x);
	struct text text = TEXT_INIT;
	char id[EVENT_ID_BYTES];

	events_id(horde_events(h), l->told, id);
	json_object(&text);
	json_put_string(&text, "id", id);
	json_put_string(&text, "type", type);
	json_put_string(&text, "node", horde_config(h)->name);
	if (reason)
		json_put_string(&text, "reason", reason);
	json_end_object(&text);
	if (text_ok(&text))
		put(x, l, id, type, text.bytes, text.used);
	else
		exchange_follow_out(x)->failed = true; /* he is cut off, and comes back */
	text_fini(&text);
}

static void reset(struct exchange *x, struct listening *l, const char *reason)
{
	l->told = events_last(horde_events(resource_horde(x)));
	put_own(x, l, "reset", reason);
}

static void put_events(struct exchange *x, struct listening *l)
{
	const struct events *ev = horde_events(resource_horde(x));
	const struct text *out = exchange_follow_out(x);
	struct happened e;
	char id[EVENT_ID_BYTES];

	if (l->told + 1 < events_first(ev))
		reset(x, l, "expired");
	while (out->used < EVENTS_PIECE_BYTES && topics_next(&l->topics, ev, &l->told, &e)) {
		events_id(ev, l->told, id);
		put(x, l, id, e.type, e.text, e.text_bytes);
	}
}

/* ---- its begin ---- */

static bool wants_lines(const char *accept)
{
	return accept && strstr(accept, "ndjson") && !strstr(accept, "event-stream");
}

static struct listening *make(struct exchange *x)
{
	struct listening *l = calloc(1, sizeof(*l));

	if (!l) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	exchange_follow_data_set(x, l, free);
	l->lines = wants_lines(exchange_header(x, "Accept"));
	l->beat_ms = exchange_query_ms(x, "heartbeat", EVENTS_BEAT_MS);
	if (l->beat_ms < EVENTS_BEAT_MS_MIN)
		l->beat_ms = EVENTS_BEAT_MS_MIN;
	return l;
}

/* Where he was last goes before where he wants to begin: a browser repeats the URL. */
static void find_start(struct exchange *x, struct listening *l)
{
	const struct events *ev = horde_events(resource_horde(x));
	const char *last = exchange_header(x, "Last-Event-ID");
	const char *from = last && *last ? last : exchange_query(x, "from");
	enum events_place place = EVENTS_AT;

	l->told = events_last(ev);
	if (from && from != last && strcmp(from, "start") == 0)
		l->told = events_first(ev) - 1;
	else if (from && (from == last || strcmp(from, "now") != 0))
		place = events_find(ev, from, &l->told);
	if (place != EVENTS_AT)
		reset(x, l, place == EVENTS_GONE ? "expired" : "elsewhere");
	put_own(x, l, "open", NULL);
}

static void begin(struct exchange *x)
{
	struct listening *l = make(x);

	if (!l || !topics_of(x, &l->topics))
		return;
	find_start(x, l);
	exchange_header_set(x, "Cache-Control", "no-store");
	exchange_follow(x, l->lines ? "application/x-ndjson" : "text/event-stream");
}

static void stream_events(struct exchange *x)
{
	struct listening *l = exchange_follow_data(x);
	int64_t beat_at_ms;

	if (!exchange_following(x)) {
		begin(x);
		return;
	}
	put_events(x, l);
	if (exchange_follow_out(x)->used)
		return;
	beat_at_ms = exchange_started_ms(x) + l->beat_ms;
	if (resource_late(x, beat_at_ms)) {
		put_own(x, l, "heartbeat", NULL);
		return;
	}
	topics_watch(x, &l->topics);
	exchange_park(x, beat_at_ms);
}

const struct binding events_follow_bindings[] = {
	{"streamEvents", stream_events},
	{NULL, NULL},
};
