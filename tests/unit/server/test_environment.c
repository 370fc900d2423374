/* The environment of a process: who wins over whom, and what may be read as a secret. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/environment.h"
#include "server/secrets.h"

static char dir[] = "/tmp/horde-secrets-XXXXXX";
static char *dirs_items[2];
static struct option_list dirs = {dirs_items, 1};
static struct environment env;

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *bytes, size_t count)
{
	FILE *f = fopen(path_of(name), "w");

	cr_assert(f && fwrite(bytes, 1, count, f) == count && fclose(f) == 0);
}

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirs_items[0] = dir;
	memset(&env, 0, sizeof env);
}

static void tear_down(void)
{
	char command[128];

	environment_fini(&env);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(environment, .init = set_up, .fini = tear_down, .timeout = 20);

static const char *value_of(const char *name)
{
	for (size_t i = 0; i < env.count; i++)
		if (strncmp(env.items[i], name, strlen(name)) == 0 &&
			env.items[i][strlen(name)] == '=')
			return env.items[i] + strlen(name) + 1;
	return NULL;
}

static char *item(const char *name, const char *file)
{
	char *text;

	cr_assert_gt(asprintf(&text, "%s=%s", name, file), 0);
	return text;
}

Test(environment, the_first_value_of_a_name_counts)
{
	environment_add(&env, "A", "one", 3);
	environment_add_item(&env, "A=two");
	environment_add_item(&env, "AB=three=3");
	environment_add(&env, "E", "", 0);
	cr_expect_str_eq(value_of("A"), "one");
	cr_expect_str_eq(value_of("AB"), "three=3");
	cr_expect_str_eq(value_of("E"), "");
	cr_expect_eq(env.count, 3);
	cr_expect_null(env.items[3]);
}

Test(environment, hundreds_of_variables_are_all_there)
{
	char text[32];

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof text, "V%d=%d", i, i);
		environment_add_item(&env, text);
	}
	cr_expect_eq(env.count, 500);
	cr_expect_str_eq(value_of("V499"), "499");
}

Test(environment, a_spec_says_first_what_is_its_own_then_its_secrets_then_its_files)
{
	char *own[] = {"A=own", NULL};
	char *from[] = {item("A", path_of("a")), item("B", path_of("b")), NULL};
	char *files[] = {strdup(path_of("old.env")), strdup(path_of("new.env")), NULL};
	struct spec_record s = {.env = own, .env_from = from, .env_files = files};

	put("b", "secret\n", 7);
	put("old.env", "B=no\nC=old\nD=old \r\n", 19);
	put("new.env", "# of today\n\nC=new=er\n", 21);
	environment_add_spec(&env, &s, &dirs);
	cr_expect_str_eq(env.error, "", "what is not needed is not read");
	cr_expect_str_eq(value_of("A"), "own");
	cr_expect_str_eq(value_of("B"), "secret");
	cr_expect_str_eq(value_of("C"), "new=er");
	cr_expect_str_eq(value_of("D"), "old ");
	for (int i = 0; i < 2; i++) {
		free(from[i]);
		free(files[i]);
	}
}

Test(environment, what_cannot_be_read_is_told_by_name_and_without_its_content)
{
	char *from[] = {item("A_SECRET", path_of("none")), NULL};
	char *files[] = {strdup(path_of("bad.env")), NULL};
	struct spec_record s = {.env_from = from};

	environment_add_spec(&env, &s, &dirs);
	cr_expect_str_eq(env.error, "env_from.A_SECRET: ENOENT");
	env.error[0] = '\0';
	put("bad.env", "GOOD=1\npassword\n", 16);
	s = (struct spec_record){.env_files = files};
	environment_add_spec(&env, &s, &dirs);
	cr_expect_str_eq(env.error, "env_files[0]: EINVAL");
	free(from[0]);
	free(files[0]);
}

Test(environment, a_secret_with_a_nul_is_none)
{
	char *from[] = {item("A", path_of("nul")), NULL};
	struct spec_record s = {.env_from = from};

	put("nul", "a\0b", 3);
	environment_add_spec(&env, &s, &dirs);
	cr_expect_str_eq(env.error, "env_from.A: EINVAL");
	free(from[0]);
}

Test(environment, the_node_lets_through_what_it_names_and_a_path_a_language_and_a_zone)
{
	char *names[] = {"LET_THROUGH", "NOT_SET"};
	struct options o = {.inherit_env = {names, 2}};

	setenv("LET_THROUGH", "yes", 1);
	setenv("NOT_LET", "no", 1);
	setenv("TZ", "Europe/Zurich", 1);
	unsetenv("LANG");
	environment_add_node(&env, &o);
	cr_expect_str_eq(value_of("LET_THROUGH"), "yes");
	cr_expect_null(value_of("NOT_LET"));
	cr_expect_null(value_of("NOT_SET"));
	cr_expect_str_eq(value_of("LANG"), "C.UTF-8");
	cr_expect_str_eq(value_of("TZ"), "Europe/Zurich");
	cr_expect(strncmp(value_of("PATH"), "/usr/local/sbin:", 16) == 0);
}

/* ---- secrets ---- */

static int reads(const char *path)
{
	char bytes[16];
	size_t count;

	return secrets_read(&dirs, path, bytes, sizeof bytes, &count);
}

Test(environment, secrets_are_read_from_below_their_directory_alone)
{
	cr_assert_eq(mkdir(path_of("sub"), 0700), 0);
	put("sub/a", "x", 1);
	put("a", "0123456789abcdef", 16);
	put("big", "0123456789abcdefg", 17);
	cr_assert_eq(symlink("/etc/hostname", path_of("out")), 0);
	cr_assert_eq(symlink("sub/a", path_of("in")), 0);
	cr_assert_eq(symlink("../../etc", path_of("up")), 0);
	cr_assert_eq(mkfifo(path_of("pipe"), 0600), 0);
	cr_expect_eq(reads(path_of("a")), 0);
	cr_expect_eq(reads(path_of("sub/a")), 0);
	cr_expect_eq(reads(path_of("in")), 0, "a link within");
	cr_expect_eq(reads(path_of("big")), EFBIG);
	cr_expect_eq(reads(path_of("none")), ENOENT);
	cr_expect_eq(reads(path_of("sub")), EINVAL);
	cr_expect_eq(reads(path_of("pipe")), EINVAL);
	cr_expect_eq(reads(path_of("out")), EPERM);
	cr_expect_eq(reads(path_of("up/hostname")), EPERM);
	cr_expect_eq(reads(path_of("../hostname")), EPERM);
	cr_expect_eq(reads("/etc/hostname"), EPERM);
	cr_expect_eq(reads(dir), EPERM);
	cr_expect_eq(reads(path_of("")), EPERM);
}

Test(environment, a_directory_whose_name_only_begins_alike_is_another)
{
	char beside[128], command[512];

	snprintf(beside, sizeof beside, "%s-not/a", dir);
	snprintf(command, sizeof command, "mkdir '%s-not' && echo x >'%s'", dir, beside);
	cr_assert_eq(system(command), 0);
	cr_expect_eq(reads(beside), EPERM);
	snprintf(command, sizeof command, "rm -r '%s-not'", dir);
	cr_assert_eq(system(command), 0);
}

Test(environment, without_any_directory_nothing_is_read)
{
	struct option_list none = {NULL, 0};
	char bytes[16];
	size_t count;

	put("a", "x", 1);
	cr_expect_eq(secrets_read(&none, path_of("a"), bytes, sizeof bytes, &count), EPERM);
}
