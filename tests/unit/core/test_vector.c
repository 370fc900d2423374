#include <criterion/criterion.h>
#include <stdio.h>

#include "server/core/vector.h"
#include "tests/unit/core/failing.h"

static struct origin_id origin(uint64_t n)
{
	return (struct origin_id){n % 3, n};
}

static void raise_to(struct vector *v, uint64_t n, uint64_t count)
{
	cr_assert_eq(vector_raise(v, origin(n), count), ERR_OK);
}

static void cr_sorted(const struct vector *v)
{
	for (size_t i = 0; i < v->used; i++) {
		cr_assert_gt(v->items[i].count, 0);
		if (i > 0)
			cr_assert_lt(origin_compare(v->items[i - 1].origin, v->items[i].origin), 0);
	}
}

Test(vector, counts_only_grow_and_zero_is_never_kept)
{
	struct vector v = VECTOR_INIT;

	raise_to(&v, 1, 0);
	cr_assert_eq(v.used, 0);
	raise_to(&v, 1, 5);
	raise_to(&v, 1, 3);
	cr_assert_eq(vector_get(&v, origin(1)), 5);
	cr_assert_eq(vector_get(&v, origin(2)), 0);
	cr_assert(vector_has(&v, (struct dot){origin(1), 5}));
	cr_assert_not(vector_has(&v, (struct dot){origin(1), 6}));
	cr_assert_not(vector_has(&v, (struct dot){origin(4), 1}));
	vector_fini(&v);
}

Test(vector, stays_sorted_whatever_comes)
{
	struct vector v = VECTOR_INIT;

	for (uint64_t i = 0; i < 100; i++)
		raise_to(&v, i * 37 % 100, i + 1);
	cr_assert_eq(v.used, 100);
	cr_sorted(&v);
	for (uint64_t i = 0; i < 100; i++)
		cr_assert_eq(vector_get(&v, origin(i * 37 % 100)), i + 1);
	vector_fini(&v);
}

/* All vectors over 3 origins with counts 0..2: small enough to try every pair and triple. */
static struct vector small(int n)
{
	struct vector v = VECTOR_INIT;

	for (uint64_t o = 0; o < 3; o++, n /= 3)
		raise_to(&v, o, (uint64_t)(n % 3));
	return v;
}

static struct vector joined(const struct vector *a, const struct vector *b)
{
	struct vector v = VECTOR_INIT;

	cr_assert_eq(vector_copy(a, &v), ERR_OK);
	cr_assert_eq(vector_join(&v, b), ERR_OK);
	cr_sorted(&v);
	return v;
}

Test(vector, the_join_is_a_least_upper_bound)
{
	for (int i = 0; i < 27; i++) {
		for (int j = 0; j < 27; j++) {
			struct vector a = small(i), b = small(j), ab = joined(&a, &b),
				      ba = joined(&b, &a), aa = joined(&a, &a);
			bool covers = true;

			for (uint64_t o = 0; o < 3; o++) {
				uint64_t x = vector_get(&a, origin(o)),
					 y = vector_get(&b, origin(o));

				cr_assert_eq(vector_get(&ab, origin(o)), x > y ? x : y);
				covers = covers && x >= y;
			}
			cr_assert(vector_equal(&ab, &ba));
			cr_assert(vector_equal(&aa, &a));
			cr_assert_eq(vector_covers(&a, &b), covers);
			cr_assert_eq(vector_equal(&a, &b), i == j);
			vector_fini(&a);
			vector_fini(&b);
			vector_fini(&ab);
			vector_fini(&ba);
			vector_fini(&aa);
		}
	}
}

Test(vector, a_join_without_memory_changes_nothing)
{
	bool failed = true;
	long n = 0;

	for (; failed; n++) {
		struct vector a = small(5), b = VECTOR_INIT, copy = VECTOR_INIT, was = small(5);
		enum err e;

		for (uint64_t i = 0; i < 20; i++)
			raise_to(&b, i, 9);
		failing_arm(n);
		e = vector_join(&a, &b);
		if (e == ERR_OK)
			e = vector_copy(&b, &copy);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK);
		cr_assert(vector_equal(&a, n == 0 ? &was : &a));
		cr_assert_eq(copy.used, failed ? 0 : 20);
		vector_fini(&a);
		vector_fini(&b);
		vector_fini(&copy);
		vector_fini(&was);
	}
	cr_assert_gt(n, 1);
}
