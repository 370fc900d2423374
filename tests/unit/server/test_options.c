/* Options: one table, three sources, and faults that say everything at once. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/core/ports.h"
#include "server/options.h"

#define MAX_ARGS 32

static struct options o;
static struct text faults;
static char dir[] = "/tmp/horde-options-XXXXXX";
static char path[128];
static enum err result;

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/file", dir);
}

static void teardown(void)
{
	options_fini(&o);
	text_fini(&faults);
	unlink(path);
	rmdir(dir);
}

TestSuite(options, .init = setup, .fini = teardown);

static void write_file(const char *content)
{
	FILE *out = fopen(path, "we");

	cr_assert(out && fputs(content, out) >= 0 && fclose(out) == 0);
}

/* Words are separated by single spaces; "@" stands for the file's path. */
static char **split(char *words, const char *first)
{
	static char *lists[2][MAX_ARGS];
	static int turn;
	char **list = lists[turn++ % 2];
	int count = 0;

	if (first)
		list[count++] = (char *)(uintptr_t)first;
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		list[count++] = strcmp(word, "@") == 0 ? path : word;
	list[count] = NULL;
	return list;
}

static void load(const char *flags, const char *variables)
{
	char flag_words[2048], variable_words[2048];
	char **argv, **environment;
	int argc = 0;

	snprintf(flag_words, sizeof flag_words, "%s", flags);
	snprintf(variable_words, sizeof variable_words, "%s", variables);
	argv = split(flag_words, "horded");
	environment = split(variable_words, NULL);
	while (argv[argc])
		argc++;
	options_fini(&o);
	text_clear(&faults);
	result = options_load(argc, argv, environment, &o, &faults);
}

static void loads(const char *flags, const char *variables)
{
	load(flags, variables);
	cr_assert_eq(
		result, ERR_OK, "%s | %s: %.*s", flags, variables, (int)faults.used, faults.bytes);
}

static void fails(const char *flags, const char *variables, const char *why)
{
	load(flags, variables);
	cr_assert_eq(result, ERR_MALFORMED, "%s | %s was taken", flags, variables);
	cr_assert(
		strstr(text_cstr(&faults), why), "'%s' does not say '%s'", text_cstr(&faults), why);
}

static int fault_lines(void)
{
	int lines = 0;

	for (size_t i = 0; i < faults.used; i++)
		lines += faults.bytes[i] == '\n';
	return lines;
}

/* As `nproc` counts them. */
static long cores(void)
{
	FILE *f = popen("env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc", "re");
	long count = 0;

	cr_assert(f && fscanf(f, "%ld", &count) == 1);
	pclose(f);
	return count;
}

Test(options, have_documented_defaults)
{
	loads("--data-dir /d", "");
	cr_assert_str_eq(o.listen, "127.0.0.1:4750");
	cr_assert_str_eq(o.cluster, "horde");
	cr_assert(o.name && o.name[0]);
	cr_assert_eq(o.startup_grace_ms, 5000);
	cr_assert_eq(o.restart_grace_ms, 0);
	cr_assert_eq(o.back_within_ms, 10000);
	cr_assert_eq(o.start_parallel, 2 * cores());
	cr_assert_eq(o.port_first, PORT_FIRST);
	cr_assert_eq(o.port_last, PORT_LAST);
	cr_assert_eq(o.kill_log_max, 1000000);
	cr_assert_eq(o.kill_log_hours, 24);
	cr_assert_eq(o.logs_total, 1 << 30);
	cr_assert_eq(o.logs, LOGS_FILE);
	cr_assert_eq(o.on_terminate, ON_TERMINATE_RESTART);
	cr_assert_eq(o.log_level, LOG_LEVEL_INFO);
	cr_assert_not(o.insecure_plain_http);
	cr_assert_eq(o.join.count, 0);
	cr_assert_null(o.token);
	cr_assert_null(o.advertise);
}

Test(options, flag_beats_environment_beats_file)
{
	write_file("name: of-file\ncluster: of-file\nback_within_ms: 7\n");
	loads("--config @ --name of-flag", "HORDE_NAME=of-env HORDE_CLUSTER=of-env");
	cr_assert_str_eq(o.name, "of-flag");
	cr_assert_str_eq(o.cluster, "of-env");
	cr_assert_eq(o.back_within_ms, 7);
}

Test(options, every_option_can_be_a_flag_and_a_variable)
{
	loads("--name=a --listen=[::1]:0 --advertise=http://h:1 --data-dir=/d --join=http://j:2 "
	      "--cluster=c --insecure-plain-http --allow-host=x --startup-grace-ms=1 "
	      "--restart-grace-ms=2 --on-terminate=leave --back-within-ms=3 --log-level=warn "
	      "--kill-log-max=4 --kill-log-hours=5 --start-parallel=6 --logs-total=1MiB "
	      "--logs=stdout --port-range=1-65535",
		"");
	cr_assert_eq(o.on_terminate, ON_TERMINATE_LEAVE);
	cr_assert_eq(o.start_parallel, 6);
	cr_assert_eq(o.port_first, 1);
	cr_assert_eq(o.port_last, 65535);
	cr_assert_eq(o.kill_log_max, 4);
	cr_assert_eq(o.kill_log_hours, 5);
	cr_assert_eq(o.logs_total, 1 << 20);
	cr_assert_eq(o.logs, LOGS_STDOUT);
	loads("", "HORDE_NAME=a HORDE_LISTEN=[::1]:0 HORDE_ADVERTISE=http://h:1 HORDE_DATA_DIR=/d "
		  "HORDE_JOIN=http://j:2 HORDE_CLUSTER=c HORDE_INSECURE_PLAIN_HTTP=true "
		  "HORDE_ALLOW_HOST=x HORDE_STARTUP_GRACE_MS=1 HORDE_RESTART_GRACE_MS=2 "
		  "HORDE_ON_TERMINATE=leave HORDE_BACK_WITHIN_MS=3 HORDE_LOG_LEVEL=warn "
		  "HORDE_KILL_LOG_MAX=6 HORDE_KILL_LOG_HOURS=7 HORDE_START_PARALLEL=10000 "
		  "HORDE_LOGS_TOTAL=1024TiB HORDE_LOGS=both");
	cr_assert_eq(o.on_terminate, ON_TERMINATE_LEAVE);
	cr_assert_eq(o.startup_grace_ms, 1);
	cr_assert_eq(o.start_parallel, 10000);
	cr_assert_eq(o.kill_log_max, 6);
	cr_assert_eq(o.kill_log_hours, 7);
	cr_assert_eq(o.logs_total, (int64_t)1 << 50);
	cr_assert_eq(o.logs, LOGS_BOTH);
}

Test(options, every_option_can_be_a_key_of_the_file)
{
	char variable[160];

	write_file("name: a\nlisten: '[::1]:0'\nadvertise: http://h:1\ndata_dir: /d\n"
		   "join: [http://j:2, j3]\ncluster: c\ninsecure_plain_http: true\nallow_host: x\n"
		   "startup_grace_ms: 1\nrestart_grace_ms: 2\non_terminate: leave\n"
		   "back_within_ms: 3s\nlog_level: warn\nkill_log_max: 0\nkill_log_hours: 1\n"
		   "start_parallel: 1\nport_range: 8000-8000\nlogs_total: 1048577\nlogs: "
		   "both\nexec_user: [www, "
		   "nobody]\ninherit_env: "
		   "[A]\nsecrets_dir: "
		   "[/a, /b]\ndispatch_hosts: ['a:1', b]\n");
	snprintf(variable, sizeof variable, "HORDE_CONFIG=%s", path);
	loads("", variable);
	cr_assert_str_eq(o.name, "a");
	cr_assert_str_eq(o.data_dir, "/d");
	cr_assert_eq(o.join.count, 2);
	cr_assert_str_eq(o.join.items[1], "http://j3:4750");
	cr_assert_eq(o.allow_host.count, 1);
	cr_assert_eq(o.back_within_ms, 3000);
	cr_assert(o.insecure_plain_http);
	cr_assert_eq(o.log_level, LOG_LEVEL_WARN);
	cr_assert_eq(o.kill_log_max, 0);
	cr_assert_eq(o.start_parallel, 1);
	cr_assert_eq(o.port_first, 8000);
	cr_assert_eq(o.port_last, 8000);
	cr_assert_eq(o.exec_user.count, 2);
	cr_assert_eq(o.inherit_env.count, 1);
	cr_assert_eq(o.secrets_dir.count, 2);
	cr_assert_eq(o.dispatch_hosts.count, 2);
	cr_assert_str_eq(o.dispatch_hosts.items[0], "a:1");
	cr_assert_eq(o.kill_log_hours, 1);
	cr_assert_eq(o.logs_total, 1048577);
	cr_assert_eq(o.logs, LOGS_BOTH);
}

Test(options, lists_repeat_and_a_stronger_source_replaces_the_whole)
{
	loads("--data-dir /d --join http://a:1 --join b:2 --join http://c/", "HORDE_JOIN=x,y");
	cr_assert_eq(o.join.count, 3);
	cr_assert_str_eq(o.join.items[1], "http://b:2");
	cr_assert_str_eq(o.join.items[2], "http://c");
	loads("--data-dir /d", "HORDE_JOIN=http://a:1,,b,[::1]:9,[::2]");
	cr_assert_eq(o.join.count, 4);
	cr_assert_str_eq(o.join.items[1], "http://b:4750");
	cr_assert_str_eq(o.join.items[2], "http://[::1]:9");
	cr_assert_str_eq(o.join.items[3], "http://[::2]:4750");
}

Test(options, empty_variable_is_unset_and_foreign_ones_are_ignored)
{
	loads("--data-dir /d", "HORDE_CLUSTER= HORDE_CHILD=web HORDE_NODE=n9 HORDE_EPOCH=1");
	cr_assert_str_eq(o.cluster, "horde");
}

Test(options, unknown_names_are_faults_that_name_the_nearest)
{
	fails("--data-dri /d", "", "unknown flag --data-dri; did you mean --data-dir?");
	fails("--lisen=x", "", "did you mean --listen?");
	fails("--data-dir /d --log-level wran", "", "did you mean 'warn'?");
	fails("--token abcdefgh --data-dir /d", "", "unknown flag --token; did you mean");
	write_file("a: 1\nlisten_: x\n");
	fails("--config @ --data-dir /d", "", ":2: unknown key 'listen_'; did you mean 'listen'?");
	write_file("token: abcdefgh\n");
	fails("--config @ --data-dir /d", "", ":1: unknown key 'token'");
}

Test(options, all_faults_are_listed_one_line_each)
{
	write_file("nam: x\nback_within_ms: soon\n");
	fails("--config @ --listen nowhere --startup-grace-ms -1 --bogus stray",
		"HORDE_CLUSTER=a/b "
		"HORDE_JOIN=ftp://x",
		"unknown key 'nam'");
	/* --bogus, stray, -1, nam, soon, cluster, listen, join; the data directory has no HOME */
	cr_assert_geq(fault_lines(), 8);
	cr_assert(strstr(text_cstr(&faults), "ftp://x"));
	cr_assert(strstr(text_cstr(&faults), "a/b"));
	cr_assert(strstr(text_cstr(&faults), "nowhere"));
	cr_assert_null(o.name);
}

Test(options, values_are_checked)
{
	static const char *const bad[] = {"--restart-grace-ms 60001", "--restart-grace-ms 61s",
		"--restart-grace-ms 1d", "--restart-grace-ms", "--name a/b", "--name -a",
		"--name .", "--listen 127.0.0.1", "--listen 127.0.0.1:65536", "--listen ::1:80",
		"--listen :80", "--listen 127.0.0.1:", "--listen 127.0.0.1:8x",
		"--advertise http://", "--advertise http://u@h:1", "--advertise http://h/path",
		"--join http://h?x", "--insecure-plain-http=perhaps", "--token-file /nonexistent",
		"--config /nonexistent", "--kill-log-max -1", "--kill-log-max 1k",
		"--kill-log-max=", "--kill-log-max 1000000001",
		"--kill-log-max 99999999999999999999", "--kill-log-hours 0", "--start-parallel 0",
		"--start-parallel 10001", "--start-parallel -1", "--kill-log-hours 87601",
		"--kill-log-hours 1h", "--logs-total 1048575", "--logs-total 0",
		"--logs-total 1023KiB", "--logs-total 1025TiB", "--logs-total 1125899906842625",
		"--logs-total 99999999999999999999", "--logs-total GiB",
		"--logs-total=", "--logs-total -1GiB", "--logs-total 1GB", "--logs-total 1.5GiB",
		"--port-range 0-9", "--port-range 9-8", "--port-range 1-65536", "--port-range 1",
		"--port-range 1-2x", "--port-range=-1-2", "-x", "--"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char flags[256];
		snprintf(flags, sizeof flags, "--data-dir /d %s", bad[i]);
		load(flags, "");
		cr_expect_eq(result, ERR_MALFORMED, "%s was taken", bad[i]);
	}
	loads("--data-dir /d --restart-grace-ms 60s --listen 127.9.9.9:0 --name a.b-c_d", "");
	cr_assert_eq(o.restart_grace_ms, 60000);
}

Test(options, file_must_be_one_flat_mapping)
{
	static const char *const bad[] = {"- a\n", "name: {a: b}\n", "join: [[a]]\n", "name: [a]\n",
		"name: a\nname: b\n", "name:\n", "x\n", "name: &a b\ncluster: *a\n",
		"name: a\n---\nname: b\n", "name: \"a\\0b\"\n", "name: [\n", "? [a]\n: b\n"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		write_file(bad[i]);
		load("--data-dir /d --config @", "");
		cr_expect_eq(result, ERR_MALFORMED, "%s was taken", bad[i]);
	}
	write_file("# nothing but this\n");
	loads("--data-dir /d --config @", "");
}

Test(options, other_machines_are_served_only_when_all_is_said)
{
	fails("--data-dir /d --listen 0.0.0.0:0", "", "--insecure-plain-http");
	cr_assert(strstr(text_cstr(&faults), "--token-file"));
	cr_assert(strstr(text_cstr(&faults), "--secret-file"));
	cr_assert_eq(fault_lines(), 3);
	fails("--data-dir /d --listen [::]:0 --insecure-plain-http", "HORDE_TOKEN=12345678",
		"--secret-file");
	loads("--data-dir /d --listen 0.0.0.0:0 --insecure-plain-http",
		"HORDE_TOKEN=12345678 HORDE_SECRET=abcdefgh");
	cr_assert_str_eq(o.token, "12345678");
	loads("--data-dir /d --listen [::1]:0", "");
	loads("--data-dir /d --listen 127.0.0.2:0", "");
}

Test(options, secrets_come_from_files_or_the_environment)
{
	write_file("a-long-secret\n");
	loads("--data-dir /d --secret-file @", "");
	cr_assert_str_eq(o.secret, "a-long-secret");
	loads("--data-dir /d --secret-file @", "HORDE_SECRET=another-one");
	cr_assert_str_eq(o.secret, "a-long-secret");
	write_file("two words\n");
	fails("--data-dir /d --token-file @", "", "without space");
	write_file("");
	fails("--data-dir /d --token-file @", "", "at least 8");
	fails("--data-dir /d", "HORDE_TOKEN=short", "at least 8");
}

Test(options, refusal_of_a_secret_does_not_print_it)
{
	fails("--data-dir /d", "HORDE_TOKEN=Pss7", "token");
	cr_assert_null(strstr(text_cstr(&faults), "Pss7"));
}

Test(options, help_and_version_need_nothing_else)
{
	struct text out = TEXT_INIT;

	loads("--help --name=a", "HORDE_LISTEN=nowhere");
	cr_assert(o.help);
	loads("--version", "HORDE_LISTEN=nowhere");
	cr_assert(o.version);
	options_help(&out);
	cr_assert(strstr(text_cstr(&out), "--restart-grace-ms MS"));
	cr_assert(strstr(text_cstr(&out), "HORDE_TOKEN=TOKEN"));
	cr_assert(strstr(text_cstr(&out), "restart|leave"));
	text_fini(&out);
}

Test(options, data_directory_follows_the_home_when_nothing_is_writable)
{
	if (geteuid() == 0)
		return; /* for root /var/lib is writable */
	loads("", "XDG_STATE_HOME=/s HOME=/h");
	cr_assert_str_eq(o.data_dir, "/s/horde");
	loads("", "HOME=/h");
	cr_assert_str_eq(o.data_dir, "/h/.local/state/horde");
}
