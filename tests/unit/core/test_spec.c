/* What a child inherits, and what of a spec takes a new process. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/core/spec.h"

TestSuite(spec, .timeout = 10);

static char *words[] = {"/bin/a", "b", NULL};
static char *variables[] = {"A=1", "B=2", NULL};

static struct spec_record own(void)
{
	struct spec_record s = {.command = words,
		.env = variables,
		.cwd = "/",
		.restart = {.type = RESTART_PERMANENT, .max_restarts = 3, .factor = 2},
		.shutdown_signal = 15,
		.success_exit = {1},
		.desired_running = true,
		.hash = 17};

	s.process_hash = spec_process_hash(&s);
	return s;
}

/* Of all that can be inherited. */
static struct spec_record defaults(uint32_t given)
{
	return (struct spec_record){.cwd = "/srv",
		.restart = {.type = RESTART_TRANSIENT,
			.policy = POLICY_FAIL_CHILD,
			.max_restarts = 9,
			.max_seconds = 8,
			.initial_ms = 7,
			.max_ms = 6,
			.factor = 5,
			.reset_after_ms = 4},
		.shutdown_signal = 2,
		.shutdown_timeout_ms = 3,
		.success_exit = {8},
		.log_bytes_max = 11,
		.log_files_max = 12,
		.retain_ms = 13,
		.given = given};
}

/* A number for each member that can be inherited. */
static void members(const struct spec_record *s, double ret[15])
{
	const double all[15] = {s->restart.type, s->restart.policy, s->restart.max_restarts,
		s->restart.max_seconds, (double)s->restart.initial_ms, (double)s->restart.max_ms,
		s->restart.factor, (double)s->restart.reset_after_ms, s->shutdown_signal,
		(double)s->shutdown_timeout_ms, s->success_exit[0], s->cwd[1],
		(double)s->log_bytes_max, s->log_files_max, (double)s->retain_ms};

	memcpy(ret, all, sizeof(all));
}

Test(spec, each_member_is_inherited_when_it_is_given_there_and_not_here)
{
	struct spec_record mine = own(), theirs = defaults(0);
	double before[15], from[15], got[15];

	members(&mine, before);
	members(&theirs, from);
	for (int bit = 0; bit < 15; bit++) {
		struct spec_record d = defaults(1u << bit), s = spec_inherit(&mine, &d),
				   kept = mine;

		members(&s, got);
		for (int i = 0; i < 15; i++)
			cr_expect_eq(got[i], i == bit ? from[i] : before[i], "%d of %d", i, bit);
		kept.given = 1u << bit;
		s = spec_inherit(&kept, &d);
		members(&s, got);
		cr_expect_eq(memcmp(got, before, sizeof(got)), 0, "its own %d stands", bit);
		cr_expect_eq(s.hash, mine.hash, "it is the same spec");
	}
}

Test(spec, without_a_supervisor_s_defaults_it_is_what_it_says)
{
	struct spec_record mine = own(), s = spec_inherit(&mine, NULL), nothing = defaults(0);

	cr_expect_eq(memcmp(&s, &mine, sizeof(s)), 0);
	s = spec_inherit(&mine, &nothing);
	cr_expect_eq(s.process_hash, mine.process_hash);
}

Test(spec, command_environment_and_directory_take_a_new_process_and_nothing_else)
{
	static char *other_words[] = {"/bin/a", NULL}, *joined[] = {"/bin/ab", NULL};
	static char *turned[] = {"B=2", "A=1", NULL}, *other_variables[] = {"A=1", "B=3", NULL};
	struct spec_record s = own();
	uint64_t hash = spec_process_hash(&s);

	s.restart.max_restarts = 100;
	s.shutdown_signal = 1;
	s.hash = 18;
	s.env = turned;
	cr_expect_eq(spec_process_hash(&s), hash, "variables have no order");
	s.env = other_variables;
	cr_expect_neq(spec_process_hash(&s), hash);
	s = own();
	s.command = other_words;
	cr_expect_neq(spec_process_hash(&s), hash);
	s.command = joined;
	cr_expect_neq(spec_process_hash(&s), hash);
	s = own();
	s.cwd = "/srv";
	s.given = GIVEN_CWD;
	cr_expect_neq(spec_process_hash(&s), hash);
}

Test(spec, what_is_read_for_the_environment_is_part_of_it)
{
	static char *from[] = {"A=/f", NULL}, *other[] = {"C=/f", NULL},
		    *files[] = {"/a", "/b", NULL}, *turned[] = {"/b", "/a", NULL};
	struct spec_record mine = own(), d = defaults(0);
	uint64_t hash = mine.process_hash, with;

	mine.env_from = other;
	cr_expect_neq(with = spec_process_hash(&mine), hash);
	mine = own();
	mine.env_files = files;
	cr_expect_neq(spec_process_hash(&mine), hash);
	cr_expect_neq(spec_process_hash(&mine), with);
	with = spec_process_hash(&mine);
	mine.env_files = turned;
	cr_expect_neq(spec_process_hash(&mine), with, "the later one counts");
	mine = own();
	d.env_from = from;
	cr_expect_eq(spec_inherit(&mine, &d).process_hash, hash, "it says itself what A is");
	d.env_from = other;
	cr_expect_neq(spec_inherit(&mine, &d).process_hash, hash);
	mine.env_from = other;
	mine.process_hash = spec_process_hash(&mine);
	cr_expect_eq(spec_inherit(&mine, &d).process_hash, mine.process_hash);
	d.env_files = files;
	cr_expect_neq(spec_inherit(&mine, &d).process_hash, mine.process_hash);
}

Test(spec, what_is_inherited_takes_a_new_process_only_where_it_is_not_overridden)
{
	static char *more[] = {"-v", NULL}, *same[] = {"A=7", NULL}, *new[] = {"C=7", NULL};
	struct spec_record mine = own(), d = defaults(0);
	uint64_t hash = mine.process_hash, other;

	d.env = same;
	cr_expect_eq(spec_inherit(&mine, &d).process_hash, hash, "it says itself what A is");
	cr_expect(spec_sets(&mine, "A=7") && !spec_sets(&mine, "AB=7") && !spec_sets(&d, "B=2"));
	d.env = new;
	cr_expect_neq(spec_inherit(&mine, &d).process_hash, hash);
	d = defaults(0);
	d.command = more;
	cr_expect_neq(other = spec_inherit(&mine, &d).process_hash, hash);
	d = defaults(GIVEN_CWD);
	cr_expect_neq(spec_inherit(&mine, &d).process_hash, hash);
	cr_expect_neq(spec_inherit(&mine, &d).process_hash, other);
	mine.given = GIVEN_CWD;
	cr_expect_eq(spec_inherit(&mine, &d).process_hash, hash);
	d = defaults(GIVEN_RESTART | GIVEN_MAX_RESTARTS | GIVEN_SHUTDOWN_SIGNAL | GIVEN_LOG_BYTES);
	cr_expect_eq(spec_inherit(&mine, &d).process_hash, hash);
}

static struct check notify_check = {.kind = CHECK_NOTIFY}, tcp_check = {.kind = CHECK_TCP};

Test(spec, of_its_checks_only_what_the_process_is_given_takes_a_new_one)
{
	struct spec_record s = own();
	uint64_t hash = s.process_hash, notify;

	s.checks.ready = &tcp_check;
	s.checks.health = &tcp_check;
	s.checks.health_count = 1;
	cr_expect_eq(spec_process_hash(&s), hash);
	s.checks.ready = &notify_check;
	notify = spec_process_hash(&s);
	cr_expect_neq(notify, hash, "NOTIFY_SOCKET");
	s.checks.watchdog_ms = 1000;
	cr_expect_neq(spec_process_hash(&s), notify, "WATCHDOG_USEC");
	s.checks.ready = NULL;
	cr_expect_neq(spec_process_hash(&s), hash);
}

Test(spec, checks_are_inherited_one_by_one)
{
	struct spec_record mine = own(), d = defaults(0), s;
	uint64_t hash = mine.process_hash;

	d.checks = (struct checks){&notify_check, &tcp_check, 1, 1000};
	s = spec_inherit(&mine, &d);
	cr_expect_null(s.checks.ready, "they are not given");
	cr_expect_eq(s.process_hash, hash);
	d.given = GIVEN_HEALTH;
	s = spec_inherit(&mine, &d);
	cr_expect_eq(s.checks.health, &tcp_check);
	cr_expect_eq(s.checks.health_count, 1);
	cr_expect_null(s.checks.ready);
	cr_expect_eq(s.process_hash, hash);
	d.given = GIVEN_READY;
	s = spec_inherit(&mine, &d);
	cr_expect_eq(s.checks.ready, &notify_check);
	cr_expect_neq(s.process_hash, hash);
	d.given = GIVEN_WATCHDOG;
	s = spec_inherit(&mine, &d);
	cr_expect_eq(s.checks.watchdog_ms, 1000);
	cr_expect_neq(s.process_hash, hash);
	mine.given = GIVEN_READY | GIVEN_HEALTH | GIVEN_WATCHDOG;
	d.given = mine.given;
	s = spec_inherit(&mine, &d);
	cr_expect_null(s.checks.ready, "it says itself that it has none");
	cr_expect_eq(s.checks.health_count, 0);
	cr_expect_eq(s.process_hash, hash);
}
