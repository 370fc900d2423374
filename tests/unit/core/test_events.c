/* The ring: what is kept, and where an id is. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/failing.h"

#include "server/core/events.h"
#include "server/core/times.h"

static const struct origin_id life = {0x0123456789abcdef, 7};

static struct events *make(void)
{
	struct events *ev = NULL;

	cr_assert_eq(events_new(life, &ev), ERR_OK);
	return ev;
}

static void add(struct events *ev, const char *topic, const char *text)
{
	events_add(ev, topic, "a.type", text, strlen(text));
}

static void add_numbered(struct events *ev, uint64_t count)
{
	char text[32];

	for (uint64_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%" PRIu64, events_last(ev) + 1);
		add(ev, "member", text);
	}
}

static void expect_kept(const struct events *ev, uint64_t first, uint64_t last)
{
	struct happened e;

	cr_expect_eq(events_first(ev), first, "%" PRIu64, events_first(ev));
	cr_expect_eq(events_last(ev), last, "%" PRIu64, events_last(ev));
	cr_expect_not(events_at(ev, first - 1, &e));
	cr_expect_not(events_at(ev, last + 1, &e));
	for (uint64_t i = first; i <= last; i++) {
		cr_assert(events_at(ev, i, &e));
		cr_assert_eq(strtoull(e.text, NULL, 10), i);
	}
}

Test(events, each_has_a_number_and_is_kept_as_it_came)
{
	struct events *ev = make();
	struct happened e;

	cr_expect_eq(events_last(ev), 0);
	cr_expect_eq(events_first(ev), 1);
	cr_expect_not(events_at(ev, 0, &e));
	add(ev, "member", "{}");
	add(ev, "registry:default/k", "{\"a\":1}");
	cr_assert(events_at(ev, 2, &e));
	cr_expect_str_eq(e.topic, "registry:default/k");
	cr_expect_eq(e.topic_bytes, strlen(e.topic));
	cr_expect_str_eq(e.type, "a.type");
	cr_expect_str_eq(e.text, "{\"a\":1}");
	cr_expect_eq(e.text_bytes, strlen(e.text));
	events_free(ev);
	events_free(NULL);
}

Test(events, the_oldest_goes_when_there_are_too_many)
{
	struct events *ev = make();

	add_numbered(ev, EVENTS_MAX);
	expect_kept(ev, 1, EVENTS_MAX);
	add_numbered(ev, 1);
	expect_kept(ev, 2, EVENTS_MAX + 1);
	add_numbered(ev, EVENTS_MAX);
	expect_kept(ev, EVENTS_MAX + 2, 2 * EVENTS_MAX + 1);
	events_free(ev);
}

Test(events, the_oldest_go_when_they_take_too_much)
{
	struct events *ev = make();
	size_t large = EVENTS_BYTES_MAX / 4;
	char *text = calloc(1, EVENTS_BYTES_MAX + 1);

	memset(text, 'x', EVENTS_BYTES_MAX);
	add_numbered(ev, 3);
	for (int i = 0; i < 3; i++)
		events_add(ev, "member", "a.type", text, large);
	cr_expect_eq(events_first(ev), 1, "it all fits");
	events_add(ev, "member", "a.type", text, large);
	cr_expect_eq(events_first(ev), 5, "the small ones are not enough");
	cr_expect_eq(events_last(ev), 7);
	events_add(ev, "member", "a.type", text, EVENTS_BYTES_MAX);
	cr_expect_eq(events_first(ev), 9, "one that fits nowhere is lost, and said to be");
	cr_expect_eq(events_last(ev), 8);
	free(text);
	events_free(ev);
}

Test(events, what_is_lost_leaves_no_hole_but_an_end)
{
	struct events *ev = make();
	uint64_t number;
	char id[EVENT_ID_BYTES];

	add_numbered(ev, 3);
	events_lose(ev, 10);
	expect_kept(ev, 14, 13);
	events_id(ev, 3, id);
	cr_expect_eq(events_find(ev, id, &number), EVENTS_GONE);
	events_id(ev, 13, id);
	cr_expect_eq(events_find(ev, id, &number), EVENTS_AT);
	add_numbered(ev, 2);
	expect_kept(ev, 14, 15);
	failing_arm(0);
	add_numbered(ev, 1);
	cr_assert(failing_disarm());
	expect_kept(ev, 17, 16);
	events_free(ev);
}

Test(events, an_id_is_of_one_life_and_has_one_spelling)
{
	static const char *const elsewhere[] = {"", "x", "0123456789abcdef", "0123456789abcdef-",
		"0123456789abcdef-4", "0123456789abcdef-01", "0123456789abcdef-+1",
		"0123456789abcdef- 1", "0123456789abcdef--1", "0123456789ABCDEF-1",
		"0123456789abcdee-1", "0123456789abcdef-1 ",
		"0123456789abcdef-18446744073709551616"};
	struct events *ev = make();
	char id[EVENT_ID_BYTES];
	uint64_t number = 99;

	add_numbered(ev, 3);
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		cr_expect_eq(events_find(ev, elsewhere[i], &number), EVENTS_ELSEWHERE, "%s",
			elsewhere[i]);
	cr_expect_eq(number, 99);
	for (uint64_t i = 0; i <= 3; i++) {
		events_id(ev, i, id);
		cr_expect_eq(events_find(ev, id, &number), EVENTS_AT, "%s", id);
		cr_expect_eq(number, i);
	}
	cr_expect_str_eq(id, "0123456789abcdef-3");
	events_free(ev);
}

Test(events, who_has_read_all_but_what_went_is_told)
{
	struct events *ev = make();
	char id[EVENT_ID_BYTES];
	uint64_t number;

	add_numbered(ev, EVENTS_MAX + 5);
	events_id(ev, 4, id);
	cr_expect_eq(events_find(ev, id, &number), EVENTS_GONE, "5 is gone");
	events_id(ev, 5, id);
	cr_expect_eq(events_find(ev, id, &number), EVENTS_AT, "6 is there");
	events_free(ev);
}
