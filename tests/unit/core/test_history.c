#include <criterion/criterion.h>

#include "server/core/history.h"

/* Stands for an entry; nobody looks inside. */
static struct entry *thing(uint64_t n)
{
	return (struct entry *)(uintptr_t)(n * 16);
}

static void add(struct history *h, uint64_t seq)
{
	cr_assert_eq(history_reserve(h, 1, 0), ERR_OK);
	history_add_live(h, seq, thing(seq));
}

Test(history, finds_its_slots_through_holes_and_tidying)
{
	struct history *h = history_new((struct origin_id){1, 1});

	for (uint64_t seq = 2; seq <= 200; seq += 2)
		add(h, seq);
	for (uint64_t seq = 2; seq <= 200; seq += 2) {
		if (seq % 10 == 0)
			continue;
		history_drop(h, seq);
		history_tidy(h);
		cr_assert_null(history_live(h, seq));
		cr_assert_eq(history_live(h, 200), thing(200));
	}
	for (uint64_t seq = 1; seq <= 201; seq++)
		cr_assert_eq(history_live(h, seq), seq % 10 == 0 ? thing(seq) : NULL);
	cr_assert_eq(h->slots[history_slot_after(h, 200 - 1)].seq, 200);
	cr_assert_eq(history_slot_after(h, 200), h->slot_used);
	history_free(h);
}

Test(history, a_key_that_is_rewritten_for_ever_takes_no_more_slots)
{
	struct history *h = history_new((struct origin_id){1, 1});

	for (uint64_t seq = 1; seq <= 10000; seq++) {
		add(h, seq);
		if (seq > 1)
			history_drop(h, seq - 1);
		history_tidy(h);
	}
	cr_assert_leq(h->slot_used, 2);
	cr_assert_leq(h->slot_size, 8);
	history_free(h);
}

Test(history, is_sorted_after_a_load_and_refuses_what_is_there_twice)
{
	struct history *h = history_new((struct origin_id){1, 1});

	h->count = 9;
	add(h, 5);
	add(h, 3);
	cr_assert_eq(history_reserve(h, 0, 4), ERR_OK);
	history_add_kill(h, 9, h, 2);
	history_add_kill(h, 8, h, 1);
	history_add_kill(h, 9, h, 1);
	cr_assert(history_sort(h));
	cr_assert_eq(h->slots[0].seq, 3);
	cr_assert_eq(h->kills[0].seq, 8);
	cr_assert_eq(h->kills[1].victim_seq, 1);
	cr_assert_eq(history_kill_after(h, 8), 1);
	history_add_kill(h, 9, h, 2);
	cr_assert_not(history_sort(h));
	history_free(h);
}
