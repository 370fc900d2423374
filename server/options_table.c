#include "server/options_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct options, member)
#define MINUTE_MS 60000
#define HOUR_MS (60 * MINUTE_MS)
#define START_PARALLEL_MAX 10000
#define KILL_LOG_RECORDS_MAX 1000000000 /* 24 GB of memory */
#define KILL_LOG_HOURS_MAX 87600        /* ten years */
#define LOGS_TOTAL_MIN (1024 * 1024)
#define LOGS_TOTAL_MAX ((int64_t)1 << 50)

/* In the order of the enums. */
static const char *const on_terminate[] = {"restart", "leave", NULL};
static const char *const logs[] = {"file", "stdout", "both", NULL};
static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};

const struct option_row option_rows[OPTION_COUNT] = {
	{"config", OPTION_TEXT, AT(config), SOURCE_FLAG | SOURCE_ENVIRONMENT, NULL, "FILE",
		"read options from this YAML file", 0, 0, NULL},
	{"name", OPTION_TEXT, AT(name), SOURCE_ALL, NULL, "NAME",
		"this node's name, unique in the cluster (default: the host name)", 0, 0, NULL},
	{"listen", OPTION_TEXT, AT(listen), SOURCE_ALL, "127.0.0.1:" OPTIONS_PORT, "ADDR:PORT",
		"where to serve HTTP; port 0 takes a free one", 0, 0, NULL},
	{"advertise", OPTION_TEXT, AT(advertise), SOURCE_ALL, NULL, "URL",
		"where peers reach this node (default: the address it listens on)", 0, 0, NULL},
	{"data-dir", OPTION_TEXT, AT(data_dir), SOURCE_ALL, NULL, "DIR",
		"where the store and the logs are (default: /var/lib/horde when it is writable, "
		"else $XDG_STATE_HOME/horde or ~/.local/state/horde)",
		0, 0, NULL},
	{"join", OPTION_LIST, AT(join), SOURCE_ALL, NULL, "URL",
		"a node of the cluster to join; may be repeated", 0, 0, NULL},
	{"cluster", OPTION_TEXT, AT(cluster), SOURCE_ALL, "horde", "NAME",
		"the cluster's name; nodes of another one are refused", 0, 0, NULL},
	{"token-file", OPTION_TEXT, AT(token_file), SOURCE_ALL, NULL, "FILE",
		"holds the bearer token that users must show", 0, 0, NULL},
	{"token", OPTION_TEXT, AT(token), SOURCE_ENVIRONMENT, NULL, "TOKEN", "the token itself", 0,
		0, NULL},
	{"secret-file", OPTION_TEXT, AT(secret_file), SOURCE_ALL, NULL, "FILE",
		"holds the secret that the cluster's nodes share", 0, 0, NULL},
	{"secret", OPTION_TEXT, AT(secret), SOURCE_ENVIRONMENT, NULL, "SECRET", "the secret itself",
		0, 0, NULL},
	{"insecure-plain-http", OPTION_FLAG, AT(insecure_plain_http), SOURCE_ALL, "false", NULL,
		"serve other machines without TLS", 0, 0, NULL},
	{"allow-host", OPTION_LIST, AT(allow_host), SOURCE_ALL, NULL, "HOST",
		"a further name that requests may use for this node; may be repeated", 0, 0, NULL},
	{"cgroup", OPTION_TEXT, AT(cgroup), SOURCE_ALL, NULL, "DIR",
		"a directory of cgroup v2 (absolute) that is the daemon's own, for limits of "
		"memory, "
		"processor "
		"time and processes of its children (default: none, and no such limits)",
		0, 0, NULL},
	{"exec-user", OPTION_LIST, AT(exec_user), SOURCE_ALL, NULL, "USER",
		"a user that children may run as, beside the daemon's own; may be repeated", 0, 0,
		NULL},
	{"dispatch-hosts", OPTION_LIST, AT(dispatch_hosts), SOURCE_ALL, NULL, "HOST[:PORT]",
		"a host to which the value of a name may send dispatches by its `url` or `host`, "
		"beside the owner's own node; may be repeated",
		0, 0, NULL},
	{"inherit-env", OPTION_LIST, AT(inherit_env), SOURCE_ALL, NULL, "NAME",
		"a variable of the daemon that children see too, beside LANG and TZ; may be "
		"repeated",
		0, 0, NULL},
	{"secrets-dir", OPTION_LIST, AT(secrets_dir), SOURCE_ALL, NULL, "DIR",
		"below it are the files that specs may name as secrets; may be repeated", 0, 0,
		NULL},
	{"startup-grace-ms", OPTION_MS, AT(startup_grace_ms), SOURCE_ALL, "5000", "MS",
		"how long after its start it judges no member that it has not met", 0, HOUR_MS,
		NULL},
	{"restart-grace-ms", OPTION_MS, AT(restart_grace_ms), SOURCE_ALL, "0", "MS",
		"how long a killed node may take to come back before its children move", 0,
		MINUTE_MS, NULL},
	{"on-terminate", OPTION_CHOICE, AT(on_terminate), SOURCE_ALL, "restart", NULL,
		"what SIGTERM announces: it will be back, or it leaves the cluster", 0, 0,
		on_terminate},
	{"back-within-ms", OPTION_MS, AT(back_within_ms), SOURCE_ALL, "10000", "MS",
		"after SIGTERM with `restart`, how long its children wait for it", 0, HOUR_MS,
		NULL},
	{"start-parallel", OPTION_NUMBER, AT(start_parallel), SOURCE_ALL, NULL, "N",
		"how many children may be starting at a time; more wait for their turn (default: "
		"twice the number of cores)",
		1, START_PARALLEL_MAX, NULL},
	{"kill-log-max", OPTION_NUMBER, AT(kill_log_max), SOURCE_ALL, "1000000", "N",
		"how many records of what was deleted or replaced are kept for members that are "
		"away; one that was away for more compares digests first, and loses nothing",
		0, KILL_LOG_RECORDS_MAX, NULL},
	{"kill-log-hours", OPTION_NUMBER, AT(kill_log_hours), SOURCE_ALL, "24", "N",
		"how many hours such records are kept, at most", 1, KILL_LOG_HOURS_MAX, NULL},
	{"logs", OPTION_CHOICE, AT(logs), SOURCE_ALL, "file", NULL,
		"where what children print goes: to files of the data directory, which the API "
		"shows, to this daemon's stdout as lines of JSON, or both",
		0, 0, logs},
	{"port-range", OPTION_TEXT, AT(port_range), SOURCE_ALL, "20000-31999", "FIRST-LAST",
		"where the ports of children come from that ask for no number", 0, 0, NULL},
	{"logs-total", OPTION_BYTES, AT(logs_total), SOURCE_ALL, "1GiB", "BYTES",
		"how much all logs of children may hold on this node; beyond it the oldest files "
		"go first",
		LOGS_TOTAL_MIN, LOGS_TOTAL_MAX, NULL},
	{"log-level", OPTION_CHOICE, AT(log_level), SOURCE_ALL, "info", NULL,
		"the least important lines to print", 0, 0, log_levels},
	{"help", OPTION_FLAG, AT(help), SOURCE_FLAG, "false", NULL, "print this and end", 0, 0,
		NULL},
	{"version", OPTION_FLAG, AT(version), SOURCE_FLAG, "false", NULL,
		"print the version and end", 0, 0, NULL},
};

static void respell(const char *name, const char *prefix, bool upper, char *ret_name)
{
	size_t at = (size_t)snprintf(ret_name, OPTION_NAME_BYTES, "%s", prefix);
	for (; *name && at + 1 < OPTION_NAME_BYTES; name++)
		ret_name[at++] = *name == '-' ? '_'
				 : upper      ? (char)toupper((unsigned char)*name)
					      : *name;
	ret_name[at] = '\0';
}

void option_variable(const struct option_row *row, char ret_name[OPTION_NAME_BYTES])
{
	respell(row->name, "HORDE_", true, ret_name);
}

void option_key(const struct option_row *row, char ret_name[OPTION_NAME_BYTES])
{
	respell(row->name, "", false, ret_name);
}

static void help_head(struct text *out, const struct option_row *row)
{
	char variable[OPTION_NAME_BYTES];

	option_variable(row, variable);
	if (!(row->sources & SOURCE_FLAG)) {
		text_addf(out, "  %s=%s\n", variable, row->value);
		return;
	}
	text_addf(out, "  --%s", row->name);
	for (int i = 0; row->choices && row->choices[i]; i++)
		text_addf(out, "%c%s", i ? '|' : ' ', row->choices[i]);
	if (row->value)
		text_addf(out, " %s", row->value);
	text_adds(out, "\n");
}

void options_help(struct text *out)
{
	text_adds(out, "Usage: horded [OPTION]...\n"
		       "Supervises processes and keeps a registry, together with its peers.\n\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		help_head(out, row);
		text_addf(out, "        %s", row->help);
		if (row->fallback && row->kind != OPTION_FLAG)
			text_addf(out, " (default: %s)", row->fallback);
		text_adds(out, "\n");
	}
	text_adds(out,
		"\nEach option can also be a variable (HORDE_DATA_DIR; lists with commas) or "
		"a key of the\nconfiguration file (data_dir; lists as lists). A flag beats the "
		"environment, the\nenvironment beats the file. Times also take a unit: 250ms, "
		"30s, 5m, 1h;\nsizes do too: 64KiB, 500MiB, 20GiB, 1TiB. The file's `children` "
		"are started; SIGHUP\nreads them again.\n");
}
