/* What the tests of dispatch share: an owner of a name (owner.h), and whose a reply is. */
#ifndef HORDE_TESTS_DISPATCH_H
#define HORDE_TESTS_DISPATCH_H

#include "tests/integration/ready.h"
#include "tests/lib/owner.h"

#define DISPATCH "/v1/registries/default/dispatch"

static inline bool entry_is_ready(const struct http_reply *r, const void *argument)
{
	(void)argument;
	return json_is_true(json_at(r->json, "ready"));
}

/* A child that owns the key of its name and answers at this port; its files are in `dir`. Every
 * node knows that it is ready. */
static inline struct http_reply *begin_owner(
	struct cluster *c, const char *id, int port, const char *dir)
{
	struct http_reply *r;

	mkdir(dir, 0700);
	r = child_start(&c->nodes[0], id,
		helper_spec(text_of("owner %d %s", port, dir),
			text_of("\"ready\":{\"kind\":\"tcp\",\"port\":%d,\"period_ms\":100},"
				"\"register\":[{\"key\":\"%s\",\"value\":{\"port\":%d}}]",
				port, id, port)));
	for (int i = 0; i < c->count; i++)
		http_until(node_url(&c->nodes[i], ENTRIES "/%s", id), entry_is_ready, NULL,
			check_ms(CLUSTER_SOON_MS), "an owner that is ready");
	return r;
}

static inline struct http_reply *ask(const struct node *at, const char *method, const char *path)
{
	return node_call(at, method, NULL, DISPATCH "%s", path);
}

/* It is the owner's own, and says through whom it came. */
static inline struct http_reply *owners(
	struct http_reply *r, const struct node *through, long status)
{
	CHECK_INT(r->status, status);
	CHECK(http_header(r, "Horde-Dispatched"), "%s is not the owner's: %s", r->url, r->body);
	CHECK(strstr(http_header(r, "Via"), text_of("1.1 horde-%s", through->name)), "through it");
	return r;
}

/* Horde's own, whatever an owner may write. */
static inline void hordes(struct http_reply *r, long status, const char *code)
{
	expect_problem(r, status, code);
	CHECK(!http_header(r, "Horde-Dispatched") && !http_header(r, "Via"), "nobody else's");
}

static inline const char *head_of(const char *method, const char *path, const char *headers)
{
	return text_of(
		"%s " DISPATCH "%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", method, path, headers);
}

#endif
