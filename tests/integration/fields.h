/*
 * Every field of a child's spec and of a supervisor's options, with what it may be and what not, as
 * openapi/openapi.yaml has it.
 * `@N` stands for N letters a (value_of() of faults.h).
 */
#ifndef HORDE_TESTS_FIELDS_H
#define HORDE_TESTS_FIELDS_H

#include <stdbool.h>

/* Its wrong types, and what is beyond its numbers, come from the kind; all else is listed. */
enum kind { WHOLE, NUMBER, TEXT, LIST, MAP, OBJECT, FREE };

/* An object that has fields, and a body in which it may stand. */
enum place {
	OPTIONS, /* of a supervisor */
	DEFAULTS,
	SPEC,
	READY,
	READY_NAMED,
	READY_EXEC,
	HEALTH,
	HEALTH_NAMED,
	HEALTH_EXEC,
	PORT,
	CLAIM,
	SECRET,
	LIMITS,
	BACKOFF,
	SHUTDOWN,
	LOGS,
	PLACES
};

#define NAMED_PORTS "\"ports\":[{\"name\":\"a\"},{\"name\":\"@32\"}]"

static const struct {
	const char *schema; /* its path in the schema */
	const char *path;   /* in the body, with dots */
	const char *body;
} places[PLACES] = {
	[OPTIONS] = {"", "", "{}"},
	[DEFAULTS] = {"child_defaults", "", "{}"},
	[SPEC] = {"", "", "{}"},
	[READY] = {"ready", "ready", "{\"ready\":{\"kind\":\"http\",\"port\":1}}"},
	[READY_NAMED] = {"ready", "ready", "{\"ready\":{\"kind\":\"tcp\"}," NAMED_PORTS "}"},
	[READY_EXEC] = {"ready", "ready", "{\"ready\":{\"kind\":\"exec\",\"command\":[\"a\"]}}"},
	[HEALTH] = {"health", "health.0", "{\"health\":[{\"kind\":\"http\",\"port\":1}]}"},
	[HEALTH_NAMED] = {"health", "health.0",
		"{\"health\":[{\"kind\":\"tcp\"}]," NAMED_PORTS "}"},
	[HEALTH_EXEC] = {"health", "health.0",
		"{\"health\":[{\"kind\":\"exec\",\"command\":[\"a\"]}]}"},
	[PORT] = {"ports", "ports.0", "{\"ports\":[{\"name\":\"p\"}]}"},
	[CLAIM] = {"register", "register.0", "{\"register\":[{\"key\":\"k\"}]}"},
	[SECRET] = {"env_from", "env_from.A", "{\"env_from\":{\"A\":{\"file\":\"/a\"}}}"},
	[LIMITS] = {"limits", "limits", "{\"limits\":{}}"},
	[BACKOFF] = {"backoff", "backoff", "{\"backoff\":{}}"},
	[SHUTDOWN] = {"shutdown", "shutdown", "{\"shutdown\":{}}"},
	[LOGS] = {"logs", "logs", "{\"logs\":{}}"},
};

enum { BAD_MAX = 6, ODD_MAX = 5, GOOD_MAX = 7 };

struct field {
	const char *name;
	enum place place;
	enum kind kind;
	/* It is in a supervisor's `child_defaults` too; it has to be there; only with --cgroup. */
	bool shared, needed, cgroup;
	double least, most; /* of numbers; how many items or members */
	const char *item;   /* of a list or map, with # for its index */
	/* A value, and where in it are its faults; "" when left out. */
	const char *bad[BAD_MAX][3]; /* of the wrong shape */
	const char *odd[ODD_MAX][3]; /* of the right shape, but they cannot be meant so */
	const char *good[GOOD_MAX];
};

#define BETWEEN(from, to) .least = (from), .most = (to)
#define ANY_BYTES BETWEEN(-1, 9007199254740991)
#define DAY_MS 86400000

/* What is bad of each of these, and what is not. */
#define USER_NAME                                                                                  \
	.bad = {{"\"\""}, {"\"@33\""}, {"\"1a\""}, {"\"a b\""}, {"\"-a\""}, {"\"\xc3\xbc\""}},     \
	.good = {"\"a\"", "\"@32\"", "\"_A.b-9\""}
#define PORT_NAME .bad = {{"\"\""}, {"\"@33\""}, {"\"A\""}, {"\"1a\""}, {"\"a_b\""}, {"\"-a\""}}
#define CHECK_HOST                                                                                 \
	.bad = {{"\"\""}, {"\"@254\""}, {"\"a/b\""}, {"\"a b\""}}, .odd = {{"\"${HORDE_NONE}\""}}, \
	.good = {"\"a\"", "\"@253\"", "\"::1\"", "\"a-b.c_d\"", "\"${HORDE_NODE}\""}
#define CHECK_PATH                                                                                 \
	.bad = {{"\"\""}, {"\"/@2048\""}, {"\"a\""}, {"\"/a b\""}, {"\"/\xc3\xbc\""}},             \
	.good = {"\"/\"", "\"/@2047\"", "\"/a?b=c&d\""}
#define CHECK_COMMAND                                                                              \
	.kind = LIST, .item = "\"a\"", BETWEEN(1, 256),                                            \
	.bad = {{"[1]", "/0"}, {"[\"a\",null]", "/1"}, {"[\"@16385\"]", "", "/0"},                 \
		{"[\"@9000\",\"@9000\"]"}},                                                        \
	.odd = {{"[\"${HORDE_NONE}\"]", "/0"}}, .good = {"[\"@16380\"]"}
#define FILE_PATH .bad = {{"\"/\""}, {"\"a/b\""}, {"\"/@4096\""}}, .good = {"\"/a\"", "\"/@4095\""}

static const struct field fields[] = {
	/* ---- a supervisor's own ---- */
	{"strategy", OPTIONS, TEXT, .bad = {{"\"one_for_all\""}, {"\"\""}},
		.good = {"\"one_for_one\""}},
	{"distribution", OPTIONS, TEXT, .bad = {{"\"random\""}}, .good = {"\"uniform\""}},
	{"redistribution", OPTIONS, TEXT, .bad = {{"\"active\""}}, .good = {"\"passive\""}},
	{"max_children", OPTIONS, WHOLE, BETWEEN(1, 1000000)},
	{"max_children_per_node", OPTIONS, WHOLE, BETWEEN(1, 1000000)},
	{"max_restarts", OPTIONS, WHOLE, BETWEEN(0, 100000)},
	{"max_seconds", OPTIONS, WHOLE, BETWEEN(1, 86400)},
	{"on_max_restarts", OPTIONS, TEXT, .bad = {{"\"panic\""}, {"\"\""}, {"\"Backoff\""}},
		.good = {"\"backoff\"", "\"fail_child\"", "\"reschedule\"", "\"stop_supervisor\""}},
	{"child_defaults", OPTIONS, OBJECT, .good = {"{}"}},
	{"arguments", DEFAULTS, LIST, .item = "\"a\"", BETWEEN(0, 1024),
		.bad = {{"[1]", "/0"}, {"[\"a\",null]", "/1"}, {"[\"@131073\"]", "", "/0"},
			{"[\"@70000\",\"@70000\"]"}},
		.odd = {{"[\"${HORDE_NONE}\"]", "/0"}},
		.good = {"[\"@131068\"]", "[\"\"]", "[\"${HORDE_PORT_A}\"]"}},
	/* ---- a child's ---- */
	{"command", SPEC, LIST, .needed = true, .item = "\"a\"", BETWEEN(1, 1024),
		.bad = {{"[1]", "/0"}, {"[\"a\",null]", "/1"}, {"[\"@131073\"]", "", "/0"},
			{"[\"@70000\",\"@70000\"]"}},
		.odd = {{"[\"a\",\"${HORDE_NONE}\"]", "/1"}, {"[\"${HORDE_PORT_A}\"]", "/0"},
			{"[\"${HORDE_CHILD_TOKEN}\"]", "/0"}},
		.good = {"[\"@131068\"]", "[\"a\",\"\"]", "[\"${HORDE_NODE} ${A} $HORDE_X\"]",
			"[\"$${HORDE_NONE}\"]"}},
	{"env", SPEC, MAP, .shared = true, .item = "\"A#\":\"\"", BETWEEN(0, 1024),
		.bad = {{"{\"A\":1}", "/A"}, {"{\"\":\"a\"}", "/"}, {"{\"A=B\":\"a\"}", "/A=B"},
			{"{\"A\":\"@131073\"}", "", "/A"}, {"{\"a/b~c\":true}", "/a~1b~0c"},
			{"{\"A\":\"@70000\",\"B\":\"@70000\"}"}},
		.odd = {{"{\"a/b~c\":\"${HORDE_NONE}\"}", "/a~1b~0c"}},
		.good = {"{\"A\":\"@131064\"}", "{\"a/b c\":\"=\"}", "{\"A\":\"${HORDE_URL}\"}"}},
	{"env_from", SPEC, MAP, .shared = true, .item = "\"A#\":{\"file\":\"/a\"}", BETWEEN(0, 256),
		.bad = {{"{\"1A\":{\"file\":\"/a\"}}", "/1A"}, {"{\"A\":\"/a\"}", "/A"},
			{"{\"A\":{}}", "/A/file"}, {"{\"A-B\":{\"file\":\"/a\"}}", "/A-B"}},
		.odd = {{"{\"HORDE_NODE\":{\"file\":\"/a\"}}", "/HORDE_NODE"}},
		.good = {"{\"_a1\":{\"file\":\"/a\"}}"}},
	{"file", SECRET, TEXT, .needed = true, FILE_PATH},
	{"env_files", SPEC, LIST, .shared = true, .item = "\"/a\"", BETWEEN(0, 16),
		.bad = {{"[\"/a\",\"a/b\"]", "/1"}, {"[\"/\"]", "/0"}, {"[\"/@4096\"]", "/0"},
			{"[1]", "/0"}},
		.good = {"[\"/@4095\"]"}},
	{"cwd", SPEC, TEXT, .shared = true,
		.bad = {{"\"\""}, {"\"/@4096\""}, {"\"a/b\""}, {"\"${HOME}\""}},
		.odd = {{"\"${HORDE_NONE}\""}, {"\"/${HORDE_NONE}\""}},
		.good = {"\"/\"", "\"/@4095\"", "\"${HORDE_RUN_DIR}/a\""}},
	{"user", SPEC, TEXT, .shared = true, USER_NAME},
	{"group", SPEC, TEXT, .shared = true, USER_NAME},
	{"umask", SPEC, TEXT, .shared = true,
		.bad = {{"\"22\""}, {"\"00022\""}, {"\"028\""}, {"\"1022\""}, {"\"u=rx\""}},
		.good = {"\"000\"", "\"777\"", "\"0777\""}},
	{"limits", SPEC, OBJECT, .shared = true, .good = {"{}"}},
	{"restart", SPEC, TEXT, .shared = true, .bad = {{"\"always\""}, {"\"\""}},
		.good = {"\"permanent\"", "\"transient\"", "\"temporary\""}},
	{"max_restarts", SPEC, WHOLE, BETWEEN(0, 100000)},
	{"max_seconds", SPEC, WHOLE, BETWEEN(1, 86400)},
	{"on_max_restarts", SPEC, TEXT, .bad = {{"\"panic\""}, {"\"\""}, {"\"Backoff\""}},
		.good = {"\"backoff\"", "\"fail_child\"", "\"reschedule\"", "\"stop_supervisor\""}},
	{"backoff", SPEC, OBJECT, .shared = true, .good = {"{}"}},
	{"shutdown", SPEC, OBJECT, .shared = true, .good = {"{}"}},
	{"success_exit_codes", SPEC, LIST, .shared = true, .item = "255", BETWEEN(0, 256),
		.bad = {{"[0,-1]", "/1"}, {"[256]", "/0"}, {"[\"0\"]", "/0"}, {"[1.0]", "/0"}},
		.good = {"[0,255]"}},
	{"labels", SPEC, MAP, .item = "\"a#\":\"b\"", BETWEEN(0, 64),
		.bad = {{"{\"a b\":\"c\"}", "/a b"}, {"{\"\":\"c\"}", "/"},
			{"{\"\xc3\xbc\":\"c\"}", "/\xc3\xbc"}, {"{\"a\":\"b c\"}", "/a"},
			{"{\"a\":\"@129\"}", "/a"}, {"{\"a/b\":1}", "/a~1b"}},
		.good = {"{\"A.b_c-/9\":\"A.b_c-/9\"}", "{\"a\":\"@128\",\"b\":\"\"}"}},
	{"logs", SPEC, OBJECT, .shared = true, .good = {"{}"}},
	{"retain_ms", SPEC, WHOLE, .shared = true, BETWEEN(1000, 315360000000)},
	{"ports", SPEC, LIST, .item = "{\"name\":\"p#\"}", BETWEEN(0, 16),
		.bad = {{"[{}]", "/0/name"}, {"[\"a\"]", "/0"}},
		.odd = {{"[{\"name\":\"a\"},{\"name\":\"a\"}]", "/1/name"},
			{"[{\"name\":\"a\",\"port\":9},{\"name\":\"b\",\"port\":9}]", "/1/port"}}},
	{"register", SPEC, LIST, .item = "{\"key\":\"k#\"}", BETWEEN(0, 16),
		.bad = {{"[{}]", "/0/key"}, {"[\"a\"]", "/0"}},
		.odd = {{"[{\"key\":\"a\"},{\"key\":\"a\",\"value\":1}]", "/1/key"}}},
	{"watchdog_ms", SPEC, WHOLE, .shared = true, BETWEEN(1000, DAY_MS)},
	{"ready", SPEC, OBJECT, .shared = true, .bad = {{"{}", "/kind"}},
		.odd = {{"{\"kind\":\"tcp\"}", "/port"},
			{"{\"kind\":\"none\",\"port\":1,\"command\":[\"a\"]}", "/port", "/command"},
			{"{\"kind\":\"exec\",\"path\":\"/\"}", "/path", "/command"},
			{"{\"kind\":\"tcp\",\"port\":1,\"path\":\"/\"}", "/path"},
			{"{\"kind\":\"notify\",\"host\":\"a\",\"period_ms\":100}", "/host",
				"/period_ms"}},
		.good = {"{\"kind\":\"none\"}", "{\"kind\":\"notify\",\"timeout_ms\":100}"}},
	{"health", SPEC, LIST, .shared = true, .item = "{\"kind\":\"tcp\",\"port\":9}",
		BETWEEN(0, 8), .bad = {{"[{}]", "/0/kind"}, {"[\"tcp\"]", "/0"}},
		.odd = {{"[{\"kind\":\"http\"}]", "/0/port"},
			{"[{\"kind\":\"exec\",\"host\":\"a\"}]", "/0/command", "/0/host"},
			{"[{\"kind\":\"tcp\",\"port\":1,\"command\":[\"a\"],\"path\":\"/\"}]",
				"/0/command", "/0/path"}}},
	/* ---- its checks ---- */
	{"kind", READY, TEXT, .needed = true, .bad = {{"\"udp\""}, {"\"\""}, {"\"Http\""}},
		.good = {"\"http\"", "\"tcp\""}},
	{"timeout_ms", READY, WHOLE, BETWEEN(100, DAY_MS)},
	{"port", READY, WHOLE, BETWEEN(1, 65535)},
	{"port_name", READY_NAMED, TEXT, PORT_NAME, .odd = {{"\"b\""}},
		.good = {"\"a\"", "\"@32\""}},
	{"host", READY, TEXT, CHECK_HOST},
	{"path", READY, TEXT, CHECK_PATH},
	{"command", READY_EXEC, CHECK_COMMAND},
	{"period_ms", READY, WHOLE, BETWEEN(100, 60000)},
	{"try_timeout_ms", READY, WHOLE, BETWEEN(100, 60000)},
	{"kind", HEALTH, TEXT, .needed = true, .bad = {{"\"none\""}, {"\"notify\""}, {"\"\""}},
		.good = {"\"http\"", "\"tcp\""}},
	{"port", HEALTH, WHOLE, BETWEEN(1, 65535)},
	{"port_name", HEALTH_NAMED, TEXT, PORT_NAME, .odd = {{"\"b\""}},
		.good = {"\"a\"", "\"@32\""}},
	{"host", HEALTH, TEXT, CHECK_HOST},
	{"path", HEALTH, TEXT, CHECK_PATH},
	{"command", HEALTH_EXEC, CHECK_COMMAND},
	{"period_ms", HEALTH, WHOLE, BETWEEN(1000, DAY_MS)},
	{"timeout_ms", HEALTH, WHOLE, BETWEEN(100, 60000)},
	{"threshold", HEALTH, WHOLE, BETWEEN(1, 100)},
	{"grace_ms", HEALTH, WHOLE, BETWEEN(0, DAY_MS)},
	/* ---- its ports and names ---- */
	{"name", PORT, TEXT, .needed = true, PORT_NAME, .good = {"\"a\"", "\"@32\"", "\"a-9\""}},
	{"port", PORT, WHOLE, BETWEEN(1, 65535)},
	{"on_taken", CLAIM, TEXT, .bad = {{"\"stop\""}, {"\"Wait\""}},
		.good = {"\"fail\"", "\"wait\"", "\"run\""}},
	{"registry", CLAIM, TEXT, .bad = {{"\"\""}, {"\"@129\""}, {"\"-a\""}, {"\"a/b\""}},
		.odd = {{"\"other\""}, {"\"@128\""}}, .good = {"\"default\""}},
	{"key", CLAIM, TEXT, .needed = true,
		.bad = {{"\"\""}, {"\"@513\""}, {"\"@511\xc3\xbc\""}, {"\"a\\nb\""}, {"\"\x7f\""}},
		.odd = {{"\"${HORDE_NODE}\""}, {"\"${HORDE_NONE}\""}},
		.good = {"\"a\"", "\"@512\"", "\"@510\xc3\xbc\"", "\"a/b ${HORDE_CHILD_REF}\""}},
	{"value", CLAIM, FREE, .bad = {{"\"@65535\""}, {"[[\"@65533\"]]"}},
		.odd = {{"{\"a/b\":[\"${HORDE_NONE}\"]}", "/a~1b/0"}},
		.good = {"null", "\"@65534\"", "{\"a\":[1,\"${HORDE_NODE}\"]}"}},
	/* ---- its process ---- */
	{"nofile", LIMITS, WHOLE, BETWEEN(-1, 1048576)},
	{"nproc", LIMITS, WHOLE, BETWEEN(-1, 4194304)},
	{"core_bytes", LIMITS, WHOLE, ANY_BYTES},
	{"file_bytes", LIMITS, WHOLE, ANY_BYTES},
	{"data_bytes", LIMITS, WHOLE, ANY_BYTES},
	{"stack_bytes", LIMITS, WHOLE, ANY_BYTES},
	{"address_space_bytes", LIMITS, WHOLE, ANY_BYTES},
	{"locked_bytes", LIMITS, WHOLE, ANY_BYTES},
	{"cpu_seconds", LIMITS, WHOLE, BETWEEN(-1, 2147483647)},
	{"memory_bytes", LIMITS, WHOLE, .cgroup = true, BETWEEN(4096, 9007199254740991)},
	{"cpu_millis", LIMITS, WHOLE, .cgroup = true, BETWEEN(10, 1000000)},
	{"pids", LIMITS, WHOLE, .cgroup = true, BETWEEN(1, 9007199254740991)},
	{"initial_ms", BACKOFF, WHOLE, BETWEEN(0, DAY_MS)},
	{"max_ms", BACKOFF, WHOLE, BETWEEN(1, DAY_MS)},
	{"factor", BACKOFF, NUMBER, .bad = {{"0.99"}, {"100.01"}, {"0"}, {"-1"}},
		.good = {"1", "1.0", "1.01", "99.99", "100"}},
	{"reset_after_ms", BACKOFF, WHOLE, BETWEEN(0, DAY_MS)},
	{"signal", SHUTDOWN, TEXT, .bad = {{"\"STOP\""}, {"\"SIGTERM\""}, {"\"term\""}, {"\"15\""}},
		.good = {"\"TERM\"", "\"INT\"", "\"QUIT\"", "\"HUP\"", "\"USR1\"", "\"USR2\"",
			"\"KILL\""}},
	{"timeout_ms", SHUTDOWN, WHOLE, BETWEEN(0, DAY_MS)},
	{"delay_ms", SHUTDOWN, WHOLE, BETWEEN(0, 3600000)},
	{"max_bytes", LOGS, WHOLE, BETWEEN(4096, 1073741824)},
	{"max_files", LOGS, WHOLE, BETWEEN(1, 100)},
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

/* What is only ever told: ignored on input, whatever it is. */
static const char *const told_of_children[] = {"id", "supervisor", "desired", "source",
	"created_at", "etag", "status", "applied", "warnings", NULL};
static const char *const told_of_supervisors[] = {
	"name", "created_at", "state", "stopped_by", "etag", NULL};

#endif
