/* Seeds for fuzz_http.c: every operation, some of them after one another. */
#ifndef HORDE_TESTS_FUZZ_SEEDS_HTTP_H
#define HORDE_TESTS_FUZZ_SEEDS_HTTP_H

#define SEED_HEAD " HTTP/1.1\nHost: localhost:4750\n"
#define SEED_JSON "Content-Type: application/json\n\n"
#define SEED_GET(path) "GET " path SEED_HEAD "\n"
#define SEED_NODE "0c6f1f4c9f0e4b0fa3a1c2d3e4f50617"
#define SEED_LIFE "9f3c5a7e1b2d4c6f8091a2b3c4d5e6f7"
#define SEED_DOT "00000000000020010000000000000001:3"
#define SEED_SNAPSHOT_ID "01956f3e-7c1a-7b52-9d44-5a0c8e2f1b33"
#define SEED_SNAPSHOT "/v1/storage/snapshots/" SEED_SNAPSHOT_ID
#define SEED_POLL                                                                                  \
	"{\"link\":\"" SEED_LIFE "-1\",\"n\":1,\"after\":[[\"" SEED_LIFE "\",2]],\"ack\":\"=\","
#define SEED_SUP "/v1/supervisors/default"
#define SEED_REG "/v1/registries/default"

static const struct {
	const char *name;
	const char *text;
} seeds_http[] = {
	{"about", SEED_GET("/livez") "\f" SEED_GET("/readyz?verbose") "\f" SEED_GET(
			  "/version?pretty=1") "\f" SEED_GET("/openapi.yaml")},
	{"about-json", SEED_GET("/openapi.json") "\fHEAD /openapi.yaml" SEED_HEAD "\n"},
	{"node", SEED_GET("/v1/node") "\f" SEED_GET("/v1/cluster/members?wait=1s") "\f" SEED_GET(
			 "/v1/cluster/members/n1")},
	{"join", "POST /v1/cluster/join?wait=10ms" SEED_HEAD SEED_JSON
		 "{\"addresses\":[\"http://10.0.0.2:4750\"]}"},
	{"again", "POST " SEED_SUP "/children?wait=1s" SEED_HEAD "Idempotency-Key: k\n" SEED_JSON
		  "{\"command\":[\"true\"]}\fPOST " SEED_SUP "/children?wait=1s" SEED_HEAD
		  "Idempotency-Key: k\n" SEED_JSON "{\"command\":[\"true\"]}\fPOST " SEED_SUP
		  "/children/web/start" SEED_HEAD "Idempotency-Key: k\n\n\fPOST " SEED_SUP
		  "/children/none/stop" SEED_HEAD "Idempotency-Key: other\n\n"},
	{"share", "GET " SEED_REG "/meta/colour?wait=1m&since=x" SEED_HEAD "\n\fGET " SEED_REG
		  "/meta/new?wait=1m" SEED_HEAD "\n\fGET " SEED_REG "/meta/new?wait=30s" SEED_HEAD
		  "\n\fGET " SEED_REG "/meta/new?wait=1m&since=0000000000000000" SEED_HEAD
		  "\n\fPUT " SEED_REG "/meta/new" SEED_HEAD SEED_JSON "{\"value\":0}"},
	{"list", SEED_GET(SEED_SUP "/count") "\f" SEED_GET(
			 SEED_SUP "/children?limit=1&state=running&label_selector=app%3Dweb,x!%3Dy"
				  "&node=n1&prefix=w")},
	{"start", "POST " SEED_SUP "/children?wait=5s" SEED_HEAD SEED_JSON
		  "{\"id\":\"api\",\"command\":[\"/bin/sh\",\"-c\",\"exit 1\"],\"env\":{\"A\":"
		  "\"b\"},\"labels\":{\"app\":\"api\"},\"restart\":\"transient\",\"shutdown\":"
		  "{\"signal\":\"INT\",\"timeout_ms\":10},\"backoff\":{\"factor\":1.5}}\f" SEED_GET(
			  SEED_SUP "/children/api")},
	{"start-nameless",
		"POST " SEED_SUP "/children?wait=0" SEED_HEAD SEED_JSON "{\"command\":[\"true\"]}"},
	{"put", "PUT " SEED_SUP "/children/web?until=running&wait=1s" SEED_HEAD
		"If-Match: \"x\"\n" SEED_JSON "{\"command\":[\"/bin/sleep\",\"2\"]}\f"
		"PUT " SEED_SUP "/children/web2?ack=memory" SEED_HEAD "If-None-Match: *\n" SEED_JSON
		"{\"command\":[\"/bin/sleep\",\"2\"],\"success_exit_codes\":[0,3],\"logs\":"
		"{\"max_bytes\":1000,\"max_files\":2},\"retain_ms\":1000,\"cwd\":\"/tmp\","
		"\"ready\":{\"kind\":\"tcp\",\"port\":80},\"health\":[{\"kind\":\"http\",\"port\":"
		"80,"
		"\"path\":\"/"
		"h\"}],\"watchdog_ms\":1000,\"register\":[{\"key\":\"k\",\"value\":1}]}"},
	{"patch", "PATCH " SEED_SUP "/children/web" SEED_HEAD
		  "Content-Type: application/merge-patch+json\n\n{\"labels\":{\"app\":null,\"z\":"
		  "\"1\"},\"max_restarts\":7}"},
	{"stop", "POST " SEED_SUP "/children/web/stop" SEED_HEAD "\n\fPOST " SEED_SUP
		 "/children/web/start" SEED_HEAD "\n\fPOST " SEED_SUP
		 "/children/web/restart?wait=1s" SEED_HEAD "\n\fDELETE " SEED_SUP
		 "/children/web?wait=1s&missing_ok" SEED_HEAD "\n"},
	{"signal", "POST " SEED_SUP "/children/web/signal" SEED_HEAD SEED_JSON
		   "{\"signal\":\"HUP\",\"group\":true}"},
	{"wait", SEED_GET(SEED_SUP
			 "/children/web/wait?until=exited,deleted&wait=30s") "\fDELETE " SEED_SUP
									     "/children/"
									     "web" SEED_HEAD
									     "Prefer: wait=1\n\n"},
	{"entries", SEED_GET(SEED_REG "/count?owner=child:default/web") "\f" SEED_GET(
			    SEED_REG "/entries?keys_only&prefix=d&limit=1") "\f" SEED_GET(SEED_REG
			    "/entries/db") "\f" SEED_GET(SEED_REG "/entries/db/value")},
	{"select",
		"PUT " SEED_REG "/entries/u%2F1?ack=memory" SEED_HEAD SEED_JSON
		"{\"owner\":{\"kind\":\"static\",\"id\":\"me\"},\"value\":{\"a\":[1,{\"\\u00fc\":2."
		"50}]}}\fPOST " SEED_REG "/select?limit=1" SEED_HEAD SEED_JSON
		"{\"match\":{\"key\":{\"$prefix\":\"u/"
		"\"},\"value.a\":{\"0\":{\"$gte\":1,\"$lt\":2}},"
		"\"$or\":[{\"owner.kind\":\"static\"},{\"$not\":{\"stale\":true}}]},"
		"\"select\":[\"key\",\"value.a.1.\xc3\xbc\",\"labels.app\",\"fence\"]}"
		"\fPOST " SEED_REG "/count_select" SEED_HEAD SEED_JSON
		"{\"match\":{\"value\":{\"a\":{\"$in\":[1,null],\"$exists\":true,\"$nin\":[\"x\"],"
		"\"$ne\":{\"b\":[]}}}}}\fPOST " SEED_REG
		"/unregister_select?owner=static:me" SEED_HEAD SEED_JSON
		"{\"match\":{\"created_at\":{\"$gt\":\"2\"},\"labels\":{\"$exists\":false}}}"},
	{"lookup", "POST " SEED_REG "/entries/lookup" SEED_HEAD SEED_JSON
		   "{\"keys\":[\"db\",\"none\",\"db\"]}\f" SEED_GET(SEED_REG
			   "/owners/child:default%2Fweb/keys?limit=1") "\f" SEED_GET(SEED_REG
			   "/entries?label_selector=app%3Dweb,x!%3Dy")},
	{"register",
		"PUT " SEED_REG "/entries/svc%2Fa" SEED_HEAD SEED_JSON
		"{\"owner\":{\"kind\":\"static\",\"id\":\"me\"},\"value\":{\"port\":[80, "
		"4.50]}}\fPATCH " SEED_REG "/entries/svc%2Fa?owner=static:me" SEED_HEAD SEED_JSON
		"{\"value\":null}\fDELETE " SEED_REG "/entries/svc%2Fa?owner=static:me" SEED_HEAD
		"\n"},
	{"register-child", "PUT " SEED_REG "/entries/db2" SEED_HEAD SEED_JSON
			   "{\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"},\"value\":1}"},
	{"meta", "PUT " SEED_REG "/meta/k%C3%BC" SEED_HEAD SEED_JSON
		 "{\"value\":[1,{\"a\":\"\\u00fc\"}]}\f" SEED_GET(
			 SEED_REG "/meta?limit=1") "\f" SEED_GET(SEED_REG
			 "/meta/k%c3%bc?pretty=true") "\fDELETE " SEED_REG "/meta/colour" SEED_HEAD
						      "If-Match: *\n\n"},
	{"page", SEED_GET(SEED_REG "/meta?limit=1&cursor=AAAAAAAAAAAAAAAA")},
	{"watch", "GET " SEED_REG "/meta/new?wait=30s" SEED_HEAD "If-None-Match: \"a\", W/\"b\"\n"
		  "Horde-Min-Dot: " SEED_DOT "\n\n\fGET " SEED_REG
		  "/meta/colour?since=x&wait=1m" SEED_HEAD "\n\fPUT " SEED_REG
		  "/meta/new" SEED_HEAD SEED_JSON "{\"value\":0}"},
	{"curl", "PUT " SEED_REG "/meta/a" SEED_HEAD "Authorization: Bearer token\n"
		 "Content-Length: 11\nAccept: */*\n"
		 "Content-Type: application/x-www-form-urlencoded\n\n{\"value\":1}"},
	{"peer", "POST /peer/v1/hello" SEED_HEAD SEED_JSON
		 "{\"cluster\":\"horde\",\"cluster_id\":\"none\",\"node_id\":\"" SEED_NODE "\","
		 "\"name\":\"n2\",\"incarnation\":\"" SEED_LIFE "\",\"url\":"
		 "\"http://10.0.0.1:4750\",\"virgin\":true,\"protocol_min\":1,\"protocol_max\":2,"
		 "\"started\":114087288832000000,\"clk\":114087288832065536}\f"
		 "POST /peer/v1/call" SEED_HEAD SEED_JSON
		 "{\"op\":\"restart\",\"supervisor\":\"default\",\"child\":\"web\",\"hops\":0}\f"
		 "POST /peer/v1/goodbye" SEED_HEAD SEED_JSON "{\"node_id\":\"" SEED_NODE "\","
		 "\"incarnation\":\"" SEED_LIFE "\",\"reason\":\"leave\"}"},
	{"deltas", "POST /peer/v1/deltas" SEED_HEAD SEED_JSON SEED_POLL "\"wait_ms\":100}\f"
		   "POST /peer/v1/deltas" SEED_HEAD SEED_JSON SEED_POLL
		   "\"wait_ms\":25000,\"want\":\"*\",\"seen\":1}\f"
		   "POST /peer/v1/digest" SEED_HEAD "Accept-Encoding: zstd\n" SEED_JSON SEED_POLL
		   "\"blocks\":[[\"" SEED_LIFE "\",0,[[0,\"0123456789abcdef\"]]]],\"want\":"
		   "\"*\",\"repair\":true}"},
	{"convergence", SEED_GET("/v1/cluster/convergence") "\fPUT " SEED_REG
							    "/meta/b?ack=majority&wait=1s" SEED_HEAD
							    "Horde-Min-Dot: " SEED_DOT ", " SEED_DOT
							    "\n" SEED_JSON "{\"value\":0}"},
	{"snapshots", "POST /v1/storage/snapshots" SEED_HEAD
		      "\n\f" SEED_GET("/v1/storage/snapshots?limit=1") "\f" SEED_GET(
			      SEED_SNAPSHOT) "\f" SEED_GET(SEED_SNAPSHOT
			      "/content") "\fDELETE " SEED_SNAPSHOT SEED_HEAD "\n"},
	{"upload", "PUT " SEED_SNAPSHOT "/content" SEED_HEAD
		   "Horde-Checksum: 0123456789abcdef0123456789abcdef\n"
		   "Content-Type: application/octet-stream\n\nSQLite\f"
		   "POST /v1/storage/restore?mode=merge" SEED_HEAD SEED_JSON
		   "{\"snapshot\":\"" SEED_SNAPSHOT_ID "\"}"},
	{"options", "OPTIONS " SEED_SUP "/children/web" SEED_HEAD "Origin: http://x\n\n\f"
		    "TRACE /v1/node" SEED_HEAD "\n\fGET http://localhost/v1/node" SEED_HEAD "\n"},
	{"broken", SEED_GET("/v1/%zz") "\f" SEED_GET(
			   "/v1/registries/default/entries/%ff") "\f"
								 "GET /v1/node HTTP/1.1\nHost: "
								 "evil\n\n\fPUT /v1/node" SEED_HEAD
								 "Transfer-Encoding: "
								 "chunked\nContent-Length: 1\n\n"},
};

#endif
