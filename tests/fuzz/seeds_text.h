/* Seeds for fuzz_text.c: a few texts for each reader, as they come from outside. */
#ifndef HORDE_TESTS_FUZZ_SEEDS_TEXT_H
#define HORDE_TESTS_FUZZ_SEEDS_TEXT_H

static const struct {
	const char *name;
	const char *text;
} seeds_text[] = {
	{"json", "j{\"value\":{\"a\":[1,2.5e-3,true,null]},\"b\\u0041\":\"x\\\"y\",\"\":[]}"},
	{"json-space", "j { \"type\" : [ ] ,\n\t\"la\\bel\": {}, \"spec\":-0 } "},
	{"utf8", "ua\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80z"},
	{"utf8-bad", "u\xED\xA0\x80\xC0\xAF\xF4\x90\x80\x80"},
	{"escapes", "%a%2Fb%c3%BC~%20"},
	{"pattern", "pA-Za-z0-9._/-\ndefault/web-1"},
	{"pattern-not", "p^]a-c-\nxyz"},
	{"duration", "d9007199254740991ms"},
	{"duration-hours", "d12h"},
	{"selector", "sapp=web,tier!=db,zone,!old,empty="},
	{"dot", "o9f3c00000000000000000000000000ab:18446744073709551615"},
	{"origin", "o9F3c00000000000000000000000000ab"},
	{"merge", "m{\"a\":{\"b\":1,\"c\":[2]},\"d\":3}\n{\"a\":{\"b\":null,\"e\":{\"f\":null}},"
		  "\"d\":[]}"},
	{"spec", "c{\"id\":\"web\",\"command\":[\"/bin/sleep\",\"1\"],\"env\":{\"A\":\"b\"},"
		 "\"labels\":{\"x\":\"y\"},\"n\":[1.5,0.1,1e300]}"},
	{"spec-value", "c{\"created_at\":17,\"desired\":\"stopped\",\"spec\":{\"command\":[]}}"},
	{"names", "ncomand\ncommand\nenv\nrestart\nmax_restarts"},
	{"member", "rmember/9f3c00000000000000000000000000ab\n{\"name\":\"n1\",\"url\":"
		   "\"http://127.0.0.1:4750\",\"incarnation\":"
		   "\"1b220000000000000000000000000001\",\"started\":\"018bcfe56800abcd\","
		   "\"state\":\"alive\"}"},
	{"child",
		"rspec/default/web\n{\"created_at\":1700000000000,\"desired\":\"running\","
		"\"spec\":{\"command\":[\"/bin/sh\",\"-c\",\"exit 1\"],\"cwd\":\"/tmp\","
		"\"env\":{\"A\":\"1\"},\"restart\":\"transient\",\"max_restarts\":5,"
		"\"max_seconds\":10,\"on_max_restarts\":\"fail_child\",\"backoff\":"
		"{\"initial_ms\":100,\"max_ms\":1000,\"factor\":1.5,\"reset_after_ms\":9},"
		"\"shutdown\":{\"signal\":\"INT\",\"timeout_ms\":100},"
		"\"success_exit_codes\":[0,3],\"logs\":{\"max_bytes\":1000,\"max_files\":2},"
		"\"retain_ms\":1000,"
		"\"ready\":{\"kind\":\"http\",\"port\":80,\"path\":\"/r\",\"timeout_ms\":900},"
		"\"health\":[{\"kind\":\"exec\",\"command\":[\"true\"],\"threshold\":2}],"
		"\"watchdog_ms\":1000,\"register\":[{\"key\":\"web/1\",\"value\":{\"port\":1}}]}}"},
	{"assign", "rassign/default/web\n{\"node\":\"9f3c00000000000000000000000000ab\","
		   "\"incarnation\":\"1b220000000000000000000000000001\",\"epoch\":1700000000001,"
		   "\"reason\":\"placed\",\"at\":1700000000000}"},
	{"status", "rstatus/default/web\n{\"state\":\"backoff\",\"reason\":\"exit\",\"node\":"
		   "\"9f3c00000000000000000000000000ab\",\"incarnation\":"
		   "\"1b220000000000000000000000000001\",\"epoch\":7,\"spec_hash\":"
		   "\"00000000deadbeef\",\"pid\":0,\"restarts\":2,\"started_at\":1,\"retry_at\":9,"
		   "\"last_exit\":{\"code\":-1,\"signal\":9,\"core_dumped\":true,\"at\":3,"
		   "\"uptime_ms\":2,\"error\":\"exec: ENOENT\"}}"},
	{"entry", "rentry/default/svc/a\n{\"owner\":{\"kind\":\"child\",\"id\":\"default/web\","
		  "\"node\":\"9f3c00000000000000000000000000ab\",\"epoch\":7},\"created\":"
		  "\"018bcfe56800abcd\",\"value\":{\"port\":[80, 443]}}"},
	{"meta", "rmeta/default/a\n[\"any\",{\"json\":1}]"},
	{"halt", "rhalt/team\n{\"child\":\"team/web\",\"at\":1700000000000}"},
	{"supervisor",
		"rsupervisor/team\n{\"created_at\":1700000000000,\"options\":{\"max_restarts\":5,"
		"\"child_defaults\":{\"env\":{\"A\":\"1\"}}}}"},
};

#endif
