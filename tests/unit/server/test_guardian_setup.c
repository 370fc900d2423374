/*
 * The guardian and one child's setup: who it is, its mask, its limits, and how a start says which
 * of them could not be. What only root may do is skipped for others, and says so.
 */
#include <grp.h>
#include <pwd.h>

#include "tests/unit/server/guardian_talk.h"

/* The guardian is in groups that no child of another user is to have. */
static void set_up_in_groups(void)
{
	const gid_t groups[] = {0, 1, 2};

	if (geteuid() == 0)
		cr_assert_eq(setgroups(3, groups), 0);
	set_up();
}

TestSuite(guardian_setup, .init = set_up_in_groups, .fini = tear_down, .timeout = 60);

#define NOBODY "nobody" /* on every system, and member of no group but its own */

static bool as_root(void)
{
	if (geteuid() == 0)
		return true;
	cr_log_warn("skipped: only root may do this");
	return false;
}

static const char *output(const struct setup *setup, const char *cwd, const char *script)
{
	static char text[65536];
	struct heard h;

	spawn_as("default/x", 1, cwd, setup, SHELL(script), plain_env);
	h = started();
	snprintf(text, sizeof text, "%s", read_text(h.fds[0], false));
	forget(&h);
	hear(WIRE_EXIT);
	return text;
}

static void check_failure(const struct setup *setup, const char *cwd, int error, const char *step)
{
	struct heard h;

	spawn_as("default/x", 1, cwd, setup, SHELL("exit"), plain_env);
	h = hear(WIRE_SPAWN);
	cr_expect_eq(h.m.error, error, "%s: %s", step, strerror(h.m.error));
	cr_expect_str_eq(wire_step_text(h.m.step), step);
}

Test(guardian_setup, a_mask_is_set_and_022_when_nothing_is_said)
{
	struct setup s = {.umask_given = true, .umask = 077};

	cr_expect_str_eq(output(&s, "/", "umask"), "0077");
	s.umask = 0;
	cr_expect_str_eq(output(&s, "/", "umask"), "0000");
	cr_expect_str_eq(output(NULL, "/", "umask"), "0022");
}

/* The soft and the hard limit as the kernel shows them. */
static const char *limit_of(const struct setup *s, const char *name)
{
	static char script[256];

	snprintf(script, sizeof script,
		"grep '^Max %s  ' /proc/$$/limits | sed 's/^Max %s *//; s/ .*$//; ' ; "
		"grep '^Max %s  ' /proc/$$/limits | sed 's/^Max %s *[^ ]* *//; s/ .*$//'",
		name, name, name, name);
	return output(s, "/", script);
}

Test(guardian_setup, each_limit_is_set_soft_and_hard)
{
	static const struct {
		enum setup_limit limit;
		const char *name;
		int64_t value;
	} rows[] = {
		{SETUP_NOFILE, "open files", 55},
		{SETUP_NPROC, "processes", 3333},
		{SETUP_CORE, "core file size", 0},
		{SETUP_FSIZE, "file size", 123456},
		{SETUP_DATA, "data size", 1000000000},
		{SETUP_STACK, "stack size", 4194304},
		{SETUP_AS, "address space", 2000000000},
		{SETUP_MEMLOCK, "locked memory", 4096},
		{SETUP_CPU, "cpu time", 100},
	};
	char expected[64];

	cr_assert_eq(sizeof rows / sizeof rows[0], (size_t)SETUP_RLIMIT_COUNT);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct setup s = {.limits_given = 1U << rows[i].limit};

		s.limits[rows[i].limit] = rows[i].value;
		snprintf(expected, sizeof expected, "%lld\n%lld", (long long)rows[i].value,
			(long long)rows[i].value);
		cr_expect_str_eq(limit_of(&s, rows[i].name), expected, "%s", rows[i].name);
	}
}

Test(guardian_setup, no_limit_can_be_asked_for)
{
	struct setup s = {.limits_given = 1U << SETUP_CORE};

	s.limits[SETUP_CORE] = SETUP_UNLIMITED;
	if (as_root())
		cr_expect_str_eq(limit_of(&s, "core file size"), "unlimited\nunlimited");
}

Test(guardian_setup, a_child_is_who_its_spec_says_with_its_groups_and_nothing_of_ours)
{
	struct setup s = {.user = NOBODY};
	const struct passwd *nobody = getpwnam(NOBODY);
	char expected[256];

	if (!as_root())
		return;
	snprintf(expected, sizeof expected, "Uid:\t%u\t%u\t%u\t%u", nobody->pw_uid, nobody->pw_uid,
		nobody->pw_uid, nobody->pw_uid);
	cr_expect_str_eq(output(&s, "/", "grep Uid: /proc/self/status"), expected);
	snprintf(expected, sizeof expected, "Gid:\t%u\t%u\t%u\t%u", nobody->pw_gid, nobody->pw_gid,
		nobody->pw_gid, nobody->pw_gid);
	cr_expect_str_eq(output(&s, "/", "grep Gid: /proc/self/status"), expected);
	snprintf(expected, sizeof expected, "%u", nobody->pw_gid);
	cr_expect_str_eq(output(&s, "/", "id -G"), expected);
	cr_expect_str_eq(
		output(&s, "/", "grep CapEff /proc/self/status"), "CapEff:\t0000000000000000");
	cr_expect_str_eq(output(&s, "/", "echo out >/dev/stdout"), "out", "it may open its own");
	cr_expect_str_eq(output(&s, "/", "kill -9 $PPID 2>/dev/null || echo no"), "no");
}

Test(guardian_setup, a_group_alone_changes_the_group_alone)
{
	struct setup s = {.group = "daemon"};
	const struct group *group = getgrnam("daemon");
	char expected[64];

	if (!as_root())
		return;
	snprintf(expected, sizeof expected, "%u 0", group->gr_gid);
	cr_expect_str_eq(output(&s, "/", "echo $(id -g) $(id -u)"), expected);
}

Test(guardian_setup, the_directory_is_entered_as_the_user)
{
	struct setup s = {.user = NOBODY};
	char closed[] = "/tmp/horde-closed-XXXXXX";

	if (!as_root())
		return;
	cr_assert(mkdtemp(closed));
	check_failure(&s, closed, EACCES, "chdir");
	cr_expect_str_eq(output(NULL, closed, "pwd"), closed);
	rmdir(closed);
}

Test(guardian_setup, who_is_unknown_or_no_member_is_told_with_its_step)
{
	check_failure(&(struct setup){.user = "no-such-user"}, "/", ENOENT, "user");
	check_failure(&(struct setup){.group = "no-such-group"}, "/", ENOENT, "group");
	if (!as_root())
		return;
	check_failure(&(struct setup){.user = NOBODY, .group = "root"}, "/", EPERM, "group");
	cr_expect_str_eq(output(&(struct setup){.user = "root", .group = "daemon"}, "/", "id -gn"),
		"daemon", "root may have any");
}

Test(guardian_setup, a_limit_that_cannot_be_is_told_by_its_name)
{
	struct setup s = {.limits_given = 1U << SETUP_NOFILE};

	s.limits[SETUP_NOFILE] = INT64_MAX; /* above fs.nr_open */
	check_failure(&s, "/", EPERM, "limits.nofile");
}

/* The kernel forgets the parent-death signal when the user changes. */
Test(guardian_setup, another_user_dies_with_the_guardian_too)
{
	struct setup s = {.user = NOBODY};
	struct heard h;
	pid_t child;

	if (!as_root())
		return;
	spawn_as("default/x", 1, "/", &s, SHELL("echo $$; exec sleep 1000"), plain_env);
	h = started();
	child = read_pid(&h);
	kill(guardian, SIGKILL);
	waitpid(guardian, NULL, 0);
	cr_expect_eq(waitpid(child, NULL, 0), child, "it came to us, and ended");
	forget(&h);
}
