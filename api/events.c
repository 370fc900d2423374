#include "api/events.h"

#include <stdlib.h>
#include <string.h>

#include "api/resource.h"

bool events_wake(struct http *h, const struct events *ev, uint64_t *told)
{
	char key[sizeof(EVENTS_WAKE) + 2 * KEY_BYTES_MAX] = EVENTS_WAKE;
	bool any = *told < events_last(ev);
	struct happened e;

	for (uint64_t i = *told + 1; i <= events_last(ev); i++) {
		if (!events_at(ev, i, &e))
			continue; /* it is lost: who listens sees that by the next one, or his beat
				   */
		memcpy(key + sizeof(EVENTS_WAKE) - 1, e.topic, e.topic_bytes);
		http_wake_key(h, key, sizeof(EVENTS_WAKE) - 1 + e.topic_bytes);
	}
	if (*told / EVENTS_WAKE_ALL_EVERY != events_last(ev) / EVENTS_WAKE_ALL_EVERY)
		http_wake_key(h, EVENTS_WAKE_ALL, sizeof(EVENTS_WAKE_ALL) - 1);
	*told = events_last(ev);
	return any;
}

/* ---- listEvents ---- */

static void put_id(struct text *out, const char *name, const struct events *ev, uint64_t number)
{
	char id[EVENT_ID_BYTES];

	events_id(ev, number, id);
	json_put_string(out, name, id);
}

static void answer_expired(struct exchange *x, const struct events *ev, enum events_place place)
{
	put_id(exchange_extra(x), "oldest_after", ev, events_first(ev) - 1);
	put_id(exchange_extra(x), "latest", ev, events_last(ev));
	exchange_problem(x, PROBLEM_EVENTS_EXPIRED,
		place == EVENTS_GONE ? "events behind this one are not kept any more"
				     : "no event of this node, in its present life, has this id");
}

/* The number that the page begins behind. False: 410 was answered. */
static bool find_start(struct exchange *x, const struct events *ev, uint64_t *ret)
{
	const char *after = exchange_query(x, "after"), *from = exchange_query(x, "from");
	const uint64_t *kept = exchange_state(x);
	enum events_place place = EVENTS_AT;

	if (kept)
		*ret = *kept;
	else if (after)
		place = events_find(ev, after, ret);
	else
		*ret = from && strcmp(from, "now") == 0 ? events_last(ev) : events_first(ev) - 1;
	if (place == EVENTS_AT && *ret + 1 < events_first(ev))
		place = EVENTS_GONE;
	if (place != EVENTS_AT)
		answer_expired(x, ev, place);
	return place == EVENTS_AT;
}

static size_t put_items(struct exchange *x, const struct topics *t, const struct events *ev,
	uint64_t *number, struct text *out)
{
	size_t limit = (size_t)exchange_query_int(x, "limit", EVENTS_LIMIT_DEFAULT), count = 0;
	struct happened e;

	json_key(out, "items");
	json_array(out);
	while (count < limit && out->used < EVENTS_PAGE_BYTES && topics_next(t, ev, number, &e)) {
		json_raw(out, e.text, e.text_bytes);
		count++;
	}
	json_end_array(out);
	return count;
}

/* What was looked at and is of no interest need not be kept for him. */
static void park(struct exchange *x, const struct topics *t, uint64_t number, int64_t deadline_ms)
{
	uint64_t *kept = exchange_state(x);

	if (!kept) {
		kept = malloc(sizeof(*kept));
		if (!kept) {
			exchange_fail(x, ERR_NO_MEMORY);
			return;
		}
		exchange_state_set(x, kept, free);
	}
	*kept = number;
	topics_watch(x, t);
	exchange_park(x, deadline_ms);
}

static void list_events(struct exchange *x)
{
	const struct events *ev = horde_events(resource_horde(x));
	int64_t deadline_ms = resource_deadline_ms(x, 0);
	struct text body = TEXT_INIT;
	struct topics topics;
	uint64_t number;

	if (!topics_of(x, &topics) || !find_start(x, ev, &number))
		return;
	json_object(&body);
	if (put_items(x, &topics, ev, &number, &body) == 0 && !resource_late(x, deadline_ms)) {
		text_fini(&body);
		park(x, &topics, number, deadline_ms);
		return;
	}
	put_id(&body, "next_after", ev, number);
	json_put_string(&body, "node", horde_config(resource_horde(x))->name);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

const struct binding events_bindings[] = {
	{"listEvents", list_events},
	{NULL, NULL},
};
