/* What the tests of readiness and of notifying processes share. */
#ifndef HORDE_TESTS_READY_H
#define HORDE_TESTS_READY_H

#include "tests/integration/suite.h"
#include "tests/lib/helper.h"

#define NOTIFY "\"ready\":{\"kind\":\"notify\",\"timeout_ms\":60000}"

static inline const char *in(const struct cluster *c, const char *name)
{
	return text_of("%s/%s", c->dir, name);
}

static inline bool is_ready(const struct http_reply *r)
{
	return json_is_true(json_at(r->json, "status.ready"));
}

static inline const char *ready_by(const char *kind, int port, const char *more)
{
	return text_of(
		"\"ready\":{\"kind\":\"%s\",\"port\":%d,\"period_ms\":100%s}", kind, port, more);
}

static inline struct http_reply *put_until(
	const struct node *at, const char *id, const char *until, const char *spec)
{
	return node_call(at, "PUT", spec, CHILDREN "/%s?until=%s&wait=30s", id, until);
}

static inline struct http_reply *wait_ready(const struct node *at, const char *id)
{
	return expect_status(
		node_call(at, "GET", NULL, CHILDREN "/%s/wait?until=ready&wait=30s", id), 200);
}

#endif
