/*
 * Deletes at every moment of a child's life, in great number and through all nodes: it always ends
 * in gone, or in one process when somebody puts the child again.
 */
#include "tests/integration/suite.h"

SUITE(deletes);

#define BATCH CHILDREN "/batch"
#define FIRST "sleep 2001"
#define SECOND "sleep 2002"

enum {
	EACH = 12,  /* children of each kind */
	ROUND = 12, /* deletes that are sent at once */
	GONE_MS = 30000
};

/* What they are doing when they are deleted. */
static const struct {
	const char *name, *script, *members;
} kinds[] = {
	{"running", "exec " FIRST, "\"restart\":\"permanent\""},
	{"backoff", "exit 1", "\"backoff\":{\"initial_ms\":40}"},
	{"flapping", "sleep 0.02", "\"max_restarts\":100000,\"backoff\":{\"initial_ms\":0}"},
	{"unready", "exec " FIRST,
		"\"ready\":{\"kind\":\"exec\",\"command\":[\"/bin/false\"],\"period_ms\":100}"},
	{"stubborn", "trap '' TERM; while :; do " FIRST "; done",
		"\"shutdown\":{\"timeout_ms\":150}"},
	{"killed", "(sleep 0.3; kill -9 $$$$) & exec " FIRST, "\"restart\":\"permanent\""},
	{"failing", "exec /nowhere", "\"backoff\":{\"initial_ms\":20}"},
	{"named", "exec " FIRST, "\"register\":[{\"key\":\"of-${HORDE_CHILD}\"}]"},
	/* Told so just before its delete. */
	{"stopping", "trap '' TERM; while :; do " FIRST "; done",
		"\"shutdown\":{\"timeout_ms\":150}"},
	{"restarting", "trap 'sleep 0.05; exit' TERM; " FIRST " & wait",
		"\"register\":[{\"key\":\"of-${HORDE_CHILD}\"}]"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], ALL = KINDS * EACH };

static const char *id_of(int i)
{
	return text_of("%s-%d", kinds[i % KINDS].name, i);
}

static void start_all(const struct node *n)
{
	char *body = NULL;
	size_t bytes;
	FILE *out = open_memstream(&body, &bytes);

	CHECK(out, "no memory");
	fprintf(out, "{\"items\":[");
	for (int i = 0; i < ALL; i++)
		fprintf(out,
			"%s{\"id\":\"%s\",\"spec\":{\"command\":[\"/bin/sh\",\"-c\",\"%s\"],%s}}",
			i ? "," : "", id_of(i), kinds[i % KINDS].script, kinds[i % KINDS].members);
	fprintf(out, "]}");
	fclose(out);
	expect_status(node_call(n, "POST", body, BATCH "?wait=0"), 202);
	free(body);
}

static bool is_kind(int i, const char *name)
{
	return strcmp(kinds[i % KINDS].name, name) == 0;
}

/*
 * What a child is told just before its delete, if anything. To stop one is to write its spec, and
 * a write that the deleting node had not heard of would live on: so all are to know of it.
 */
static void tell(struct cluster *c, int i)
{
	const char *call = is_kind(i, "stopping") ? "stop" : "restart";

	if (!is_kind(i, "stopping") && !is_kind(i, "restarting"))
		return;
	expect_success(node_call(
		&c->nodes[i / KINDS % 3], "POST", NULL, CHILDREN "/%s/%s?wait=0", id_of(i), call));
	for (int n = 0; n < 3 && is_kind(i, "stopping"); n++)
		http_until_str(node_url(&c->nodes[n], CHILDREN "/%s", id_of(i)), "desired",
			"stopped", check_ms(CLUSTER_SOON_MS));
}

/* Through two nodes at once, which must both see it gone or going. */
static int send_round(struct cluster *c, int from, struct http_request *requests, char (*urls)[256])
{
	int count = 0;

	for (int i = from; i < from + ROUND && i < ALL; i++) {
		for (int twice = 0; twice < 1 + i % 2; twice++) {
			snprintf(urls[count], sizeof urls[0], "%s",
				node_url(&c->nodes[(i + twice) % 3],
					CHILDREN "/%s?missing_ok&wait=20s", id_of(i)));
			requests[count] = (struct http_request){
				.method = "DELETE", .url = urls[count], .timeout_ms = 30000};
			count++;
		}
	}
	return count;
}

static void delete_round(struct cluster *c, int from)
{
	static char urls[2 * ROUND][256];
	struct http_request requests[2 * ROUND];
	struct http_reply *replies[2 * ROUND];
	int count = send_round(c, from, requests, urls);

	for (int i = from; i < from + ROUND && i < ALL; i++)
		tell(c, i);
	http_send_all(requests, replies, count);
	for (int i = 0; i < count; i++)
		expect_status(replies[i], 204);
}

static void gone_everywhere(struct cluster *c)
{
	for (int n = 0; n < 3; n++)
		for (int i = 0; i < ALL; i++)
			http_until_status(node_url(&c->nodes[n], CHILDREN "/%s", id_of(i)), 404,
				check_ms(GONE_MS));
}

/* Nothing below their guardians, not even a zombie, and nothing of them in the registry. */
static void nothing_is_left(struct cluster *c)
{
	children_until_processes(FIRST, 0, GONE_MS);
	for (int n = 0; n < 3; n++) {
		const struct node *at = &c->nodes[n];

		procs_until_offspring(procs_guardian(at->pid), 0, check_ms(GONE_MS));
		http_until_int(node_url(at, "/v1/registries/default/count"), "count", 0,
			check_ms(GONE_MS));
		CHECK(access(text_of("%s/run/default", at->dir), F_OK) != 0,
			"%s has run directories of children that are gone", at->name);
	}
}

/* The rounds take their time, so that each finds its children at another moment. */
CLUSTER_TEST(deletes, whatever_a_child_does_its_delete_ends_in_gone)
{
	struct cluster *c = cluster_start(3, NULL);

	start_all(&c->nodes[0]);
	for (int from = 0; from < ALL; from += ROUND)
		delete_round(c, from);
	gone_everywhere(c);
	nothing_is_left(c);
}

/* Nobody waits for the end of the first life; the second begins when that is over. */
CLUSTER_TEST(deletes, one_that_is_put_again_at_once_runs_once)
{
	static const char again[] = "{\"command\":[\"/bin/sh\",\"-c\",\"exec " SECOND "\"]}";
	struct cluster *c = cluster_start(3, NULL);

	start_all(&c->nodes[1]);
	for (int i = 0; i < ALL; i++) {
		tell(c, i);
		expect_success(node_call(&c->nodes[i % 3], "DELETE", NULL,
			CHILDREN "/%s?missing_ok&wait=0", id_of(i)));
		if (i % 3 == 0)
			/* Who knows only of a stop leaves it stopped. */
			expect_success(node_call(
				&c->nodes[is_kind(i, "stopping") ? i % 3 : (i + i / 3) % 3], "PUT",
				again, CHILDREN "/%s?wait=0", id_of(i)));
	}
	children_until_processes(FIRST, 0, GONE_MS);
	children_until_processes(SECOND, (ALL + 2) / 3, GONE_MS);
	for (int i = 0; i < ALL; i++)
		for (int n = 0; n < 3; n++)
			http_until_status(node_url(&c->nodes[n], CHILDREN "/%s", id_of(i)),
				i % 3 == 0 ? 200 : 404, check_ms(GONE_MS));
	children_until_active(c, (ALL + 2) / 3, GONE_MS);
}
