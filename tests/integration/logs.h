/* Pages of what a child printed, for the tests of logs. */
#ifndef HORDE_TESTS_INTEGRATION_LOGS_H
#define HORDE_TESTS_INTEGRATION_LOGS_H

#include "tests/integration/suite.h"

static inline struct http_reply *logs(const struct node *at, const char *id, const char *query)
{
	return node_call(at, "GET", NULL, CHILDREN "/%s/logs?%s", id, query);
}

/* The lines of a page, with blanks between. */
static inline const char *lines(const struct http_reply *r)
{
	static char text[4096];
	size_t used = 0, i;
	json_t *item;

	text[0] = '\0';
	json_array_foreach(json_at(r->json, "items"), i, item) used += (size_t)snprintf(
		text + used, sizeof text - used, "%s%s", i ? " " : "", json_str(item, "data"));
	return text;
}

static inline bool has_lines(const struct http_reply *r, const void *expected)
{
	return r->status == 200 && strcmp(lines(r), expected) == 0;
}

static inline struct http_reply *until_lines(
	const struct node *at, const char *id, const char *query, const char *expected)
{
	return http_until(node_url(at, CHILDREN "/%s/logs?%s", id, query), has_lines, expected,
		check_ms(CLUSTER_START_MS), expected); /* they may print much first */
}

#endif
