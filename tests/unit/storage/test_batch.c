/* The allocator of this test fails on demand: after so many more calls. */
#include <stdlib.h>

static long calls_left = -1;

static void *limited_realloc(void *memory, size_t size)
{
	if (!calls_left)
		return NULL;
	if (calls_left > 0)
		calls_left--;
	return realloc(memory, size);
}

#define realloc limited_realloc
#include "storage/batch.c"
#undef realloc

#include <criterion/criterion.h>

static const struct dot one = {{1, 2}, 3};

Test(batch, owns_copies_of_what_it_is_given)
{
	struct store_batch b = {0};
	char key[] = "key", value[] = "value";

	cr_assert_eq(batch_put(&b, one, 7, key, 3, value, 5), ERR_OK);
	key[0] = value[0] = 'X';
	cr_assert_eq(b.count, 1);
	cr_assert_eq(b.ops[0].kind, STORE_PUT);
	cr_assert_eq(b.ops[0].clock, 7);
	cr_assert_eq(b.ops[0].dot.seq, 3);
	cr_assert_arr_eq(batch_name(&b, &b.ops[0]), "key", 3);
	cr_assert_arr_eq(batch_value(&b, &b.ops[0]), "value", 5);
	batch_fini(&b);
}

Test(batch, takes_empty_keys_and_values)
{
	struct store_batch b = {0};

	cr_assert_eq(batch_put(&b, one, 7, NULL, 0, NULL, 0), ERR_OK);
	cr_assert_eq(batch_put(&b, one, 7, NULL, 0, "v", 1), ERR_OK);
	cr_assert_not_null(batch_name(&b, &b.ops[0]));
	cr_assert_not_null(batch_value(&b, &b.ops[0]));
	cr_assert_eq(*batch_value(&b, &b.ops[1]), 'v');
	batch_fini(&b);
}

Test(batch, keeps_the_order_and_every_field)
{
	struct store_batch b = {0};

	cr_assert_eq(batch_setting(&b, "cluster_id", "abc"), ERR_OK);
	cr_assert_eq(batch_vector(&b, one.origin, UINT64_MAX, 4, 5), ERR_OK);
	cr_assert_eq(batch_kill(&b, one, (struct dot){{6, 7}, 8}), ERR_OK);
	cr_assert_eq(batch_drop(&b, one), ERR_OK);
	cr_assert_eq(b.count, 4);
	cr_assert_arr_eq(batch_value(&b, &b.ops[0]), "abc", 3);
	cr_assert_eq(b.ops[1].dot.seq, UINT64_MAX);
	cr_assert_eq(b.ops[1].vector.floor, 4);
	cr_assert_eq(b.ops[1].vector.chain, 5);
	cr_assert_eq(b.ops[2].victim.origin.lo, 7);
	cr_assert_eq(b.ops[2].victim.seq, 8);
	cr_assert_eq(b.ops[3].kind, STORE_DROP);
	batch_fini(&b);
}

Test(batch, refuses_more_than_its_limit_and_stays_usable)
{
	struct store_batch b = {0};

	cr_assert_eq(batch_put(&b, one, 7, "k", 1, "v", STORE_BATCH_BYTES_MAX), ERR_LIMIT);
	cr_assert_eq(batch_put(&b, one, 7, "k", SIZE_MAX, "v", 2), ERR_LIMIT);
	cr_assert_eq(b.count, 0);
	cr_assert_eq(batch_put(&b, one, 7, "k", 1, "v", 1), ERR_OK);
	batch_fini(&b);
}

Test(batch, clear_keeps_nothing_but_the_memory)
{
	struct store_batch b = {0};

	cr_assert_eq(batch_put(&b, one, 7, "k", 1, "v", 1), ERR_OK);
	cr_assert_gt(batch_weight(&b), 0);
	batch_clear(&b);
	cr_assert_eq(batch_weight(&b), 0);
	cr_assert_eq(batch_put(&b, one, 7, "q", 1, "v", 1), ERR_OK);
	cr_assert_eq(*batch_name(&b, &b.ops[0]), 'q');
	batch_fini(&b);
}

/* Every allocation fails once; the batch is then as before, and the same call succeeds later. */
Test(batch, survives_each_allocation_failing)
{
	int failures = 0;

	for (long n = 0; n < 40; n++) {
		struct store_batch b = {0};

		calls_left = n;
		for (uint64_t i = 0; i < 200; i++) {
			size_t count = b.count, used = b.used;
			enum err e = batch_put(&b, (struct dot){{1, 1}, i}, i, "key", 3, "val", 3);

			if (!e)
				continue;
			failures++;
			cr_assert_eq(e, ERR_NO_MEMORY);
			cr_assert_eq(b.count, count);
			cr_assert_eq(b.used, used);
			calls_left = -1;
			i--;
		}
		calls_left = -1;
		cr_assert_eq(b.count, 200);
		for (uint64_t i = 0; i < 200; i++) {
			cr_assert_eq(b.ops[i].dot.seq, i);
			cr_assert_arr_eq(batch_value(&b, &b.ops[i]), "val", 3);
		}
		batch_fini(&b);
	}
	cr_assert_gt(failures, 8);
}

Test(batch, a_vector_takes_the_place_of_the_one_before_of_its_origin)
{
	struct store_batch b = {0};
	struct origin_id a = {1, 1}, other = {2, 2};

	cr_assert_eq(batch_vector(&b, a, 1, 0, 0), ERR_OK);
	cr_assert_eq(batch_vector(&b, a, 2, 0, 0), ERR_OK);
	cr_assert_eq(b.count, 1);
	cr_assert_eq(b.ops[0].dot.seq, 2);
	cr_assert_eq(batch_vector(&b, other, 7, 0, 0), ERR_OK);
	cr_assert_eq(b.count, 2);
	cr_assert_eq(b.ops[0].dot.seq, 2);
	batch_clear(&b);
	cr_assert_eq(batch_vector(&b, other, 8, 0, 0), ERR_OK);
	cr_assert_eq(b.count, 1);
	batch_fini(&b);
}
