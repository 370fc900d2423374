/* What a process is set up with: what is inherited, and what takes another process. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/core/spec.h"
#include "tests/unit/core/failing.h"

TestSuite(setup, .timeout = 10);

static struct setup all(void)
{
	struct setup s = {.user = "alice",
		.group = "www",
		.umask_given = true,
		.umask = 027,
		.limits_given = (1U << SETUP_LIMIT_COUNT) - 1};

	for (int i = 0; i < SETUP_LIMIT_COUNT; i++)
		s.limits[i] = 100 + i;
	return s;
}

/* `all` without its k-th member. */
static struct setup without(int k)
{
	struct setup s = all();

	if (k == 0)
		s.user = NULL;
	else if (k == 1)
		s.group = NULL;
	else if (k == 2)
		s.umask_given = false;
	else
		s.limits_given &= ~(1U << (k - 3));
	return s;
}

enum { MEMBERS = 3 + SETUP_LIMIT_COUNT };

Test(setup, each_limit_has_a_name)
{
	cr_expect_str_eq(setup_limit_name(SETUP_NOFILE), "nofile");
	cr_expect_str_eq(setup_limit_name(SETUP_CPU), "cpu_seconds");
	cr_expect_str_eq(setup_limit_name(SETUP_PIDS), "pids");
}

Test(setup, each_member_is_inherited_when_it_is_open)
{
	struct setup whole = all();

	for (int k = 0; k < MEMBERS; k++) {
		struct setup own = without(k), left = setup_left(&own, &whole);
		struct setup s = setup_with(&own, &left);

		cr_expect_eq(setup_mix(1, &s), setup_mix(1, &whole), "member %d", k);
		cr_expect_neq(setup_mix(1, &own), setup_mix(1, &whole), "member %d", k);
		cr_expect_neq(setup_mix(1, &left), 1, "member %d is left", k);
	}
}

Test(setup, what_it_says_itself_is_not_inherited)
{
	struct setup own = all(), defaults = all(), left;

	defaults.user = "bob";
	defaults.group = "wheel";
	defaults.umask = 0;
	for (int i = 0; i < SETUP_LIMIT_COUNT; i++)
		defaults.limits[i] = SETUP_UNLIMITED;
	left = setup_left(&own, &defaults);
	cr_expect_eq(setup_mix(1, &left), 1, "nothing is left");
	left = setup_left(&own, NULL);
	cr_expect_eq(setup_mix(1, &left), 1);
}

Test(setup, each_value_takes_another_process)
{
	struct setup s = all();
	uint64_t hash = setup_mix(1, &s);

	s.user = "alicf";
	cr_expect_neq(setup_mix(1, &s), hash);
	s = all();
	s.group = "wwx";
	cr_expect_neq(setup_mix(1, &s), hash);
	s = all();
	s.umask = 026;
	cr_expect_neq(setup_mix(1, &s), hash);
	for (int i = 0; i < SETUP_LIMIT_COUNT; i++) {
		s = all();
		s.limits[i]++;
		cr_expect_neq(setup_mix(1, &s), hash, "limit %d", i);
	}
	s = (struct setup){0};
	cr_expect_eq(setup_mix(7, &s), 7, "what says nothing leaves the hash as it was");
}

Test(setup, it_is_part_of_a_specs_process)
{
	static char *words[] = {"/bin/a", NULL};
	struct spec_record own = {.command = words, .cwd = "/"}, defaults = {.setup = all()}, s;
	uint64_t hash = own.process_hash = spec_process_hash(&own);

	s = spec_inherit(&own, &defaults);
	cr_expect_neq(s.process_hash, hash);
	cr_expect_str_eq(s.setup.user, "alice");
	own.setup = all();
	own.process_hash = spec_process_hash(&own);
	cr_expect_neq(own.process_hash, hash);
	cr_expect_eq(spec_inherit(&own, &defaults).process_hash, own.process_hash);
}

Test(setup, a_copy_is_whole_or_none)
{
	struct setup s = all();
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct setup copy = s;
		bool ok;

		failing_arm(n);
		ok = setup_dup(&s, &copy);
		failed = failing_disarm();
		cr_assert_eq(ok, !failed, "%ld", n);
		cr_assert(!ok || (copy.user != s.user && strcmp(copy.user, s.user) == 0));
		setup_fini(&copy);
	}
}
